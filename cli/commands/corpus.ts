/** `xdpsim corpus`: packets to keep: generated, merged, minimised, shown. */
import { join } from 'node:path';
import type { Command } from 'commander';
import { type Case, casesFromCapture, saveCase } from '../../corpus/cases/case.ts';
import { contentKey, merge } from '../../corpus/cases/merge.ts';
import { minimize } from '../../corpus/cases/minimize.ts';
import { makeDirectory } from '../../corpus/files/make-directory.ts';
import type { PacketFilter } from '../../corpus/filter/filter.ts';
import { writeCapture } from '../../corpus/formats/capture-writer.ts';
import { PacketGenerator } from '../../corpus/generate/generator.ts';
import { NO_LIMITS, TEST_RUN_LIMITS } from '../../corpus/generate/packet-limits.ts';
import { seedFromText } from '../../corpus/generate/random.ts';
import { OutcomeBatch } from '../../sim/engines/outcome-batch.ts';
import { createWasmEngine } from '../../sim/engines/wasm.ts';
import { PacketBatch } from '../../sim/packet/packet-batch.ts';
import { decodeTree, treeToText } from '../../sim/packet/tree.ts';
import { hintsOf, type Program } from '../../sim/runtime/program.ts';
import { cflagsOption, clangOption } from '../compile/settings.ts';
import { inputFailure } from '../failure.ts';
import { FILTER_HELP, parseFilterOption } from '../input/filter-option.ts';
import { announceMemory } from '../input/memory.ts';
import { freshSeed, parseCount, parseName } from '../input/options.ts';
import { resolvePrograms } from '../input/program-source.ts';
import { isDirectory, isThere } from '../input/read-file.ts';
import { reportLine } from '../output.ts';
import { count, createTerminal, type Terminal } from '../terminal.ts';

/** Packets generated at a time. */
const BATCH = 4096;

export function registerCorpus(program: Command): void {
  const corpus = program.command('corpus').description('generate, merge, minimize and show saved packets');
  corpus
    .command('generate')
    .description('write generated packets: valid, malformed, and aimed at checksum edge cases')
    .argument('[program]', 'generate for what this program looks at; default: everything')
    .requiredOption('--out <file>', 'pcapng or pcap; - for standard output')
    .option('--runs <n>', 'how many packets', parseCount('--runs'), 10_000)
    .option('--seed <seed>', 'any text; the same seed gives the same packets')
    .option('--any-length', 'include frames that no kernel accepts: below 14 bytes, above a page')
    .addOption(cflagsOption())
    .addOption(clangOption())
    .action(generate);
  corpus
    .command('show')
    .description('list the packets of captures and saved cases')
    .argument('<file...>', 'pcap or pcapng')
    .option('--tree', 'show each packet decoded')
    .option('--filter <expression>', FILTER_HELP, parseFilterOption)
    .option('--no-color', 'no colours')
    .action(show);
  corpus
    .command('merge')
    .description('combine cases and drop duplicates')
    .argument('<file...>', 'captures and saved cases')
    .requiredOption('--out <dir>', 'output directory; each case gets a file named after its content')
    .option('--program <name>', 'the program to record for plain captures', parseName('--program'), 'any')
    .action(mergeFiles);
  corpus
    .command('minimize')
    .description('keep only the cases that reach an instruction or branch that no other case reaches')
    .argument('<program>', 'the program that runs them')
    .argument('<file...>', 'captures (each packet is a case) and saved cases')
    .requiredOption('--out <dir>', 'output directory; each case gets a file named after its content')
    .addOption(cflagsOption())
    .addOption(clangOption())
    .action(minimizeFiles);
}

async function generate(
  name: string | undefined,
  options: { out: string; runs: number; seed?: string; anyLength?: boolean },
): Promise<void> {
  const program = name === undefined ? undefined : await oneProgram(name);
  const hooks = program?.entries.map((entry) => entry.hook) ?? ['xdp'];
  const generator = new PacketGenerator(program === undefined ? {} : hintsOf(program), hooks);
  const text = options.seed ?? freshSeed();
  const seed = seedFromText(text);
  const limits = options.anyLength === true ? NO_LIMITS : TEST_RUN_LIMITS;
  const batch = new PacketBatch(BATCH);
  function* batches(): Generator<PacketBatch> {
    for (let first = 0; first < options.runs; first += BATCH) {
      batch.clear();
      generator.fill(batch, seed, first, Math.min(BATCH, options.runs - first), limits);
      yield batch;
    }
  }
  const comment = `xdpsim corpus generate${name === undefined ? '' : ` ${name}`} --seed ${text} --runs ${options.runs}`;
  const written = await writeCapture(options.out, batches(), { comment });
  const where = options.out === '-' ? 'standard output' : options.out;
  reportLine(`${where}: ${count(written)} packets, seed ${text}`);
}

async function show(
  files: readonly string[],
  options: { tree?: boolean; filter?: PacketFilter; color: boolean },
): Promise<void> {
  const terminal = createTerminal(options);
  for (const file of files) {
    for await (const one of casesFromCapture(file, { program: '' }))
      showCase(file, one, options.tree === true, options.filter, terminal);
  }
}

function showCase(
  file: string,
  one: Case,
  tree: boolean,
  filter: PacketFilter | undefined,
  terminal: Terminal,
): void {
  const saved = one.program === '' ? '' : `, a case of ${one.program}`;
  const shown = [...one.stimuli.entries()].filter(([, { packet }]) => filter?.matches(packet) ?? true);
  const of = filter === undefined ? '' : `${count(shown.length)} of `;
  terminal.print(`${terminal.style('bold', file)}: ${of}${count(one.stimuli.length)} packets${saved}`);
  if (one.note?.summary !== undefined) terminal.print(`  ${one.note.summary}`);
  for (const [index, { packet }] of shown) {
    const layers = decodeTree(packet, 0, packet.length);
    const summary = layers.map((layer) => `${layer.name} ${layer.text}`.trim()).join(' | ');
    terminal.print(
      `  ${String(index + 1).padStart(5)}  ${String(packet.length).padStart(5)} bytes  ${summary}`,
    );
    if (!tree) continue;
    for (const line of treeToText(layers).trimEnd().split('\n')) terminal.print(`           ${line}`);
  }
}

async function mergeFiles(
  files: readonly string[],
  options: { out: string; program: string },
): Promise<void> {
  const cases: Case[] = [];
  for (const file of files) {
    for await (const one of casesFromCapture(file, { program: options.program })) cases.push(one);
  }
  await saveAll(merge(cases), options.out, cases.length);
}

async function minimizeFiles(
  name: string,
  files: readonly string[],
  options: { out: string },
): Promise<void> {
  const program = await oneProgram(name);
  // Running the cases may take long.
  if (isThere(options.out) && !isDirectory(options.out)) {
    throw inputFailure(`${options.out}: expected the name of a directory, found something else there`);
  }
  announceMemory([program]);
  const cases: Case[] = [];
  for (const file of files) {
    // Packet by packet: a whole capture as one case could only be kept or left out whole.
    for await (const one of casesFromCapture(file, { program: program.name, packetsPerCase: 1 }))
      cases.push(one);
  }
  await saveAll(await minimize(cases, (one) => reachedBy(program, one)), options.out, cases.length);
}

/** What a case reaches of the program: instructions, and branches in each direction. */
async function reachedBy(program: Program, one: Case): Promise<ReadonlySet<string>> {
  const session = await createWasmEngine().open(program, one.world);
  try {
    const input = new PacketBatch(one.stimuli.length);
    for (const stimulus of one.stimuli) input.push(stimulus);
    await session.run(input, new OutcomeBatch(input.count));
    const reached = new Set<string>();
    for (const { function: name, instructions, branches } of session.coverage?.().functions ?? []) {
      instructions.forEach((times, index) => {
        if (times > 0) reached.add(`${name} ${index}`);
      });
      for (const { instruction, taken, notTaken } of branches) {
        if (taken > 0) reached.add(`${name} ${instruction} taken`);
        if (notTaken > 0) reached.add(`${name} ${instruction} not taken`);
      }
    }
    return reached;
  } finally {
    await session.close();
  }
}

async function saveAll(cases: readonly Case[], directory: string, of: number): Promise<void> {
  await makeDirectory(directory);
  for (const one of cases) await saveCase(join(directory, `${contentKey(one)}.pcapng`), one);
  reportLine(`${directory}: ${count(cases.length)} of ${count(of)} cases`);
}

async function oneProgram(name: string): Promise<Program> {
  const [only, ...others] = await resolvePrograms([name]);
  if (only === undefined || others.length > 0)
    throw inputFailure(`${name}: contains several programs; name one: OBJECT:FUNCTION`);
  return only;
}
