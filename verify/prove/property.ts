/** What is proved, refuted or left open about a program: one row for each invariant. */
import type { EngineName } from '../../sim/engines/register.ts';
import type { Divergence } from '../report.ts';
import type { Severity } from '../severity.ts';
import type { SourcePlace } from './branches.ts';
import type { Witness } from './witness.ts';

export interface Property {
  /** As `check` names it: `checksum/icmp`, `action/unknown`. */
  readonly invariant: string;
  readonly status: 'proved' | 'refuted' | 'undecided';
  /** What a refutation means, as in docs/invariants.md. */
  readonly severity: Severity;
  /** Of `proved`: undefined, or with which constants of its loader no kernel loads the program. */
  readonly reason: string | undefined;
  /** Paths that it was asked of. */
  readonly paths: number;
  /** Of `refuted`: an input that breaks it, who ran it, and the line that wrote what is wrong. */
  readonly witness: Witness | undefined;
  readonly confirmedBy: readonly EngineName[];
  readonly source: SourcePlace | undefined;
  /** Of `refuted`: what `explain` shows of it, once somebody has asked (`show-refutation.ts`). */
  readonly divergence?: Divergence;
}
