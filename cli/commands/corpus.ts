/** `xdpsim corpus`: packets to keep: generated, merged, minimised, shown. */

import { type Command, Option } from 'commander';
import { type Case, casesFromCapture } from '../../corpus/cases/case.ts';
import { merge } from '../../corpus/cases/merge.ts';
import { writeAtomically } from '../../corpus/files/atomic-file.ts';
import { writeCapture } from '../../corpus/formats/capture-writer.ts';
import {
  formatToWrite,
  isPacketList,
  PACKET_FORMATS,
  PACKET_LISTS,
  type PacketListName,
} from '../../corpus/formats/packet-list/index.ts';
import type { ListedPacket } from '../../corpus/formats/packet-list/listed-packet.ts';
import { PacketGenerator } from '../../corpus/generate/generator.ts';
import { NO_LIMITS, TEST_RUN_LIMITS, withinLimits } from '../../corpus/generate/packet-limits.ts';
import { seedFromText } from '../../corpus/generate/random.ts';
import { onTheWire } from '../../sim/engines/received.ts';
import { PacketBatch } from '../../sim/packet/packet-batch.ts';
import { hintsOf, type Program } from '../../sim/runtime/program.ts';
import { GuidedSource } from '../../verify/guide/guided-source.ts';
import { cflagsOption, clangOption } from '../compile/settings.ts';
import { openCaseTarget } from '../corpus/case-target.ts';
import { type ConvertOptions, convert } from '../corpus/convert.ts';
import { type MinimizeFilesOptions, minimizeFiles } from '../corpus/minimize.ts';
import { show } from '../corpus/show.ts';
import { inputFailure } from '../failure.ts';
import { parseFilterOption } from '../input/filter-option.ts';
import { guidanceOf } from '../input/guided.ts';
import { withMaxEntries } from '../input/max-entries.ts';
import { FILTER_HELP, freshSeed, MANY, parseCount, parseDuration, parseName } from '../input/options.ts';
import { parsePacketFormat } from '../input/packets.ts';
import { resolvePrograms } from '../input/program-source.ts';
import { seedOption } from '../input/run-options.ts';
import {
  aimOption,
  mapOption,
  maxEntriesOption,
  type PlacedProgram,
  placePrograms,
  statesWorld,
  type WorldOptions,
  worldOption,
  worldsIn,
} from '../input/world-options.ts';
import { reportLine } from '../output.ts';
import { count } from '../terminal.ts';

const OUT_HELP = 'a .pcapng file, or a directory in which each case gets a file named after its content';

/** Packets generated at a time. */
const BATCH = 4096;
/** Of a sequence that repeats a packet, so many are kept. */
const MAX_SEQUENCE = 8;

export function registerCorpus(program: Command): void {
  const corpus = program.command('corpus').description('generate, merge, minimize and show saved packets');
  corpus
    .command('generate')
    .description('write generated packets: valid, malformed, and aimed at checksum edge cases')
    .argument('[program]', 'generate for what this program looks at; default: everything')
    .requiredOption(
      '--out <file>',
      'its ending says the format: .pcapng, .pcap, .hex, .json, …; - for standard output',
    )
    .option('--runs <n>', 'how many packets', parseCount('--runs', MANY), 10_000)
    .addOption(seedOption())
    .option('--any-length', 'include frames that no kernel accepts: below 14 bytes, above a page')
    .option('--no-guide', 'generate without looking for uncovered branches first')
    .addOption(
      new Option(
        '--complete',
        'one packet for each path of the program, with the world that it takes (needs the package z3-solver)',
      ).conflicts(['runs', 'seed', 'anyLength', 'guide', 'world', 'map', 'aim']),
    )
    .option(
      '--time <time>',
      'with --complete: how long to follow paths (default: 60s)',
      parseDuration('--time'),
    )
    .addOption(worldOption())
    .addOption(mapOption())
    .addOption(maxEntriesOption())
    .addOption(aimOption())
    .addOption(cflagsOption())
    .addOption(clangOption())
    .action(generate);
  corpus
    .command('show')
    .description('list the packets of captures and saved cases')
    .argument('<file...>', 'captures, saved cases, and lists in text')
    .option('--tree', 'show each packet decoded')
    .option('--filter <expression>', FILTER_HELP, parseFilterOption)
    .option('--no-color', 'no colours')
    .action(show);
  corpus
    .command('convert')
    .description(
      'write packets in another format: captures, hexadecimal text, JSON, C, Scapy, bpftool, tests, base64',
    )
    .argument('<file...>', 'captures, saved cases, and lists in text')
    .requiredOption(
      '--out <file>',
      'its ending says the format (.pcapng, .pcap, .hex, .json, .c, .py, .sh, .ts, .base64)',
    )
    .option('--format <name>', `of the result: ${PACKET_FORMATS.join(', ')}`, parsePacketFormat('--format'))
    .option('--from <name>', 'the format of the files that are read', parsePacketFormat('--from'))
    .option('--program <name>', 'run each packet through this program, and write down what came of it')
    .addOption(worldOption())
    .addOption(mapOption())
    .addOption(maxEntriesOption())
    .addOption(cflagsOption())
    .addOption(clangOption())
    .action(convertNamed);
  corpus
    .command('merge')
    .description('combine cases and drop duplicates')
    .argument('<file...>', 'captures and saved cases')
    .requiredOption('--out <path>', OUT_HELP)
    .option('--program <name>', 'the program to record for plain captures', parseName('--program'), 'any')
    .action(mergeFiles);
  corpus
    .command('minimize')
    .description('keep only the cases that reach an instruction or branch that no other case reaches')
    .argument('<program>', 'the program that runs them')
    .argument('<file...>', 'captures and lists in text (each packet is a case), and saved cases')
    .requiredOption('--out <path>', OUT_HELP)
    .addOption(worldOption())
    .addOption(mapOption())
    .addOption(maxEntriesOption())
    .addOption(cflagsOption())
    .addOption(clangOption())
    .action(minimizeNamed);
}

async function convertNamed(
  files: readonly string[],
  options: ConvertOptions & Omit<WorldOptions, 'aim'> & { program?: string },
): Promise<void> {
  const named = options.program === undefined ? undefined : await oneProgram(options.program);
  const placed = named === undefined ? undefined : placePrograms([named], { ...options, aim: [] })[0];
  await convert(files, options, placed);
}

/** Packets for nobody in particular. */
const NO_PROGRAM: Program = { name: 'any', entries: [{ function: 'any', hook: 'xdp' }] };

async function generate(
  name: string | undefined,
  options: {
    out: string;
    runs: number;
    seed?: string;
    anyLength?: boolean;
    complete?: boolean;
    time?: number;
    guide: boolean;
  } & WorldOptions,
): Promise<void> {
  if (options.complete === true) {
    if (name === undefined) throw inputFailure('--complete follows the paths of a program: name one');
    const { writeComplete } = await import('../corpus/complete.ts');
    const [program] = withMaxEntries([await oneProgram(name)], options.maxEntries);
    await writeComplete(program!, options);
    return;
  }
  if (options.time !== undefined)
    throw inputFailure('--time is for --complete: --runs says how many packets');
  const format = formatToWrite(options.out);
  const named = name === undefined ? NO_PROGRAM : await oneProgram(name);
  const [placed] = placePrograms([named], options) as [PlacedProgram];
  const { program } = placed;
  const hooks = program.entries.map((entry) => entry.hook);
  const text = options.seed ?? freshSeed();
  const worlds = statesWorld(options) ? worldsIn(placed) : undefined;
  const guidance = options.guide ? await guidanceOf(program, { seed: text, worlds }) : undefined;
  const plain = new PacketGenerator(guidance?.hints ?? hintsOf(program), hooks);
  const generator = guidance === undefined ? plain : new GuidedSource(plain, program, guidance);
  const seed = seedFromText(text);
  const limits = options.anyLength === true ? NO_LIMITS : TEST_RUN_LIMITS;
  const batch = new PacketBatch(BATCH);
  function* batches(): Generator<PacketBatch> {
    // What reaches a branch comes first.
    const kept = (guidance?.cases ?? [])
      .flatMap(({ stimuli }) => stimuli.slice(0, MAX_SEQUENCE))
      .filter((stimulus) => withinLimits(limits[hooks[stimulus.entry ?? 0]!], stimulus));
    const first = Math.min(kept.length, options.runs, BATCH);
    for (const stimulus of kept.slice(0, first)) batch.push(stimulus);
    if (first > 0) yield wired(batch);
    for (let at = first; at < options.runs; at += BATCH) {
      batch.clear();
      generator.fill(batch, seed, at, Math.min(BATCH, options.runs - at), limits);
      yield wired(batch);
    }
  }
  const comment = `xdpsim corpus generate${name === undefined ? '' : ` ${name}`} --seed ${text} --runs ${options.runs}`;
  const written = isPacketList(format)
    ? await writeList(options.out, format, batches(), name ?? 'PROGRAM')
    : await writeCapture(options.out, batches(), { comment, format });
  const where = options.out === '-' ? 'standard output' : options.out;
  reportLine(`${where}: ${count(written)} ${written === 1 ? 'packet' : 'packets'}, seed ${text}`);
}

/** A file holds frames as they are on the wire: whoever reads it, for whatever entry, gets them from there. */
function wired(batch: PacketBatch): PacketBatch {
  if (batch.skb.size === 0) return batch;
  const frames = new PacketBatch(batch.count);
  for (let at = 0; at < batch.count; at++) frames.push(onTheWire(batch.stimulus(at)));
  return frames;
}

async function writeList(
  path: string,
  format: PacketListName,
  batches: Iterable<PacketBatch>,
  program: string,
): Promise<number> {
  const packets: ListedPacket[] = [];
  for (const batch of batches) {
    for (let at = 0; at < batch.count; at++) packets.push({ packet: batch.stimulus(at).packet });
  }
  const text = PACKET_LISTS[format].write(packets, { program });
  await writeAtomically(path, [new TextEncoder().encode(text)]);
  return packets.length;
}

async function mergeFiles(
  files: readonly string[],
  options: { out: string; program: string },
): Promise<void> {
  const target = await openCaseTarget(options.out);
  const cases: Case[] = [];
  for (const file of files) {
    for await (const one of casesFromCapture(file, { program: options.program })) cases.push(one);
  }
  const merged = merge(cases);
  await target.save(merged);
  reportLine(`${options.out}: ${count(merged.length)} of ${count(cases.length)} cases`);
}

async function minimizeNamed(
  name: string,
  files: readonly string[],
  options: Omit<MinimizeFilesOptions, 'aim'>,
): Promise<void> {
  await minimizeFiles(await oneProgram(name), files, { ...options, aim: [] });
}

async function oneProgram(name: string): Promise<Program> {
  const [only, ...others] = await resolvePrograms([name]);
  if (only === undefined || others.length > 0)
    throw inputFailure(`${name}: contains several programs; name one: OBJECT:FUNCTION`);
  return only;
}
