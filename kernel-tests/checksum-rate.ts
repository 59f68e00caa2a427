/**
 * How much faster captures in memory are judged than the scanner alone did it before there was a fast scan (commit 05a1a9a): both
 * builds in one process, in turn, over the same captures of a million generated packets, by processor time.
 *
 *     git worktree add /tmp/before 05a1a9a && ln -s $PWD/node_modules /tmp/before/node_modules
 *     npx tsx kernel-tests/checksum-rate.ts /tmp/before [ROUNDS]
 */
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { AnyCaptureDecoder } from '../corpus/formats/capture.ts';
import type { CaptureDecoder } from '../corpus/formats/capture-batch.ts';
import { PcapEncoder } from '../corpus/formats/pcap.ts';
import type { PacketGenerator } from '../corpus/generate/generator.ts';
import { TEST_RUN_LIMITS } from '../corpus/generate/packet-limits.ts';
import { seedFromText } from '../corpus/generate/random.ts';
import type { PacketBatch } from '../sim/packet/packet-batch.ts';
import { CaptureChecker } from '../verify/captures/checker.ts';
import { FastScan } from '../verify/captures/fast-scan.ts';
import type { ChecksumScanner } from '../verify/oracle/checksums.ts';
import type { ChecksumTally } from '../verify/oracle/tally.ts';

const PACKETS = 1_000_000;
const BATCH = 4096;
const PAGE = 65_536;

const [before, rounds = '9'] = process.argv.slice(2);
if (before === undefined) throw new Error('name a checkout of the build to compare with');

/** What is measured of a build: the same names then and now. */
interface Build {
  readonly AnyCaptureDecoder: new () => CaptureDecoder;
  readonly ChecksumScanner: new () => ChecksumScanner;
  readonly ChecksumTally: new () => ChecksumTally;
  readonly PacketGenerator: typeof PacketGenerator;
  readonly PacketBatch: typeof PacketBatch;
  readonly icmpEcho: { readonly hints?: ConstructorParameters<typeof PacketGenerator>[0] };
}

async function buildAt(root: string): Promise<Build> {
  const files = [
    'corpus/formats/capture.ts',
    'verify/oracle/checksums.ts',
    'verify/oracle/tally.ts',
    'corpus/generate/generator.ts',
    'sim/packet/packet-batch.ts',
    'sim/programs/icmp_echo.ts',
  ];
  const modules = await Promise.all(files.map((file) => import(pathToFileURL(resolve(root, file)).href)));
  return Object.assign({}, ...modules) as Build;
}

function captureOf({ PacketGenerator: Generator, PacketBatch: Batch, icmpEcho }: Build, hinted: boolean) {
  const batch = new Batch(BATCH);
  new Generator(hinted ? icmpEcho.hints : undefined, ['xdp']).fill(
    batch,
    seedFromText('bench'),
    0,
    BATCH,
    TEST_RUN_LIMITS,
  );
  const encoder = new PcapEncoder();
  for (let index = 0; index < PACKETS; index++) {
    const at = index % BATCH;
    encoder.packet(batch.bytes, batch.offset[at]!, batch.length[at]!, 0, index);
  }
  return encoder.take().slice();
}

/** Nanoseconds per packet. */
function time(run: () => void): number {
  const start = process.cpuUsage();
  run();
  const { user, system } = process.cpuUsage(start);
  return ((user + system) * 1000) / PACKETS;
}

function measure(name: string, capture: Uint8Array, then: Build): void {
  const fast = new FastScan((Math.ceil(capture.length / PAGE) + 64) * PAGE);
  const inPlace = fast.allocate(capture.length)!;
  inPlace.set(capture);
  const scanner = new then.ChecksumScanner();
  const runThen = (): void => {
    const tally = new then.ChecksumTally();
    const decoder = new then.AnyCaptureDecoder();
    decoder.push(capture);
    decoder.end();
    for (let batch = decoder.next(); batch !== undefined; batch = decoder.next()) {
      const { bytes, offset, length, count } = batch;
      for (let index = 0; index < count; index++)
        scanner.scan(bytes, offset[index]!, length[index]!, tally, 1);
    }
  };
  const runNow = (): void => {
    const checker = new CaptureChecker({ fast, maxFaults: 0, reassemble: false });
    const decoder = new AnyCaptureDecoder(fast);
    decoder.push(inPlace);
    decoder.end();
    for (let batch = decoder.next(); batch !== undefined; batch = decoder.next()) checker.check(batch);
    checker.end();
  };
  // What is left to the scanner now is little: its code takes more rounds to be compiled.
  for (let round = 0; round < 10; round++) time(runNow);
  for (let round = 0; round < 3; round++) time(runThen);
  const pairs = Array.from({ length: Number(rounds) }, () => [time(runThen), time(runNow)] as const);
  const sorted = (of: (pair: readonly [number, number]) => number) => pairs.map(of).sort((a, b) => a - b);
  const median = (values: readonly number[]): number => values[values.length >> 1]!;
  const ratios = sorted(([a, b]) => a / b);
  const [old, now] = [median(sorted(([a]) => a)), median(sorted(([, b]) => b))];
  const range = `${ratios[0]!.toFixed(2)} … ${ratios.at(-1)!.toFixed(2)}`;
  process.stdout.write(
    `${name.padEnd(42)} ${old.toFixed(1)} → ${now.toFixed(1)} ns  ${median(ratios).toFixed(2)}  (${range})\n`,
  );
}

const then = await buildAt(before);
const now = await buildAt(resolve(import.meta.dirname, '..'));
for (const hinted of [true, false]) {
  const hints = hinted ? 'for the echo server' : 'without hints';
  measure(`packets generated now, ${hints}`, captureOf(now, hinted), then);
  measure(`packets generated then, ${hints}`, captureOf(then, hinted), then);
}
