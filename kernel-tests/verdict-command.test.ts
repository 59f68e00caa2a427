/** What `verify` says of objects that have no model: its mark, its exit code, and the command that repeats a finding. */
import { execFile, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { compileBpf } from '../bpf/compile.ts';
import { encodeCase } from '../corpus/case.ts';
import { packageFile } from '../kernel/package-file.ts';
import { summarize } from '../verify/explain/summary.ts';
import { describeKernel } from './require-kernel.ts';

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

const MAIN = packageFile('dist/cli/main.js');
const xdpsim = (...args: string[]): Promise<Ended> => ended(process.execPath, [MAIN, ...args]);

/** A line of a report as a shell runs it, with this checkout's command in the place of the installed one. */
function shell(line: string): Promise<Ended> {
  const command = `'${process.execPath}' '${MAIN}'`;
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
const SMALL = ['--runs', '2000', '--seed', '1'];

async function json(...args: string[]): Promise<{ code: number; program: Json['programs'][number] }> {
  const { code, out, err } = await xdpsim('verify', ...args, ...SMALL, '--json');
  expect(err).toBe('');
  return { code, program: (JSON.parse(out) as Json).programs[0]! };
}

describeKernel('verify, of objects without a model', ['root', 'testrun', 'compiler'], () => {
  // What users run is what tsc emits.
  beforeAll(() => {
    spawnSync('npm run build --silent', { shell: true, cwd: packageFile('.'), stdio: 'inherit' });
    compileBpf('kernel-tests/fixtures/verdicts.bpf.c', join(scratch, 'v.o'));
    const zeros = '00'.repeat(24);
    writeFileSync(join(scratch, 'rules.json'), JSON.stringify([{ key: 1, value: zeros }]));
  }, 120_000);

  it('puts no tick where most branches are behind a lookup that found nothing, and names the map that opens them', async () => {
    const { code, out } = await xdpsim('verify', 'v.o:gate', ...SMALL);
    expect(code).toBe(0);
    expect(out).toMatch(/◐ agreed on what ran v\.o:gate/);
    expect(out).toMatch(/verdicts\.bpf\.c:\d+ {2}if \(!rule\): map rules never had the entry/);
    expect(out).toContain('--map rules=FILE');
    expect(out).toMatch(/: agreed on what ran\.\n$/);
    expect(out).not.toContain('✓');
    // What the text says opens them does.
    const opened = await xdpsim('verify', 'v.o:gate', ...SMALL, '--map', 'rules=rules.json');
    expect(opened.out).toMatch(/✓ agreed +v\.o:gate/);
    expect(await json('v.o:gate')).toMatchObject({
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
    expect(out).toContain('name the programs of map stages in C: .values =');
    // Where it always finds one, nothing is missing: no packet needs to come back.
    expect(out).toMatch(/✓ agreed +v\.o:staged_here /);
  });

  it('takes one engine for no agreement, and ends with 3 where nothing judged', async () => {
    expect(await json('v.o:gate', '--engines', 'vm')).toMatchObject({
      code: 0,
      program: { verdict: 'not compared', compared: 0 },
    });
    const oracle = await json('v.o:gate', '--engines', 'testrun');
    expect(oracle).toMatchObject({ code: 0, program: { verdict: 'not compared' } });
    expect(oracle.program.reasons).toEqual([expect.stringMatching(/: only the checksum oracle judged$/)]);
    expect(await json('v.o:gate', '--engines', 'testrun', '--oracle', 'off')).toMatchObject({
      code: 3,
      program: { verdict: 'not judged' },
    });
  });

  it('ends with 4 where an engine that must run did not, or too little ran', async () => {
    expect(await json('v.o:gate', '--require', 'testrun', '--min-coverage', '30')).toMatchObject({ code: 0 });
    expect(await json('v.o:gate', '--require', 'testrun', '--require', 'veth')).toMatchObject({
      code: 4,
      program: { verdict: 'incomplete', reasons: [expect.stringMatching(/^--require veth: /)] },
    });
    const few = await xdpsim('verify', 'v.o:gate', ...SMALL, '--min-coverage', '31%', '--junit', 'few.xml');
    expect(few).toMatchObject({ code: 4, err: '' });
    expect(few.out).toMatch(/✗ incomplete +v\.o:gate/);
    expect(few.out).toMatch(/--min-coverage 31: 30 % \(3 of 10 branches\) were reached/);
    for (const args of [
      ['--require', 'kernel'],
      ['--min-coverage', '101'],
      ['--oracle', 'some'],
    ]) {
      expect((await xdpsim('verify', 'v.o:gate', ...args)).code).toBe(2);
    }
  });

  it('says of a violation that the kernel refuses the program, with the end of its log, asked or among the engines', async () => {
    for (const engines of ['vm', 'wasm', 'vm,wasm,testrun']) {
      const { code, out } = await xdpsim('verify', 'v.o:unchecked', ...SMALL, '--engines', engines);
      expect(code).toBe(1);
      expect(out).toMatch(
        /stops the program: .*the comparison with data_end covers 0 bytes; this kernel refuses/,
      );
      expect(out).toMatch(/This kernel refuses to load the program: the verifier refuses unchecked of v\.o/);
      // Once, not with the failed engine and again with the finding.
      expect(out.match(/R1 offset is outside of the packet/g)).toHaveLength(1);
    }
    const { program } = await json('v.o:unchecked', '--engines', 'wasm');
    expect(program.divergences).toMatchObject([
      {
        field: 'status',
        kernel: { did: 'refused', log: expect.stringContaining('invalid access to packet') },
      },
    ]);
  });

  it('blames the machine for what it stops though this kernel runs it, and compares all the rest', async () => {
    const packet = new Uint8Array(60);
    packet.set(new TextEncoder().encode('long'));
    mkdirSync(join(scratch, 'long', 'v.o_lasts'), { recursive: true });
    const world = {};
    writeFileSync(
      join(scratch, 'long', 'v.o_lasts', 'long.pcapng'),
      encodeCase({ program: 'lasts', world, stimuli: [{ packet }] }),
    );
    const args = ['v.o:lasts', '--report', 'long'];
    const { code, program } = await json(...args, '--engines', 'wasm,testrun');
    expect(code).toBe(0);
    expect(program.divergences).toEqual([]);
    expect(program.compared).toBeGreaterThan(2000);
    expect(program.defects).toMatchObject([
      {
        engine: 'wasm',
        summary: expect.stringMatching(
          /^the machine \(wasm\) refused what this kernel ran: .*, a defect of xdpsim$/,
        ),
        packets: 1,
        seen: { file: expect.stringMatching(/long\.pcapng$/) },
      },
    ]);
  }, 90_000);

  it('warns where the kernel lets the program send stack bytes that it never wrote, and finds nothing', async () => {
    for (const engines of ['wasm,testrun', 'vm,testrun']) {
      const { code, out } = await xdpsim(
        'verify',
        'v.o:leaks',
        ...SMALL,
        '--engines',
        engines,
        '--report',
        'leaks',
      );
      expect(code).toBe(0);
      expect(out).toMatch(
        /warning: \S+verdicts\.bpf\.c:\d+: stack bytes that the program never wrote reach its output, which differs from run to run/,
      );
      expect(out).toMatch(/✓ agreed +v\.o:leaks/);
    }
  });

  it('reaches machine against kernel behind a wrong checksum where the oracle is off', async () => {
    expect(await json('v.o:spoils')).toMatchObject({
      code: 1,
      program: { divergences: [{ field: 'ipv4.checksum' }] },
    });
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
    const ran = await xdpsim('run', 'v.o:lasts', '--engine', 'wasm', `6c6f6e67${'00'.repeat(16)}`);
    expect(ran.code).toBe(0);
    expect(ran.out).toMatch(/runs the program to its end\.\n {2}Its result: XDP_\w+, 20 bytes\./);
    expect(ran.out).toContain('a defect of xdpsim');
  }, 90_000);

  it.each([
    ['a checksum', ['v.o:spoils']],
    [
      'a checksum, with a map, other engines and a second worker',
      ['v.o:spoils', '--map', 'rules=rules.json', '--engines', 'vm,testrun', '--workers', '2'],
    ],
    [
      'a checksum of a built-in program’s replacement',
      ['icmp_echo', '--object', 'v.o:spoils', '--report', 'r'],
    ],
    ['a checksum, for a time', ['v.o:spoils', '--time', '200ms', '--oracle', 'checksums']],
    ['a violation', ['v.o:unchecked', '--engines', 'vm', '--max-divergences', '3']],
  ])('prints a command that finds %s again, in the same engines and with the same code', async (_, args) => {
    const first = await xdpsim('verify', ...args, '--seed', 'a seed', '--shrink-time', '0');
    expect(first.code).toBe(1);
    const [, repeat = '', alone = ''] = /Repeat it:\n *(.*)\n(?: *Run the case alone:\n *(.*)\n)?/.exec(
      first.out,
    )!;
    const again = await shell(repeat);
    expect(again.code).toBe(1);
    const headline = (out: string): string | undefined =>
      /^ {2}(\S+: (?:the machine|\S+: expected).*)$/m.exec(out)?.[1];
    expect(headline(again.out)).toBe(headline(first.out));
    const engines = (out: string): string | undefined => /--engines (\S+)/.exec(out)?.[1];
    expect(engines(again.out)).toBe(engines(first.out));
    expect((await shell(alone)).err).toBe('');
  });
});
