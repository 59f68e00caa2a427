/**
 * The corpora of the built-in programs, `corpus/packets/PROGRAM.pcapng`: few cases that reach what many generated packets,
 * the program's examples and guided generation reach together, the other examples, and packets of its paths. `verify`
 * replays them first; `npm run corpora` makes them.
 */
import type { Case } from '../../corpus/cases/case.ts';
import { ofPacket, reasonsForPacket } from '../../corpus/cases/kept.ts';
import { minimizeCases } from '../../corpus/cases/minimize.ts';
import { PacketGenerator } from '../../corpus/generate/generator.ts';
import { TEST_RUN_LIMITS, withinLimits } from '../../corpus/generate/packet-limits.ts';
import { seedFromText } from '../../corpus/generate/random.ts';
import { EngineError } from '../../sim/engines/engine.ts';
import { createModelEngine } from '../../sim/engines/model.ts';
import { OutcomeBatch } from '../../sim/engines/outcome-batch.ts';
import { createWasmEngine } from '../../sim/engines/wasm.ts';
import { PacketBatch } from '../../sim/packet/packet-batch.ts';
import { hintsOf, type Program } from '../../sim/runtime/program.ts';
import type { World } from '../../sim/runtime/world.ts';
import { worldToJson } from '../../sim/runtime/world-json.ts';
import { worldsOf } from '../../verify/batch-plan.ts';
import { mergeCoverage, summarizeCoverage } from '../../verify/coverage-summary.ts';
import { guide } from '../../verify/guide/guide.ts';
import { exampleCases } from '../../verify/run.ts';
import { ReachReader, reasonsOf } from './reach.ts';

/** Generated packets in each world. */
const PACKETS = 20_000;
const SEED = 'corpora';

/** What a corpus reaches: ways of branches, and those that there are. */
export interface CorpusRecord {
  readonly cases: number;
  readonly packets: number;
  /** Of the packets, those that follow from the program's paths. */
  readonly paths: number;
  readonly branches: readonly [reached: number, total: number];
}

/** What each corpus reached when it was made. */
export const RECORD_FILE = 'corpus/packets/coverage.json';

/**
 * The smallest corpus of a program that its sources give, and behind it the packets of its paths; the same every time.
 * @param proved a case for each path that was followed: the fewest of these that go every way that any of them goes
 */
export async function buildCorpus(program: Program, proved: readonly Case[]): Promise<Case[]> {
  const reader = new ReachReader(program);
  try {
    return [...(await smallest(program, reader)), ...(await ofPaths(program, proved, reader))];
  } finally {
    await reader.close();
  }
}

async function ofPaths(program: Program, proved: readonly Case[], reader: ReachReader): Promise<Case[]> {
  const cases: Case[] = [];
  for (const one of proved) {
    // A full map costs more room than its path is worth.
    if (entriesOf(one) >= LARGE_WORLD || !fitsKernel(program, one)) continue;
    if (await runsInModel(program, one)) cases.push(one);
  }
  const { kept } = await minimizeCases(cases, (one) => reader.reachedBy(one));
  const noted = kept.map(({ case: one }) => ({
    ...one,
    note: { kept: [`path: ${one.note!.kept!.join()}`] },
  }));
  return joined(program, noted, reader);
}

async function smallest(program: Program, reader: ReachReader): Promise<Case[]> {
  const examples = new Map<Case, string>();
  for (const { path, case: one } of exampleCases(program)) examples.set(one, path);
  const cases = [...examples.keys()];
  for (const { world, stimuli } of guide(program, { seed: SEED }).cases) {
    const one = { program: program.name, world, stimuli };
    if (fitsKernel(program, one) && (await runsInModel(program, one))) cases.push(one);
  }
  const hooks = program.entries.map((entry) => entry.hook);
  const generator = new PacketGenerator(hintsOf(program), hooks);
  const worlds = worldsOf(program);
  for (const [number, { world }] of worlds.entries()) {
    const batch = new PacketBatch(PACKETS);
    generator.fill(batch, seedFromText(SEED), number * PACKETS, PACKETS, TEST_RUN_LIMITS);
    for (let at = 0; at < batch.count; at++)
      cases.push({ program: program.name, world, stimuli: [batch.stimulus(at)] });
  }
  const { kept } = await minimizeCases(cases, (one) => reader.reachedBy(one));
  const noted = kept.map(({ case: one, alone }) => {
    const name = examples.get(one);
    examples.delete(one);
    return { ...one, note: { kept: [...(name === undefined ? [] : [name]), ...reasonsOf(program, alone)] } };
  });
  const others = [...examples].map(([one, name]) => ({ ...one, note: { kept: [name] } }));
  return joined(program, [...noted, ...others], reader);
}

/** Entries of maps: a case with so many is mostly world. */
const LARGE_WORLD = 256;

/** Of all maps together. */
function entriesOf({ world }: Case): number {
  return Object.values(world.maps ?? {}).reduce((sum, list) => sum + list.length, 0);
}

/**
 * Makes one case of those that share a world, as long as each packet goes the way that it goes by itself: whoever replays
 * them has one world to begin with, and not one for each packet. What the kernel does not take stays apart from what it does, so
 * that it takes part in whole cases.
 */
async function joined(program: Program, cases: readonly Case[], reader: ReachReader): Promise<Case[]> {
  const texts = new Map<World, string>();
  const groups = new Map<string, Case[]>();
  for (const one of cases) {
    const { world } = one;
    const text = texts.get(world) ?? JSON.stringify(worldToJson(world));
    texts.set(world, text);
    const key = `${fitsKernel(program, one)} ${text}`;
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [one]);
    else group.push(one);
  }
  const all: Case[] = [];
  for (const [first, ...others] of groups.values()) {
    let open = [first!];
    for (const one of others) {
      const alone = await reader.waysOf(one);
      const ways = await reader.waysOf(sequenceOf([...open, one]));
      if (ways.slice(-alone.length).join() === alone.join()) open.push(one);
      else {
        all.push(sequenceOf(open));
        open = [one];
      }
    }
    all.push(sequenceOf(open));
  }
  return all;
}

/** Cases of one world, one after the other: the reasons name the packets. */
function sequenceOf(cases: readonly Case[]): Case {
  const [first] = cases;
  if (cases.length === 1) return first!;
  let packets = 0;
  const kept: string[] = [];
  for (const { stimuli, note } of cases) {
    packets += stimuli.length;
    for (const reason of note?.kept ?? []) kept.push(ofPacket(packets, reason));
  }
  return { ...first!, stimuli: cases.flatMap(({ stimuli }) => stimuli), note: { kept } };
}

/** How many packets of a case were kept for the paths that they take? */
function pathsIn({ note, stimuli }: Case): number {
  const isOfPath = (_: unknown, index: number): boolean =>
    reasonsForPacket(note, index + 1, stimuli.length).some((one) => one.startsWith('path: '));
  return stimuli.filter(isOfPath).length;
}

function fitsKernel({ entries }: Program, { stimuli }: Case): boolean {
  return stimuli.every((stimulus) => {
    const { entry = 0, metadata } = stimulus;
    const limits = TEST_RUN_LIMITS[entries[entry]!.hook];
    return withinLimits(limits, stimulus) && (metadata?.length ?? 0) <= limits.maxMetadata;
  });
}

/** Guided generation fills maps that models do not have. */
async function runsInModel(program: Program, { world }: Case): Promise<boolean> {
  try {
    await (await createModelEngine().open(program, world)).close();
    return true;
  } catch (error) {
    if (error instanceof EngineError) return false;
    throw error;
  }
}

/** What cases reach, each from the start of its world. */
export async function recordOf(program: Program, cases: readonly Case[]): Promise<CorpusRecord> {
  const all = [];
  let packets = 0;
  for (const { world, stimuli } of cases) {
    const session = await createWasmEngine().open(program, world);
    const input = new PacketBatch(Math.max(1, stimuli.length));
    for (const stimulus of stimuli) input.push(stimulus);
    await session.run(input, new OutcomeBatch(input.capacity));
    packets += stimuli.length;
    all.push(session.coverage!());
    await session.close();
  }
  const coverage = mergeCoverage(all);
  const { branches } = coverage === undefined ? { branches: [0, 0] as const } : summarizeCoverage(coverage);
  const paths = cases.reduce((sum, one) => sum + pathsIn(one), 0);
  return { cases: cases.length, packets, paths, branches: [branches[0], branches[1]] };
}
