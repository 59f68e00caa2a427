/** A program's packets by a test run each, and many in one: for suites that hold the two against each other. */
import { expect } from 'vitest';
import { PacketGenerator } from '../../corpus/generate/generator.ts';
import { Random, seedFromText } from '../../corpus/generate/random.ts';
import { BpfObject } from '../../kernel/libbpf/object.ts';
import { shareDefaultNetwork } from '../../kernel/network/shared-network.ts';
import { loadHarness } from '../../kernel/testrun/harness.ts';
import { PacketRunner } from '../../kernel/testrun/packets.ts';
import { cpuFor } from '../../kernel/testrun/session.ts';
import { pinThread, releaseThread } from '../../kernel/testrun/thread-cpu.ts';
import { OutcomeBatch } from '../../sim/engines/outcome-batch.ts';
import { PacketBatch } from '../../sim/packet/packet-batch.ts';
import type { Program } from '../../sim/runtime/program.ts';
import { frame } from './testrun.ts';

const SEED = seedFromText('harness');
const TAIL_CALL = 12;
const ADJUST_META = 54;

export interface Ran {
  readonly output: OutcomeBatch;
  /** Contents of all maps, as text. */
  readonly maps: string;
}

/** Runs batches over a freshly loaded program; undefined where no harness takes it. */
export function runAll(
  program: Program,
  batches: readonly PacketBatch[],
  way: 'harness' | 'calls',
  onLoaded: () => void = () => {},
): Ran[] | undefined {
  const { name, entries, object } = program;
  const network = shareDefaultNetwork();
  const runner = new PacketRunner();
  const bpf = new BpfObject(object!, {
    name,
    file: name,
    entries,
    // Clock and chance are the same for both.
    pin: { time: 1_000_000n, tick: 1000n, randomSeed: 7, hashSeed: 0, kernelFill: 0, cpu: 0 },
  });
  const [loaded] = bpf.programs;
  const { frags } = entries[0]!;
  const harness = way === 'harness' ? loadHarness(loaded!, frags) : undefined;
  const changesMetadata = loaded!.helpers.has(TAIL_CALL) || loaded!.helpers.has(ADJUST_META);
  // As sessions do: what a map holds for one CPU, another does not find.
  const cpu = cpuFor(bpf);
  if (cpu !== undefined) pinThread(cpu);
  try {
    if (way === 'harness' && harness === undefined) return undefined;
    onLoaded();
    return network.enter(() =>
      batches.map((batch) => {
        const output = new OutcomeBatch(batch.capacity, 64);
        const entry = { fd: loaded!.fd, hook: 'xdp', changesMetadata, frags } as const;
        runner.run([entry], batch, output, undefined, harness);
        if (harness?.hasFailed === true) throw new Error('the harness has failed');
        return { output, maps: contentsOf(bpf) };
      }),
    );
  } finally {
    releaseThread();
    harness?.close();
    runner.close();
    bpf.close();
    network.close();
  }
}

function contentsOf(bpf: BpfObject): string {
  const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
  return bpf.maps
    .filter((map) => map.readable)
    .map((map) => {
      const entries = map.snapshot().list();
      return `${map.name}: ${entries.map(({ key, value }) => `${hex(key)} ${hex(value)}`)}`;
    })
    .join('\n');
}

export function bytesOf(output: OutcomeBatch): Uint8Array {
  return output.bytes.subarray(0, output.used);
}

/** The first few packets of which a field differs, with both. */
function differing(got: ArrayLike<number>, expected: ArrayLike<number>): unknown[] {
  const packets = Array.from(got, (value, packet) => [packet, value, expected[packet]]);
  return packets.filter(([, value, other]) => value !== other).slice(0, 5);
}

export function expectSame(program: Program, batches: readonly PacketBatch[]): void {
  const calls = runAll(program, batches, 'calls')!;
  const harness = runAll(program, batches, 'harness');
  expect(harness, `${program.name} is taken`).toBeDefined();
  for (const [index, { output, maps }] of harness!.entries()) {
    const expected = calls[index]!;
    const where = `${program.name}, batch ${index}`;
    expect(output.count, where).toBe(batches[index]!.count);
    for (const field of ['length', 'offset', 'action', 'status', 'metaLength', 'redirect'] as const)
      expect(differing(output[field], expected.output[field]), `${where}: ${field}`).toEqual([]);
    expect(Buffer.compare(bytesOf(output), bytesOf(expected.output)), `${where}: bytes`).toBe(0);
    expect(output.notes, where).toEqual(expected.output.notes);
    expect(maps, `${where}: maps`).toBe(expected.maps);
  }
}

/** Generated packets, among them frames that test runs refuse. */
export function generated(count: number, from: number = 0): PacketBatch {
  const batch = new PacketBatch(count);
  new PacketGenerator().fill(batch, SEED, from, count - 20);
  for (const length of [0, 13, 14, 15, 60, 3519, 3520, 3521, 4000]) batch.push({ packet: frame(length) });
  while (batch.count < count) batch.push({ packet: frame(60 + batch.count) });
  return batch;
}

/** Frames whose first bytes say what the fixture does, of all lengths. */
export function orders(count: number): PacketBatch {
  const random = new Random();
  random.start(SEED, 0);
  const below = (bound: number): number => (random.bits() >>> 0) % bound;
  const batch = new PacketBatch(count);
  for (let packet = 0; packet < count; packet++) {
    const bytes = new Uint8Array(14 + below(packet % 9 === 0 ? 3507 : packet % 50 === 1 ? 9000 : 300));
    for (let at = 0; at < bytes.length; at++) bytes[at] = below(256);
    batch.push({ packet: bytes });
  }
  return batch;
}

/** Programs that a session runs so. */
export function fits({ name, entries, object }: Program): boolean {
  if (entries.length !== 1 || entries[0]!.hook !== 'xdp') return false;
  const bpf = new BpfObject(object!, { name, file: name, entries });
  bpf.close();
  return !bpf.callsKernelFunctions;
}
