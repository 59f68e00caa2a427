/** What a comparison of two builds is asked, and what it says. */
import type { Case } from '../../corpus/cases/case.ts';
import type { Coverage, Engine } from '../../sim/engines/engine.ts';
import type { VmOptions } from '../../sim/engines/vm.ts';
import type { NamedWorld } from '../../sim/runtime/program.ts';
import type { PacketSource } from '../batch-runner.ts';
import type { EngineFailure } from '../engine-side.ts';
import type { NotCompared } from '../not-compared.ts';
import type { Shrunk } from '../shrink.ts';
import type { PairFinding } from './look.ts';
import type { BuildPair } from './pair.ts';

export interface DiffOptions {
  readonly pair: BuildPair;
  /** The fast engine, which both builds are run in. */
  readonly engine: Engine;
  /** Of the interpreter, which says what decides a difference. */
  readonly vm?: VmOptions;
  /** Runs programs in the kernel; is asked about what the machine stops. */
  readonly kernel?: Engine;
  readonly seed: string;
  /** How many packets; infinite where time decides. */
  readonly runs: number;
  readonly seconds?: number;
  /** Default: those of the old build, and of the new one. */
  readonly worlds?: readonly NamedWorld[];
  /** Packets that come first: captures and saved cases. */
  readonly cases?: AsyncIterable<Pick<Case, 'stimuli' | 'world'>>;
  readonly source?: PacketSource;
  /** Whether packets are made for the branches of either build; default: true. */
  readonly guided?: boolean;
  /** Whether words that the builds rewrite are swept over all their values; default: true. */
  readonly sweeps?: boolean;
  /** After how many classes to stop looking for more. */
  readonly maxClasses: number;
  /** How long a class's example is made smaller at the most, in seconds. */
  readonly shrinkSeconds: number;
  readonly signal?: AbortSignal;
  readonly onProgress?: (packets: number, classes: number) => void;
}

/** Packets that are treated differently for one reason. */
export interface DiffClass {
  /** Of the small case. */
  readonly finding: PairFinding;
  readonly case: Case;
  readonly state: Shrunk['state'];
  /** How many of the packets that were run. */
  packets: number;
}

export interface DiffReport {
  readonly pair: BuildPair;
  /** Generated and replayed; those of sweeps apart. */
  readonly packets: number;
  readonly swept: number;
  readonly seconds: number;
  readonly classes: readonly DiffClass[];
  /** Were there more classes than are shown? */
  readonly isCut: boolean;
  readonly notCompared: readonly NotCompared[];
  readonly coverage: { readonly old: Coverage | undefined; readonly new: Coverage | undefined };
  readonly failure?: EngineFailure;
  readonly interrupted: boolean;
}
