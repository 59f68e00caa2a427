/**
 * Coverage-guided generation: packets, sequences of packets and worlds that lead a program where random ones do not.
 *
 * Each case runs in the interpreter, which follows the flow of data (`sim/ebpf/dataflow/`). A case that went a way, or
 * came to an end, that none had before is kept. Every condition in it that has gone one way only is solved for its inputs,
 * and what was solved runs next; a lookup that found nothing gets a world in which it does. When nothing is left to be
 * solved, kept cases are mutated and spliced, those first that went ways which few have gone.
 *
 * The outcome follows from program, seed, worlds and effort alone: effort is counted in instructions, never in time. So all
 * workers of a run arrive at the same cases, each by itself.
 */
import { PacketGenerator } from '../../corpus/generate/generator.ts';
import { NO_LIMITS, TEST_RUN_LIMITS } from '../../corpus/generate/packet-limits.ts';
import { fork, Random, type Seed, seedFromText } from '../../corpus/generate/random.ts';
import { type Assignment, fieldsOf } from '../../sim/ebpf/dataflow/expression.ts';
import type { FlowBranch, FlowCall, FlowTrace } from '../../sim/ebpf/dataflow/flow-trace.ts';
import type { InputField } from '../../sim/ebpf/dataflow/inputs.ts';
import { type Choices, solveBranch } from '../../sim/ebpf/dataflow/solve.ts';
import { dictionaryOf } from '../../sim/ebpf/dictionary/dictionary.ts';
import { dictionaryHints } from '../../sim/ebpf/dictionary/dictionary-hints.ts';
import { readsMetadata } from '../../sim/ebpf/dictionary/read-metadata.ts';
import type { Machine } from '../../sim/ebpf/machine.ts';
import { DEFAULT_INGRESS_IFINDEX, PacketBatch, type Stimulus } from '../../sim/packet/packet-batch.ts';
import {
  type GeneratorHints,
  hintsOf,
  mergedHints,
  type NamedWorld,
  type Program,
} from '../../sim/runtime/program.ts';
import { letOthersTurn } from '../../sim/runtime/turns.ts';
import type { MapEntry, World } from '../../sim/runtime/world.ts';
import { worldsOf } from '../batch-plan.ts';
import { Approach, Nearest } from './approach.ts';
import type { Background } from './background.ts';
import { CaseQueue, type Kept, type Where } from './case-queue.ts';
import { changeSequence, isChoosable, isFree, isLength, repaired } from './change-case.ts';
import { Combinations } from './combinations.ts';
import { Learned } from './learned.ts';
import { HeldFields, MOST_MENDED, partingOf } from './mending.ts';
import { mergeWorlds } from './merge-worlds.ts';
import { mutateSequence } from './mutate-sequence.ts';
import { reversed } from './reversed-packet.ts';
import { otherSockets } from './socket-answers.ts';
import { askingFor } from './stated-entries.ts';
import { StatedWorlds } from './stated-worlds.ts';
import { type Edge, edgeId, type Sequence, type TracedRun, TracedRuns } from './traced-runs.ts';
import { type Reached, Ways } from './ways.ts';
import { answerCall, answersFor, answersOf, fromSomePort, withFilled } from './world-answers.ts';
import { withMoreElements } from './world-edits.ts';

export interface GuideOptions {
  /** Any text; the same one finds the same cases. */
  readonly seed: string;
  /** The worlds to start from; default: those of the program. */
  readonly worlds?: readonly NamedWorld[];
  /** Packets and sequences to start from, before generated ones. */
  readonly sequences?: readonly Sequence[];
  /** Instructions that may be run; default `DEFAULT_EFFORT`. */
  readonly effort?: number;
  /** Instructions beyond that where half of it leaves much to reach, and cases that have not been followed. Default: none. */
  readonly reserve?: number;
  /**
   * Whether cases are kept, too, that reach nothing new but go known ways together for the first time, one of which hangs on
   * the world: an entry that was found for TCP is found for UDP. Default: no.
   */
  readonly combinations?: boolean;
  /** Ends it early: what was found up to then is returned, and depends on the moment. */
  readonly signal?: AbortSignal;
}

export interface GuidedCase extends Sequence {
  readonly reached: readonly Reached[];
}

export interface Guidance {
  /** Each reached something that those before it had not, or a new combination of what they had: then `reached` is empty. */
  readonly cases: readonly GuidedCase[];
  /** What the program's packets should aim at: its hints, and what it compares with, in its code and in the runs. */
  readonly hints: GeneratorHints;
  /** Ways of branches that were gone, and those that inputs may go at all, as far as the analysis can tell. */
  readonly branches: { readonly reached: number; readonly total: number };
  /** Ways that no case went. */
  readonly missing: readonly Reached[];
  /** Values of variables with which the machine stopped the program, or did not take it. */
  readonly stopping?: Readonly<Record<string, Uint8Array>>;
  readonly runs: number;
  readonly instructions: number;
  /** Of the effort, what was spent when the last case was kept. */
  readonly share: number;
}

/** Instructions: about a second. */
export const DEFAULT_EFFORT = 4_000_000;

/** Generated packets that everything starts from, in each world. */
const FIRST_PACKETS = 96;
/** How often one way of a branch is tried before others have had their turn, and in all. */
const ATTEMPTS = 40;
/** Packets in a sequence, but for repetitions of one. */
const MAX_PACKETS = 8;
/** The share of the effort after which exploring ends that has found nothing. */
const PATIENCE = 0.4;
/** Combinations of ways that are told apart. */
const MAX_PATHS = 20_000;
/** How often one call that looks for a socket gets one of each other kind. */
const MOST_SOCKETS = 8;
/** How often a packet is repeated that changes a map. */
const REPETITIONS: readonly number[] = [2, 3, 5, 9, 17, 33, 65, 129];
/** The share of the effort after which maps that the program changes are given entries, whatever else is left to try. */
const EMPTY = 0.5;
/** The share of all ways that is much, where it is missing. */
const MUCH = 0.1;
/** What solving one condition costs, in instructions. */
const SOLVING = 200;

/** Nodes of expressions that are evaluated in the time of one instruction. */
const NODES = 4;
/** The share of the effort that putting cases back on their paths may take. */
const MENDING = 0.2;
/** The share of the effort that repeating one packet may take. */
const REPEATING = 0.02;
/** The share of the effort that new combinations of known ways may take. */
const COMBINING = 0.25;
/** The shares of the effort that leading up to one way may take that hangs on how often a loop met something, and to all of them. */
const APPROACHING = 0.15;
const APPROACHING_ALL = 0.45;
/** Cases that are kept for a combination. */
const MAX_COMBINED = 32;

/** A case that is kept for the ways that it goes together. */
interface Combined {
  readonly sequence: Sequence;
  readonly signature: number;
}

/** Looks for cases that reach what has not been reached. */
export function guide(program: Program, options: GuideOptions): Guidance {
  const looking = new Guide(program, options).run();
  for (;;) {
    const { done, value } = looking.next();
    if (done === true) return value;
  }
}

/** The same, which lets timers, signals and messages have their turn meanwhile: `signal` ends it soon. */
export async function guideInTurns(program: Program, options: GuideOptions): Promise<Guidance> {
  const looking = new Guide(program, options).run();
  for (;;) {
    const { done, value } = looking.next();
    if (done === true) return value;
    await letOthersTurn();
  }
}

/** At each step others may have their turn. */
type Steps<Result = void> = Generator<void, Result>;

class Guide {
  readonly #program: Program;
  readonly #options: GuideOptions;
  readonly #runs: TracedRuns;
  readonly #seed: Seed;
  #effort: number;
  readonly #worlds: StatedWorlds;
  readonly #ways: Ways;
  readonly #queue = new CaseQueue();
  readonly #attempts = new Map<number, number>();
  readonly #calls = new Map<string, number>();
  /** Calls with few answers, by their places: a case that makes one, and what it has not answered yet. */
  readonly #asked = new Map<string, { readonly sequence: Sequence; readonly left: Set<bigint> }>();
  /** Maps that a run has changed: at first, they start empty. */
  readonly #changed = new Set<string>();
  /** Ways in other combinations, not new by themselves: what one of them leads to may be. */
  readonly #paths = new Set<number>();
  readonly #others: Sequence[] = [];
  readonly #combinations: Combinations | undefined;
  readonly #combined: Combined[] = [];
  readonly #learned = new Learned();
  /** Where which of the worlds' own entries have been found. */
  readonly #met = new Set<string>();
  #presets = false;
  #solved = 0;
  /** Of the effort, what putting cases back on their paths has taken. */
  #mended = 0;
  #lastFind = 0;
  /** Lookups that have found an entry that nobody but guidance made, where packets make them, too. */
  readonly #fills = new Set<string>();
  /** Ways that were seen to hang on what a world states in a map. */
  readonly #askedOfMaps = new Set<number>();
  /** Ways that none had gone, and that were seen to hang on inputs in cases that reached nothing new. */
  readonly #askedOfInputs = new Set<number>();
  readonly #nearest = new Nearest();
  #lastRun: TracedRun | undefined;

  constructor(program: Program, options: GuideOptions) {
    this.#program = program;
    this.#options = options;
    this.#runs = new TracedRuns(program);
    this.#seed = fork(seedFromText(options.seed), 0x6775_6964);
    this.#effort = options.effort ?? DEFAULT_EFFORT;
    this.#worlds = new StatedWorlds(program, options.worlds ?? worldsOf(program));
    this.#ways = new Ways(this.#runs, this.#worlds.first);
    this.#combinations = options.combinations === true ? new Combinations() : undefined;
  }

  *run(): Steps<Guidance> {
    this.#ways.add(this.#worlds.first);
    yield* this.#start();
    yield* this.#drain(this.#effort * EMPTY);
    if (this.#isCutShort()) {
      this.#effort += this.#options.reserve ?? 0;
      yield* this.#drain(this.#effort * EMPTY);
    }
    this.#presets = true;
    // What hangs on a map that the program changes has been tried in vain.
    this.#attempts.clear();
    for (const kept of this.#queue.kept.slice()) {
      this.#follow(kept);
      yield;
    }
    yield* this.#drain();
    yield* this.#answerAll();
    yield* this.#drain();
    yield* this.#extendLater();
    yield* this.#approach();
    yield* this.#combine(this.#others);
    yield* this.#explore();
    yield* this.#combine([]);
    return this.#guidance();
  }

  /** Is the share spent that maps stay empty for, with sequences of packets left to try, and much to reach? */
  #isCutShort(): boolean {
    const { signal } = this.#options;
    const missing = this.#ways.missing().length;
    return (
      signal?.aborted !== true && this.#spent >= this.#effort * EMPTY && missing > this.#ways.count * MUCH
    );
  }

  /** Is there nothing left to reach, or nothing left to spend? */
  #isOver(): boolean {
    const { signal } = this.#options;
    return signal?.aborted === true || this.#spent >= this.#effort;
  }

  get #spent(): number {
    return this.#runs.steps + this.#solved;
  }

  *#start(): Steps {
    for (const sequence of this.#options.sequences ?? []) {
      this.#try(sequence);
      yield;
    }
    const { definition, entries } = this.#program;
    for (const { stimulus, world } of definition?.examples ?? [])
      this.#try({
        world: (definition?.worlds.find((one) => one.name === world) ?? definition?.worlds[0])?.world ?? {},
        stimuli: [stimulus],
      });
    const generator = new PacketGenerator(
      this.#hints(),
      entries.map((entry) => entry.hook),
    );
    for (const [number, { world }] of this.#worlds.all.entries()) {
      for (const stimulus of this.#generated(generator, number)) {
        if (this.#isOver()) return;
        this.#try({ world, stimuli: [stimulus] });
        yield;
      }
    }
  }

  #generated(generator: PacketGenerator, number: number): Stimulus[] {
    const count = Math.max(8, Math.floor(FIRST_PACKETS / this.#worlds.all.length));
    const batch = new PacketBatch(count);
    const limits = number % 2 === 0 ? TEST_RUN_LIMITS : NO_LIMITS;
    generator.fill(batch, fork(this.#seed, number), 0, count, limits);
    return Array.from({ length: count }, (_, index) => batch.stimulus(index));
  }

  /** @returns whether it reached something new */
  #try(sequence: Sequence, before?: Sequence): boolean {
    if (this.#isOver()) return false;
    const run = this.#runs.run(sequence);
    this.#lastRun = run;
    if (run === undefined) {
      // The machine may not even take it: a helper that programs of its kind cannot call, say.
      if (this.#runs.machineOf(sequence.world) === undefined) this.#worlds.noteStopping(sequence.world);
      return false;
    }
    if (run.stopped) {
      if (this.#worlds.hasOwnSlots(sequence.world)) return false;
      // With such a value no loader comes through the verifier. What stops it anyway, it does with the object's, too.
      if (this.#worlds.hasOwnGlobals(sequence.world)) {
        this.#worlds.noteStopping(sequence.world);
        return this.#try({ ...sequence, world: this.#worlds.withStatedGlobals(sequence.world) });
      }
    }
    this.#nearest.note(run, sequence);
    this.#worlds.noteWritten(run.trace.memory.changedGlobals);
    for (const call of run.trace.calls) this.#noteAnswer(sequence, call);
    const isOther = !this.#paths.has(run.signature);
    if (isOther && this.#paths.size < MAX_PATHS) {
      this.#paths.add(run.signature);
      if (run.fresh.length === 0) this.#others.push(sequence);
    }
    const isCombination = sequence.stimuli.length === 1 && this.#combinations?.enter(run) === true;
    if (run.fresh.length === 0) {
      if (this.#asksInputs(run.trace)) this.#queue.add(sequence, 'wanted');
      if (this.#presets && this.#asksAnew(run.trace)) this.#queue.add(sequence, 'everywhere');
      if (isCombination) this.#keepCombined(sequence, run, before);
      return false;
    }
    this.#keep(sequence, run, before);
    return true;
  }

  /**
   * Does a way that none has gone hang on inputs, for the first time? Cases that were kept came there with a number that nobody could solve for:
   * a length of no digits, say, where one of a digit reaches nothing new by itself.
   */
  #asksInputs({ branches }: FlowTrace): boolean {
    const before = this.#askedOfInputs.size;
    for (const branch of branches) {
      const edge = opposite(branch);
      const id = edgeId(edge);
      if (this.#runs.timesOf(edge) === 0 && !this.#attempts.has(id)) this.#askedOfInputs.add(id);
    }
    return this.#askedOfInputs.size > before;
  }

  /**
   * Does a condition hang on what the world states in a map, for the first time? What the program itself wrote there could only be led
   * to; now it can be solved, also where both ways are known, as they lead to conditions further on.
   */
  #asksAnew({ branches }: FlowTrace): boolean {
    const before = this.#askedOfMaps.size;
    for (const branch of branches) {
      const id = edgeId(opposite(branch));
      if (this.#askedOfMaps.has(id)) continue;
      const fields = fieldsOf(branch.a, fieldsOf(branch.b));
      if ([...fields].some(({ kind }) => kind === 'map')) this.#askedOfMaps.add(id);
    }
    return this.#askedOfMaps.size > before;
  }

  #keepCombined(sequence: Sequence, { signature, stopped }: TracedRun, before: Sequence | undefined): void {
    if (stopped || this.#combined.length >= MAX_COMBINED) return;
    const whole = before === undefined ? undefined : repaired(sequence, before);
    const isAlike = whole !== undefined && this.#runs.run(whole)?.signature === signature;
    this.#combined.push({ sequence: isAlike ? whole : sequence, signature });
  }

  #keep(sequence: Sequence, run: TracedRun, before: Sequence | undefined): void {
    const last = Math.max(...run.fresh.map(({ packet }) => packet));
    let shown: Sequence = { ...sequence, stimuli: sequence.stimuli.slice(0, last + 1) };
    const fresh = run.fresh.map(({ id }) => id);
    // Lengths and checksums that fit are better, where they lead to the same.
    const whole = before === undefined ? undefined : repaired(shown, before);
    if (whole !== undefined && this.#reachesAgain(whole, fresh)) shown = whole;
    const again = this.#runs.run(shown) ?? run;
    const changes = this.#changedBy(again, shown.world);
    for (const map of changes) this.#changed.add(map);
    if (shown.world.globals !== undefined || shown.world.slots !== undefined) this.#ways.add(shown.world);
    this.#queue.keep({ sequence: shown, fresh, changes, cost: again.trace.steps });
    this.#lastFind = this.#spent;
  }

  #changedBy({ trace }: TracedRun, world: World): ReadonlySet<string> {
    const maps = this.#runs.machineOf(world)?.object.maps ?? [];
    return new Set(trace.effects.map(({ map }) => maps[map]!.name));
  }

  #reachesAgain(sequence: Sequence, ids: readonly number[]): boolean {
    const before = ids.map((id) => this.#runs.count(id));
    if (this.#runs.run(sequence) === undefined) return false;
    return ids.every((id, index) => this.#runs.count(id) > before[index]!);
  }

  /** @param until the effort after which the rest is left for later */
  *#drain(until: number = this.#effort): Steps {
    while (!this.#isOver() && this.#spent < until) {
      const next = this.#queue.next();
      if (next === undefined) return;
      this.#follow(next, next.where);
      yield;
      if (next.changes.size > 0) this.#extendInTime(next);
    }
  }

  #extendInTime(kept: Kept): void {
    if (this.#queue.changesDecisive(kept)) this.#extend(kept);
    else this.#queue.postpone(kept);
  }

  /** A map may hang on another one that has not been seen to decide, and ways end where nothing is compared. */
  *#extendLater(): Steps {
    const following = (): Kept | undefined => this.#queue.nextPostponed();
    for (let next = following(); next !== undefined && !this.#isOver(); next = following()) {
      this.#extend(next);
      yield* this.#drain();
    }
  }

  /** Solves every condition of a case that has gone one way only, and answers what found nothing. */
  #follow({ sequence }: Pick<Kept, 'sequence'>, where: Where = 'wanted'): void {
    const run = this.#runs.run(sequence);
    const machine = this.#runs.machineOf(sequence.world);
    if (run === undefined || machine === undefined) return;
    const { branches, calls } = run.trace;
    this.#queue.noteDecisive(run.trace, machine);
    const background = this.#backgroundOf(sequence, machine, calls);
    const choosable = isChoosable(background);
    for (const call of calls) {
      this.#meet(sequence, call, background);
      this.#answer(sequence, call, background, where);
      this.#connect(sequence, call, background);
    }
    const choices = this.#choicesOf(calls);
    const onSearch = (nodes: number): void => {
      this.#solved += nodes / NODES;
    };
    for (const [index, branch] of branches.entries()) {
      if (this.#isOver()) return;
      // In another state, or on another path, what a branch leads to may be new, though both of its ways are known.
      if (where === 'wanted' && !this.#isWanted(branch)) continue;
      if (where === 'last packet' && branch.packet < sequence.stimuli.length - 1) continue;
      this.#solved += SOLVING;
      for (const assignment of solveBranch(branch, branches.slice(0, index), choosable, onSearch, choices)) {
        const changed = changeSequence(sequence, assignment, background);
        if (changed === undefined) continue;
        if (this.#try(changed, sequence)) {
          this.#learned.add(assignment);
          this.#mend(changed, assignment, branches.slice(0, index + 1));
          break;
        }
        if (where === 'wanted' && this.#runs.timesOf(opposite(branch)) > 0) break;
        // What checks checksums first lets only the same packet with right ones through.
        const whole = repaired(changed, sequence);
        if (whole !== undefined && this.#try(whole)) break;
        if (this.#mend(changed, assignment, branches.slice(0, index + 1))) break;
      }
    }
  }

  /**
   * Puts a case back on the path to a branch of which one way is left, where what was solved for the branch broke a condition before:
   * that is solved anew, for other inputs.
   * @param path the branches up to the one whose other way is wanted
   * @returns whether the case reached something new
   */
  #mend(sequence: Sequence, assignment: Assignment, path: readonly FlowBranch[]): boolean {
    const wanted = opposite(path.at(-1)!);
    const held = new HeldFields(assignment);
    let current = sequence;
    for (let step = 0; step < MOST_MENDED; step++) {
      if (this.#isOver() || this.#mended > this.#effort * MENDING || this.#runs.timesOf(wanted) > 0)
        return false;
      const before = this.#spent;
      const next = this.#mendOnce(current, held, path.slice(0, -1));
      const isNew = next !== undefined && this.#try(next, current);
      this.#mended += this.#spent - before;
      if (next === undefined || isNew) return isNew;
      current = next;
    }
    return false;
  }

  /** The case with the first condition that it breaks solved, for inputs that are not held; these are held from then on. */
  #mendOnce(sequence: Sequence, held: HeldFields, path: readonly FlowBranch[]): Sequence | undefined {
    const run = this.#runs.run(sequence);
    const machine = this.#runs.machineOf(sequence.world);
    const parting = run === undefined ? undefined : partingOf(path, run.trace.branches);
    if (run === undefined || machine === undefined || parting === undefined) return undefined;
    const { branches, calls } = run.trace;
    const background = this.#backgroundOf(sequence, machine, calls);
    const isChoosableHere = isChoosable(background);
    const isLeft = (field: InputField): boolean => !held.has(field) && isChoosableHere(field);
    this.#solved += SOLVING;
    const solutions = solveBranch(branches[parting]!, branches.slice(0, parting), isLeft, (nodes) => {
      this.#solved += nodes / NODES;
    });
    for (const solution of solutions) {
      const changed = changeSequence(sequence, solution, background);
      if (changed === undefined) continue;
      held.add(solution);
      return changed;
    }
    return undefined;
  }

  #backgroundOf({ world }: Sequence, machine: Machine, calls: readonly FlowCall[]): Background {
    return {
      machine,
      calls,
      mayPreset: (map) => this.#presets || !this.#changed.has(machine.object.maps[map]!.name),
      isStated: (global) => this.#worlds.isStated(world, global),
      isStatedEntry: (map, key) => this.#worlds.entries.has(machine.object.maps[map]!, key),
      // Only once the program has shown what it writes itself.
      mayFill: (global) => this.#presets && this.#worlds.mayFill(global),
    };
  }

  #isWanted(branch: FlowBranch): boolean {
    const edge = opposite(branch);
    if (this.#runs.timesOf(edge) > 0) return false;
    const id = edgeId(edge);
    const attempts = this.#attempts.get(id) ?? 0;
    this.#attempts.set(id, attempts + 1);
    return attempts < ATTEMPTS;
  }

  /** Leads a lookup to each of the entries that the worlds state. What it takes is kept, though it may reach nothing new. */
  #meet(sequence: Sequence, call: FlowCall, background: Background): void {
    const { machine } = background;
    const map = machine.object.maps[call.map];
    if (map === undefined || map.global !== undefined) return;
    for (const key of this.#worlds.keys.get(map.name) ?? []) {
      const place = `${call.program} ${call.slot} ${map.name} ${key.join()}`;
      if (this.#met.has(place) || this.#isOver()) continue;
      this.#solved += SOLVING;
      const assignment = askingFor(call, key, machine, isChoosable(background));
      if (assignment === undefined) continue;
      const changed = changeSequence(sequence, assignment, background);
      if (changed === undefined) continue;
      const whole = repaired(changed, sequence) ?? changed;
      for (const one of [whole, changed]) {
        const isNew = this.#try(one);
        const run = this.#runs.run(one);
        const finds = run?.trace.calls.some(
          ({ found, slot, program }) => found && slot === call.slot && program === call.program,
        );
        if (run === undefined || finds !== true) continue;
        this.#met.add(place);
        if (!isNew) this.#queue.keepKnown(one, run.trace.steps);
        break;
      }
    }
  }

  /** Calls that no branch asks about by its result: tail calls, redirects through a map. */
  #answer(sequence: Sequence, call: FlowCall, background: Background, where: Where): void {
    if (call.found || call.map < 0 || !isFree(call.map, call.key, background)) return;
    const place = `${call.program} ${call.slot} ${call.key.join()}`;
    const attempts = this.#calls.get(place) ?? 0;
    if ((where !== 'everywhere' && attempts > 2) || this.#isOver()) return;
    this.#calls.set(place, attempts + 1);
    for (const { world } of withFilled(sequence.world, call, background.machine)) {
      const filled = { ...sequence, world };
      if (this.#try(filled) || !this.#presets) continue;
      // That there is an entry is known, from packets before. What it says decides only now that it may say anything: also where both
      // ways are known, they are of what the program wrote there itself.
      const from = `${call.program} ${call.slot}`;
      const how = this.#fills.has(from) ? 'wanted' : 'everywhere';
      this.#fills.add(from);
      this.#queue.add(filled, how);
    }
  }

  /** A socket that listens was found, or none: nothing that is compared afterwards says that there are other kinds. */
  #connect(sequence: Sequence, call: FlowCall, background: Background): void {
    if (this.#worlds.all.some(({ world }) => world.sockets !== undefined)) return;
    const asking = fromSomePort(sequence, call, background.machine, isChoosable(background));
    const ifindex = sequence.stimuli[call.packet]?.ingressIfindex ?? DEFAULT_INGRESS_IFINDEX;
    for (const [kind, world] of otherSockets(asking.sequence.world, asking.call, ifindex).entries()) {
      const place = `${call.program} ${call.slot} socket ${kind}`;
      const attempts = this.#calls.get(place) ?? 0;
      if (world === undefined || attempts >= MOST_SOCKETS || this.#isOver()) continue;
      this.#calls.set(place, attempts + 1);
      this.#try({ ...asking.sequence, world });
    }
  }

  #choicesOf(calls: readonly FlowCall[]): Choices {
    const areDevicesStated = this.#worlds.all.some(({ world }) => world.devices !== undefined);
    return (field) => (field.kind === 'call' ? answersFor(calls[field.call]!, areDevicesStated) : undefined);
  }

  #noteAnswer(sequence: Sequence, call: FlowCall): void {
    const all = answersOf(call);
    if (all === undefined) return;
    const place = `${call.program} ${call.slot}`;
    const known = this.#asked.get(place) ?? { sequence, left: new Set(all) };
    known.left.delete(call.result);
    this.#asked.set(place, known);
  }

  /** Every answer that a call has not given yet. No branch may tell them apart: a table has an action for each. */
  *#answerAll(): Steps {
    for (const [place, { sequence, left }] of this.#asked) {
      if (this.#isOver()) return;
      if (left.size === 0) continue;
      const { world, stimuli } = sequence;
      const run = this.#runs.run(sequence);
      const machine = this.#runs.machineOf(world);
      const call = run?.trace.calls.find(({ program, slot }) => `${program} ${slot}` === place);
      if (run === undefined || call === undefined || machine === undefined) continue;
      const background = this.#backgroundOf(sequence, machine, run.trace.calls);
      // That it takes a stated element out of a queue, or finds a stated value, stays so.
      if (call.map >= 0 && background.isStatedEntry(call.map, call.key)) continue;
      const choosable = isChoosable(background);
      for (const value of [...left]) {
        const answer = answerCall(world, stimuli, call, value, machine, choosable);
        if (answer !== undefined) this.#try({ stimuli, ...answer });
      }
      yield;
    }
  }

  /** Leads up to ways that hang on numbers which only runs make, such as how often a loop met something. */
  *#approach(): Steps {
    const all = this.#spent + this.#effort * APPROACHING_ALL;
    let until = 0;
    const approach = new Approach({
      runs: this.#runs,
      attempt: (sequence, before) => {
        this.#try(sequence, before);
        return this.#lastRun;
      },
      otherWays: (sequence, run, index) => this.#otherWays(sequence, run, index),
      isOver: () => this.#isOver() || this.#spent > until,
    });
    // What one way leads to may hang on a number, too, or bring a case nearer to another way.
    for (let found = -1; found < this.#queue.kept.length; ) {
      found = this.#queue.kept.length;
      for (const id of this.#ways.ids()) {
        const nearest = this.#nearest.get(id);
        if (this.#runs.count(id) > 0 || nearest === undefined || this.#spent > all) continue;
        until = Math.min(all, this.#spent + this.#effort * APPROACHING);
        approach.lead(id, nearest, this.#queue.shortest());
        yield* this.#drain();
      }
    }
  }

  *#otherWays(sequence: Sequence, { trace }: TracedRun, index: number): Generator<Sequence> {
    const machine = this.#runs.machineOf(sequence.world);
    if (machine === undefined) return;
    const { branches, calls } = trace;
    const background = this.#backgroundOf(sequence, machine, calls);
    const choices = this.#choicesOf(calls);
    this.#solved += SOLVING;
    const onSearch = (nodes: number): void => {
      this.#solved += nodes / NODES;
    };
    const choosable = isChoosable(background);
    const solutions = solveBranch(branches[index]!, branches.slice(0, index), choosable, onSearch, choices);
    // What has no room yet gets some, before bytes in front of it make it shorter.
    const grows = (one: Assignment): boolean => [...one.keys()].some(isLength);
    for (const solution of [...solutions.filter(grows), ...solutions.filter((one) => !grows(one))]) {
      const changed = changeSequence(sequence, solution, background);
      if (changed !== undefined) yield changed;
    }
  }

  /** What a changed map leads to shows with the packets that follow. */
  #extend({ sequence, cost }: Kept): void {
    const { stimuli } = sequence;
    const last = stimuli.at(-1)!;
    const each = cost / stimuli.length;
    let repeated: Sequence | undefined;
    for (const times of REPETITIONS) {
      if (this.#isOver() || times * each > this.#effort * REPEATING) break;
      repeated = { ...sequence, stimuli: [...stimuli, ...new Array<Stimulus>(times - 1).fill(last)] };
      this.#try(repeated);
    }
    if (repeated !== undefined && stimuli.length === 1)
      for (const clock of this.#worlds.otherClocks(sequence.world))
        this.#try({ ...repeated, world: { ...sequence.world, ...clock } });
    if (stimuli.length >= MAX_PACKETS) return;
    const followers = [last, reversed(last), ...this.#otherEntries(last)];
    for (const follower of followers) {
      const longer: Sequence = { ...sequence, stimuli: [...stimuli, follower] };
      if (this.#isOver()) return;
      if (this.#try(longer)) continue;
      this.#follow({ sequence: longer }, 'last packet');
    }
  }

  #otherEntries(stimulus: Stimulus): Stimulus[] {
    const own = stimulus.entry ?? 0;
    return [...this.#program.entries.keys()]
      .filter((entry) => entry !== own)
      .map((entry) => ({ ...stimulus, entry }));
  }

  /**
   * Solves all branches on the paths of kept cases, and of these others, which it uses up: what hangs on the world is met on all
   * of them. Cases that have had their turn have none again.
   */
  *#combine(others: Sequence[]): Steps {
    if (this.#combinations?.hasAny !== true) return;
    const until = this.#spent + this.#effort * COMBINING;
    for (const sequence of this.#queue.takeUnsolved().concat(others.splice(0))) {
      if (this.#spent > until || this.#combined.length >= MAX_COMBINED) break;
      this.#follow({ sequence }, 'everywhere');
      yield;
    }
    yield* this.#drain();
  }

  /**
   * What is still missing may hang on two decisions at once: what went known ways in a new combination is solved at each of
   * its branches, in turn with mutations. Each find is followed up before the next round begins.
   */
  *#explore(): Steps {
    const random = new Random();
    const { kept } = this.#queue;
    for (const { sequence } of kept) this.#others.push(sequence);
    let found = kept.length;
    let until = this.#spent + this.#effort * PATIENCE;
    for (let round = 0; !this.#isOver() && this.#ways.missing().length > 0 && kept.length > 0; round++) {
      if (kept.length > found) {
        found = kept.length;
        until = this.#spent + this.#effort * PATIENCE;
      }
      if (this.#spent > until) return;
      random.start(this.#seed, round);
      const other = this.#others.shift();
      if (other !== undefined) this.#follow({ sequence: other }, 'everywhere');
      for (let count = 0; count < (other === undefined ? 64 : 4); count++) this.#mutate(random);
      yield* this.#drain();
      yield;
    }
  }

  #mutate(random: Random): void {
    const rare = this.#queue.drawRare(random, (way) => this.#runs.count(way));
    const other = this.#queue.draw(random);
    const isStated = (map: string, entry: MapEntry): boolean => this.#worlds.entries.holds(map, entry);
    this.#try(mutateSequence(rare.sequence, other.sequence, random, isStated));
  }

  #guidance(): Guidance {
    const missing = this.#ways.missing();
    const kept = this.#queue.kept.map(({ sequence, fresh }) => ({
      ...sequence,
      reached: fresh.flatMap((id) => this.#ways.describeId(id)),
    }));
    const cases = [...kept, ...this.#combined.map(({ sequence }) => ({ ...sequence, reached: [] }))];
    const reachesIn = (index: number, world: World): boolean => {
      const moved = { ...cases[index]!, world };
      const combined = this.#combined[index - kept.length];
      if (combined !== undefined) return this.#runs.run(moved)?.signature === combined.signature;
      return this.#reachesAgain(moved, this.#queue.kept[index]!.fresh);
    };
    const merged = mergeWorlds(cases, reachesIn);
    return {
      cases: this.#withMoreElements(merged, reachesIn),
      hints: this.#hints(),
      branches: { reached: this.#ways.count - missing.length, total: this.#ways.count },
      missing: missing.map((edge) => this.#ways.describe(edge)),
      stopping: this.#worlds.stopping(),
      runs: this.#runs.runs,
      instructions: this.#runs.steps,
      share: this.#spent === 0 ? 1 : this.#lastFind / this.#spent,
    };
  }

  /** A queue that is empty after the first packet shows little: where nobody misses that, it holds enough for many. */
  #withMoreElements(
    cases: readonly GuidedCase[],
    reachesIn: (index: number, world: World) => boolean,
  ): GuidedCase[] {
    const larger = new Map<World, World>();
    for (const { world } of cases) {
      if (larger.has(world)) continue;
      const { object } = this.#runs.machineOf(world) ?? {};
      const isOwn = !this.#worlds.has(world);
      larger.set(world, object === undefined || !isOwn ? world : withMoreElements(world, object.maps));
    }
    for (const [index, { world }] of cases.entries()) {
      const more = larger.get(world)!;
      if (more !== world && !reachesIn(index, more)) larger.set(world, world);
    }
    return cases.map((one) => ({ ...one, world: larger.get(one.world)! }));
  }

  #hints(): GeneratorHints {
    const { object } = this.#runs.machineOf(this.#worlds.first) ?? {};
    const read = object === undefined ? [] : dictionaryOf(object);
    const hints = mergedHints(hintsOf(this.#program), dictionaryHints([...read, ...this.#learned.entries()]));
    if (hints.metadata !== undefined || object === undefined) return hints;
    const behind = this.#program.entries.flatMap(({ after }) =>
      after === undefined ? [] : [{ function: after, hook: 'xdp' as const }],
    );
    return readsMetadata(object, [...this.#program.entries, ...behind])
      ? { ...hints, metadata: true }
      : hints;
  }
}

function opposite({ program, slot, taken }: FlowBranch): Edge {
  return { program, slot, taken: !taken };
}
