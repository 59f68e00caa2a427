/** What a run of `check` was asked to do. */
import type { KernelVersion } from '../../sim/ebpf/kernel-versions.ts';
import type { Thresholds } from '../../verify/check/verdict.ts';
import type { WorldOptions } from '../input/world-options.ts';

/** Plain data: what the command line says, or a configuration file. */
export interface CheckPlan {
  /** Objects `FILE.o[:FUNCTION]`, built-in programs, or modules. */
  readonly programs: readonly string[];
  /** `--world`, `--map`, `--max-entries` and `--aim`, as given. */
  readonly surroundings: WorldOptions;
  readonly seed: string;
  readonly runs?: number;
  /** Per program, for generated packets. */
  readonly seconds?: number;
  /** Kernels as which the machine is to do the same. */
  readonly asKernels: readonly KernelVersion[];
  /** Invariants or groups of them that are not judged. */
  readonly off: readonly string[];
  /** Those that alone are judged; none: all. */
  readonly only: readonly string[];
  readonly sweeps: boolean;
  /** Instructions that may be spent on finding packets for every branch; default: see `check`. */
  readonly effort?: number;
  readonly shrinkSeconds: number;
  readonly thresholds: Thresholds;
  /** Where cases are saved. */
  readonly directory: string;
}
