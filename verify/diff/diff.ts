/** Looks for packets that two builds of a program treat differently, and sorts them into classes by what decides it. */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { PacketGenerator } from '../../corpus/generate/generator.ts';
import { seedFromText } from '../../corpus/generate/random.ts';
import { faults } from '../../corpus/simplify/well-formed.ts';
import type { Coverage } from '../../sim/engines/engine.ts';
import { PacketBatch } from '../../sim/packet/packet-batch.ts';
import type { NamedWorld } from '../../sim/runtime/program.ts';
import type { World } from '../../sim/runtime/world.ts';
import { planBatches, worldsOf } from '../batch-plan.ts';
import type { PacketSource } from '../batch-runner.ts';
import { RewrittenWords } from '../check/rewritten.ts';
import { SWEEP_SIZE, SweepSource } from '../check/sweep-packets.ts';
import { mergeCoverage } from '../coverage-summary.ts';
import type { EngineFailure, EngineSide } from '../engine-side.ts';
import { familyOf } from '../finding.ts';
import { guideInTurns } from '../guide/guide.ts';
import { GuidedSource } from '../guide/guided-source.ts';
import { withPossibleWorlds } from '../guide/possible-worlds.ts';
import { sumNotCompared } from '../not-compared.ts';
import { Builds, without } from './builds.ts';
import { DiffClasses } from './classes.ts';
import type { DiffOptions, DiffReport } from './diff-report.ts';
import { everydayWorlds } from './everyday-worlds.ts';
import { type PairFinding, PairLook } from './look.ts';
import { haveBoth } from './map-pairs.ts';
import { canActOutside } from './outside.ts';
import type { BuildPair } from './pair.ts';
import { ORDINARY, walkedCases } from './walked.ts';

export type { DiffClass, DiffOptions, DiffReport } from './diff-report.ts';

/** How many packets whose maps alone differ are looked for in one batch. */
const MAX_MAP_ROUNDS = 16;
/** After so many of them that are of known classes, the batch is left. */
const MAX_IDLE_ROUNDS = 3;
/** Instructions that are spent on each build to find packets for its branches. */
const GUIDE_EFFORT = 1_000_000;
/** Worlds with common contents of maps that are tried for each build. */
const MAX_EVERYDAY = 48;
/** Of a sweep's differing packets, which are alike, so many are looked at in each batch. */
const SWEEP_SAMPLE = 64;
const SWEEP_BATCH = 8192;
/**
 * What builds do besides their outcomes shows in the interpreter alone: so many packets are run there, so many of one batch.
 * A map that fills up says nothing any more, and each batch begins anew.
 */
const OUTSIDE_PACKETS = 8192;
const OUTSIDE_BATCH = 256;
const OUTSIDE = 'what is sent, and what goes along with packets, beyond the first packets of each batch';

export async function diff(options: DiffOptions): Promise<DiffReport> {
  const run = new DiffRun(options);
  try {
    return await run.run();
  } finally {
    await run.close();
  }
}

class DiffRun {
  readonly #options: DiffOptions;
  readonly #pair: BuildPair;
  readonly #builds: Builds;
  readonly #look: PairLook;
  readonly #classes: DiffClasses;
  readonly #start = performance.now();
  readonly #rewritten: RewrittenWords;
  readonly #actsOutside: boolean;
  /** Packets that were looked at for it. */
  #lookedOutside = 0;
  /** Other packets that do not differ otherwise. */
  #notLookedOutside = 0;
  #packets = 0;
  #swept = 0;
  /** Packets that both builds were stopped at. */
  #stopped = 0;

  constructor(options: DiffOptions) {
    this.#options = options;
    this.#pair = options.pair;
    this.#builds = new Builds(options.pair, options.engine);
    this.#look = new PairLook(options.pair, options.vm);
    this.#classes = new DiffClasses(options);
    this.#actsOutside = canActOutside(options.pair);
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
    const { seed, signal, kernel } = this.#options;
    if (this.#options.guided === false) return [base];
    const sources: PacketSource[] = [];
    for (const program of [this.#pair.old, this.#pair.new]) {
      if (this.#isOver()) break;
      const worlds = this.#worlds();
      const found = await guideInTurns(program, {
        ...{ seed, worlds, effort: GUIDE_EFFORT, combinations: true },
        ...(signal === undefined ? {} : { signal }),
      });
      const programs = [this.#pair.old, this.#pair.new];
      let everyday = MAX_EVERYDAY;
      const guidance = await withPossibleWorlds(found, { programs, worlds, kernel });
      for (const { world, stimuli } of guidance.cases) {
        if (this.#isOver()) break;
        if (!this.#fitsBoth(world) || stimuli.length === 0) continue;
        const input = new PacketBatch(stimuli.length);
        for (const stimulus of stimuli) input.push(stimulus);
        await this.#compare(world, input);
        for (const other of everydayWorlds(this.#pair, world)) {
          if (this.#isOver() || everyday-- <= 0) break;
          await this.#compare(other, input);
        }
      }
      await this.#walk(guidance.cases.filter(({ world }) => this.#fitsBoth(world)));
      sources.push(new GuidedSource(base, program, guidance));
    }
    const [{ world } = { world: {} }] = this.#worlds();
    for (const stimulus of ORDINARY) await this.#walk([{ world, stimuli: [stimulus] }]);
    return sources.length === 0 ? [base] : sources;
  }

  /** Packets with long options and the like: loops that walk through them end after so many rounds. */
  async #walk(cases: Parameters<typeof walkedCases>[0]): Promise<void> {
    for (const { world, input } of walkedCases(cases)) {
      if (this.#isOver()) return;
      await this.#compare(world, input);
    }
  }

  #fitsBoth(world: World): boolean {
    return haveBoth(this.#pair, [...Object.keys(world.maps ?? {}), ...Object.keys(world.slots ?? {})]);
  }

  async close(): Promise<void> {
    await this.#builds.close();
    await this.#look.close();
  }

  get #failure(): EngineFailure | undefined {
    return this.#builds.failure ?? this.#look.failure;
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
    const input = this.#builds.accepted(all);
    if (input.count === 0) return;
    const start = await this.#builds.starts(world);
    if (start === undefined || !(await this.#builds.run(world, input))) return;
    if (isSweep) this.#swept += input.count;
    else {
      this.#packets += input.count;
      this.#stopped += this.#builds.stoppedBoth(input.count);
      for (const side of this.#builds.sides) this.#rewritten.observe(world, input, side);
    }
    const mapsDiffer = this.#builds.mapsDiffer(start);
    const differing = this.#builds.differing(input);
    if (differing.size > 0) await this.#enterDiffering(world, input, differing, isSweep);
    if (!isSweep) await this.#enterOutside(world, input, differing);
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
    if (isSweep && only !== undefined && others.length === 0)
      this.#classes.count(only, differing.size - chosen.size);
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
    if (!(await this.#look.run(world, input))) return input.count;
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
      const known = this.#classes.ofWay(way);
      if (known !== undefined) {
        this.#classes.count(known, Math.min(group.packets, atMost));
        classes.add(known);
      }
      const finding =
        known === undefined ? this.#look.finding(group.best, group.part, group.field) : undefined;
      return finding === undefined ? [] : [{ way, finding, packets: group.packets }];
    });
    for (const { way, finding, packets } of found) {
      classes.add(familyOf(finding));
      await this.#classes.enter(world, input, finding, Math.min(packets, atMost), way);
    }
    return differing;
  }

  /** Packets that both builds treat alike but for what they send elsewhere, or what goes along with the packet. */
  async #enterOutside(world: World, input: PacketBatch, differing: ReadonlySet<number>): Promise<void> {
    if (!this.#actsOutside) return;
    const left = Math.min(OUTSIDE_BATCH, OUTSIDE_PACKETS - this.#lookedOutside);
    const part = without(input, (packet) => packet >= left || differing.has(packet));
    this.#lookedOutside += part.count;
    this.#notLookedOutside += input.count - differing.size - part.count;
    if (part.count === 0) return;
    await this.#enterOutcomes(world, part, new Set());
  }

  /** Packets that both builds treat alike but for what they leave in maps. */
  async #enterMaps(world: World, input: PacketBatch): Promise<void> {
    if (input.count === 0 || !(await this.#look.run(world, input))) return;
    const signatures = Array.from({ length: input.count }, (_, packet) => this.#look.signature(packet));
    let left = [...signatures.keys()].filter((packet) => {
      const key = this.#classes.ofWay(`maps ${signatures[packet]}`);
      if (key !== undefined) this.#classes.count(key, 1);
      return key === undefined;
    });
    for (let round = 0, idle = 0; round < MAX_MAP_ROUNDS && idle < MAX_IDLE_ROUNDS; round++) {
      if (left.length === 0 || this.#isOver()) return;
      const kept = new Set(left);
      const rest = without(input, (packet) => !kept.has(packet));
      const culprit = await this.#builds.firstWithMaps(world, rest);
      if (culprit === undefined) return;
      const signature = signatures[left[culprit]!]!;
      const same = new Set(left.filter((packet) => signatures[packet] === signature));
      const known = this.#classes.size;
      const finding = await this.#mapFinding(world, rest, culprit);
      if (finding !== undefined)
        await this.#classes.enter(world, rest, finding, same.size, `maps ${signature}`);
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

  #report(): DiffReport {
    const coverage = (side: EngineSide): Coverage | undefined =>
      mergeCoverage([side.takeCoverage()].filter((one) => one !== undefined));
    const engine = this.#options.engine.name;
    const outside =
      this.#notLookedOutside === 0 ? [] : [{ what: OUTSIDE, engine, packets: this.#notLookedOutside }];
    const refused = this.#builds.sides.flatMap((side) =>
      [...side.refused].map(([what, packets]) => ({ what, engine, packets })),
    );
    const stopped =
      this.#stopped === 0
        ? []
        : [{ what: 'packets at which the machine stops both', engine, packets: this.#stopped }];
    const failure = this.#failure;
    return {
      pair: this.#pair,
      packets: this.#packets,
      swept: this.#swept,
      seconds: (performance.now() - this.#start) / 1000,
      classes: this.#classes.list,
      isCut: this.#classes.isCut,
      notCompared: sumNotCompared([...outside, ...refused, ...stopped, ...this.#classes.left]),
      coverage: { old: coverage(this.#builds.old), new: coverage(this.#builds.new) },
      interrupted: this.#options.signal?.aborted === true,
      ...(failure === undefined ? {} : { failure }),
    };
  }
}
