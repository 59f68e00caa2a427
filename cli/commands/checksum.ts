/** `xdpsim checksum`: every checksum in captures, recomputed. */
import type { Command } from 'commander';
import type { CapturedFilter } from '../../corpus/filter/captured.ts';
import type { CheckOptions } from '../../verify/captures/checker.ts';
import { CHECKSUM_LAYERS } from '../../verify/oracle/found.ts';
import { checkFile, exitCodeOf, type FileReport } from '../checksum/check-file.ts';
import { reportJson } from '../checksum/report-json.ts';
import { printReport } from '../checksum/report-text.ts';
import {
  FragmentRepairs,
  requireTwoPasses,
  type WritePass,
  writeFaulty,
  writeFixed,
} from '../checksum/write-captures.ts';
import { EXIT, inputFailure, reportError } from '../failure.ts';
import { requireOnly } from '../input/given-options.ts';
import {
  FILTER_HELP,
  parseCount,
  parseDuration,
  parseName,
  parseOutput,
  repeated,
} from '../input/options.ts';
import { onInterrupt } from '../interrupt.ts';
import { printJson, reportLine } from '../output.ts';
import { count, createTerminal, type Terminal } from '../terminal.ts';

interface Options {
  readonly json?: boolean;
  readonly color: boolean;
  readonly maxFaults: number;
  readonly strict?: boolean;
  readonly reassemble: boolean;
  readonly layer: readonly string[];
  readonly bad?: boolean;
  readonly filter?: string;
  readonly mtu: number;
  readonly explain?: number;
  readonly fix?: string;
  readonly writeBad?: string;
  readonly against?: string;
  readonly interface?: string;
  readonly count?: number;
  readonly time?: number;
}

export function registerChecksum(program: Command): void {
  program
    .command('checksum')
    .description('check every checksum in captures, also inside tags, tunnels, ICMP errors and fragments')
    .argument('[capture...]', 'pcap, pcapng or snoop files, packed (gzip, zstd) or not; - for standard input')
    .option('--bad', 'print only what is wrong')
    .option('--filter <expression>', FILTER_HELP)
    .option('--layer <name>', `only checksums of this kind (${CHECKSUM_LAYERS.join(', ')})`, repeated, [])
    .option('--strict', 'count checksums that were not filled in yet (offload) as bad')
    .option('--no-reassemble', 'do not put fragmented datagrams together')
    .option('--mtu <bytes>', 'count IP packets that are longer', parseCount('--mtu'), 1500)
    .option('--explain <packet>', 'show one packet in full', parseCount('--explain'))
    .option('--fix <file>', 'write the capture with right checksums', parseOutput('--fix'))
    .option('--write-bad <file>', 'write the faulty packets', parseOutput('--write-bad'))
    .option(
      '--against <capture>',
      'a capture from behind a device: which checksums did it make wrong?',
      parseName('--against'),
    )
    .option('--interface <device>', 'watch a device instead of reading captures', parseName('--interface'))
    .option('--count <n>', 'with --interface: end after so many packets', parseCount('--count'))
    .option('--time <time>', 'with --interface: end after this time', parseDuration('--time'))
    .option('--json', 'print one JSON document')
    .option('--max-faults <n>', 'how many faults to list per file', parseCount('--max-faults'), 1000)
    .option('--no-color', 'no colours')
    .action(run);
}

/** What counts in each mode: one packet is shown whole, and two captures are held against each other whole. */
const OF_INTERFACE: readonly string[] = [
  ...['bad', 'filter', 'layer', 'strict', 'reassemble', 'mtu', 'count', 'time', 'json', 'maxFaults', 'color'],
];
const OF_AGAINST: readonly string[] = ['strict', 'maxFaults', 'json', 'color'];
const OF_EXPLAIN: readonly string[] = ['color'];

async function run(files: readonly string[], options: Options, command: Command): Promise<void> {
  if (options.interface !== undefined) requireOnly(command, '--interface', OF_INTERFACE);
  else if (options.count !== undefined) throw inputFailure('--count belongs to --interface');
  else if (options.time !== undefined) throw inputFailure('--time belongs to --interface');
  else if (options.against !== undefined) requireOnly(command, '--against', OF_AGAINST);
  else if (options.explain !== undefined) requireOnly(command, '--explain', OF_EXPLAIN);
  const terminal = createTerminal(options);
  const filter = options.filter === undefined ? undefined : await readFilter(options.filter);
  if (options.interface !== undefined) return watch(files, options.interface, options, filter, terminal);
  if (files.length === 0) {
    throw inputFailure("missing required argument 'capture'", 'see xdpsim checksum --help');
  }
  if (options.against !== undefined) return against(files, options.against, options, terminal);
  if (options.explain !== undefined) return explain(files, options.explain, terminal);
  const layers = layersOf(options.layer);
  const fragments = new FragmentRepairs(layers);
  const checkOptions = checkOptionsOf(options, layers, filter, fragments);
  if (options.fix !== undefined) await requireTwoPasses(files, '--fix', options.fix);
  if (options.writeBad !== undefined) await requireTwoPasses(files, '--write-bad', options.writeBad);
  const interrupt = onInterrupt();
  const reports: FileReport[] = [];
  for (const file of files) {
    if (interrupt.signal.aborted) break;
    const report = await checkFile(file, checkOptions, terminal, interrupt.signal);
    reports.push(report);
    if (options.json !== true) printReport(report, { ...options, layers }, terminal);
    if (report.error !== undefined) reportError(report.error);
  }
  if (options.json === true) printJson(reportJson(reports));
  process.exitCode = exitCodeOf(reports);
  if (interrupt.cause === undefined) await write(reports[0]!, options, fragments, terminal, interrupt.signal);
  else reportLine('xdpsim: interrupted: this is what was checked until then');
  interrupt.release();
  if (interrupt.cause !== undefined) process.exitCode = EXIT.interrupted;
}

/** What filters know of protocols takes time to load, and most runs have none. */
async function readFilter(text: string): Promise<CapturedFilter> {
  const { parseFilterOption } = await import('../input/filter-option.ts');
  const { capturedFilter } = await import('../../corpus/filter/captured.ts');
  return capturedFilter(parseFilterOption(text));
}

function checkOptionsOf(
  options: Options,
  layers: ReadonlySet<string> | undefined,
  filter: CapturedFilter | undefined,
  fragments: FragmentRepairs,
): CheckOptions {
  return {
    strict: options.strict === true,
    reassemble: options.reassemble,
    layers,
    filter,
    maxFaults: options.maxFaults,
    mtu: options.mtu,
    keepFaulty: options.fix !== undefined ? 'and unfinished' : options.writeBad !== undefined,
    ...(options.fix === undefined ? {} : { onFaultyDatagram: (datagram) => fragments.note(datagram) }),
  };
}

async function watch(
  files: readonly string[],
  device: string,
  options: Options,
  filter: CapturedFilter | undefined,
  terminal: Terminal,
): Promise<void> {
  if (files.length > 0) throw inputFailure('--interface watches a device: leave out the captures');
  const layers = layersOf(options.layer);
  // Loads what calls the kernel.
  const { checkDevice } = await import('../checksum/live.ts');
  const { report, isInterrupted } = await checkDevice(
    device,
    checkOptionsOf(options, layers, filter, new FragmentRepairs()),
    options,
    terminal,
  );
  if (options.json === true) printJson(reportJson([report]));
  else printReport(report, { ...options, layers }, terminal);
  process.exitCode = exitCodeOf([report]);
  if (isInterrupted) process.exitCode = EXIT.interrupted;
}

/** The second pass of `--fix` and `--write-bad`. A file that could not be opened has none. */
async function write(
  { file, checker, error }: FileReport,
  options: Options,
  fragments: FragmentRepairs,
  terminal: Terminal,
  signal: AbortSignal,
): Promise<void> {
  if (error !== undefined && checker.packets === 0) return;
  const note = (text: string): void => {
    if (options.json !== true) terminal.print(`  ${text}`);
  };
  const { fix, writeBad } = options;
  if (fix !== undefined) {
    const { faulty, unfinished } = checker;
    const wanted = { has: (packet: number): boolean => faulty.has(packet) || unfinished.has(packet) };
    const changed = await pass(fix, terminal, signal, (one) => writeFixed(file, fix, fragments, wanted, one));
    if (changed !== undefined) note(fixedText(fix, changed, checker.unknownRight));
  }
  if (writeBad !== undefined) {
    const { faulty } = checker;
    const written = await pass(writeBad, terminal, signal, async (one) => {
      await writeFaulty(file, writeBad, faulty, one);
      return faulty.size;
    });
    if (written !== undefined) note(`${writeBad}: ${packetCount(written, 'faulty ')} written`);
  }
}

/** What --fix did, and what it could not do. */
function fixedText(file: string, changed: number, left: number): string {
  const done = `${packetCount(changed)} changed`;
  if (left === 0) return `${file}: written with right checksums, ${done}`;
  return `${file}: written, ${done}, ${left === 1 ? '1 fault' : `${count(left)} faults`} left: what should be there is not known`;
}

/** "1 packet", "2,000 faulty packets" */
function packetCount(packets: number, kind: string = ''): string {
  return `${count(packets)} ${kind}${packets === 1 ? 'packet' : 'packets'}`;
}

/** Milliseconds between two progress lines. */
const PROGRESS_INTERVAL = 100;

/** Shows how far it has come. @returns undefined where it was interrupted */
async function pass(
  output: string,
  terminal: Terminal,
  signal: AbortSignal,
  run: (pass: WritePass) => Promise<number>,
): Promise<number | undefined> {
  const progress = { read: 0, size: 0 };
  const timer = setInterval(() => {
    const share = progress.size === 0 ? '' : `: ${Math.floor((progress.read / progress.size) * 100)} %`;
    terminal.progress(() => `writing ${output}${share}`);
  }, PROGRESS_INTERVAL);
  try {
    return await run({ progress, signal });
  } catch (error) {
    if (!signal.aborted) throw error;
    terminal.clearProgress();
    reportLine(`xdpsim: interrupted: ${output} was not written`);
    return undefined;
  } finally {
    clearInterval(timer);
    terminal.clearProgress();
  }
}

async function against(
  files: readonly string[],
  after: string,
  options: Options,
  terminal: Terminal,
): Promise<void> {
  if (files.length > 1) throw inputFailure('--against compares one capture with another');
  const { maxFaults } = options;
  const json = options.json === true;
  const { checkAgainst } = await import('../checksum/against.ts');
  await checkAgainst(files[0]!, after, { strict: options.strict === true, maxFaults, json }, terminal);
}

async function explain(files: readonly string[], packet: number, terminal: Terminal): Promise<void> {
  if (files.length > 1) throw inputFailure('--explain takes exactly one capture');
  const { explainPacket } = await import('../checksum/explain-packet.ts');
  if (await explainPacket(files[0]!, packet, terminal)) process.exitCode = EXIT.found;
}

function layersOf(names: readonly string[]): ReadonlySet<string> | undefined {
  for (const name of names) {
    if ((CHECKSUM_LAYERS as readonly string[]).includes(name)) continue;
    throw inputFailure(`--layer must be one of ${CHECKSUM_LAYERS.join(', ')}, not “${name}”`);
  }
  return names.length === 0 ? undefined : new Set(names);
}
