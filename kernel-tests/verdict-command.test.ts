/** What `verify` says of objects that have no model: its mark, its exit code, and the command that repeats a finding. */
import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { compileBpf } from '../bpf/compile.ts';
import { BUILD_TIMEOUT, buildCommand, COMMAND } from '../cli/test-support/built-command.ts';
import { encodeCase } from '../corpus/cases/case.ts';
import { PacketGenerator } from '../corpus/generate/generator.ts';
import { seedFromText } from '../corpus/generate/random.ts';
import { PacketBatch } from '../sim/packet/packet-batch.ts';
import { ALL_BATCHES, BATCH_SIZE, planBatches } from '../verify/batch-plan.ts';
import { summarize } from '../verify/explain/summary.ts';
import { describeKernel } from './test-support/require-kernel.ts';

const scratch = mkdtempSync(join(tmpdir(), 'xdpsim-verdicts-'));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

interface Ended {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

function ended(file: string, args: readonly string[]): Promise<Ended> {
  return new Promise((resolve) => {
    execFile(file, args, { cwd: scratch }, (error, out, err) =>
      resolve({ code: error === null ? 0 : Number(error.code), out, err }),
    );
  });
}

const xdpsim = (...args: string[]): Promise<Ended> => ended(COMMAND[0], [COMMAND[1], ...args]);

/** A line of a report as a shell runs it, with this checkout's command in the place of the installed one. */
function shell(line: string): Promise<Ended> {
  const command = COMMAND.map((word) => `'${word}'`).join(' ');
  return ended('/bin/sh', ['-c', line.trim().replace(/^npx xdpsim/, command)]);
}

interface Json {
  readonly programs: readonly {
    readonly verdict: string;
    readonly reasons: readonly string[];
    readonly compared: number;
    readonly coverage?: { readonly unreached: readonly object[] };
    readonly divergences: readonly {
      readonly engines: readonly string[];
      readonly field: string;
      readonly kernel?: object;
    }[];
    readonly further?: readonly object[];
    readonly defects: readonly object[];
  }[];
}
/** Without guidance, which opens most of what these programs keep shut. */
const SMALL = ['--runs', '2000', '--seed', '1', '--no-guide'];

async function json(...args: string[]): Promise<{ code: number; program: Json['programs'][number] }> {
  const { code, out, err } = await xdpsim('verify', ...args, ...SMALL, '--json');
  expect(err).toBe('');
  return { code, program: (JSON.parse(out) as Json).programs[0]! };
}

/**
 * Two bytes behind the Ethernet header that few of a run's packets have, and some of the first batch and of the second:
 * each of two workers meets them.
 */
function rarePair(runs: number, seed: string): { readonly value: number; readonly at: readonly number[] } {
  const program = { name: 'lasts', entries: [{ function: 'lasts', hook: 'xdp' }] } as const;
  const generator = new PacketGenerator(undefined, ['xdp']);
  const seen = new Map<number, number[]>();
  for (const { first, count, limits } of planBatches(program, runs, ALL_BATCHES)) {
    const batch = new PacketBatch(count);
    generator.fill(batch, seedFromText(seed), first, count, limits);
    for (let index = 0; index < count; index++) {
      const { packet } = batch.stimulus(index);
      if (packet.length < 18) continue;
      const value = packet[16]! | (packet[17]! << 8);
      seen.set(value, [...(seen.get(value) ?? []), first + index]);
    }
  }
  for (const [value, at] of seen)
    if (value !== 0 && at.length === 2 && at[0]! < BATCH_SIZE && at[1]! >= BATCH_SIZE) return { value, at };
  throw new Error('no two bytes are in one packet of either batch');
}

describeKernel('verify, of objects without a model', ['root', 'testrun', 'compiler'], () => {
  beforeAll(() => {
    buildCommand();
    compileBpf('kernel-tests/fixtures/verdicts.bpf.c', join(scratch, 'v.o'));
    const zeros = '00'.repeat(24);
    writeFileSync(join(scratch, 'rules.json'), JSON.stringify([{ key: 1, value: zeros }]));
  }, BUILD_TIMEOUT);

  it('puts no tick where most branches are behind a lookup that found nothing, and names the map that opens them', async () => {
    const [{ code, out }, opened, data] = await Promise.all([
      xdpsim('verify', 'v.o:gate', ...SMALL),
      xdpsim('verify', 'v.o:gate', ...SMALL, '--map', 'rules=rules.json'),
      json('v.o:gate'),
    ]);
    expect(code).toBe(0);
    expect(out).toMatch(/◐ agreed on what ran v\.o:gate/);
    expect(out).toMatch(/verdicts\.bpf\.c:\d+ {2}if \(!rule\): map rules never had the entry/);
    expect(out).toContain('--world FILE fills rules');
    expect(out).toMatch(/: agreed on what ran\.\n$/);
    expect(out).not.toContain('✓');
    // What the text says opens them does.
    expect(opened.out).toMatch(/✓ agreed +v\.o:gate/);
    expect(data).toMatchObject({
      code: 0,
      program: {
        verdict: 'agreed on what ran',
        coverage: { unreached: [{ map: 'rules', text: 'if (!rule)' }] },
      },
    });
  });

  it('takes a tail call that never found a program for a way not gone', async () => {
    const { code, out } = await xdpsim('verify', 'v.o:staged', 'v.o:staged_here', ...SMALL);
    expect(code).toBe(0);
    expect(out).toMatch(/◐ agreed on what ran v\.o:staged /);
    expect(out).toMatch(
      /bpf_tail_call\(ctx, &stages, 1\);: the tail call found no program in that slot of map stages/,
    );
    expect(out).toContain('--world FILE fills stages');
    // Where it always finds one, nothing is missing: no packet needs to come back.
    expect(out).toMatch(/✓ agreed +v\.o:staged_here /);
  });

  it('takes one engine for no agreement, and ends with 3 where nothing judged', async () => {
    const [machine, oracle, nobody] = await Promise.all([
      json('v.o:gate', '--engines', 'vm'),
      json('v.o:gate', '--engines', 'testrun'),
      json('v.o:gate', '--engines', 'testrun', '--oracle', 'off'),
    ]);
    expect(machine).toMatchObject({ code: 0, program: { verdict: 'not compared', compared: 0 } });
    expect(oracle).toMatchObject({ code: 0, program: { verdict: 'not compared' } });
    expect(oracle.program.reasons).toEqual([expect.stringMatching(/: only the checksum oracle judged$/)]);
    expect(nobody).toMatchObject({ code: 3, program: { verdict: 'not judged' } });
  });

  it('ends with 4 where an engine that must run did not, or too little ran', async () => {
    const [enough, absent, few, ...wrong] = await Promise.all([
      json('v.o:gate', '--require', 'testrun', '--min-coverage', '30'),
      json('v.o:gate', '--require', 'testrun', '--require', 'veth'),
      xdpsim('verify', 'v.o:gate', ...SMALL, '--min-coverage', '31%', '--junit', 'few.xml'),
      xdpsim('verify', 'v.o:gate', '--require', 'kernel'),
      xdpsim('verify', 'v.o:gate', '--min-coverage', '101'),
      xdpsim('verify', 'v.o:gate', '--oracle', 'some'),
    ]);
    expect(enough).toMatchObject({ code: 0 });
    expect(absent).toMatchObject({
      code: 4,
      program: { verdict: 'incomplete', reasons: [expect.stringMatching(/^--require veth: /)] },
    });
    expect(few).toMatchObject({ code: 4, err: '' });
    expect(few.out).toMatch(/✗ incomplete +v\.o:gate/);
    expect(few.out).toMatch(/--min-coverage 31: 30 % \(3 of 10 branches\) were reached/);
    for (const { code } of wrong) expect(code).toBe(2);
  });

  it('says of a violation that the kernel refuses the program, with the end of its log, asked or among the engines', async () => {
    const [asked, among, { program }] = await Promise.all([
      xdpsim('verify', 'v.o:unchecked', ...SMALL, '--engines', 'vm'),
      xdpsim('verify', 'v.o:unchecked', ...SMALL, '--engines', 'vm,wasm,testrun'),
      json('v.o:unchecked', '--engines', 'wasm'),
    ]);
    for (const { code, out } of [asked, among]) {
      expect(code).toBe(1);
      expect(out).toMatch(
        /stops the program: .*the comparison with data_end covers 0 bytes \(verdicts\.bpf\.c:\d+\); this kernel refuses/,
      );
      expect(out).toMatch(/This kernel refuses to load the program: the verifier refuses unchecked of v\.o/);
      // Once, not with the failed engine and again with the finding.
      expect(out.match(/R1 offset is outside of the packet/g)).toHaveLength(1);
    }
    expect(program.divergences).toMatchObject([
      {
        field: 'status',
        kernel: { did: 'refused', log: expect.stringContaining('invalid access to packet') },
      },
    ]);
  });

  it('blames the machine for what it stops though this kernel runs it, in two workers, and compares all the rest', async () => {
    const runs = 4096;
    const { value, at } = rarePair(runs, '1');
    writeFileSync(join(scratch, 'trigger.json'), JSON.stringify([{ key: 0, value }]));
    const packet = new Uint8Array(60);
    packet.set([value & 0xff, value >> 8], 16);
    const world = { maps: { trigger: [{ key: new Uint8Array(4), value: packet.slice(16, 20) }] } };
    mkdirSync(join(scratch, 'long', 'v.o_lasts'), { recursive: true });
    writeFileSync(
      join(scratch, 'long', 'v.o_lasts', 'long.pcapng'),
      encodeCase({ program: 'lasts', world, stimuli: [{ packet }] }),
    );
    const { code, out } = await xdpsim(
      ...['verify', 'v.o:lasts', '--runs', String(runs), '--seed', '1', '--report', 'long', '--json'],
      ...['--map', 'trigger=trigger.json', '--engines', 'wasm,testrun', '--workers', '2', '--no-guide'],
    );
    const [program] = (JSON.parse(out) as Json).programs;
    expect(code).toBe(0);
    expect(program!.divergences).toEqual([]);
    // All but these and what a test run does not take.
    expect(program!.compared).toBeGreaterThan(runs * 0.9);
    expect(program!.defects).toMatchObject([
      {
        engine: 'wasm',
        summary: expect.stringMatching(
          /^the machine \(wasm\) refused what this kernel ran: .*, a defect of xdpsim$/,
        ),
        packets: 1 + at.length,
        seen: { file: expect.stringMatching(/long\.pcapng$/) },
      },
    ]);
  });

  it('warns where the kernel lets the program send stack bytes that it never wrote, and finds nothing', async () => {
    const { code, out } = await xdpsim('verify', 'v.o:leaks', ...SMALL, '--report', 'leaks');
    expect(code).toBe(0);
    expect(out).toMatch(
      /warning: \S+verdicts\.bpf\.c:\d+: stack bytes that the program never wrote reach its output, which differs from run to run/,
    );
    expect(out).toMatch(/✓ agreed +v\.o:leaks/);
    expect(existsSync(join(scratch, 'leaks'))).toBe(false);
  });

  it('reaches machine against kernel behind a wrong checksum where the oracle is off', async () => {
    expect(await json('v.o:spoils', '--oracle', 'off')).toMatchObject({
      code: 0,
      program: { verdict: 'agreed' },
    });
  });

  it('shows a map’s value by its fields, and calls a clock by its name', () => {
    const object = new Uint8Array(readFileSync(join(scratch, 'v.o')));
    const definition = { name: 'rules', type: 'HASH', keySize: 4, valueSize: 24, maxEntries: 16 } as const;
    const value = (...words: bigint[]): Uint8Array => new Uint8Array(BigUint64Array.from(words).buffer);
    const map = {
      map: 'rules',
      definition,
      key: Uint8Array.of(1, 0, 0, 0),
      expected: value(5n, 80n, 4_428_866_965_385n),
      got: value(5n, 80n, 1_000_000_000_000n),
    };
    const program = { name: 'stamps', object, entries: [{ function: 'stamps', hook: 'xdp' }] } as const;
    const finding = { engines: ['testrun', 'vm'], part: 'map', field: 'map rules', packet: 0, map } as const;
    const shown = { program: 'stamps', world: {}, stimuli: [{ packet: new Uint8Array(60) }] };
    expect(summarize(program, shown, { ...finding, expected: undefined, got: undefined })).toBe(
      'stamps: map rules[1].seen: expected 4428866965385 (testrun), got 1000000000000 (vm): this looks like a clock',
    );
  });

  it('says “padding” of bytes of a map’s value that belong to no field', () => {
    const object = new Uint8Array(readFileSync(join(scratch, 'v.o')));
    const definition = { name: 'holes', type: 'HASH', keySize: 4, valueSize: 8, maxEntries: 16 } as const;
    const map = {
      map: 'holes',
      definition,
      key: Uint8Array.of(1, 0, 0, 0),
      expected: Uint8Array.of(1, 0xff, 0, 0xee, 60, 0, 0, 0),
      got: Uint8Array.of(1, 0, 0, 0, 60, 0, 0, 0),
    };
    const program = { name: 'pads', object, entries: [{ function: 'pads', hook: 'xdp' }] } as const;
    const finding = { engines: ['testrun', 'vm'], part: 'map', field: 'map holes', packet: 0, map } as const;
    const shown = { program: 'pads', world: {}, stimuli: [{ packet: new Uint8Array(60) }] };
    expect(summarize(program, shown, { ...finding, expected: undefined, got: undefined })).toBe(
      'pads: map holes[1] (padding): expected 0xffee (testrun), got 0x0000 (vm): no field of the entry differs',
    );
  });

  it('prints with a violation of `run` what the kernel did, and blames the machine where it ran the packet', async () => {
    const refused = await xdpsim('run', 'v.o:unchecked', '00'.repeat(20), '00'.repeat(21));
    expect(refused.code).toBe(1);
    expect(refused.out).toMatch(/This kernel refuses to load the program: the verifier refuses unchecked/);
    expect(refused.out).toContain('R1 offset is outside of the packet');
    expect(refused.out).toContain('The kernel: as for packet 1.');
    writeFileSync(join(scratch, 'one.json'), JSON.stringify([{ key: 0, value: 1 }]));
    const ran = await xdpsim(
      ...['run', 'v.o:lasts', '--engine', 'wasm', '--map', 'trigger=one.json', `${'00'.repeat(16)}01000000`],
    );
    expect(ran.code).toBe(0);
    expect(ran.out).toMatch(/runs the program to its end\.\n {2}Its result: XDP_\w+, 20 bytes\./);
    expect(ran.out).toContain('a defect of xdpsim');
  });

  it.each([
    [
      'a checksum, with a map, other engines and a second worker',
      [
        'v.o:spoils',
        '--map',
        'rules=rules.json',
        '--engines',
        'vm,testrun',
        '--workers',
        '2',
        '--runs',
        '4100',
      ],
    ],
    [
      'a checksum of a built-in program’s replacement',
      ['icmp_echo', '--object', 'v.o:spoils', '--report', 'r', '--runs', '2000'],
    ],
    ['a checksum, for a time', ['v.o:spoils', '--time', '60s', '--oracle', 'checksums']],
    ['a violation', ['v.o:unchecked', '--engines', 'vm', '--max-divergences', '3', '--runs', '2000']],
  ])('prints a command that finds %s again, in the same engines and with the same code', async (_, args) => {
    const first = await xdpsim('verify', ...args, '--seed', 'a seed', '--shrink-time', '0');
    expect(first.code).toBe(1);
    const [, repeat = '', alone = ''] = /Repeat it:\n *(.*)\n(?: *Run the case alone:\n *(.*)\n)?/.exec(
      first.out,
    )!;
    const [again, single] = await Promise.all([shell(repeat), shell(alone)]);
    expect(again.code).toBe(1);
    const headline = (out: string): string | undefined =>
      /^ {2}(\S+: (?:the machine|\S+: expected).*)$/m.exec(out)?.[1];
    expect(headline(again.out)).toBe(headline(first.out));
    const engines = (out: string): string | undefined => /--engines (\S+)/.exec(out)?.[1];
    expect(engines(again.out)).toBe(engines(first.out));
    expect(single.err).toBe('');
  });
});
