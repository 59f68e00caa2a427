/** What is known of each property while paths are judged: refuted by a packet, open for a reason, or neither. */
import { isKnownRule, ruleOf } from '../invariants/rules.ts';
import type { Severity } from '../severity.ts';
import type { Property } from './property.ts';
import type { Witness } from './witness.ts';

export interface Row {
  /** Paths that it was asked of. */
  paths: number;
  refuted:
    | { readonly witness: Witness; readonly reason: string; readonly severity?: Severity | undefined }
    | undefined;
  /** The first reason why it is neither proved nor refuted. */
  undecided: string | undefined;
}

export class PropertyRows {
  readonly #rows = new Map<string, Row>();

  /** The row of an invariant; made where it is asked for first. */
  row(invariant: string): Row {
    let row = this.#rows.get(invariant);
    if (row === undefined) {
      row = { paths: 0, refuted: undefined, undecided: undefined };
      this.#rows.set(invariant, row);
    }
    return row;
  }

  /** Is it refuted, itself or, of a group (`lengths`), one of its parts? */
  isRefuted(invariant: string): boolean {
    const parts = `${invariant}/`;
    return [...this.#rows].some(
      ([name, { refuted }]) => refuted !== undefined && (name === invariant || name.startsWith(parts)),
    );
  }

  /** @param severity default: the rule's */
  refute(invariant: string, witness: Witness, reason: string, severity?: Severity): void {
    this.row(invariant).refuted ??= { witness, reason, severity };
  }

  /** Leaves every property of a group open that is not refuted. */
  leaveOpen(group: string, reason: string): void {
    for (const [name, row] of this.#rows) if (name.startsWith(`${group}/`)) row.undecided ??= reason;
  }

  /** @param open why any property may be broken by what was not looked at */
  properties(open: string | undefined): Property[] {
    return [...this.#rows].flatMap(([invariant, { paths, refuted, undecided }]) => {
      const status =
        refuted !== undefined ? 'refuted' : (undecided ?? open) !== undefined ? 'undecided' : 'proved';
      // The part that is refuted says it better.
      if (status !== 'refuted' && this.isRefuted(invariant)) return [];
      return {
        invariant,
        status,
        severity: refuted?.severity ?? usualSeverity(invariant),
        reason: refuted?.reason ?? undecided ?? (status === 'undecided' ? open : undefined),
        paths,
        witness: refuted?.witness,
        confirmedBy: refuted === undefined ? [] : ['vm'],
        source: undefined,
      } as const;
    });
  }
}

function usualSeverity(invariant: string): Severity {
  return isKnownRule(invariant) && !isGroup(invariant) ? ruleOf(invariant).severity : 'error';
}

/** `lengths`, `fragments`: proved as a whole, refuted by part. */
function isGroup(invariant: string): boolean {
  return !invariant.includes('/');
}
