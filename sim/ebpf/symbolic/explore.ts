/**
 * Follows every path of a program, depth first: where a path does not know which way it goes, it becomes one path for each
 * way that an input may take. Ways that only frames beyond the limit take are followed last, for what they reach.
 */
import { letOthersTurn } from '../../runtime/turns.ts';
import { CALL, isConditionalJump } from '../instruction.ts';
import { candidates, MOST_CANDIDATES } from './candidates.ts';
import type { Feasibility } from './feasibility.ts';
import { Impossible } from './impossible.ts';
import type { Inputs } from './inputs.ts';
import { namePlaces } from './open-places.ts';
import { Enumerate, NotFollowed, type PathEnd, type PathState, PathViolation, Split } from './path-state.ts';
import { TIME_UP } from './solver.ts';
import { step } from './step.ts';
import { allOnes, type Term } from './term.ts';

export interface ExploreLimits {
  /** Paths that are followed to their end. */
  readonly paths: number;
  /** Instructions of one path. */
  readonly steps: number;
  /** Times that one path is split: loops over what the input says end here. */
  readonly splits: number;
  /** Terms that are made for one path, and for all paths together: what bounds the memory. */
  readonly terms: number;
  readonly allTerms: number;
  /** Terms one inside the other on one path: whoever goes through them goes so far down the stack. */
  readonly depth: number;
  /** Milliseconds of the clock that `now` shows, at which everything is to end. */
  readonly deadline: number;
}

export const DEFAULT_EXPLORE_LIMITS: Omit<ExploreLimits, 'deadline'> = {
  paths: 20_000,
  steps: 200_000,
  splits: 600,
  terms: 200_000,
  allTerms: 1_500_000,
  depth: 1_000,
};

/** Instructions of one path between two looks at the clock. */
const STEPS_BETWEEN = 1_024;

/** Numbers that a term may be on one path: beyond, the path is not followed. */
const MOST_NUMBERS = 160;

export interface Exploration {
  /** Why not every path was followed; undefined: all were. */
  readonly cut: string | undefined;
  /** Of each jump that any path came to, by `jumpKey`, the first path that did, as it was there. */
  readonly arrivals: ReadonlyMap<string, PathState>;
  /** Ways of jumps that nobody could find out about, and why. */
  readonly doubts: ReadonlyMap<string, string>;
  /** Where longer frames go on that were not followed to their end. */
  readonly longer: readonly Cut[];
}

/** Where a path was not followed, as it needs longer frames. */
export interface Cut {
  readonly program: number;
  readonly slot: number;
  /** Of a jump: whether it is taken. Otherwise what a helper is asked, or an address that is read. */
  readonly holds: boolean;
}

/** Paths of frames beyond the limit that are followed to their end, and the turns that they get. */
const MOST_LONGER_PATHS = 400;
const MOST_LONGER_TURNS = 20_000;

export interface ExploreOptions {
  /** Where to begin; default: where the program does, with any inputs. */
  readonly start?: PathState;
  /** Whether paths are to be kept as they came to jumps; default: they are. */
  readonly keepsArrivals?: boolean;
  readonly limits: ExploreLimits;
  readonly now: () => number;
  /** Is told of each path when it ends; the next one waits. */
  readonly onPath: (state: PathState) => Promise<void> | void;
  /** Is told of each path that only frames beyond the limit take, after all others; default: they are not followed. */
  readonly onLongerPath?: (state: PathState) => void;
  /** Is asked now and then; true: end. */
  readonly stopped: () => boolean;
  readonly onProgress?: (progress: { readonly paths: number; readonly waiting: number }) => void;
}

/** Names a jump. */
export function jumpKey(program: number, slot: number): string {
  return `${program}:${slot}`;
}

/** Names one way of a jump. */
export function wayKey(program: number, slot: number, taken: boolean): string {
  return `${program}:${slot}:${taken ? 'taken' : 'not taken'}`;
}

/** Turns between two words on how far it is. */
const TURNS_BETWEEN = 64;

export async function explore(
  inputs: Inputs,
  program: number,
  feasibility: Feasibility,
  options: ExploreOptions,
): Promise<Exploration> {
  const first = options.start ?? inputs.start(program);
  if (options.onLongerPath !== undefined) first.unlimited = inputs.unlimited();
  const explorer = new Explorer(inputs, feasibility, options);
  const cut = await explorer.followAll(first);
  const longer = await explorer.followLonger();
  return { cut, arrivals: explorer.arrivals ?? new Map(), doubts: explorer.doubts, longer };
}

class Explorer {
  readonly arrivals: Map<string, PathState> | undefined;
  readonly doubts: Map<string, string> = new Map();
  readonly #inputs: Inputs;
  readonly #feasibility: Feasibility;
  readonly #options: ExploreOptions;
  readonly #later: Longer[] = [];
  #paths = 0;
  #turns = 0;

  constructor(inputs: Inputs, feasibility: Feasibility, options: ExploreOptions) {
    this.#inputs = inputs;
    this.#feasibility = feasibility;
    this.#options = options;
    if (options.keepsArrivals !== false) this.arrivals = new Map();
  }

  /** @returns why not every path was followed */
  async followAll(first: PathState): Promise<string | undefined> {
    const waiting = [first];
    while (waiting.length > 0) {
      const cut = this.#cut();
      if (cut !== undefined) return cut;
      const ended = await this.#turn(waiting, this.#later);
      if (ended === undefined) continue;
      this.#paths++;
      await this.#options.onPath(ended);
    }
    return undefined;
  }

  /** The paths that only frames beyond the limit take. @returns where such paths are not known to their ends */
  async followLonger(): Promise<Cut[]> {
    const { onLongerPath } = this.#options;
    if (onLongerPath === undefined) return [];
    const cuts: Cut[] = [];
    const lastTurn = this.#turns + MOST_LONGER_TURNS;
    let left = MOST_LONGER_PATHS;
    const mayGoOn = (): boolean => left > 0 && this.#turns < lastTurn && this.#cut() === undefined;
    for (const { state, cut } of this.#later) {
      const waiting = state === undefined ? [] : [state];
      let isWhole = state !== undefined;
      while (waiting.length > 0 && isWhole) {
        if (!mayGoOn()) isWhole = false;
        const ended = isWhole ? await this.#turn(waiting) : undefined;
        if (ended === undefined) continue;
        left--;
        if (ended.end?.kind === 'not followed') isWhole = false;
        else onLongerPath(ended);
      }
      if (!isWhole) cuts.push(cut);
    }
    return cuts;
  }

  #cut(): string | undefined {
    const { stopped, now, limits } = this.#options;
    if (stopped()) return 'it was interrupted';
    if (now() > limits.deadline) return TIME_UP;
    if (this.#inputs.pool.size > limits.allTerms)
      return `they are made of more than ${limits.allTerms} terms`;
    return this.#paths >= limits.paths ? `after ${limits.paths} paths` : undefined;
  }

  /** Follows the last of these paths until it becomes several, which take its place, or ends. @returns the path that has ended */
  async #turn(waiting: PathState[], later?: Longer[]): Promise<PathState | undefined> {
    const state = waiting.pop()!;
    const { limits, onProgress } = this.#options;
    const isOver = (): boolean => this.#cut() !== undefined;
    const children = await advance(state, {
      inputs: this.#inputs,
      feasibility: this.#feasibility,
      limits: { ...limits, isOver },
      arrivals: this.arrivals,
      doubts: this.doubts,
      later,
    });
    if (++this.#turns % TURNS_BETWEEN === 0) onProgress?.({ paths: this.#paths, waiting: waiting.length });
    await letOthersTurn();
    if (children !== undefined) waiting.push(...children);
    return children === undefined && state.end !== undefined ? state : undefined;
  }
}

/** A path of frames beyond the limit, and where it left the others. */
interface Longer {
  /** Undefined: there are more than are followed. */
  readonly state: PathState | undefined;
  readonly cut: Cut;
}

/** What paths are followed with, and what is noted on the way. */
interface Following {
  readonly inputs: Inputs;
  readonly feasibility: Feasibility;
  readonly limits: ExploreLimits & { readonly isOver: () => boolean };
  readonly arrivals: Map<string, PathState> | undefined;
  readonly doubts: Map<string, string>;
  readonly later: Longer[] | undefined;
}

/**
 * Runs a path to its end, or to where it has to become several.
 * @returns the paths that go on; undefined: it has ended, `end` says how; without that no input takes it
 */
async function advance(state: PathState, following: Following): Promise<PathState[] | undefined> {
  const { inputs, feasibility, limits, arrivals, doubts, later } = following;
  const { programs } = inputs.machine.object;
  while (state.end === undefined) {
    // Whoever asked for the turn looks at the clock as well, and ends.
    if (state.steps % STEPS_BETWEEN === STEPS_BETWEEN - 1 && limits.isOver()) return [state];
    const opcode = programs[state.program]!.instructions.opcode[state.slot]!;
    const isJump = isConditionalJump(opcode);
    if (isJump || opcode === CALL) noteArrival(state, arrivals);
    const result = tooLong(state, limits) ?? stepped(inputs, state, limits);
    if (result instanceof Impossible) return [];
    if (result instanceof Split) return split(state, result.condition, feasibility, isJump, doubts, later);
    if (result instanceof Enumerate) {
      const children = await enumerate(state, result.term, feasibility, later);
      if (typeof children !== 'string') return children;
      state.end = notFollowed(children);
    } else state.end = result;
  }
  // What is asked of it from now on is asked within the limit.
  state.unlimited = undefined;
  return undefined;
}

function noteArrival(state: PathState, arrivals: Map<string, PathState> | undefined): void {
  const key = jumpKey(state.program, state.slot);
  if (arrivals?.has(key) === false) arrivals.set(key, state.copy());
}

/**
 * Runs one instruction.
 * @returns how the path ends with it, or what has to be known before it can run; undefined: the path goes on
 */
function stepped(
  inputs: Inputs,
  state: PathState,
  limits: ExploreLimits,
): PathEnd | Split | Enumerate | Impossible | undefined {
  const { pool } = inputs;
  const before = pool.size;
  pool.deepest = 0;
  try {
    step(inputs, state);
  } catch (error) {
    if (error instanceof NotFollowed) return notFollowed(error.message);
    if (error instanceof PathViolation) return { kind: 'violation', reason: error.message };
    if (error instanceof Split || error instanceof Enumerate || error instanceof Impossible) return error;
    throw error;
  } finally {
    state.terms += pool.size - before;
  }
  return state.end ?? tooLarge(state, limits);
}

function notFollowed(reason: string): PathEnd {
  return { kind: 'not followed', reason };
}

/** How a path ends that has gone on for as long as any may. */
function tooLong({ steps, splits }: PathState, limits: ExploreLimits): PathEnd | undefined {
  if (steps > limits.steps) return notFollowed(`more than ${limits.steps} instructions on one path`);
  if (splits > limits.splits)
    return notFollowed(`a loop that depends on the input, unrolled ${limits.splits} times`);
  return undefined;
}

/** How a path ends that only a bound of its terms ends. */
function tooLarge({ terms, pool }: PathState, limits: ExploreLimits): PathEnd | undefined {
  if (pool.deepest > limits.depth)
    return notFollowed(`what it computes depends on itself over more than ${limits.depth} steps`);
  if (terms > limits.terms) return notFollowed(`what it computes takes more than ${limits.terms} terms`);
  return undefined;
}

/** One path for each answer. */
export async function split(
  state: PathState,
  condition: Term,
  feasibility: Feasibility,
  isJump: boolean = false,
  doubts: Map<string, string> = new Map(),
  later?: Longer[],
): Promise<PathState[]> {
  const { pool } = state;
  const children: PathState[] = [];
  for (const [way, holds] of [
    [condition, true],
    [pool.not(condition), false],
  ] as const) {
    const child = await follow(state, way, feasibility);
    if (child === undefined) {
      if (later !== undefined) await followLonger(state, way, holds, feasibility, later);
      continue;
    }
    if (child.doubt !== undefined && isJump) {
      for (const taken of [true, false]) doubts.set(wayKey(state.program, state.slot, taken), child.doubt);
    }
    children.push(child);
  }
  return children;
}

/** Keeps the path of frames beyond the limit on which a condition holds, if there is one. */
async function followLonger(
  state: PathState,
  condition: Term,
  holds: boolean,
  feasibility: Feasibility,
  later: Longer[],
): Promise<void> {
  if (state.unlimited === undefined) return;
  const { program, slot } = state;
  const isFull = later.length >= MOST_LONGER_PATHS;
  const isSame = ({ cut }: Longer): boolean =>
    cut.program === program && cut.slot === slot && cut.holds === holds;
  if (isFull && later.some((one) => one.state === undefined && isSame(one))) return;
  const longer = await follow(state.beyondLimit(), condition, feasibility);
  if (longer === undefined) return;
  later.push({ state: isFull ? undefined : longer, cut: { program, slot, holds } });
}

/** The path on which a condition holds; undefined where no input takes it. */
export async function follow(
  state: PathState,
  condition: Term,
  feasibility: Feasibility,
): Promise<PathState | undefined> {
  const feasible = await feasibility.ask(state.knowledge, condition, state.values);
  if (feasible.answer === 'no') return undefined;
  const child = state.copy();
  child.splits++;
  child.learn(condition);
  if (feasible.answer === 'yes') child.values = feasible.values;
  else {
    child.values = undefined;
    child.doubt = feasible.reason;
  }
  return child;
}

/**
 * One path for each number that a term may be.
 * @returns why there are none
 */
export async function enumerate(
  state: PathState,
  term: Term,
  feasibility: Feasibility,
  later?: Longer[],
): Promise<PathState[] | string> {
  const { pool } = state;
  const children: PathState[] = [];
  let { min, max } = state.knowledge.range(term);
  // What bounds it may be a relation to something else, which the solver sees.
  if (max - min > MOST_CANDIDATES) max = await upperBound(state, term, min, feasibility);
  const left = candidates(term, min, max);
  if (left === undefined) return 'an address or a size without bounds';
  for (const value of left) {
    const child = await follow(state, pool.equal(term, pool.constant(term.width, value)), feasibility);
    if (child === undefined) continue;
    child.knowledge.fix(term, value);
    child.unlimited?.fix(term, value);
    namePlaces(child);
    if (children.length === MOST_NUMBERS)
      return `an address or a size that may be more than ${MOST_NUMBERS} numbers`;
    children.push(child);
  }
  const isAbove = pool.less(pool.constant(term.width, max), term);
  if (later !== undefined) await followLonger(state, isAbove, true, feasibility, later);
  return children;
}

/** A number that the term does not exceed on this path: the least one, where that is near `min`. */
async function upperBound(
  state: PathState,
  term: Term,
  min: bigint,
  feasibility: Feasibility,
): Promise<bigint> {
  const { pool } = state;
  let high = allOnes(term.width);
  let low = min - 1n;
  for (let next = min + MOST_CANDIDATES; next > low && next < high; next = low + (high - low) / 2n) {
    const isAbove = pool.less(pool.constant(term.width, next), term);
    const { answer } = await feasibility.ask(state.knowledge, isAbove, state.values);
    if (answer === 'no') high = next;
    else if (high > min + MOST_CANDIDATES) return high;
    else low = next;
  }
  return high;
}
