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

/** What stands for a group that something was left out of, where no path was asked any of its properties. */
const STAND_INS: Readonly<Record<string, string>> = {
  checksum: 'checksum/other',
  ttl: 'ttl/expired',
  reply: 'reply/zero-source',
};

export class PropertyRows {
  readonly #rows = new Map<string, Row>();
  /** Groups that something was left out of, and why: nothing of them is proved, whatever other paths say. */
  readonly #open = new Map<string, string>();

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

  /** Leaves every property of a group open that is not refuted, those that are asked of later paths among them. */
  leaveOpen(group: string, reason: string): void {
    if (!this.#open.has(group)) this.#open.set(group, reason);
  }

  #standIn(): void {
    for (const group of this.#open.keys()) {
      const standIn = STAND_INS[group];
      const isAsked = [...this.#rows.keys()].some((name) => name.startsWith(`${group}/`));
      if (standIn !== undefined && !isAsked) this.row(standIn);
    }
  }

  /** @param open why any property may be broken by what was not looked at */
  properties(open: string | undefined): Property[] {
    this.#standIn();
    return [...this.#rows].flatMap(([invariant, { paths, refuted, undecided: own }]) => {
      const undecided = own ?? this.#open.get(invariant.slice(0, Math.max(0, invariant.indexOf('/'))));
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
