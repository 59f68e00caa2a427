/**
 * Proves a program: follows its paths, makes a packet for each and runs it, judges branches and properties, and says what
 * all of that rests on.
 */
import { DEFAULT_EXPLORE_LIMITS, explore, wayKey } from '../../sim/ebpf/symbolic/explore.ts';
import { Feasibility, type FeasibilityCounts } from '../../sim/ebpf/symbolic/feasibility.ts';
import { DEFAULT_LIMITS, type InputLimits, Inputs } from '../../sim/ebpf/symbolic/inputs.ts';
import type { PathState } from '../../sim/ebpf/symbolic/path-state.ts';
import type { Solver } from '../../sim/ebpf/symbolic/solver.ts';
import { TermPool } from '../../sim/ebpf/symbolic/term-pool.ts';
import { openMachine } from '../../sim/engines/machine-program.ts';
import type { Program } from '../../sim/runtime/program.ts';
import { assumptionsOf } from './assumptions.ts';
import { type BranchWay, judgeBranches } from './branches.ts';
import { Confirmer } from './confirm.ts';
import { PropertyJudge } from './properties.ts';
import type { Property } from './property.ts';
import { isWitness, type Witness, witnessOf } from './witness.ts';

export interface ProveOptions {
  readonly solver: Solver;
  readonly limits?: InputLimits;
  /** Paths at the most. */
  readonly paths?: number;
  /** Milliseconds. */
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
}

export interface ProgramProof {
  readonly inputs: Inputs;
  readonly paths: readonly ProvedPath[];
  readonly branches: readonly BranchWay[];
  /** Why not every path was followed. */
  readonly cut: string | undefined;
  readonly properties: readonly Property[];
  readonly assumptions: readonly string[];
  readonly counts: FeasibilityCounts;
  readonly seconds: number;
}

const DEFAULT_TIME = 60_000;

/**
 * @param program with one entry: the one that is proved
 * @throws {EngineError} where the machine cannot run it
 */
export async function proveProgram(program: Program, options: ProveOptions): Promise<ProgramProof> {
  const now = options.now ?? (() => performance.now());
  const started = now();
  const opened = openMachine(program, {}, {});
  const entry = opened.entries[0]!;
  const pool = new TermPool();
  const bpf = opened.machine.object.programs[entry.program]!;
  const inputs = new Inputs(pool, opened.machine, entry.hook, bpf, options.limits ?? DEFAULT_LIMITS);
  const feasibility = new Feasibility(options.solver, now);
  const confirmer = new Confirmer(program);
  const stopped = options.stopped ?? (() => false);
  const deadline = started + (options.time ?? DEFAULT_TIME);
  let propertyDeadline = Number.POSITIVE_INFINITY;
  const judge = new PropertyJudge(
    inputs,
    feasibility,
    confirmer,
    () => stopped() || now() > propertyDeadline,
  );
  const paths: ProvedPath[] = [];
  const confirmed = new Set<string>();
  const unconfirmed = new Map<string, string>();
  const exploration = await explore(inputs, entry.program, feasibility, {
    limits: {
      ...DEFAULT_EXPLORE_LIMITS,
      ...(options.paths === undefined ? {} : { paths: options.paths }),
      deadline,
    },
    now,
    stopped,
    onProgress: ({ paths: done, waiting }) =>
      options.onProgress?.({ paths: done, waiting, reached: confirmed.size }),
    onPath: (state) => {
      const path = confirmPath(inputs, state, confirmer);
      paths.push(path);
      for (const { program: index, slot, taken } of state.trail()) {
        const key = wayKey(index, slot, taken);
        if (path.confirmed) confirmed.add(key);
        else if (!unconfirmed.has(key)) unconfirmed.set(key, path.reason ?? 'no packet was confirmed');
      }
    },
  });
  const notFollowed = [
    ...new Set(paths.flatMap(({ state }) => (state.end?.kind === 'not followed' ? [state.end.reason] : []))),
  ];
  // Where machine and terms part, nothing that was proved over the terms can be relied on.
  const parted = paths.find(
    (one) => one.witness !== undefined && !one.confirmed && one.stopped === undefined,
  );
  const open =
    exploration.cut ??
    (notFollowed.length > 0
      ? `paths end before the program does: ${notFollowed[0]}`
      : parted === undefined
        ? undefined
        : `a packet went another way than was predicted: ${parted.reason}`);
  // Properties get as much time again.
  propertyDeadline = now() + (options.time ?? DEFAULT_TIME);
  let judged = 0;
  for (const { state, confirmed: isConfirmed, witness, stopped: why } of paths) {
    if (stopped() || now() > propertyDeadline) break;
    judge.stops(state, why === undefined ? undefined : witness, why);
    if (why === undefined) await judge.judge(state, isConfirmed ? witness : undefined);
    judged++;
    options.onProgress?.({ paths: paths.length, waiting: paths.length - judged, reached: confirmed.size });
  }
  const left =
    judged < paths.length ? `${paths.length - judged} paths were not judged: the time was up` : undefined;
  const branches = await judgeBranches(
    opened,
    exploration,
    { confirmed, unconfirmed, notFollowed },
    feasibility,
  );
  return {
    inputs,
    paths,
    branches,
    properties: judge.properties(open ?? left).filter(({ invariant }) => options.isOn?.(invariant) ?? true),
    cut: exploration.cut,
    assumptions: assumptionsOf(
      inputs,
      paths.map((one) => one.state),
      judge.notJudged(),
      judge.assumed(),
    ),
    counts: feasibility.counts,
    seconds: (now() - started) / 1000,
  };
}

function confirmPath(inputs: Inputs, state: PathState, confirmer: Confirmer): ProvedPath {
  if (state.values === undefined) {
    return { state, witness: undefined, confirmed: false, reason: state.doubt ?? 'no packet is known' };
  }
  const witness = witnessOf(inputs, state);
  if (!isWitness(witness)) return { state, witness: undefined, confirmed: false, reason: witness.reason };
  return { state, witness, ...confirmer.confirm(inputs, state, witness) };
}
