/** What a run of `verify` was asked to do. */
import type { KernelVersion } from '../../sim/ebpf/kernel-versions.ts';
import type { Oracle } from '../../verify/judging.ts';
import type { CompilerSettings } from '../compile/settings.ts';
import type { WorldOptions } from '../input/world-options.ts';

/** Plain data, so that worker processes can be told the same. */
export interface VerifyPlan {
  /** Programs as the user named them; none: all built-in ones. */
  readonly programs: readonly string[];
  readonly object?: string;
  /** For C sources among these. */
  readonly compiler: CompilerSettings;
  /** `--engines`, as given. */
  readonly engines?: string;
  readonly live: boolean;
  /** `--as-kernel`: what model and machine are to be. */
  readonly asKernel?: KernelVersion;
  /** `--world`, `--map`, `--max-entries` and `--aim`, as given. */
  readonly surroundings: WorldOptions;
  /** Are cases looked for by coverage first, for programs that are not built in? */
  readonly guided: boolean;
  /** `--packets`: files whose packets run first, and are changed. */
  readonly packets: readonly string[];
  readonly seed: string;
  readonly runs?: number;
  /** Per program. */
  readonly seconds?: number;
  /** What is judged of frames without a comparison. */
  readonly oracle: Oracle;
  readonly maxDivergences: number;
  /** How long a divergence is made smaller at the most; 0: not at all. */
  readonly shrinkSeconds: number;
  /** Where divergences go, and where earlier ones are looked for first. */
  readonly directory: string;
}
