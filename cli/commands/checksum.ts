/** `xdpsim checksum`: every checksum in captures, recomputed. */
import type { Command } from 'commander';
import type { CaptureBatch } from '../../corpus/formats/capture-batch.ts';
import { readCapture } from '../../corpus/formats/capture-file.ts';
import { isReadable } from '../../corpus/formats/link-layer.ts';
import { linkTypeName } from '../../corpus/formats/link-type.ts';
import {
  CHECKSUM,
  CHECKSUM_LAYERS,
  CHECKSUM_STATUSES,
  ChecksumScanner,
  type ChecksumSink,
  type FoundChecksum,
  LAYER,
} from '../../verify/oracle/checksums.ts';
import { ChecksumTally } from '../../verify/oracle/tally.ts';
import { EXIT, inputFailure } from '../failure.ts';
import { parseCount } from '../input/options.ts';
import { printJson } from '../output.ts';
import { count, createTerminal, rate, type Terminal, table } from '../terminal.ts';

interface Options {
  readonly json?: boolean;
  readonly color: boolean;
  readonly maxFaults: number;
}

export function registerChecksum(program: Command): void {
  program
    .command('checksum')
    .description(
      'check every checksum in captures: IPv4, ICMP, ICMPv6, TCP, UDP, also inside tags, tunnels and ICMP errors',
    )
    .argument('<capture...>', 'pcap or pcapng files, gzipped or not; - for standard input')
    .option('--json', 'print one JSON document')
    .option('--max-faults <n>', 'how many faults to list per file', parseCount('--max-faults'), 1000)
    .option('--no-color', 'no colours')
    .action(run);
}

interface Fault {
  readonly packet: number;
  readonly layer: string;
  readonly depth: number;
  readonly status: string;
  readonly got: string;
  readonly expected: string;
}

interface FileReport {
  readonly file: string;
  readonly packets: number;
  readonly tally: ChecksumTally;
  readonly faults: readonly Fault[];
  /** Faults found, listed or not. */
  readonly faultCount: number;
  readonly seconds: number;
}

async function run(files: readonly string[], options: Options): Promise<void> {
  const terminal = createTerminal(options);
  const reports: FileReport[] = [];
  for (const file of files) reports.push(await check(file, options.maxFaults, terminal));
  if (options.json === true) printJson(toJson(reports));
  else for (const report of reports) print(report, terminal);
  if (reports.some((report) => report.faultCount > 0)) process.exitCode = EXIT.found;
}

/** Counts everything, and keeps the first faults. */
class FaultSink implements ChecksumSink {
  readonly tally: ChecksumTally = new ChecksumTally();
  readonly faults: Fault[] = [];
  faultCount = 0;
  packet = 0;
  readonly #most: number;

  constructor(most: number) {
    this.#most = most;
  }

  checksum(found: FoundChecksum): void {
    this.tally.checksum(found);
    if (found.status !== CHECKSUM.bad && found.status !== CHECKSUM.illegal) return;
    this.faultCount++;
    if (this.faults.length >= this.#most) return;
    this.faults.push({
      packet: this.packet,
      layer: CHECKSUM_LAYERS[found.layer]!,
      depth: found.depth,
      status: CHECKSUM_STATUSES[found.status]!,
      got: hexOf(found.layer, found.got),
      expected: hexOf(found.layer, found.expected),
    });
  }
}

async function check(file: string, maxFaults: number, terminal: Terminal): Promise<FileReport> {
  const sink = new FaultSink(maxFaults);
  const scanner = new ChecksumScanner();
  const start = performance.now();
  for await (const batch of readCapture(file)) {
    checkBatch(file, batch, scanner, sink);
    terminal.progress(() => `${file}: ${count(sink.packet)} packets, ${count(sink.faultCount)} faults`);
  }
  terminal.clearProgress();
  const { tally, faults, faultCount, packet } = sink;
  return { file, packets: packet, tally, faults, faultCount, seconds: (performance.now() - start) / 1000 };
}

function checkBatch(file: string, batch: CaptureBatch, scanner: ChecksumScanner, sink: FaultSink): void {
  const { bytes, offset, section } = batch;
  for (let index = 0; index < batch.count; index++) {
    const { linkType } = section.interfaces[batch.interface[index]!]!;
    sink.packet++;
    if (!isReadable(linkType)) {
      throw inputFailure(
        `${file}: packet ${sink.packet} has link type ${linkTypeName(linkType)}, which is not supported`,
        'Ethernet, raw IP and Linux cooked captures can be checked.',
      );
    }
    scanner.scan(bytes, offset[index]!, batch.frameLength(index), sink, linkType);
  }
}

function print(report: FileReport, terminal: Terminal): void {
  const { file, packets, tally, faults, faultCount, seconds } = report;
  terminal.print(
    `${terminal.style('bold', file)}: ${count(packets)} packets${seconds < 0.5 ? '' : `, ${rate(packets, seconds)}`}`,
  );
  const rows = CHECKSUM_LAYERS.map((layer) => [
    layer,
    ...CHECKSUM_STATUSES.map((status) => count(tally.count(layer, status))),
  ]);
  const columns = new Set(CHECKSUM_STATUSES.map((_, index) => index + 1));
  for (const line of table([['', ...CHECKSUM_STATUSES], ...rows], columns)) terminal.print(`  ${line}`);
  for (const { packet, layer, depth, status, got, expected } of faults) {
    const place = depth === 0 ? layer : `${layer} (depth ${depth})`;
    const line = `  packet ${packet}: ${place} checksum ${status}: got ${got}, expected ${expected}`;
    terminal.print(terminal.style('red', line));
  }
  if (faultCount > faults.length) {
    terminal.print(`  … and ${count(faultCount - faults.length)} more (--max-faults lists more)`);
  }
  terminal.print(
    `  ${faultCount === 0 ? 'no faults' : faultCount === 1 ? '1 fault' : `${count(faultCount)} faults`}`,
  );
}

function toJson(reports: readonly FileReport[]): unknown {
  return {
    version: 1,
    files: reports.map(({ file, packets, tally, faults, faultCount }) => ({
      file,
      packets,
      layers: tally.toJSON(),
      faults,
      faultCount,
    })),
  };
}

/** 16 bits; SCTP's CRC has 32. */
function hexOf(layer: number, value: number): string {
  return `0x${value.toString(16).padStart(layer === LAYER.sctp ? 8 : 4, '0')}`;
}
