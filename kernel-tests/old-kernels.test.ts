/** The machine as an older kernel: programs that do something else there, or do not load, and say why. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { compileBpf } from '../bpf/compile.ts';
import { chooseEngines, createEngineAs } from '../cli/engines.ts';
import { buildCommand, xdpsim } from '../cli/test-support/built-command.ts';
import { versionOf } from '../kernel/kernel-version.ts';
import type { KernelVersion } from '../sim/ebpf/kernel-versions.ts';
import {
  type Hook,
  TC_ACT_OK,
  TC_ACT_SHOT,
  XDP_ABORTED,
  XDP_DROP,
  XDP_PASS,
  XDP_REDIRECT,
} from '../sim/runtime/actions.ts';
import { verify } from '../verify/run.ts';
import { describeKernel } from './test-support/require-kernel.ts';
import { batchOf, fixtureOf, outcomes } from './test-support/testrun.ts';

const MACHINES = ['vm', 'wasm'] as const;

/** IPv4 in IPv4, so that there is something to take off. */
const PACKET = Uint8Array.of(
  ...[2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0],
  ...[0x45, 0, 0, 60, 0, 0, 0, 0, 64, 4, 0x66, 0xbb, 10, 0, 0, 1, 10, 0, 0, 2],
  ...[0x45, 0, 0, 40, 0, 0, 0, 0, 64, 59, 0x66, 0x98, 10, 0, 0, 1, 10, 0, 0, 2],
  ...new Uint8Array(20),
);

async function actionOf(
  engine: 'vm' | 'wasm' | 'testrun',
  name: string,
  hook: Hook,
  asKernel?: KernelVersion,
) {
  const program = fixtureOf('old-kernels', name, hook);
  const session = await createEngineAs(engine, asKernel).open(program, {});
  try {
    const input = batchOf({ packet: PACKET });
    const output = outcomes(input);
    await session.run(input, output);
    return output.action[0];
  } finally {
    await session.close();
  }
}

/** [function, hook, the last kernel that does the former, the first that does the latter] */
const CHANGED: readonly (readonly [string, Hook, KernelVersion, number, KernelVersion, number])[] = [
  ['sums_600_bytes', 'xdp', '6.12', XDP_DROP, '6.13', XDP_PASS],
  ['metadata_36', 'xdp', '6.7', XDP_DROP, '6.8', XDP_PASS],
  ['grows', 'xdp', '5.7', XDP_DROP, '5.8', XDP_PASS],
  ['broadcasts', 'xdp', '5.13', XDP_ABORTED, '5.14', XDP_REDIRECT],
  ['decapsulates', 'tc-ingress', '6.2', TC_ACT_SHOT, '6.3', TC_ACT_OK],
  ['encapsulates_ethernet', 'tc-ingress', '5.12', TC_ACT_SHOT, '5.13', TC_ACT_OK],
  ['keeps_checksum', 'tc-ingress', '5.7', TC_ACT_SHOT, '5.8', TC_ACT_OK],
  ['weak_function', 'xdp', '6.3', XDP_DROP, '6.4', XDP_PASS],
];

/** What every kernel that the machine can be does. */
const SAME: readonly string[] = ['metadata_32', 'shrinks', 'counts', 'may_loop'];

/** [function, the last kernel that refuses it, why, the first that takes it] */
const REFUSED: readonly (readonly [string, KernelVersion, string, KernelVersion])[] = [
  ['loops', '5.16', 'has no helper bpf_loop (number 181): it came with Linux 5.17', '5.17'],
  ['loops', '5.12', 'has no callbacks (BPF_PSEUDO_FUNC): it came with Linux 5.13', '5.17'],
  ['measures', '5.17', 'has no helper bpf_xdp_get_buff_len (number 188): it came with Linux 5.18', '5.18'],
  ['reports', '5.7', 'has no helper bpf_ringbuf_output (number 130): it came with Linux 5.8', '5.8'],
  [
    'notes',
    '5.15',
    'map bloom: Linux 5.15 has no maps of type BLOOM_FILTER: it came with Linux 5.16',
    '5.16',
  ],
  ['fetches', '5.11', 'has no atomic operations other than adding', '5.12'],
  ['tail_calls_beside_subprograms', '5.9', 'has no tail calls in programs with subprograms', '5.10'],
];

describeKernel('the machine as an older kernel', ['compiler'], () => {
  describe.each(MACHINES)('%s', (engine) => {
    it.each(CHANGED)(
      '%s (%s): as %s it answers %i, as %s %i',
      async (name, hook, last, before, first, since) => {
        expect(await actionOf(engine, name, hook, last)).toBe(before);
        expect(await actionOf(engine, name, hook, first)).toBe(since);
        expect(await actionOf(engine, name, hook)).toBe(since);
      },
    );

    it.each(SAME)('%s: the same as any kernel', async (name) => {
      for (const version of ['5.4', '5.15', '6.18'] as const)
        expect(await actionOf(engine, name, 'xdp', version)).toBe(XDP_PASS);
    });

    it.each(REFUSED)('refuses %s as %s: %s', async (name, last, why, first) => {
      await expect(actionOf(engine, name, 'xdp', last)).rejects.toThrow(why);
      await expect(actionOf(engine, name, 'xdp', last)).rejects.toMatchObject({
        kind: 'input',
        lacking: false,
      });
      expect(await actionOf(engine, name, 'xdp', first)).toBe(XDP_PASS);
    });

    it('refuses a kernel function that is not weak, by its name', async () => {
      const open = (asKernel: KernelVersion) =>
        createEngineAs(engine, asKernel).open(fixtureOf('strong-function', 'strong_function'), {});
      await expect(open('6.3')).rejects.toThrow(
        'Linux 6.3 has no kernel function bpf_dynptr_from_xdp: it came with Linux 6.4',
      );
      await (await open('6.4')).close();
    });

    it('refuses programs for frames in several buffers before 5.18', async () => {
      const frags = fixtureOf('old-kernels', 'frags');
      const program = { ...frags, entries: [{ ...frags.entries[0]!, frags: true }] };
      await expect(createEngineAs(engine, '5.17').open(program, {})).rejects.toThrow(
        'Linux 5.17 has no XDP frames in several buffers: it came with Linux 5.18',
      );
      await (await createEngineAs(engine, '5.18').open(program, {})).close();
    });

    it('takes packets with more than 32 bytes of metadata only as 6.8 or later', () => {
      const batch = batchOf({ packet: PACKET, metadata: new Uint8Array(36) });
      const program = fixtureOf('old-kernels', 'counts');
      expect(createEngineAs(engine, '6.7').refuses(program, batch)).toMatchObject({ packet: 0 });
      expect(createEngineAs(engine, '6.8').refuses(program, batch)).toBeUndefined();
    });

    it('passes a program that folds once as 6.18, and finds it as 6.1 with the checksum oracle', async () => {
      const run = (name: string, asKernel: KernelVersion) =>
        verify({
          program: fixtureOf('old-kernels', name),
          engines: chooseEngines(engine, false, asKernel).engines,
          seed: 'folds',
          runs: 3000,
          shrink: false,
        });
      const old = await run('folds_once', '6.1');
      expect(old.divergences).toMatchObject([{ engines: ['oracle', engine], field: 'ipv4.checksum' }]);
      for (const [name, version] of [
        ['folds_once', '6.18'],
        ['folds_once', '6.13'],
        ['folds_twice', '6.1'],
        ['folds_twice', '6.18'],
      ] as const) {
        const report = await run(name, version);
        expect(report).toMatchObject({ divergences: [], warnings: [] });
        expect(report.judged).toBeGreaterThan(100);
      }
    });
  });
});

describeKernel('what the newest kernel does', ['compiler', 'testrun', 'linux 6.18'], () => {
  it.each(CHANGED.filter(([name]) => name !== 'broadcasts'))(
    '%s (%s) is what the table says of it',
    async (name, hook, _last, _before, _first, since) => {
      expect(await actionOf('testrun', name, hook)).toBe(since);
    },
  );
});

describeKernel('--as-kernel', ['compiler'], () => {
  const scratch = mkdtempSync(join(tmpdir(), 'xdpsim-as-kernel-'));
  const object = join(scratch, 'old.o');
  beforeAll(() => {
    buildCommand();
    compileBpf('kernel-tests/fixtures/old-kernels.bpf.c', object);
  });
  afterAll(() => rmSync(scratch, { recursive: true, force: true }));

  it('finds what only an old kernel shows, and says how to repeat it', async () => {
    const common = ['--runs', '2000', '--seed', 's', '--report', join(scratch, 'found'), '--no-color'];
    const old = await xdpsim('verify', `${object}:folds_once`, '--as-kernel', 'v6.1.90', ...common);
    expect(old.code).toBe(1);
    expect(old.out).toContain(', as Linux 6.1\n');
    expect(old.out).toMatch(/--as-kernel 6\.1 --engines/);
    expect(old.out).toContain('and --as-kernel asks for 6.1');
    const json = await xdpsim('verify', `${object}:loops`, '--as-kernel', '5.10', ...common, '--json');
    expect(json.code).toBe(2);
    expect(JSON.parse(json.out)).toMatchObject({ asKernel: '5.10' });
    expect(json.out).toContain('Linux 5.10 has no ');
  });

  it('runs single packets as an old kernel', async () => {
    const hex = Buffer.from(PACKET).toString('hex');
    for (const [version, action] of [
      ['6.7', 'XDP_DROP'],
      ['6.8', 'XDP_PASS'],
    ] as const) {
      const ended = await xdpsim('run', `${object}:metadata_36`, hex, '--as-kernel', version);
      expect(ended).toMatchObject({ code: 0 });
      expect(ended.out).toContain(action);
    }
  });

  it.each([
    ['4.19', 2, '--as-kernel knows Linux 5.4 to 6.18, not 4.19'],
    ['6.19', 2, '--as-kernel knows Linux 5.4 to 6.18, not 6.19'],
    ['new', 2, '--as-kernel must be a version of Linux, like 6.1, not “new”'],
  ])('refuses %s', async (version, code, message) => {
    expect(await xdpsim('verify', 'icmp_echo', '--as-kernel', version)).toMatchObject({
      code,
      err: expect.stringContaining(message),
    });
  });

  it('leaves the real kernel out unless it is that version', () => {
    const other: KernelVersion = versionOf() === '6.1' ? '6.6' : '6.1';
    for (const name of ['testrun', 'veth'] as const) {
      expect(createEngineAs(name, other).availability()).toMatchObject({
        available: false,
        reason: `the kernel here is Linux ${versionOf()}, and --as-kernel asks for ${other}`,
      });
      expect(createEngineAs(name, versionOf()).availability()).toEqual(
        createEngineAs(name, undefined).availability(),
      );
    }
  });
});
