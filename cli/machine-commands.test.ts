/** The commands that show the machine at work: disasm, run --trace, run --bytecode, and verify of a bare object. */
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { packageFile } from '../kernel/package-file.ts';
import { encodeInstructions } from '../sim/ebpf/instruction.ts';
import { assemble } from '../sim/ebpf/test-support/assemble.ts';
import { writeElf } from '../sim/ebpf/test-support/write-elf.ts';
import { BUILD_TIMEOUT, buildCommand, COMMAND } from './test-support/built-command.ts';

const scratch = mkdtempSync(join(tmpdir(), 'xdpsim-machine-'));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

beforeAll(buildCommand, BUILD_TIMEOUT);

interface Ended {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

function xdpsim(args: readonly string[], input: string = ''): Promise<Ended> {
  return new Promise((resolve) => {
    const child = spawn(COMMAND[0], [COMMAND[1], ...args], {
      cwd: packageFile('.'),
    });
    let out = '';
    let err = '';
    child.stdout.on('data', (chunk) => (out += chunk));
    child.stderr.on('data', (chunk) => (err += chunk));
    child.on('close', (code) => resolve({ code, out, err }));
    child.stdin.end(input);
  });
}

/** As bpf_conformance hands a program over: bytes in pairs of digits, blanks between. */
function plugged(text: string): string {
  return Buffer.from(encodeInstructions(assemble(text)))
    .toString('hex')
    .replaceAll(/(..)/g, '$1 ');
}

/** An echo request of 42 bytes. */
const ECHO = 'ffffffffffff02000000000108004500001c00010000400166c20a0b01010a0b01020800f7ff0000' + '0000';

describe('disasm', () => {
  it('prints functions, C lines and instructions', async () => {
    const { code, out } = await xdpsim(['disasm', 'bpf/built/icmp_filter.o']);
    expect(code).toBe(0);
    expect(out).toMatch(
      /^; section xdp, \d+ instructions\nicmp_filter:\n; .* @ icmp_filter\.bpf\.c:\d+\n +0: \(/,
    );
    expect(out).toContain('call bpf_map_lookup_elem#1');
    expect(out).not.toContain('\u001b');
  });

  it('takes a built-in program’s name, and one function of several', async () => {
    const { code, out } = await xdpsim(['disasm', 'layer_coop:layer_coop_tx']);
    expect(code).toBe(0);
    expect(out).toContain('layer_coop_tx:');
    expect(out).not.toContain('layer_coop_rx:');
  });

  it('names what is not there', async () => {
    expect(await xdpsim(['disasm', 'icmp_filter:nope'])).toMatchObject({
      code: 2,
      err: expect.stringContaining('“nope”; available: icmp_filter'),
    });
    expect(await xdpsim(['disasm', 'package.json'])).toMatchObject({
      code: 2,
      err: expect.stringContaining('package.json: ELF header'),
    });
  });
});

describe('run --trace', () => {
  it('prints the steps of each packet before its outcome', async () => {
    const { code, out } = await xdpsim(['run', 'icmp_filter', ECHO, '0000', '--trace']);
    expect(code).toBe(0);
    const first = out.indexOf('packet 1: XDP_PASS');
    const second = out.indexOf('packet 2: XDP_DROP');
    expect(out.indexOf('icmp_filter:\n')).toBe(0);
    expect(out.indexOf('icmp_filter:\n', 1)).toBeGreaterThan(first);
    expect(second).toBeGreaterThan(first);
    expect(out).toMatch(
      /; return header->protocol; @ parsing\.h:\d+\n +\d+: r2 = \*\(u8 \*\)\(r2 \+9\) +r2=1\n/,
    );
    // State stays from packet to packet: two of them are counted.
    expect(out).toContain('map xdp_stats_map');
  });

  it('is for engine vm, and for people', async () => {
    const refused = await Promise.all([
      xdpsim(['run', 'icmp_filter', ECHO, '--trace', '--engine', 'wasm']),
      xdpsim(['run', 'icmp_filter', ECHO, '--trace', '--json']),
    ]);
    expect(refused.map(({ code }) => code)).toEqual([2, 2]);
  });
});

describe('run --bytecode', () => {
  const program = 'r0 = *(u8 *)(r1 + 1)\nr0 <<= 56\nr0 += r2\nexit';

  for (const engine of ['vm', 'wasm']) {
    it(`prints r0 of bare instructions in hex (${engine})`, async () => {
      const ended = await xdpsim(['run', '--engine', engine, '--bytecode', 'aa bb cc'], plugged(program));
      expect(ended).toEqual({ code: 0, out: 'bb00000000000003\n', err: '' });
    });
  }

  it('does without memory', async () => {
    expect(await xdpsim(['run', '--bytecode'], plugged('r0 = r2\nexit'))).toMatchObject({
      code: 0,
      out: '0\n',
    });
    expect(await xdpsim(['run', '--bytecode', ''], plugged('r0 = r2\nexit'))).toMatchObject({ out: '0\n' });
  });

  it('tells a program that is stopped from one that no verifier takes, and from what is no program', async () => {
    const stopped = await xdpsim(['run', '--bytecode', 'aa'], plugged(program));
    expect(stopped).toMatchObject({
      code: 1,
      out: '',
      err: expect.stringContaining('instruction 0: invalid access'),
    });
    const refused = await xdpsim(['run', '--bytecode'], plugged('r0 = 1\nr11 = 2\nexit'));
    expect(refused).toMatchObject({ code: 2, out: '', err: expect.stringContaining('R11 is invalid') });
    const cut = await xdpsim(['run', '--bytecode'], 'b7 00 00');
    expect(cut).toMatchObject({ code: 2, err: expect.stringContaining('8 bytes each') });
    expect(await xdpsim(['run', '--bytecode'], '')).toMatchObject({ code: 2 });
    expect(await xdpsim(['run', '--bytecode', 'zz'], plugged(program))).toMatchObject({ code: 2 });
  });
});

describe('verify of an object', () => {
  it('fills maps by --map, and writes what was reached', async () => {
    // Counts of one protocol, before any packet.
    const map = join(scratch, 'proto_count.json');
    writeFileSync(map, JSON.stringify([{ key: 6, value: 1000 }]));
    const coverage = join(scratch, 'coverage.info');
    const { code, out } = await xdpsim([
      ...['verify', 'bpf/built/proto_count.o', '--engines', 'vm,wasm', '--runs', '3000', '--seed', 's'],
      ...['--map', `rxcnt=${map}`, '--coverage', coverage, '--report', scratch],
    ]);
    expect(out).toContain('all agreed');
    expect(code).toBe(0);
    expect(readFileSync(coverage, 'utf8')).toContain(`SF:${packageFile('bpf/proto_count.bpf.c')}`);
  });

  it('names the map that is not there', async () => {
    const map = join(scratch, 'empty.json');
    writeFileSync(map, '[]');
    const ended = await xdpsim([
      'verify',
      'bpf/built/proto_count.o',
      '--engines',
      'vm',
      '--map',
      `nope=${map}`,
    ]);
    expect(ended).toMatchObject({
      code: 2,
      err: expect.stringContaining('the object has no map “nope”; available: '),
    });
  });
});

describe('run --world', () => {
  it('lets packets in by the first device that forwards, or by the one that is named', async () => {
    const object = join(scratch, 'ingress.o');
    // Passes what came by device 3, and drops the rest.
    const text = 'r1 = *(u32 *)(r1 + 12)\nr0 = 2\nif r1 == 3 goto out\nr0 = 1\nout:\nexit';
    writeFileSync(object, writeElf({ main: text }));
    const devices = '"devices": [{ "name": "wan" }, { "name": "lan", "forwarding": true }]';
    const ran = async (world: string): Promise<string> => {
      writeFileSync(join(scratch, 'world.json'), world);
      const { out, err } = await xdpsim(['run', object, ECHO, '--world', join(scratch, 'world.json')]);
      expect(err).toBe('');
      return /XDP_\w+/.exec(out)?.[0] ?? out;
    };
    expect(await ran(`{ ${devices} }`)).toBe('XDP_PASS');
    expect(await ran(`{ ${devices}, "hints": { "ingress": ["wan"] } }`)).toBe('XDP_DROP');
    expect(await ran('{}')).toBe('XDP_DROP');
  });
});
