/** What a check is asked. */
import type { SavedCase } from '../../corpus/cases/case.ts';
import type { Engine } from '../../sim/engines/engine.ts';
import type { NamedWorld, Program } from '../../sim/runtime/program.ts';
import type { PacketSource } from '../batch-runner.ts';
import type { Progress } from '../collector.ts';
import type { ProofAid } from '../prove/aid.ts';
import type { Divergence, Saved } from '../report.ts';
import type { IsOn } from './judging.ts';
import type { Thresholds } from './verdict.ts';

export interface CheckOptions extends Thresholds {
  readonly program: Program;
  /** The machine that runs everything: `wasm`. */
  readonly machine: Engine;
  /** `testrun`; it may not be able to run here. */
  readonly kernel?: Engine;
  /** The machine as other kernels, whose behaviour is to be the same. */
  readonly versions?: readonly OtherKernel[];
  /** `vm`: explains, and confirms. */
  readonly witness: Engine;
  readonly seed: string;
  /** How many packets are generated; default 40 000. */
  readonly runs?: number;
  /** How long all that runs may take together, once packets were looked for; default: as long as it takes. */
  readonly seconds?: number;
  /** Replayed before anything is generated. */
  readonly cases?: readonly SavedCase[];
  /** Default: the program's, or those that a program without a definition gets. */
  readonly worlds?: readonly NamedWorld[];
  /** Default: the generator. */
  readonly source?: PacketSource;
  /** Which invariants are judged; default: all. */
  readonly isOn?: IsOn;
  /** Whether words that the program rewrites are swept; default true. */
  readonly sweeps?: boolean;
  /** Instructions that the search for packets may run; default 2 million, about half a second. */
  readonly effort?: number;
  /** Per finding; default 3. */
  readonly shrinkSeconds?: number;
  /** Functions of the same object that are checked by themselves in the same run: what is theirs is reported there. */
  readonly testedApart?: ReadonlySet<string>;
  /** Follows the program's paths, where packets left branches out; undefined: nobody can, or not this program. */
  readonly prove?: (program: Program, seconds?: number) => Promise<ProofAid | undefined>;
  /** Per cent of the branches below which paths are followed for as long as usual, and not for a moment; default: what `minCoverage` asks for. */
  readonly proveFrom?: number;
  readonly signal?: AbortSignal;
  readonly save?: (divergence: Divergence) => Promise<Saved>;
  readonly onProgress?: (progress: CheckProgress) => void;
}

/** The machine as a kernel of some version. */
export interface OtherKernel {
  readonly version: string;
  readonly machine: Engine;
}

export interface CheckProgress extends Progress {
  readonly phase: 'packets' | 'variants' | 'sweeps' | 'other kernels' | 'paths' | 'copies';
}
