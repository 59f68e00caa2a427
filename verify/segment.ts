/** What a stretch of a run yielded: the unit in which runners hand over their work. Plain data, so it can cross processes. */
import type { Case } from '../corpus/cases/case.ts';
import type { Finding } from './finding.ts';
import type { Divergence, ProgramReport } from './report.ts';

/**
 * A segment ends after a batch that showed something new or in which an engine failed, so that a run can end there,
 * and it never lasts much longer than `SEGMENT_MS`. Where else it ends makes no difference: the sums are the same.
 */
export interface Segment {
  /** The first batch behind it; 0 for replayed cases, which come before all batches. */
  readonly next: number;
  /** Figures of this stretch alone, without its divergences. */
  readonly report: ProgramReport;
  /** Kinds that the runner had not seen before, in order. */
  readonly found: readonly Found[];
  /** Something new is in it: nothing behind it is run before its turn has come and it is said that the run goes on. */
  readonly waits: boolean;
}

/** A finding as it was met: on the sequence up to the packet that shows it, since the program's state may have a part in it. */
export interface Found {
  readonly finding: Finding;
  readonly case: Case;
  readonly seen: Divergence['seen'];
  /** Set where it takes a program that the test put into a slot, and where a loader may put something else (`slot-owner.ts`). */
  readonly isByGuess?: true;
  /** Set where packets around it have been looked at, which tell its cause from a coincidence (`neighbours.ts`). */
  readonly hasNeighbours?: true;
  /** The file of an earlier run in which this divergence lies already, and small. */
  readonly savedIn?: string;
}

/** After how many milliseconds a runner hands over what it has. */
export const SEGMENT_MS = 200;
