/** What proofs give to other commands, and what these do where there is no solver. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { casesFromCapture } from '../../corpus/cases/case.ts';
import { packageFile } from '../../kernel/package-file.ts';
import { BUILD_TIMEOUT, buildCommand, builtModule, COMMAND } from '../test-support/built-command.ts';

const scratch = mkdtempSync(join(tmpdir(), 'xdpsim-proofs-'));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));
beforeAll(buildCommand, BUILD_TIMEOUT);

interface Ended {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

function xdpsim(...args: readonly string[]): Ended {
  return ended({}, args);
}

function withoutSolver(...args: readonly string[]): Ended {
  const module = builtModule('kernel-tests/test-support/missing-solver.ts');
  return ended({ NODE_OPTIONS: `--import ${module}` }, args);
}

function ended(env: Readonly<Record<string, string>>, args: readonly string[]): Ended {
  const { status, stdout, stderr } = spawnSync(COMMAND[0], [COMMAND[1], ...args], {
    encoding: 'utf8',
    cwd: scratch,
    env: { ...process.env, ...env },
  });
  return { code: status, out: stdout, err: stderr };
}

const ROUTER = packageFile('bpf/built/router.o');

describe('prove of a C source', () => {
  it('takes flags for the compiler', () => {
    const { code, err } = xdpsim('prove', 'my.bpf.c', '--cflags', '"-DX', '--clang', 'clang');
    expect({ code, err }).toEqual({ code: 2, err: expect.stringContaining('--cflags') });
  });
});

describe('corpus generate --complete', () => {
  it('writes a case for each path, with its world and its condition', async () => {
    const file = join(scratch, 'paths.pcapng');
    const { code, err } = xdpsim('corpus', 'generate', ROUTER, '--complete', '--out', file);
    expect({ code, err }).toEqual({
      code: 0,
      err: `${file}: 16 packets, one for each path that was seen to be taken\n`,
    });
    const cases = [];
    for await (const one of casesFromCapture(file, { program: 'any' })) cases.push(one);
    expect(cases).toHaveLength(16);
    expect(cases.filter(({ world }) => world.routes !== undefined).length).toBeGreaterThan(1);
    expect(cases.map(({ note }) => note?.kept?.join())).toContain('frame.len < 14');
  });

  it('writes packets alone where the format holds no worlds', () => {
    const file = join(scratch, 'paths.hex');
    expect(xdpsim('corpus', 'generate', ROUTER, '--complete', '--out', file).code).toBe(0);
    expect(readFileSync(file, 'utf8').trim().split('\n').length).toBeGreaterThanOrEqual(16);
  });

  it('says what is missing where the time is up', () => {
    const out = ['--out', join(scratch, 'part.pcapng')];
    const icmp = packageFile('bpf/built/icmp_echo.o');
    const { code, err } = xdpsim('corpus', 'generate', icmp, '--complete', '--time', '1ms', ...out);
    expect(code).toBe(4);
    expect(err).toContain('not complete: not every path was followed: the time was up');
  });

  it.each([
    [['--time', '5s', '--out', 'x.pcapng'], '--time is for --complete'],
    [['--complete', '--out', 'x.pcapng'], '--complete follows the paths of a program: name one'],
    [
      [ROUTER, '--complete', '--runs', '5', '--out', 'x.pcapng'],
      "option '--complete' cannot be used with option '--runs",
    ],
    [[ROUTER, '--complete', '--out', 'x.nothing'], 'no format of packets ends in .nothing'],
  ])('refuses %j', (args, message) => {
    const { code, err } = xdpsim('corpus', 'generate', ...args);
    expect(code).toBe(2);
    expect(err).toContain(message);
  });
});

describe('verify --prove', () => {
  it('runs the packets of all paths first, and leaves what no input reaches out of the coverage', () => {
    const filter = packageFile('bpf/built/tcp_filter.o');
    const args = ['--engines', 'vm,wasm', '--runs', '1', '--no-guide', '--seed', 'proofs', '--json'];
    const json = (...more: string[]): { proof?: object; coverage: { branches: [number, number] } } =>
      JSON.parse(xdpsim('verify', filter, ...args, ...more).out).programs[0];
    const proved = json('--prove', '30s');
    expect(proved.proof).toMatchObject({ paths: 84, packets: 84, beyond: 0 });
    const [hit, total] = proved.coverage.branches;
    expect(hit).toBe(total);
    const plain = json();
    expect(plain.proof).toBeUndefined();
    expect(plain.coverage.branches[0]).toBeLessThan(hit);
  });

  it('does not go with --mutants', () => {
    const { code, err } = xdpsim('verify', 'tcp_filter', '--prove', '--mutants', '3');
    expect(code).toBe(2);
    expect(err).toContain('--mutants cannot be combined with --prove');
  });
});

describe('without the package z3-solver', () => {
  it.each([
    ['prove', ['prove', 'tcp_filter'], 'prove'],
    ['verify --prove', ['verify', 'tcp_filter', '--prove'], '--prove'],
    [
      'corpus generate --complete',
      ['corpus', 'generate', 'tcp_filter', '--complete', '--out', 'x.hex'],
      '--complete',
    ],
  ])('%s says how to get it', (_, args, what) => {
    const { code, err } = withoutSolver(...args);
    expect(code).toBe(3);
    expect(err).toContain(`${what} needs the package z3-solver, which is not installed`);
    expect(err).toContain('npm install z3-solver');
  });

  it('check does without', () => {
    const icmp = packageFile('bpf/built/icmp_echo.o');
    const { code, out } = withoutSolver('check', icmp, '--runs', '200', '--no-sweeps', '--json');
    expect(code).toBe(0);
    expect(JSON.parse(out).programs[0].proof).toBeUndefined();
  });
});
