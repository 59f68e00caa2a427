/** Many packets in one test run give what a test run for each gives: outcomes, maps, and nothing left behind. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { programsOfObject } from '../cli/input/program-source.ts';
import { PacketGenerator } from '../corpus/generate/generator.ts';
import { Random, seedFromText } from '../corpus/generate/random.ts';
import { BpfObject } from '../kernel/libbpf/object.ts';
import { shareDefaultNetwork } from '../kernel/network/shared-network.ts';
import { packageFile } from '../kernel/package-file.ts';
import { loadHarness } from '../kernel/testrun/harness.ts';
import { PacketRunner } from '../kernel/testrun/packets.ts';
import { createTestRunEngine } from '../kernel/testrun/testrun.ts';
import { OutcomeBatch } from '../sim/engines/outcome-batch.ts';
import { PacketBatch } from '../sim/packet/packet-batch.ts';
import type { Program } from '../sim/runtime/program.ts';
import { programOf, STYLED_PROGRAMS } from './styles/programs.ts';
import { describeKernel } from './test-support/require-kernel.ts';
import { fixture, fixtureOf, frame } from './test-support/testrun.ts';

const SEED = seedFromText('harness');
const TAIL_CALL = 12;
const ADJUST_META = 54;

interface Ran {
  readonly output: OutcomeBatch;
  /** Contents of all maps, as text. */
  readonly maps: string;
}

/** Runs batches over a freshly loaded program; undefined where no harness takes it. */
function run(
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

function bytesOf(output: OutcomeBatch): Uint8Array {
  return output.bytes.subarray(0, output.used);
}

/** The first few packets of which a field differs, with both. */
function differing(got: ArrayLike<number>, expected: ArrayLike<number>): unknown[] {
  const packets = Array.from(got, (value, packet) => [packet, value, expected[packet]]);
  return packets.filter(([, value, other]) => value !== other).slice(0, 5);
}

function expectSame(program: Program, batches: readonly PacketBatch[]): void {
  const calls = run(program, batches, 'calls')!;
  const harness = run(program, batches, 'harness');
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
function generated(count: number, from: number = 0): PacketBatch {
  const batch = new PacketBatch(count);
  new PacketGenerator().fill(batch, SEED, from, count - 20);
  for (const length of [0, 13, 14, 15, 60, 3519, 3520, 3521, 4000]) batch.push({ packet: frame(length) });
  while (batch.count < count) batch.push({ packet: frame(60 + batch.count) });
  return batch;
}

/** Frames whose first bytes say what the fixture does, of all lengths. */
function orders(count: number): PacketBatch {
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
function fits({ name, entries, object }: Program): boolean {
  if (entries.length !== 1 || entries[0]!.hook !== 'xdp') return false;
  const bpf = new BpfObject(object!, { name, file: name, entries });
  bpf.close();
  return !bpf.callsKernelFunctions;
}

function withFrags(program: Program): Program {
  const entries = program.entries.map((entry) => ({ ...entry, frags: entry.function === 'leave_frags' }));
  return { ...program, entries };
}

function programDescriptors(): number {
  return readdirSync('/proc/self/fd').filter((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`) === 'anon_inode:bpf-prog';
    } catch {
      return false;
    }
  }).length;
}

describeKernel('the harness', ['root', 'testrun', 'compiler', 'linux 6.12'], () => {
  if (process.arch !== 'x64') return;

  it('gives what a test run for each packet gives, of every built-in program that it takes', async () => {
    const batches = [generated(4096), generated(700, 4096)];
    const folder = packageFile('bpf/built');
    const programs: Program[] = [];
    for (const file of readdirSync(folder).filter((one) => one.endsWith('.o'))) {
      for (const program of programsOfObject({ path: join(folder, file), function: undefined }))
        if (fits(program)) programs.push(program);
    }
    expect(programs.length).toBeGreaterThanOrEqual(10);
    for (const program of programs) expectSame(program, batches);
  });

  it('gives the same of programs in the styles of public projects', () => {
    const batches = [generated(2048)];
    let same = 0;
    // Reading maps of a million entries takes seconds.
    const styles = STYLED_PROGRAMS.filter(({ hook, style }) => hook === 'xdp' && style !== 'large');
    for (const styled of styles) {
      const program = programOf(styled, 'right');
      if (!fits(program)) continue;
      expectSame(program, batches);
      same++;
    }
    expect(same).toBeGreaterThanOrEqual(15);
  });

  for (const name of ['swap', 'grow', 'mark_metadata', 'ingress', 'read_metadata'])
    it(`gives the same of frames of every length: ${name}`, () =>
      expectSame(fixture(name), [generated(3000), generated(100)]));

  for (const name of ['leave', 'leave_tail', 'leave_metadata', 'lead', 'again', 'leave_frags'])
    it(`shows a packet nothing of those before it: ${name}`, () =>
      expectSame(withFrags(fixtureOf('harness', name)), [orders(6000), orders(17)]));

  it('takes packets in any order of the arena', () => {
    const batch = orders(300);
    batch.offset.subarray(0, 300).reverse();
    batch.length.subarray(0, 300).reverse();
    expectSame(fixtureOf('harness', 'leave'), [batch]);
  });

  it('goes on where a signal came in between', async () => {
    const batches = Array.from({ length: 30 }, () => orders(4096));
    const plain = run(fixtureOf('harness', 'slow'), batches, 'calls')!;
    let signals = 0;
    const count = (): void => void signals++;
    process.on('SIGUSR2', count);
    // They begin when all is loaded, which they are not to interrupt, and are fewer than libuv can keep: of more, it loses some.
    const sender = spawn('sh', ['-c', `read go; for i in $(seq 3000); do kill -USR2 ${process.pid}; done`], {
      stdio: ['pipe', 'ignore', 'ignore'],
    });
    const ended = once(sender, 'exit');
    try {
      const through = run(fixtureOf('harness', 'slow'), batches, 'harness', () =>
        sender.stdin.write('go\n'),
      )!;
      for (const [index, { output }] of through.entries()) {
        expect(output.notes).toEqual(plain[index]!.output.notes);
        expect(Buffer.compare(bytesOf(output), bytesOf(plain[index]!.output)), `batch ${index}`).toBe(0);
      }
      while (signals === 0) await new Promise((resolve) => setImmediate(resolve));
    } finally {
      sender.kill('SIGKILL');
      await ended;
      process.off('SIGUSR2', count);
    }
  });

  it('is not for programs that need all of the stack', () => {
    expect(run(fixtureOf('harness', 'deep'), [orders(10)], 'harness')).toBeUndefined();
  });

  it('is what a long session runs through, with nothing left open behind it', async () => {
    const before = programDescriptors();
    const program = fixture('swap');
    const session = await createTestRunEngine().open(program, {});
    const single = programDescriptors() - before;
    const batch = generated(2048);
    const output = new OutcomeBatch(2048);
    const counts: number[] = [];
    let first: string | undefined;
    for (let round = 0; round < 40; round++) {
      await session.reset();
      await session.run(batch, output);
      const seen = `${output.action.join()} ${Buffer.from(output.bytes.subarray(0, output.used)).toString('hex')}`;
      first ??= seen;
      expect(seen === first, `round ${round}`).toBe(true);
      counts.push(programDescriptors() - before);
    }
    expect(counts[0]).toBe(single);
    expect(counts.at(-1)).toBeGreaterThan(single);
    await session.close();
    expect(programDescriptors()).toBe(before);
  });

  it('is not loaded for programs that print where that is looked at', async () => {
    const session = await createTestRunEngine().open(fixture('print'), {});
    const before = programDescriptors();
    const output = new OutcomeBatch(4096);
    for (let round = 0; round < 20; round++) await session.run(generated(2048), output);
    expect(programDescriptors()).toBe(before);
    await session.close();
  });
});
