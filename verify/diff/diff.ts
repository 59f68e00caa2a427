/** Looks for packets that two builds of a program treat differently, and sorts them into classes by what decides it. */
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Case } from '../../corpus/cases/case.ts';
import { PacketGenerator } from '../../corpus/generate/generator.ts';
import { seedFromText } from '../../corpus/generate/random.ts';
import { faults } from '../../corpus/simplify/well-formed.ts';
import type { Coverage, Engine } from '../../sim/engines/engine.ts';
import { STATUS } from '../../sim/engines/outcome-batch.ts';
import type { VmOptions } from '../../sim/engines/vm.ts';
import { PacketBatch } from '../../sim/packet/packet-batch.ts';
import type { MapSnapshot } from '../../sim/runtime/map-snapshot.ts';
import type { NamedWorld } from '../../sim/runtime/program.ts';
import type { World } from '../../sim/runtime/world.ts';
import { acceptedPackets, copyPacket } from '../accepted.ts';
import { planBatches, worldsOf } from '../batch-plan.ts';
import type { PacketSource } from '../batch-runner.ts';
import { RewrittenWords } from '../check/rewritten.ts';
import { SWEEP_SIZE, SweepSource } from '../check/sweep-packets.ts';
import { firstDifference } from '../compare.ts';
import { mergeCoverage } from '../coverage-summary.ts';
import { type EngineFailure, EngineSide } from '../engine-side.ts';
import { familyOf } from '../finding.ts';
import { guide } from '../guide/guide.ts';
import { GuidedSource } from '../guide/guided-source.ts';
import { isAccepted } from '../kernel-verdict.ts';
import { KernelWitness } from '../kernel-witness.ts';
import { type NotCompared, sumNotCompared } from '../not-compared.ts';
import { type Shrunk, shrink } from '../shrink.ts';
import { COMPARED, type PairFinding, PairLook } from './look.ts';
import { haveBoth, mapsNotSeen, pairMapDifference } from './map-pairs.ts';
import type { BuildPair } from './pair.ts';
import { PairReplay } from './pair-replay.ts';

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

/** How many packets whose maps alone differ are looked for in one batch. */
const MAX_MAP_ROUNDS = 16;
/** After so many of them that are of known classes, the batch is left. */
const MAX_IDLE_ROUNDS = 3;
/** Instructions that are spent on each build to find packets for its branches. */
const GUIDE_EFFORT = 1_000_000;
/** Of a sweep's differing packets, which are alike, so many are looked at in each batch. */
const SWEEP_SAMPLE = 64;
const SWEEP_BATCH = 8192;

const UNSETTLED =
  'packets whose outcome depends on random numbers that only one build draws, or on unwritten stack bytes';
const STOPPED = 'packets on which the machine stops a build that this kernel accepts, a defect of xdpsim';

export async function diff(options: DiffOptions): Promise<DiffReport> {
  const run = new DiffRun(options);
  try {
    return await run.run();
  } finally {
    await run.close();
  }
}

type Starts = { readonly old: readonly MapSnapshot[]; readonly new: readonly MapSnapshot[] };

class DiffRun {
  readonly #options: DiffOptions;
  readonly #pair: BuildPair;
  readonly #old: EngineSide;
  readonly #new: EngineSide;
  readonly #look: PairLook;
  readonly #classes = new Map<string, DiffClass>();
  /** Classes that are none: by chance, or by a defect of the machine. */
  readonly #none = new Map<string, NotCompared>();
  readonly #left: NotCompared[] = [];
  readonly #startsOf = new WeakMap<World, Starts>();
  readonly #start = performance.now();
  /** The class of packets that took these ways, by field and signature. */
  readonly #ways = new Map<string, string>();
  readonly #rewritten: RewrittenWords;
  #packets = 0;
  #swept = 0;
  #isCut = false;
  #failure: EngineFailure | undefined;

  constructor(options: DiffOptions) {
    this.#options = options;
    this.#pair = options.pair;
    this.#old = new EngineSide(options.engine, options.pair.old, 16);
    this.#new = new EngineSide(options.engine, options.pair.new, 16);
    this.#look = new PairLook(options.pair, options.vm);
    this.#rewritten = new RewrittenWords(options.pair.old.entries.map(({ hook }) => hook));
  }

  async run(): Promise<DiffReport> {
    const { seed, source, runs, cases } = this.#options;
    const { old } = this.#pair;
    for await (const { stimuli, world } of cases ?? []) {
      if (this.#isOver()) break;
      const input = new PacketBatch(Math.max(1, stimuli.length));
      for (const stimulus of stimuli) input.push(stimulus);
      await this.#compare(world, input);
    }
    const generator =
      source ??
      new PacketGenerator(
        {},
        old.entries.map((entry) => entry.hook),
      );
    const sources = await this.#guided(generator);
    const seeded = seedFromText(seed);
    const input = new PacketBatch(2048);
    for (const plan of planBatches(old, runs, undefined, undefined, this.#worlds())) {
      if (this.#isOver()) break;
      input.clear();
      // What one build looks for, the other may have forgotten.
      const from = sources[plan.number % sources.length]!;
      from.fill(input, seeded, plan.first, plan.count, plan.limits);
      await this.#compare(plan.world.world, input);
      this.#options.onProgress?.(this.#packets, this.#classes.size);
      await nextTurn();
    }
    if (this.#options.sweeps !== false) await this.#sweep();
    return this.#report();
  }

  /**
   * Runs packets that were made for branches of either build.
   * @returns sources that aim at what either build compares packets with
   */
  async #guided(base: PacketSource): Promise<readonly PacketSource[]> {
    const { seed, signal } = this.#options;
    if (this.#options.guided === false) return [base];
    const sources: PacketSource[] = [];
    for (const program of [this.#pair.old, this.#pair.new]) {
      if (this.#isOver()) break;
      const guidance = guide(program, {
        ...{ seed, worlds: this.#worlds(), effort: GUIDE_EFFORT, combinations: true },
        ...(signal === undefined ? {} : { signal }),
      });
      for (const { world, stimuli } of guidance.cases) {
        if (this.#isOver()) break;
        const own = [...Object.keys(world.maps ?? {}), ...Object.keys(world.slots ?? {})];
        if (!haveBoth(this.#pair, own) || stimuli.length === 0) continue;
        const input = new PacketBatch(stimuli.length);
        for (const stimulus of stimuli) input.push(stimulus);
        await this.#compare(world, input);
      }
      sources.push(new GuidedSource(base, program, guidance));
    }
    return sources.length === 0 ? [base] : sources;
  }

  async close(): Promise<void> {
    await this.#old.close();
    await this.#new.close();
    await this.#look.close();
  }

  #worlds(): readonly NamedWorld[] {
    const { worlds } = this.#options;
    if (worlds !== undefined) return worlds;
    const all = [...worldsOf(this.#pair.old), ...worldsOf(this.#pair.new)];
    return [...new Map(all.map((world) => [world.name, world])).values()];
  }

  #isOver(): boolean {
    const { seconds, signal } = this.#options;
    const isLate = seconds !== undefined && performance.now() - this.#start > seconds * 1000;
    return isLate || signal?.aborted === true || this.#failure !== undefined;
  }

  /** One case; what a build does not take is left out of it. */
  async #compare(world: World, all: PacketBatch, isSweep: boolean = false): Promise<void> {
    let input = all;
    for (const side of [this.#old, this.#new]) {
      if (input.count > 0 && !side.takes(input)) input = acceptedPackets(input, side).batch;
    }
    if (input.count === 0) return;
    const start = await this.#starts(world);
    if (start === undefined || !(await this.#both(world, input))) return;
    if (isSweep) this.#swept += input.count;
    else {
      this.#packets += input.count;
      for (const side of [this.#old, this.#new]) this.#rewritten.observe(world, input, side);
    }
    const mapsDiffer = this.#mapsDiffer(start);
    const differing = this.#differing(input);
    if (differing.size > 0) await this.#enterDiffering(world, input, differing, isSweep);
    // What a sweep leaves in maps, its packets left there before it.
    if (mapsDiffer && !isSweep)
      await this.#enterMaps(
        world,
        without(input, (packet) => differing.has(packet)),
      );
  }

  /** All values of every word that the program was seen to rewrite: a carry that is lost shows in one of many. */
  async #sweep(): Promise<void> {
    const { words } = this.#rewritten;
    const source = new SweepSource(words);
    const input = new PacketBatch(SWEEP_BATCH);
    for (const [number, { world }] of words.entries()) {
      for (let at = 0; at < SWEEP_SIZE && !this.#isOver(); at += SWEEP_BATCH) {
        input.clear();
        source.fill(input, undefined, number * SWEEP_SIZE + at, SWEEP_BATCH);
        await this.#compare(world, input, true);
        this.#options.onProgress?.(this.#packets + this.#swept, this.#classes.size);
        await nextTurn();
      }
    }
  }

  async #both(world: World, input: PacketBatch): Promise<boolean> {
    if ((await this.#old.run(world, input)) && (await this.#new.run(world, input))) return true;
    this.#failure = this.#old.failure ?? this.#new.failure;
    return false;
  }

  /** Decided without looking at single packets where it can be. */
  #differing(input: PacketBatch): Set<number> {
    const a = this.#old.output;
    const b = this.#new.output;
    const hooks = this.#pair.old.entries.map((entry) => entry.hook);
    const found = new Set<number>();
    for (let packet = 0; packet < input.count; packet++) {
      if ((a.status[packet] === STATUS.violation) !== (b.status[packet] === STATUS.violation))
        found.add(packet);
    }
    for (let from = 0; from < input.count; ) {
      const difference = firstDifference(a, b, COMPARED, hooks, input.entry, from);
      if (difference === undefined) break;
      found.add(difference.packet);
      from = difference.packet + 1;
    }
    return found;
  }

  #mapsDiffer(start: Starts): boolean {
    const old = { now: this.#old.maps ?? [], start: start.old };
    const next = { now: this.#new.maps ?? [], start: start.new };
    return pairMapDifference(this.#pair, old, next) !== undefined;
  }

  /** The maps before any packet; undefined where a build cannot be loaded. */
  async #starts(world: World): Promise<Starts | undefined> {
    const known = this.#startsOf.get(world);
    if (known !== undefined) return known;
    if (!(await this.#both(world, new PacketBatch(1)))) return undefined;
    const starts = { old: this.#old.maps ?? [], new: this.#new.maps ?? [] };
    this.#startsOf.set(world, starts);
    return starts;
  }

  /** Sorts packets that differ by the ways that they took. Most differ by themselves; some only after those before them. */
  async #enterDiffering(
    world: World,
    input: PacketBatch,
    differing: ReadonlySet<number>,
    isSweep: boolean,
  ): Promise<void> {
    const chosen = isSweep ? new Set([...differing].slice(0, SWEEP_SAMPLE)) : differing;
    const alone = without(input, (packet) => !chosen.has(packet));
    const classes = new Set<string>();
    const entered = await this.#enterOutcomes(world, alone, classes);
    if (entered < alone.count && !isSweep)
      await this.#enterOutcomes(world, input, classes, alone.count - entered);
    const [only, ...others] = classes;
    if (isSweep && only !== undefined && others.length === 0) this.#count(only, differing.size - chosen.size);
  }

  /**
   * @param classes is told of the classes of these packets
   * @param atMost how many of them count: the others are counted already
   * @returns how many packets differ
   */
  async #enterOutcomes(
    world: World,
    input: PacketBatch,
    classes: Set<string>,
    atMost: number = Number.POSITIVE_INFINITY,
  ): Promise<number> {
    if (!(await this.#look.run(world, input))) {
      this.#failure = this.#look.failure;
      return input.count;
    }
    type Group = { part: PairFinding['part']; field: string; best: number; faults: number; packets: number };
    const groups = new Map<string, Group>();
    let differing = 0;
    for (const { packet, part, field } of this.#look.differing(input)) {
      differing++;
      const key = `${field} ${this.#look.signature(packet)}`;
      const wrong = faults(input.stimulus(packet).packet);
      const group = groups.get(key);
      if (group === undefined) groups.set(key, { part, field, best: packet, faults: wrong, packets: 1 });
      else {
        group.packets++;
        if (wrong < group.faults) Object.assign(group, { best: packet, faults: wrong });
      }
    }
    // The soundest packets first: the first one of a class is shown.
    const ordered = [...groups].sort(([, a], [, b]) => a.faults - b.faults || a.best - b.best);
    const found = ordered.flatMap(([way, group]) => {
      const known = this.#ways.get(way);
      if (known !== undefined) {
        this.#count(known, Math.min(group.packets, atMost));
        classes.add(known);
      }
      const finding =
        known === undefined ? this.#look.finding(group.best, group.part, group.field) : undefined;
      return finding === undefined ? [] : [{ way, finding, packets: group.packets }];
    });
    for (const { way, finding, packets } of found) {
      classes.add(familyOf(finding));
      await this.#enter(world, input, finding, Math.min(packets, atMost), way);
    }
    return differing;
  }

  /** Packets that both builds treat alike but for what they leave in maps. */
  async #enterMaps(world: World, input: PacketBatch): Promise<void> {
    if (input.count === 0 || !(await this.#look.run(world, input))) return;
    const signatures = Array.from({ length: input.count }, (_, packet) => this.#look.signature(packet));
    let left = [...signatures.keys()].filter((packet) => {
      const key = this.#ways.get(`maps ${signatures[packet]}`);
      if (key !== undefined) this.#count(key, 1);
      return key === undefined;
    });
    for (let round = 0, idle = 0; round < MAX_MAP_ROUNDS && idle < MAX_IDLE_ROUNDS; round++) {
      if (left.length === 0 || this.#isOver()) return;
      const kept = new Set(left);
      const rest = without(input, (packet) => !kept.has(packet));
      const culprit = await this.#firstWithMaps(world, rest);
      if (culprit === undefined) return;
      const signature = signatures[left[culprit]!]!;
      const same = new Set(left.filter((packet) => signatures[packet] === signature));
      const known = this.#classes.size;
      const finding = await this.#mapFinding(world, rest, culprit);
      if (finding !== undefined) await this.#enter(world, rest, finding, same.size, `maps ${signature}`);
      idle = this.#classes.size > known ? 0 : idle + 1;
      left = left.filter((packet) => !same.has(packet));
    }
  }

  /** By itself where that shows it, else after the packets before it. */
  async #mapFinding(world: World, input: PacketBatch, culprit: number): Promise<PairFinding | undefined> {
    for (const first of [culprit, 0]) {
      const part = without(input, (packet) => packet < first || packet > culprit);
      if (!(await this.#look.run(world, part))) continue;
      const finding = await this.#look.mapFinding(world, part);
      if (finding !== undefined) return { ...finding, packet: culprit };
    }
    return undefined;
  }

  /** The packet after which the maps differ; undefined where they agree after all of them. */
  async #firstWithMaps(world: World, input: PacketBatch): Promise<number | undefined> {
    const start = await this.#starts(world);
    const differs = async (count: number): Promise<boolean> => {
      const part = without(input, (packet) => packet >= count);
      return start !== undefined && (await this.#both(world, part)) && this.#mapsDiffer(start);
    };
    if (!(await differs(input.count))) return undefined;
    let low = 0;
    let high = input.count;
    while (low + 1 < high) {
      const middle = (low + high) >>> 1;
      if (await differs(middle)) high = middle;
      else low = middle;
    }
    return high - 1;
  }

  /** More packets of a class that is known. @returns false where it is not */
  #count(key: string, packets: number): boolean {
    const known = this.#classes.get(key);
    const none = this.#none.get(key);
    if (known !== undefined) known.packets += packets;
    else if (none !== undefined) this.#left.push({ ...none, packets });
    return known !== undefined || none !== undefined;
  }

  /** @param way by which more packets of its class are known */
  async #enter(
    world: World,
    input: PacketBatch,
    finding: PairFinding,
    packets: number,
    way: string,
  ): Promise<void> {
    const key = familyOf(finding);
    this.#ways.set(way, key);
    if (this.#count(key, packets)) return;
    if (this.#classes.size >= this.#options.maxClasses) {
      this.#isCut = true;
      return;
    }
    const stimuli = Array.from({ length: finding.packet + 1 }, (_, index) => input.stimulus(index));
    const found = await this.#shortest({ program: this.#pair.old.name, world, stimuli }, finding);
    // What came before may have drawn numbers, too: nobody can tell whose difference it is.
    const isLost = finding.isDoubtful && found.case.stimuli.length > 1;
    const reason = isLost ? UNSETTLED : await this.#whyNone(found.case, found.finding);
    if (reason !== undefined) {
      const left = { what: reason, engine: this.#options.engine.name, packets };
      this.#none.set(key, left);
      this.#left.push(left);
      return;
    }
    const { shown, state, small } = await this.#small(found.case, found.finding);
    this.#classes.set(key, { finding: shown, case: small, state, packets });
  }

  /** The packet alone, where it needs none of those before it. */
  async #shortest(whole: Case, finding: PairFinding): Promise<{ case: Case; finding: PairFinding }> {
    const replay = new PairReplay(this.#pair, this.#options.vm);
    try {
      const alone = { ...whole, stimuli: whole.stimuli.slice(-1) };
      const found = await replay.find(alone, familyOf(finding));
      return found === undefined ? { case: whole, finding } : { case: alone, finding: found };
    } finally {
      await replay.close();
    }
  }

  async #small(
    whole: Case,
    finding: PairFinding,
  ): Promise<{ small: Case; shown: PairFinding; state: Shrunk['state'] }> {
    const { vm, shrinkSeconds, signal } = this.#options;
    const task = {
      program: this.#pair.old,
      engines: [],
      case: whole,
      finding,
      replay: () => new PairReplay(this.#pair, vm),
    };
    const limits = { maxSeconds: shrinkSeconds, ...(signal === undefined ? {} : { signal }) };
    const shrunk = await shrink(task, limits);
    if (shrunk.state === 'not repeated') return { small: whole, shown: finding, state: 'found' };
    // The replay finds nothing else than findings of pairs.
    return { small: shrunk.case, shown: shrunk.finding as PairFinding, state: shrunk.state };
  }

  /** Why a difference is not held against the builds; undefined where it is theirs. */
  async #whyNone(small: Case, finding: PairFinding): Promise<string | undefined> {
    const { vm, kernel } = this.#options;
    if (finding.part === 'status') {
      const stopped = finding.got?.status === 'violation' ? this.#pair.new : this.#pair.old;
      const verdict = await new KernelWitness(stopped, kernel).ask(small, finding.packet);
      return isAccepted(verdict) ? STOPPED : undefined;
    }
    const replay = new PairReplay(this.#pair, vm);
    try {
      return (await replay.isSettled(small, finding)) ? undefined : UNSETTLED;
    } finally {
      await replay.close();
    }
  }

  #report(): DiffReport {
    const coverage = (side: EngineSide): Coverage | undefined =>
      mergeCoverage([side.takeCoverage()].filter((one) => one !== undefined));
    const engine = this.#options.engine.name;
    const events = mapsNotSeen(this.#pair).map((name) => ({ what: `events in map ${name}`, engine }));
    const refused = [this.#old, this.#new].flatMap((side) =>
      [...side.refused].map(([what, packets]) => ({ what, engine, packets })),
    );
    const failure = this.#failure;
    return {
      pair: this.#pair,
      packets: this.#packets,
      swept: this.#swept,
      seconds: (performance.now() - this.#start) / 1000,
      classes: [...this.#classes.values()],
      isCut: this.#isCut,
      notCompared: sumNotCompared([...events, ...refused, ...this.#left]),
      coverage: { old: coverage(this.#old), new: coverage(this.#new) },
      interrupted: this.#options.signal?.aborted === true,
      ...(failure === undefined ? {} : { failure }),
    };
  }
}

/** The packets of a batch that are not left out, in order. */
function without(input: PacketBatch, isLeftOut: (packet: number) => boolean): PacketBatch {
  const batch = new PacketBatch(Math.max(1, input.count), Math.max(1, input.used));
  for (let packet = 0; packet < input.count; packet++)
    if (!isLeftOut(packet)) copyPacket(input, packet, batch);
  return batch;
}
