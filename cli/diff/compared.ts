/** What came of comparing two builds. */
import type { DiffReport } from '../../verify/diff/diff.ts';
import type { AgainstProof } from '../../verify/prove/against/against.ts';
import type { Saved } from '../../verify/report.ts';

export interface ComparedProgram {
  readonly name: string;
  readonly verdict: 'same' | 'identical instructions' | 'differs' | 'failed';
  /** Absent where nothing had to be run. */
  readonly report?: DiffReport;
  /** What was proved where no packet showed a difference; absent: nothing was tried. */
  readonly proof?: AgainstProof;
  /** Did the packets that differ come from the proof, and no others? */
  readonly isProofs?: boolean;
  /** What became of the classes' examples; empty where they were not to be saved. */
  readonly saved: readonly Saved[];
  /** The words that name each build's program on a command line. */
  readonly words: { readonly old: readonly string[]; readonly new: readonly string[] };
}

export interface Compared {
  /** The builds' labels. */
  readonly old: string;
  readonly new: string;
  readonly verdict: 'same' | 'differs' | 'failed';
  readonly unpaired: readonly string[];
  /** Maps that the builds declare differently: sentences. */
  readonly maps: readonly string[];
  readonly programs: readonly ComparedProgram[];
}
