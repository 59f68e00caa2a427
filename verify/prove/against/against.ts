/**
 * Two builds of a program, for all packets: every path of the first one, and on its inputs the second one's, whose ends are
 * held against each other. Where they may differ, an input is made that both are to run.
 */
import { hasOpenConstants } from '../../../sim/ebpf/analysis/settable-data.ts';
import { calledHelpers } from '../../../sim/ebpf/called-helpers.ts';
import { type AlikeKernels, alikeKernels } from '../../../sim/ebpf/kernel-versions.ts';
import type { Machine } from '../../../sim/ebpf/machine.ts';
import { Evaluator } from '../../../sim/ebpf/symbolic/evaluate.ts';
import { DEFAULT_EXPLORE_LIMITS, explore, follow } from '../../../sim/ebpf/symbolic/explore.ts';
import { Feasibility, type FeasibilityCounts } from '../../../sim/ebpf/symbolic/feasibility.ts';
import { DEFAULT_LIMITS, Inputs, longestFrame } from '../../../sim/ebpf/symbolic/inputs.ts';
import type { PathState } from '../../../sim/ebpf/symbolic/path-state.ts';
import { startSecond } from '../../../sim/ebpf/symbolic/second-run.ts';
import { type Term, unknownsOf } from '../../../sim/ebpf/symbolic/term.ts';
import { TermPool } from '../../../sim/ebpf/symbolic/term-pool.ts';
import { type MachineProgram, openMachine } from '../../../sim/engines/machine-program.ts';
import type { Stimulus } from '../../../sim/packet/packet-batch.ts';
import type { Hook } from '../../../sim/runtime/actions.ts';
import type { Program } from '../../../sim/runtime/program.ts';
import type { World } from '../../../sim/runtime/world.ts';
import type { BuildPair } from '../../diff/pair.ts';
import { assumptionsOf } from '../assumptions.ts';
import { openInBoth, type ReadConstants, readConstants } from '../constants.ts';
import type { ProveOptions } from '../paths.ts';
import { worldOfPaths } from '../world-of-paths.ts';
import { commonWitness } from './common-witness.ts';
import { namingAfter } from './map-names.ts';
import { type Ended, isUnwritten, NotCompared, outcomeDifferences } from './outcome-differences.ts';

/** An input on which two builds should differ. */
export interface Suspect {
  /** What of the outcome. */
  readonly what: string;
  readonly world: World;
  readonly stimulus: Stimulus;
}

export interface AgainstProof {
  /** Are both proved equal, for frames of up to `longest` bytes? Suspects, if any, are longer. */
  readonly isEqual: boolean;
  readonly longest: number;
  /** Of the first build: an sk_buff's bytes are taken to lie in one piece. */
  readonly hook: Hook;
  /** For which kernels; absent: the programs call nothing that differs between versions. */
  readonly kernels?: AlikeKernels;
  /** Why nothing is proved of longer frames; absent: there are none, or they were not followed. */
  readonly longer?: string;
  readonly suspects: readonly Suspect[];
  /** In what they differ, though no run may show it: "differs for every packet of a path: flags of the redirect". */
  readonly unseen: string | undefined;
  /** Why it is not proved that nothing else differs. */
  readonly open: string | undefined;
  /** Paths of the first, and pairs of paths whose conditions meet. */
  readonly paths: number;
  readonly pairs: number;
  readonly assumptions: readonly string[];
  /** Those among them that not every proof has: what was taken for granted of the maps and the calls of this pair. */
  readonly ownAssumptions: readonly string[];
  /** The constants of the loader that it speaks of: for any values, or for those that the objects have. */
  readonly constants: ReadConstants;
  readonly counts: FeasibilityCounts;
  readonly seconds: number;
}

export type AgainstOptions = Pick<
  ProveOptions,
  'asKernel' | 'solver' | 'limits' | 'paths' | 'time' | 'stopped' | 'now'
> & {
  /** What globals and read-only data of both hold, where the user says so; default: what the objects say. */
  readonly globals?: World['globals'];
  /** Whether frames beyond the limit are followed, too; default: they are. */
  readonly longer?: boolean;
  readonly onProgress?: (progress: { readonly paths: number; readonly pairs: number }) => void;
};

/** Why two builds are not proved equal, or in what they differ though no run shows it; undefined where nothing is known. */
export function whyNotEqual({ unseen, suspects, open }: AgainstProof): string | undefined {
  if (unseen !== undefined) return `${unseen}; no run shows it`;
  const [suspect] = suspects;
  return suspect === undefined ? open : mayDiffer(suspect.what);
}

/** Of calls and events, what differs is a sentence already: "only the old build calls bpf_send_signal". */
export function mayDiffer(what: string): string {
  return /^(the|only the) (old |new )?builds? /.test(what) ? `it may be that ${what}` : `${what} may differ`;
}

const DEFAULT_TIME = 60_000;
/** Inputs that are to be run, and those of one kind of difference. */
const MOST_SUSPECTS = 12;
const MOST_OF_A_KIND = 3;

const STACK = 'the outcome depends on bytes of the stack that nobody wrote';
/** Values that are drawn for bytes which no condition asks for, before the solver is asked. */
const DRAWS = 200;
const ENOUGH = 'as many inputs as are run seem to tell them apart';

/** Milliseconds that frames beyond the limit are followed for at the least, and as a multiple of what those within it took. */
const LONGER_TIME = 2_000;
const LONGER_FACTOR = 4;

/**
 * First for frames within the limit, for which most is proved; then for all that the kernel gives a program at once, as far as
 * time allows. What only these show is suspected as well.
 * @throws {EngineError} where the machine cannot run one of them
 */
export async function proveAgainst(pair: BuildPair, options: AgainstOptions): Promise<AgainstProof> {
  const { now = () => performance.now(), time = DEFAULT_TIME, limits = DEFAULT_LIMITS } = options;
  const started = now();
  const short = await proveWithin(pair, { ...options, now, time, limits });
  const longest = longestFrame(pair.old.entries[0]?.hook ?? 'xdp');
  const spent = now() - started;
  const left = Math.min(time - spent, LONGER_TIME + LONGER_FACTOR * spent);
  const isOver = left <= 0 || short.suspects.length > 0 || options.stopped?.() === true;
  if (isOver || options.longer === false || limits.longest >= longest) return short;
  const all = await new AgainstRun(pair, {
    ...options,
    now,
    limits: { ...limits, longest },
    anyConstants: isForAny(short),
  }).run(left);
  return withLonger(short, all);
}

type WithinOptions = AgainstOptions & Required<Pick<AgainstOptions, 'now' | 'time'>>;
type RunOptions = Omit<AgainstOptions, 'time'> & { readonly anyConstants?: boolean };

/**
 * For any values of the constants that a loader sets; where that cannot be decided, as it is where a constant bounds a loop, for
 * those that the objects have. Half of the time is left for that.
 */
async function proveWithin(pair: BuildPair, options: WithinOptions): Promise<AgainstProof> {
  const { now, time } = options;
  const end = now() + time;
  const first = new AgainstRun(pair, { ...options, anyConstants: true });
  const any = await first.run(first.hasConstants ? time / 2 : time);
  const isDecided = any.isEqual || any.suspects.length > 0 || any.unseen !== undefined;
  if (isDecided || any.constants.any.length === 0 || options.stopped?.() === true) return any;
  const second = new AgainstRun(pair, { ...options, anyConstants: false });
  const fixed = await second.run(Math.max(0, end - now()));
  const isMore = fixed.isEqual || fixed.suspects.length > 0 || fixed.unseen !== undefined;
  return { ...(isMore ? fixed : any), seconds: any.seconds + fixed.seconds };
}

/** Was it followed for any values of the constants? Where it reads none, longer frames may lead to some. */
function isForAny({ constants }: AgainstProof): boolean {
  return constants.any.length > 0 || constants.fixed.length === 0;
}

/** What is known within the limit holds there, whatever comes of longer frames. */
function withLonger(short: AgainstProof, all: AgainstProof): AgainstProof {
  const counts = { ...short.counts };
  for (const [name, value] of Object.entries(all.counts)) counts[name as keyof FeasibilityCounts] += value;
  const effort = { counts, seconds: short.seconds + all.seconds };
  if (all.isEqual) return { ...all, ...effort };
  const longer = whyNotEqual(all);
  return { ...short, ...effort, suspects: all.suspects, ...(longer === undefined ? {} : { longer }) };
}

/** Is it certain that packets take a path through both, whatever helpers answer only one of them? */
function isTaken({ constraints, values }: PathState): boolean {
  return values !== undefined && constraints.every(({ condition }) => !hasOwn(condition));
}

function hasOwn(condition: Term): boolean {
  return [...unknownsOf(condition)].some(({ name }) => /^second\.|^global\.own/.test(name));
}

function onlyOfFrame(condition: Term): boolean {
  return [...unknownsOf(condition)].every(({ name }) => /^(p\d+|length|metadata|ifindex)$/.test(name));
}

class AgainstRun {
  readonly #options: RunOptions;
  readonly #now: () => number;
  readonly #first: Inputs;
  readonly #second: Inputs;
  readonly #programs: readonly [number, number];
  readonly #feasibility: Feasibility;
  readonly #kernels: AlikeKernels | undefined;
  readonly #suspects: Suspect[] = [];
  readonly #kinds = new Map<string, number>();
  readonly #ended: PathState[] = [];
  #open: string | undefined;
  #unseen: string | undefined;
  #pairs = 0;
  #random = 1;

  constructor(pair: BuildPair, options: RunOptions) {
    this.#options = options;
    this.#now = options.now ?? (() => performance.now());
    const { globals } = options;
    const world = globals === undefined ? {} : { globals };
    const { asKernel } = options;
    const machineOptions = asKernel === undefined ? {} : { asKernel };
    const made = (program: Program): MachineProgram =>
      openMachine(program, worldOfPaths(program, world), machineOptions);
    const opened = [made(pair.old), made(pair.new)] as const;
    const pool = new TermPool();
    const limits = options.limits ?? DEFAULT_LIMITS;
    const [a, b] = opened;
    const [one, other] = [a.entries[0]!, b.entries[0]!];
    this.#programs = [one.program, other.program];
    const open = (own: Machine, theirs: Machine): ((map: number, at: number) => boolean) =>
      options.anyConstants === true ? openInBoth(own.object, theirs.object, globals) : () => false;
    const program = a.machine.object.programs[one.program]!;
    const isOpen = open(a.machine, b.machine);
    this.#first = new Inputs(pool, a.machine, one.hook, program, limits, undefined, isOpen);
    const naming = namingAfter(a.machine, b.machine);
    const second = b.machine.object.programs[other.program]!;
    const isOpenToo = open(b.machine, a.machine);
    this.#second = new Inputs(pool, b.machine, other.hook, second, limits, naming, isOpenToo);
    const called = opened.flatMap(({ machine, entries: [entry] }) =>
      [...calledHelpers(machine.object, [machine.object.programs[entry!.program]!.function])].map(
        ({ name }) => name,
      ),
    );
    this.#kernels = alikeKernels(called, asKernel);
    this.#feasibility = new Feasibility(options.solver, this.#now);
  }

  /** Has one of the builds constants that a loader may set? */
  get hasConstants(): boolean {
    return [this.#first, this.#second].some(({ machine }) => hasOpenConstants(machine.object));
  }

  /** @param time milliseconds */
  async run(time: number): Promise<AgainstProof> {
    const started = this.#now();
    const { paths, stopped = () => false } = this.#options;
    const deadline = started + time;
    this.#feasibility.deadline = deadline;
    const limits = { ...DEFAULT_EXPLORE_LIMITS, ...(paths === undefined ? {} : { paths }), deadline };
    const isOver = (): boolean => stopped() || this.#suspects.length >= MOST_SUSPECTS;
    const why = (cut: string): string => (isOver() && !stopped() ? ENOUGH : cut);
    this.#openByVariables();
    let count = 0;
    const { cut } = await explore(this.#first, this.#programs[0], this.#feasibility, {
      ...{ limits, now: this.#now, stopped: isOver, keepsArrivals: false },
      onPath: async (first) => {
        count++;
        this.#ended.push(first);
        if (first.end?.kind === 'not followed') {
          this.#open ??= `a path ends before the program does: ${first.end.reason}`;
          return;
        }
        const second = await explore(this.#second, this.#programs[1], this.#feasibility, {
          ...{ limits, now: this.#now, stopped: isOver, keepsArrivals: false },
          start: startSecond(this.#second, this.#programs[1], first),
          onPath: (state) => this.#compare({ inputs: this.#first, state: first }, state),
        });
        if (second.cut !== undefined) this.#open ??= `not every path was followed: ${why(second.cut)}`;
        this.#options.onProgress?.({ paths: count, pairs: this.#pairs });
      },
    });
    if (cut !== undefined) this.#open ??= `not every path was followed: ${why(cut)}`;
    const constants = readConstants([this.#first, this.#second], this.#options.globals);
    return {
      isEqual: this.#suspects.length === 0 && this.#open === undefined && this.#unseen === undefined,
      longest: this.#first.limits.longest,
      hook: this.#first.hook,
      ...(this.#kernels === undefined ? {} : { kernels: this.#kernels }),
      suspects: this.#suspects,
      unseen: this.#unseen,
      open: this.#open,
      paths: count,
      pairs: this.#pairs,
      constants,
      assumptions: assumptionsOf(this.#first, this.#ended, [], [], constants),
      ownAssumptions: [...new Set(this.#ended.flatMap(({ assumptions }) => assumptions))],
      counts: this.#feasibility.counts,
      seconds: (this.#now() - started) / 1000,
    };
  }

  async #compare(first: Ended, state: PathState): Promise<void> {
    this.#pairs++;
    const second: Ended = { inputs: this.#second, state };
    for (const one of state.assumptions) first.state.assume(one);
    if (state.constraints.some(({ condition }) => isUnwritten(condition))) {
      this.#open ??= STACK;
      return;
    }
    let differences: ReturnType<typeof outcomeDifferences>;
    try {
      differences = outcomeDifferences(first, second);
    } catch (error) {
      if (!(error instanceof NotCompared)) throw error;
      this.#open ??= `the ends of two paths were not compared: ${error.message}`;
      return;
    }
    for (const { what, condition, unseen } of differences) {
      if (isUnwritten(condition)) {
        this.#open ??= STACK;
        continue;
      }
      // A run may show it all the same: what is recorded of one is more than what a frame shows.
      if (unseen !== undefined) await this.#noteUnseen(state, what, condition, unseen === 'certain');
      const kind = this.#kinds.get(what) ?? 0;
      if (kind >= MOST_OF_A_KIND || this.#suspects.length >= MOST_SUSPECTS) continue;
      const child = this.#drawn(state, condition) ?? (await follow(state, condition, this.#feasibility));
      if (child === undefined) continue;
      child.end = state.end;
      const made = commonWitness(first, { inputs: this.#second, state: child }, this.#options.globals);
      if (typeof made === 'string') {
        this.#open ??= `${mayDiffer(what)}: ${made}`;
        continue;
      }
      this.#kinds.set(what, kind + 1);
      this.#suspects.push({ what, ...made });
    }
  }

  /** What no run would show is said without a packet. */
  async #noteUnseen(state: PathState, what: string, condition: Term, isCertain: boolean): Promise<void> {
    const child = this.#drawn(state, condition) ?? (await follow(state, condition, this.#feasibility));
    if (child === undefined) return;
    if (!isCertain || child.values === undefined || !isTaken(state)) this.#open ??= `may differ: ${what}`;
    else if (condition === state.pool.true) this.#unseen ??= `differs for every packet of a path: ${what}`;
    else if (onlyOfFrame(condition)) this.#unseen ??= `differs for some packets of a path: ${what}`;
    else this.#open ??= `may differ: ${what}`;
  }

  /** Most packets of a path show a fault in a checksum, and the solver takes long to see it. */
  #drawn(state: PathState, condition: Term): PathState | undefined {
    if (state.values === undefined) return undefined;
    const asked = new Set(state.constraints.flatMap((one) => [...unknownsOf(one.condition)]));
    const free = [...unknownsOf(condition)].filter((one) => !asked.has(one));
    const values = new Map(state.values);
    for (let draw = 0; draw < DRAWS && free.length > 0; draw++) {
      for (const one of free) values.set(one, BigInt.asUintN(one.width, BigInt(this.#draw())));
      if (!new Evaluator(values).isTrue(condition)) continue;
      const child = state.copy();
      child.knowledge.add(condition, state.origin);
      child.values = values;
      return child;
    }
    return undefined;
  }

  #draw(): number {
    this.#random = (Math.imul(this.#random, 1_664_525) + 1_013_904_223) | 0;
    return this.#random >>> 8;
  }

  /** Where a variable starts otherwise, the first packet may go another way. */
  #openByVariables(): void {
    for (const [map, { global, name }] of this.#first.machine.object.maps.entries()) {
      const other = this.#second.mapOf(map);
      const theirs = other === undefined ? undefined : this.#second.machine.object.maps[other]!.global;
      if (global === undefined || global.readOnly || theirs === undefined) continue;
      for (const [variable, { offset, size }] of global.variables) {
        const same = theirs.variables.get(variable);
        if (same?.size !== size) continue;
        const [a, b] = [
          global.bytes.subarray(offset, offset + size),
          theirs.bytes.subarray(same.offset, same.offset + size),
        ];
        if (Buffer.compare(a, b) !== 0)
          this.#open ??= `${name}: ${variable} starts with other values in one build`;
      }
    }
  }
}
