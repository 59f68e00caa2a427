/** What is judged of the packets that a program has run on, besides comparing engines. */
import { INVARIANTS } from './invariants/index.ts';
import type { Invariant, OutcomeInvariant } from './invariants/invariant.ts';

/** What is judged of frames: nothing, their checksums, or these and the invariants. */
export type Oracle = 'off' | 'checksums' | 'all';

/** The same in full: `check` judges more than `verify` does, and leaves out what the user has switched off. */
export interface Judging {
  readonly checksums: boolean;
  /** Judged on frames that leave changed. */
  readonly frames: readonly Invariant[];
  /** Judged on every run to its end. */
  readonly outcomes: readonly OutcomeInvariant[];
  /** Are breaches that are no errors findings of their own, with a case each? Otherwise they are counted. */
  readonly keepsWarnings: boolean;
  /** Are wrong checksums of packets that are special in other ways (`fault-shape.ts`) findings of their own? */
  readonly tellsShapes?: boolean;
  /** Bytes of the shortest frames that are judged; default: of none at all. */
  readonly shortest?: number;
}

/** No kernel gives a program a shorter frame, so nothing is wrong with what becomes of one: drivers and test runs drop it. */
export const SHORTEST_FRAME = 14;

const BY_NAME: Readonly<Record<Oracle, Judging>> = {
  off: { checksums: false, frames: [], outcomes: [], keepsWarnings: false },
  checksums: { checksums: true, frames: [], outcomes: [], keepsWarnings: false },
  all: { checksums: true, frames: INVARIANTS, outcomes: [], keepsWarnings: false },
};

export function judgingOf(oracle: Oracle | Judging): Judging {
  return typeof oracle === 'string' ? BY_NAME[oracle] : oracle;
}

/** The same, of runs alone. */
export function withoutFrames(oracle: Oracle | Judging): Judging {
  return { ...judgingOf(oracle), checksums: false, frames: [] };
}
