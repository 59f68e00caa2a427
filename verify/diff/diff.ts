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
import { firstDifference } from '../compare.ts';
import { mergeCoverage } from '../coverage-summary.ts';
import { type EngineFailure, EngineSide } from '../engine-side.ts';
import { familyOf } from '../finding.ts';
import { isAccepted } from '../kernel-verdict.ts';
import { KernelWitness } from '../kernel-witness.ts';
import { type NotCompared, sumNotCompared } from '../not-compared.ts';
import { type Shrunk, shrink } from '../shrink.ts';
import { COMPARED, type PairFinding, PairLook } from './look.ts';
import { mapsNotSeen, pairMapDifference } from './map-pairs.ts';
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
  readonly packets: number;
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
  #packets = 0;
  #isCut = false;
  #failure: EngineFailure | undefined;

  constructor(options: DiffOptions) {
    this.#options = options;
    this.#pair = options.pair;
    this.#old = new EngineSide(options.engine, options.pair.old, 16);
    this.#new = new EngineSide(options.engine, options.pair.new, 16);
    this.#look = new PairLook(options.pair, options.vm);
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
    const seeded = seedFromText(seed);
    const input = new PacketBatch(2048);
    for (const plan of planBatches(old, runs, undefined, undefined, this.#worlds())) {
      if (this.#isOver()) break;
      input.clear();
      generator.fill(input, seeded, plan.first, plan.count, plan.limits);
      await this.#compare(plan.world.world, input);
      this.#options.onProgress?.(this.#packets, this.#classes.size);
      await nextTurn();
    }
    return this.#report();
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
  async #compare(world: World, all: PacketBatch): Promise<void> {
    let input = all;
    for (const side of [this.#old, this.#new]) {
      if (input.count > 0 && !side.takes(input)) input = acceptedPackets(input, side).batch;
    }
    if (input.count === 0) return;
    const start = await this.#starts(world);
    if (start === undefined || !(await this.#both(world, input))) return;
    this.#packets += input.count;
    const mapsDiffer = this.#mapsDiffer(start);
    if (!mapsDiffer && this.#sameOutcomes(input)) return;
    if (!(await this.#look.run(world, input))) {
      this.#failure = this.#look.failure;
      return;
    }
    const others = await this.#enterOutcomes(world, input);
    if (mapsDiffer) await this.#enterMaps(world, others);
  }

  async #both(world: World, input: PacketBatch): Promise<boolean> {
    if ((await this.#old.run(world, input)) && (await this.#new.run(world, input))) return true;
    this.#failure = this.#old.failure ?? this.#new.failure;
    return false;
  }

  /** Decided without looking at single packets where it can be. */
  #sameOutcomes(input: PacketBatch): boolean {
    const a = this.#old.output;
    const b = this.#new.output;
    const hooks = this.#pair.old.entries.map((entry) => entry.hook);
    if (firstDifference(a, b, COMPARED, hooks, input.entry) !== undefined) return false;
    for (let packet = 0; packet < input.count; packet++) {
      if ((a.status[packet] === STATUS.violation) !== (b.status[packet] === STATUS.violation)) return false;
    }
    return true;
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

  /** @returns the packets whose outcomes do not differ */
  async #enterOutcomes(world: World, input: PacketBatch): Promise<PacketBatch> {
    type Group = { part: PairFinding['part']; field: string; best: number; faults: number; packets: number };
    const groups = new Map<string, Group>();
    const differing = new Set<number>();
    for (const { packet, part, field } of this.#look.differing(input)) {
      differing.add(packet);
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
      if (known !== undefined) this.#count(known, group.packets);
      const finding =
        known === undefined ? this.#look.finding(group.best, group.part, group.field) : undefined;
      return finding === undefined ? [] : [{ way, finding, packets: group.packets }];
    });
    for (const { way, finding, packets } of found) await this.#enter(world, input, finding, packets, way);
    return without(input, (packet) => differing.has(packet));
  }

  /** Packets that both builds treat alike but for what they leave in maps. */
  async #enterMaps(world: World, input: PacketBatch): Promise<void> {
    let rest = await this.#withoutKnown(world, input);
    for (let round = 0; round < MAX_MAP_ROUNDS && rest.count > 0 && !this.#isOver(); round++) {
      const culprit = await this.#firstWithMaps(world, rest);
      if (culprit === undefined) return;
      const upTo = without(rest, (packet) => packet > culprit);
      if (!(await this.#look.run(world, upTo))) return;
      const finding = await this.#look.mapFinding(world, upTo);
      const signature = this.#look.signature(culprit);
      if (!(await this.#look.run(world, rest))) return;
      const same = new Set<number>([culprit]);
      for (let packet = 0; packet < rest.count; packet++) {
        if (this.#look.signature(packet) === signature) same.add(packet);
      }
      if (finding !== undefined) await this.#enter(world, rest, finding, same.size, `maps ${signature}`);
      rest = without(rest, (packet) => same.has(packet));
    }
  }

  /** What is left besides packets that took a way of which is known that it differs in maps; those are counted. */
  async #withoutKnown(world: World, input: PacketBatch): Promise<PacketBatch> {
    if (input.count === 0 || !(await this.#look.run(world, input))) return input;
    const isKnown = (packet: number): boolean => {
      const key = this.#ways.get(`maps ${this.#look.signature(packet)}`);
      if (key !== undefined) this.#count(key, 1);
      return key !== undefined;
    };
    return without(input, isKnown);
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
    const whole: Case = { program: this.#pair.old.name, world, stimuli };
    const { shown, state, small } = await this.#small(whole, finding);
    const reason = await this.#whyNone(small, shown);
    if (reason !== undefined) {
      const left = { what: reason, engine: this.#options.engine.name, packets };
      this.#none.set(key, left);
      this.#left.push(left);
      return;
    }
    this.#classes.set(key, { finding: shown, case: small, state, packets });
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
