/** `xdpsim run`: packets through one program, and what comes of them. */

import { type Command, Option } from 'commander';
import type { PacketFilter } from '../../corpus/filter/filter.ts';
import { writeCapture } from '../../corpus/formats/capture-writer.ts';
import { formatToWrite, isPacketList } from '../../corpus/formats/packet-list/index.ts';
import type { KernelVersion } from '../../sim/ebpf/kernel-versions.ts';
import { loadObject } from '../../sim/ebpf/object.ts';
import { type Engine, refusalText, type Session } from '../../sim/engines/engine.ts';
import { OutcomeBatch, STATUS, type StatusName, statusName } from '../../sim/engines/outcome-batch.ts';
import { asReceived } from '../../sim/engines/received.ts';
import { ENGINE_NAMES, type EngineName } from '../../sim/engines/register.ts';
import { createVmEngine } from '../../sim/engines/vm.ts';
import { difference, differenceToText } from '../../sim/packet/difference.ts';
import { hexdump } from '../../sim/packet/hexdump.ts';
import { PacketBatch, type Stimulus } from '../../sim/packet/packet-batch.ts';
import { decodeTree, treeToText } from '../../sim/packet/tree.ts';
import { actionName } from '../../sim/runtime/actions.ts';
import type { MapSnapshot } from '../../sim/runtime/map-snapshot.ts';
import { isPerCpu } from '../../sim/runtime/maps.ts';
import type { Program } from '../../sim/runtime/program.ts';
import type { World } from '../../sim/runtime/world.ts';
import { entryText } from '../../verify/explain/map-text.ts';
import { reasonOf } from '../../verify/explain/note-text.ts';
import { isAccepted } from '../../verify/kernel-verdict.ts';
import { AskedKernel, type AskedVerdict, askedLines, askedToJson } from '../asked-kernel.ts';
import { cflagsOption, clangOption } from '../compile/settings.ts';
import { chooseEngines, createEngineAs, engineNames, requireAvailable, versionOption } from '../engines.ts';
import { EXIT, inputFailure } from '../failure.ts';
import { parseFilterOption } from '../input/filter-option.ts';
import { AS_KERNEL_HELP, parseKernelVersion } from '../input/kernel-version.ts';
import { assumedSizes } from '../input/max-entries.ts';
import { announceMemory } from '../input/memory.ts';
import { FILTER_HELP, repeated } from '../input/options.ts';
import { resolvePrograms } from '../input/program-source.ts';
import {
  mapOption,
  maxEntriesOption,
  type PlacedProgram,
  placePrograms,
  type WorldOptions,
  worldOption,
} from '../input/world-options.ts';
import { printJson, reportLine } from '../output.ts';
import { createTerminal, type Terminal } from '../terminal.ts';
import { traceText } from '../trace-text.ts';
import { runBareInstructions } from './run-bytecode.ts';
import { casesOf, matching, type WorldAndPackets } from './run-cases.ts';

interface Options extends WorldOptions {
  readonly packet: readonly string[];
  readonly engine?: string;
  readonly asKernel?: KernelVersion;
  readonly object?: string;
  readonly write?: string;
  readonly hexdump?: boolean;
  readonly tree?: boolean;
  readonly filter?: PacketFilter;
  readonly trace?: boolean;
  readonly bytecode?: string | true;
  readonly json?: boolean;
  readonly color: boolean;
}

/** Packets run between two looks at the outcomes; sequences of any length pass in constant memory. */
const BATCH = 1024;

export function registerRun(program: Command): void {
  program
    .command('run')
    .description('run packets through one program, in order, and show the outcome of each')
    .argument('[program]', 'a built-in program, or an object or C source FILE[:FUNCTION]')
    .argument(
      '[packet...]',
      'packets: hexadecimal digits, or files: captures, lists in text (.hex, .json, .c, .py, …)',
    )
    .option('--packet <packet>', 'a packet or capture; may be repeated', repeated, [])
    .option(
      '--engine <name>',
      `${ENGINE_NAMES.join(', ')}; default: vm, or testrun where vm cannot run the program`,
    )
    .option('--as-kernel <version>', AS_KERNEL_HELP, parseKernelVersion)
    .addOption(worldOption())
    .addOption(mapOption())
    .addOption(maxEntriesOption())
    .option('--object <file>', 'FILE[:FUNCTION] to test instead of the program’s own object')
    .addOption(
      new Option('--write <file>', 'write the resulting packets to a capture').conflicts([
        'json',
        'tree',
        'hexdump',
        'trace',
      ]),
    )
    .option('--tree', 'show each packet decoded')
    .option('--filter <expression>', FILTER_HELP, parseFilterOption)
    .option('--hexdump', 'show each packet’s bytes')
    .option('--trace', 'show every step of each packet, with the C lines (engine vm)')
    .addOption(
      new Option(
        '--bytecode [memory]',
        'run bare instructions instead of a program: hexadecimal digits on standard input; memory is given as ' +
          'digits too, its address is in r1, its length in r2; prints r0',
      ).conflicts([
        'packet',
        'filter',
        'asKernel',
        'world',
        'map',
        'maxEntries',
        'object',
        'write',
        'tree',
        'hexdump',
        'trace',
        'json',
      ]),
    )
    .addOption(new Option('--json', 'print one JSON document').conflicts(['tree', 'hexdump', 'trace']))
    .addOption(cflagsOption())
    .addOption(clangOption())
    .option('--no-color', 'no colours')
    .action(run);
}

async function run(name: string | undefined, packets: readonly string[], options: Options): Promise<void> {
  if (options.bytecode !== undefined) {
    if (name !== undefined)
      throw inputFailure(`--bytecode runs instructions from standard input: leave the program “${name}” out`);
    return runBareInstructions(
      options.bytecode === true ? undefined : options.bytecode,
      options.engine === undefined ? undefined : oneEngine(options.engine),
    );
  }
  if (options.write !== undefined) requireCaptureName(options.write);
  if (name === undefined)
    throw inputFailure('no program given: name a built-in program or OBJECT[:FUNCTION]');
  const named = await theProgram(name, options.object);
  // Packets are the user's here: there is nothing to aim.
  const [placed] = placePrograms([named], { ...options, aim: [] }) as [PlacedProgram];
  const { program } = placed;
  for (const line of assumedSizes([program])) reportLine(line);
  announceMemory([program]);
  const terminal = createTerminal(options);
  const engine = options.trace === true ? tracer(program, options, terminal) : theEngine(program, options);
  const sources = [...packets, ...options.packet];
  if (sources.length === 0) throw inputFailure('no packets given: add hexadecimal digits or capture files');
  // Steps are printed while a packet runs: its outcome is to follow at once.
  const batch = options.trace === true ? 1 : BATCH;
  const outcomes = runAll(
    placed,
    engine,
    options,
    matching(casesOf(sources, program), options.filter),
    batch,
  );
  if (options.write !== undefined) await runToFile(outcomes, options.write);
  else if (options.json === true) await runToJson(program, engine, outcomes);
  else await runToText(program, outcomes, options, terminal);
}

function requireCaptureName(path: string): void {
  const format = formatToWrite(path);
  if (!isPacketList(format)) return;
  throw inputFailure(
    `--write ${path}: expected a name that ends in .pcapng or .pcap`,
    'xdpsim corpus convert writes other formats',
  );
}

async function theProgram(name: string, object: string | undefined): Promise<Program> {
  const [only, ...others] = await resolvePrograms([name], object);
  if (only === undefined || others.length > 0) {
    const names = [only, ...others].map((one) => one?.entries[0]?.function).join(', ');
    throw inputFailure(`${name}: contains several programs (${names}); name one: OBJECT:FUNCTION`);
  }
  return only;
}

/** @throws {Failure} for a name that is no engine, and for a list: one engine runs the packets */
function oneEngine(text: string): EngineName {
  const [name, ...others] = engineNames(text.split(','));
  if (others.length > 0) {
    throw inputFailure(`--engine takes one engine, not “${text}”`, 'xdpsim verify compares several.');
  }
  return name!;
}

function theEngine(program: Program, { engine: name, asKernel }: Options): Engine {
  if (name !== undefined) {
    const chosen = chooseEngines(oneEngine(name), false, asKernel);
    requireAvailable(chosen, [program]);
    return chosen.engines[0]!;
  }
  const able = (['vm', 'testrun'] as const)
    .map((one) => createEngineAs(one, asKernel))
    .find((engine) => engine.availability(program).available);
  if (able === undefined)
    throw inputFailure(`${program.name}: no engine can run it here`, 'xdpsim doctor shows what is missing.');
  return able;
}

/** The interpreter, printing what it does. */
function tracer(program: Program, options: Options, terminal: Terminal): Engine {
  if (options.engine !== undefined && oneEngine(options.engine) !== 'vm')
    throw inputFailure(`--trace works with engine vm only, not with ${options.engine}`);
  requireAvailable(chooseEngines('vm'), [program]);
  const object = loadObject(program.object!);
  return createVmEngine({
    ...versionOption(options.asKernel),
    onTrace: (trace) => {
      for (const line of traceText(trace, object, terminal.style)) terminal.print(line);
    },
  });
}

interface Refused {
  readonly number: number;
  readonly why: string;
}

interface Ran {
  readonly input: PacketBatch;
  readonly output: OutcomeBatch;
  /** Of each packet, its number in what was given, counted from 1. */
  readonly numbers: readonly number[];
  /** Packets among and before them that the engine does not take, in order. */
  readonly refused: readonly Refused[];
  /** After the last batch, where the engine shows them. */
  readonly maps: readonly MapSnapshot[];
  /** What the kernel does with packets of the batch on which the machine stopped the program. */
  readonly kernel: ReadonlyMap<number, AskedVerdict>;
}

/** @param options `--as-kernel` */
async function* runAll(
  { program, inWorld }: PlacedProgram,
  engine: Engine,
  { asKernel }: Options,
  cases: AsyncIterable<WorldAndPackets>,
  batch: number,
): AsyncGenerator<Ran> {
  const asked = new AskedKernel(program, createEngineAs('testrun', asKernel));
  let session: Session | undefined;
  let start: World = {};
  try {
    const input = new PacketBatch(batch);
    const single = new PacketBatch(1);
    const output = new OutcomeBatch(batch);
    let count = 0;
    let lost = 0;
    let numbers: number[] = [];
    let refused: Refused[] = [];
    let first: Refused | undefined;
    const refusalOf = (stimulus: Stimulus): string | undefined => {
      single.clear();
      single.push(stimulus);
      const refusal = engine.refuses(program, single);
      return refusal === undefined ? undefined : refusalText(refusal);
    };
    const flush = async (open: Session, last: boolean): Promise<Ran> => {
      await open.run(input, output);
      const kernel = await asked.about(start, input, output, numbers);
      const maps = last && engine.observes.maps ? open.maps() : [];
      const ran = { input, output, numbers, refused, maps, kernel };
      numbers = [];
      refused = [];
      return ran;
    };
    for await (const { world, stimuli } of cases) {
      if (session === undefined) {
        start = inWorld(world);
        session = await engine.open(program, start);
      }
      for (const stimulus of stimuli) {
        const received = asReceived(program, stimulus);
        const why = refusalOf(received);
        const number = ++count;
        if (why === undefined) {
          input.push(received);
          numbers.push(number);
        } else {
          first ??= { number, why };
          refused.push({ number, why });
          lost++;
        }
        if (input.count < batch) continue;
        yield await flush(session, false);
        input.clear();
      }
    }
    if (first !== undefined && lost === count)
      throw inputFailure(`engine ${engine.name} refuses packet ${first.number}: ${first.why}`);
    if (session !== undefined) yield await flush(session, true);
    if (first !== undefined) {
      const which = `packet ${first.number}${lost === 1 ? '' : ' is the first'}: ${first.why}`;
      reportLine(`${lost} of ${count} packets did not run, as engine ${engine.name} refuses them; ${which}`);
    }
  } finally {
    await session?.close();
  }
}

async function runToFile(outcomes: AsyncIterable<Ran>, path: string): Promise<void> {
  async function* outputs(): AsyncGenerator<OutcomeBatch> {
    for await (const { output } of outcomes) yield output;
  }
  const packets = await writeCapture(path, outputs());
  if (path !== '-') reportLine(`${path}: ${packets} packets`);
}

async function runToText(
  program: Program,
  outcomes: AsyncIterable<Ran>,
  options: Options,
  terminal: Terminal,
): Promise<void> {
  let maps: readonly MapSnapshot[] = [];
  for await (const ran of outcomes) {
    const refused = [...ran.refused];
    const printRefused = (until: number): void => {
      while (refused.length > 0 && refused[0]!.number < until) {
        const { number, why } = refused.shift()!;
        terminal.print(terminal.style('yellow', `packet ${number}: did not run: ${why}`));
      }
    };
    for (let index = 0; index < ran.output.count; index++) {
      printRefused(ran.numbers[index]!);
      printOutcome(program, ran, index, options, terminal);
    }
    printRefused(Number.POSITIVE_INFINITY);
    maps = ran.maps;
  }
  for (const map of maps) printMap(program, map, terminal);
}

function printOutcome(program: Program, ran: Ran, index: number, options: Options, terminal: Terminal): void {
  const { input, output, numbers, kernel } = ran;
  const before = input.stimulus(index).packet;
  const after = output.packet(index);
  const number = numbers[index]!;
  const head = `packet ${number}`;
  const note = output.notes.get(index);
  if (output.status[index] !== STATUS.ran) {
    const kind = statusName(output.status[index]!);
    const colour = kind === 'unseen' ? 'yellow' : 'red';
    // With a line of C, the place follows.
    const reason = note?.source === undefined ? (note?.message ?? '') : reasonOf(note);
    terminal.print(terminal.style(colour, `${head}: ${kind}: ${reason}`));
    if (note?.source !== undefined)
      terminal.print(`  ${note.source.file}:${note.source.line}: ${note.source.text}`);
    const asked = kernel.get(index);
    if (asked !== undefined) for (const line of askedLines(asked, number)) terminal.print(`  ${line}`);
    noteStatus(kind, asked);
    return;
  }
  const hook = program.entries[input.entry[index]!]!.hook;
  const target = output.redirect[index]! === 0 ? '' : ` to ifindex ${output.redirect[index]}`;
  terminal.print(
    `${terminal.style('bold', `${head}: ${actionName(hook, output.action[index]!)}`)}${target}, ${after.length} ${after.length === 1 ? 'byte' : 'bytes'}`,
  );
  const metadata = output.metadata(index);
  if (metadata.length > 0) terminal.print(`  metadata ${Buffer.from(metadata).toString('hex')}`);
  if (hook !== 'xdp') terminal.print(`  mark ${output.mark[index]}, priority ${output.priority[index]}`);
  for (const line of output.trace.get(index) ?? []) terminal.print(`  trace: ${line}`);
  const differences = difference(before, after);
  if (differences.length > 0)
    terminal.printLines(indent(differenceToText(differences, { left: 'was', right: 'is' })));
  if (options.tree === true) terminal.printLines(indent(treeToText(decodeTree(after, 0, after.length))));
  if (options.hexdump === true) terminal.printLines(indent(hexdump(after)));
}

function printMap(program: Program, map: MapSnapshot, terminal: Terminal): void {
  // An array's entries all exist: those that were never written say nothing, and are not kept.
  if (map.count === 0) return;
  const summed = isPerCpu(map.definition.type) ? ', all CPUs together' : '';
  terminal.print(`map ${map.definition.name} (${map.definition.type}${summed})`);
  for (const entry of map.kept()) terminal.print(`  ${entryText(program, map.definition.name, entry)}`);
}

async function runToJson(program: Program, engine: Engine, outcomes: AsyncIterable<Ran>): Promise<void> {
  const packets: unknown[] = [];
  const refused: object[] = [];
  let maps: readonly MapSnapshot[] = [];
  for await (const ran of outcomes) {
    for (let index = 0; index < ran.output.count; index++) packets.push(outcomeToJson(program, ran, index));
    refused.push(...ran.refused.map(({ number, why }) => ({ packet: number, reason: why })));
    maps = ran.maps;
  }
  printJson({
    version: 1,
    program: program.name,
    engine: engine.name,
    packets,
    ...(refused.length === 0 ? {} : { refused }),
    maps: maps.map(mapToJson),
  });
}

/** Up to here all entries of an array are listed; of a larger one those that are not all zero. */
const FULL_LIST = 4096;

function mapToJson(map: MapSnapshot): object {
  const entries = map.size <= FULL_LIST ? map.list() : map.kept();
  return {
    ...map.definition,
    entries: Array.from(entries, ({ key, value }) => ({ key: toHex(key), value: toHex(value) })),
  };
}

/** Neither a packet that ran and got lost from sight nor one that the machine was wrong to stop is a finding. */
function noteStatus(status: StatusName, asked: AskedVerdict | undefined): void {
  const isMachinesFault = asked !== undefined && isAccepted(asked.verdict);
  if (status === 'fault' || (status === 'violation' && !isMachinesFault)) process.exitCode = EXIT.found;
}

function outcomeToJson(program: Program, { input, output, numbers, kernel }: Ran, index: number): unknown {
  const hook = program.entries[input.entry[index]!]!.hook;
  const status = statusName(output.status[index]!);
  const asked = kernel.get(index);
  noteStatus(status, asked);
  return {
    packet: numbers[index],
    status,
    action: actionName(hook, output.action[index]!),
    bytes: toHex(output.packet(index)),
    metadata: toHex(output.metadata(index)),
    redirect: output.redirect[index],
    ...(hook === 'xdp' ? {} : { mark: output.mark[index], priority: output.priority[index] }),
    trace: output.trace.get(index) ?? [],
    note: output.notes.get(index),
    ...(asked === undefined ? {} : { kernel: askedToJson(asked) }),
  };
}

function toHex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}

function indent(text: string): string {
  return text
    .trimEnd()
    .split('\n')
    .map((line) => `  ${line}`)
    .join('\n');
}
