/** What `check` says of a program: findings, each by the name of an invariant, and a verdict. */

import type { EngineName } from '../../sim/engines/register.ts';
import type { CoverageSummary } from '../coverage-summary.ts';
import type { ProofAid } from '../prove/aid.ts';
import type { Divergence, ProgramReport, Unsaved } from '../report.ts';
import type { Severity } from '../severity.ts';
import type { Unreached } from '../unreached.ts';
import type { SourcePlace } from '../warning.ts';

/** One thing that is wrong with a program, or worth knowing. */
export interface CheckFinding {
  /** The identifier of a rule in `verify/invariants/rules.ts`: `checksum/carry-lost`. */
  readonly invariant: string;
  /** An `error` fails the check. */
  readonly severity: Severity;
  /** The line of C that is to blame, where that is known. */
  readonly source?: SourcePlace;
  /** One line, which begins with the program's name. */
  readonly summary: string;
  /** The saved case: the smallest packet (sequence, world) that shows it; absent where no packet has to show it. */
  readonly file?: string;
  /** Present where the case could not be saved as it was to be. */
  readonly unsaved?: Unsaved;
  /** The engines that show it; none where it was found in the program's text. */
  readonly confirmedBy: readonly EngineName[];
  /** What `explain` shows of it; absent where there is no packet. */
  readonly divergence?: Divergence;
  /** What the verifier wrote when it refused the program: thousands of lines, the reason at the end. */
  readonly log?: string;
  /** Further lines for a person: what would help. */
  readonly details?: readonly string[];
  /** What the same line breaks for the same cause, weaker ones last (`group.ts`). */
  readonly also?: readonly CheckFinding[];
  /** Set where a line breaks so many invariants that all of them are one finding. */
  readonly isWholeLine?: boolean;
}

/**
 * - `pass`: no error was found, and the packets reached enough of the program
 * - `fail`: at least one error
 * - `incomplete`: no error was found, but not enough was seen to say more
 */
export type CheckVerdict = 'pass' | 'fail' | 'incomplete';

/** What was swept. */
export interface SweepReport {
  /** 16-bit words that the program rewrites, each of which took all of its 65,536 values. */
  readonly words: number;
  readonly packets: number;
  /** Words that were seen and not swept, or not to the end. */
  readonly left: number;
  /** Of these, words that were met when as many were known as a check sweeps. */
  readonly beyond?: number;
  /** Where time was too short for all of them: how many packets there would have been. */
  readonly wanted?: number;
  /** With it: the share of its values that each word took at the least, spread over all; from 0 to 1. */
  readonly least?: number;
}

export interface CheckedProgram {
  readonly name: string;
  readonly verdict: CheckVerdict;
  /** One line. */
  readonly reason: string;
  /** Errors first. */
  readonly findings: readonly CheckFinding[];
  /** Of all that was run; `coverage` absent where no engine measures it. */
  readonly report: ProgramReport;
  readonly coverage?: CoverageSummary;
  readonly unreached: readonly Unreached[];
  readonly sweeps: SweepReport;
  /** Where packets left branches out, and the paths could be followed. */
  readonly proof?: ProofAid;
  /** As which other kernels the machine ran it, too; absent: as none. */
  readonly asKernels?: readonly string[];
  /** What was not judged, a sentence each: a kernel that is not there, frames that came broken. */
  readonly notChecked: readonly string[];
  readonly seconds: number;
}
