/** The paths of a program, each with a packet that was seen to take it, and what they say of its branches. */

import { openConstants } from '../../sim/ebpf/analysis/settable-data.ts';
import type { KernelVersion } from '../../sim/ebpf/kernel-versions.ts';
import {
  DEFAULT_EXPLORE_LIMITS,
  type Exploration,
  explore,
  wayKey,
} from '../../sim/ebpf/symbolic/explore.ts';
import { Feasibility } from '../../sim/ebpf/symbolic/feasibility.ts';
import { DEFAULT_LIMITS, type InputLimits, Inputs, whoElse } from '../../sim/ebpf/symbolic/inputs.ts';
import type { Answer, PathState } from '../../sim/ebpf/symbolic/path-state.ts';
import type { Solver } from '../../sim/ebpf/symbolic/solver.ts';
import { TermPool } from '../../sim/ebpf/symbolic/term-pool.ts';
import { openMachine } from '../../sim/engines/machine-program.ts';
import type { Program } from '../../sim/runtime/program.ts';
import { askedAnew } from './asking-anew.ts';
import { type BranchWay, judgeBranches } from './branches.ts';
import { type Confirmation, Confirmer } from './confirm.ts';
import { readConstants } from './constants.ts';
import { doubtsOf } from './doubts.ts';
import { wellFormed } from './well-formed.ts';
import { isInPieces, isWitness, type Witness, witnessFor, witnessOf } from './witness.ts';
import { worldOfPaths } from './world-of-paths.ts';

export interface ProveOptions {
  readonly solver: Solver;
  readonly limits?: InputLimits;
  /** Paths at the most. */
  readonly paths?: number;
  /** Are constants that a loader may set (`const volatile`) anything? Default: they are as in the object. */
  readonly anyConstants?: boolean;
  /** Which kernel the machine is to be; default: the newest. */
  readonly asKernel?: KernelVersion;
  /** Milliseconds: of `followPaths` for the paths, of `proveProgram` for all of the proof. */
  readonly time?: number;
  /** Is the property of this name wanted? Default: all are. */
  readonly isOn?: (invariant: string) => boolean;
  readonly stopped?: () => boolean;
  readonly now?: () => number;
  readonly onProgress?: (progress: ProveProgress) => void;
}

export interface ProveProgress {
  readonly paths: number;
  readonly waiting: number;
  /** Ways of jumps that a confirmed packet takes. */
  readonly reached: number;
}

/** A path, and the packet that takes it. */
export interface ProvedPath {
  readonly state: PathState;
  /** Undefined: none could be made. */
  readonly witness: Witness | undefined;
  readonly confirmed: boolean;
  /** Why there is no confirmed packet. */
  readonly reason: string | undefined;
  /** Why the machine stopped the program on the packet, if it did. */
  readonly stopped?: string | undefined;
  /** What the program asked for that the machine cannot do, if that is why. */
  readonly gap?: string | undefined;
  /** Of an input that helpers answer otherwise than the path wants it: which they are. */
  readonly missed?: readonly Answer[] | undefined;
}

export interface FollowedPaths {
  readonly inputs: Inputs;
  readonly feasibility: Feasibility;
  readonly confirmer: Confirmer;
  readonly paths: readonly ProvedPath[];
  /** Paths that only frames beyond the limit take: for what they reach. */
  readonly longer: readonly ProvedPath[];
  /** Ways of jumps that a confirmed packet takes. */
  readonly reached: number;
  /** Why not every path was followed. */
  readonly cut: string | undefined;
  /** Why not every path is known to its end, or why the machine goes other ways than they do; undefined: all are known. */
  readonly doubt: string | undefined;
  /** @param until when ways that no path has settled are given up; default: a quarter of the time for paths is for them */
  branches(until?: number): Promise<BranchWay[]>;
}

export const DEFAULT_TIME = 60_000;
/** The time for ways that no path has settled, as a share of the time for paths. */
const BRANCH_SHARE = 1 / 4;

/**
 * @param program with one entry: the one that is followed
 * @throws {EngineError} where the machine cannot run it
 */
export async function followPaths(program: Program, options: ProveOptions): Promise<FollowedPaths> {
  const now = options.now ?? (() => performance.now());
  const { asKernel } = options;
  const machineOptions = asKernel === undefined ? {} : { asKernel };
  const opened = openMachine(program, worldOfPaths(program, {}), machineOptions);
  const entry = opened.entries[0]!;
  const pool = new TermPool();
  const bpf = opened.machine.object.programs[entry.program]!;
  const { machine } = opened;
  const isOpen = options.anyConstants === true ? openConstants(machine.object) : undefined;
  const limits = options.limits ?? DEFAULT_LIMITS;
  const inputs = new Inputs(pool, machine, entry.hook, bpf, limits, undefined, isOpen);
  const feasibility = new Feasibility(options.solver, now);
  const time = options.time ?? DEFAULT_TIME;
  const deadline = now() + time;
  feasibility.deadline = deadline;
  const confirmer = new Confirmer(program, machineOptions);
  const paths: ProvedPath[] = [];
  const longer: ProvedPath[] = [];
  const confirmed = new Set<string>();
  const unconfirmed = new Map<string, string>();
  const elsewhere = new Map<string, string>();
  const possible = new Set<string>();
  const enter = (state: PathState): ProvedPath => {
    const path = confirmPath(inputs, state, confirmer, () =>
      state.trail().some((one) => !confirmed.has(wayKey(one.program, one.slot, one.taken))),
    );
    const who = whoElse(state);
    for (const { program: index, slot, taken } of state.trail()) {
      const key = wayKey(index, slot, taken);
      if (who === undefined) {
        possible.add(key);
        elsewhere.delete(key);
      } else if (!possible.has(key)) elsewhere.set(key, who);
      if (path.confirmed) confirmed.add(key);
      else if (!unconfirmed.has(key)) unconfirmed.set(key, path.reason ?? 'no packet was confirmed');
    }
    return path;
  };
  const exploration: Exploration = await explore(inputs, entry.program, feasibility, {
    limits: {
      ...DEFAULT_EXPLORE_LIMITS,
      ...(options.paths === undefined ? {} : { paths: options.paths }),
      deadline,
    },
    now,
    stopped: options.stopped ?? (() => false),
    onProgress: ({ paths: done, waiting }) =>
      options.onProgress?.({ paths: done, waiting, reached: confirmed.size }),
    onPath: (state) => void paths.push(enter(state)),
    onLongerPath: (state) => void longer.push(enter(state)),
  });
  const doubts = doubtsOf(inputs, exploration.cut, paths, exploration.arrivals.values());
  return {
    inputs,
    feasibility,
    confirmer,
    paths,
    longer,
    reached: confirmed.size,
    cut: exploration.cut,
    doubt: doubts[0]?.reason,
    branches: (until) => {
      feasibility.deadline = until ?? now() + time * BRANCH_SHARE;
      return judgeBranches(
        opened,
        exploration,
        {
          ...{ confirmed, unconfirmed, elsewhere, doubts, longest: inputs.limits.longest },
          anyConstants: readConstants([inputs]).any.length > 0,
        },
        feasibility,
      );
    },
  };
}

/**
 * A path with a packet that takes it.
 * @param isWorthIt whether a packet of the path would show what none has shown yet
 */
export function confirmPath(
  inputs: Inputs,
  state: PathState,
  confirmer: Confirmer,
  isWorthIt: () => boolean,
): ProvedPath {
  if (state.values === undefined) {
    return { state, witness: undefined, confirmed: false, reason: state.doubt ?? 'no packet is known' };
  }
  const values = wellFormed(inputs, state);
  const whole = values === undefined ? undefined : witnessFor(inputs, state, values);
  if (whole !== undefined && isWitness(whole)) {
    const confirmation = confirmer.confirm(inputs, state, whole);
    if (confirmation.confirmed) return shown(state, whole, confirmation);
  }
  const witness = witnessOf(inputs, state);
  if (!isWitness(witness)) return { state, witness: undefined, confirmed: false, reason: witness.reason };
  const first = confirmer.confirm(inputs, state, witness);
  if (first.noWorld !== undefined)
    return { state, witness: undefined, confirmed: false, reason: first.noWorld };
  // Paths know of pieces for slices only: what else a program sees of them is another way.
  if (!first.confirmed && isInPieces(witness))
    return { state, witness: undefined, confirmed: false, reason: `only ${whoElse(state)} go this way` };
  if (first.missed !== undefined && isWorthIt()) {
    for (const other of askedAnew(inputs, state, witness.values, first.missed)) {
      const confirmation = confirmer.confirm(inputs, state, other);
      if (confirmation.confirmed) return shown(state, other, confirmation);
    }
  }
  return shown(state, witness, first);
}

function shown(state: PathState, witness: Witness, { values, ...confirmation }: Confirmation): ProvedPath {
  return { state, witness: { ...witness, values }, ...confirmation };
}
