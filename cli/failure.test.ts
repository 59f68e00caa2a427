import { getSystemErrorMap } from 'node:util';
import { describe, expect, it } from 'vitest';
import { ToolEnded } from '../bpf/tool-ended.ts';
import { CaptureError } from '../corpus/formats/capture-error.ts';
import { packageFile } from '../kernel/package-file.ts';
import { InstructionError } from '../sim/ebpf/instruction-error.ts';
import { LackingError, ObjectError } from '../sim/ebpf/object-error.ts';
import { SendingError } from '../sim/network/build-sending.ts';
import { ScenarioError } from '../sim/network/scenario-json.ts';
import { InputError } from '../sim/runtime/input-error.ts';
import { ShapeError } from '../sim/runtime/shape-error.ts';
import { failureOf } from '../verify/engine-side.ts';
import { EXIT, toFailure } from './failure.ts';

/** As node:fs makes them. */
function errno(code: string, details: { path?: string; syscall?: string } = {}): Error {
  const [number, [, text]] = [...getSystemErrorMap()].find(([, [name]]) => name === code)!;
  const { path, syscall = 'open' } = details;
  const message = `${code}: ${text}, ${syscall}${path === undefined ? '' : ` '${path}'`}`;
  return Object.assign(new Error(message), { errno: number, code, syscall, ...(path ? { path } : {}) });
}

/** Of the machine or the process, whatever file they meet. */
const ENVIRONMENT = new Set(['EMFILE', 'ENFILE', 'ENOMEM', 'EAGAIN']);

describe('bad input', () => {
  it.each([
    new ObjectError('ELF header +0x12', 'code for eBPF', 'code for ARM'),
    new LackingError('x.o', 'helper', 'bpf_x'),
    new InstructionError(3, 'unknown opcode'),
    new CaptureError(24, 'a packet header', 'the end of the file'),
    new ShapeError('worlds[0]', 'expected an object, got null'),
    new ScenarioError('x.json: no steps'),
    new SendingError('nothing is sent'),
  ])('$name is one class to the command, with code 2', (error) => {
    expect(error).toBeInstanceOf(InputError);
    expect(toFailure(error)).toMatchObject({ exitCode: EXIT.input, message: error.message });
    expect(failureOf(error)).toEqual({ kind: 'input', message: error.message });
  });
});

describe('errors of the operating system', () => {
  // Every code that libuv has: `EAI_…` and the like come from name look-ups, which nothing here makes.
  const codes = [...getSystemErrorMap().values()]
    .map(([code]) => code)
    .filter((code) => /^E[A-Z0-9]+$/.test(code));

  it.each(codes)('%s is one sentence with the right code, with and without a path', (code) => {
    const named = toFailure(errno(code, { path: '/home/user/out.pcapng' }))!;
    const ofMachine = ENVIRONMENT.has(code);
    expect(named.exitCode).toBe(ofMachine ? EXIT.environment : EXIT.input);
    expect(named.message).toMatch(
      ofMachine ? /^[^\n/]+[^.\n]$/ : /^\/home\/user\/out\.pcapng: [^\n]+[^.\n]$/,
    );
    const unnamed = toFailure(errno(code, { syscall: 'write' }))!;
    expect(unnamed.exitCode).toBe(EXIT.environment);
    expect(unnamed.message).toMatch(ofMachine ? /^[^\n]+$/ : /^write: [^\n]+$/);
  });

  it.each([
    ['ENOSPC', 'no space left on the device'],
    ['EIO', 'input/output error: the device or file system failed'],
    ['EISDIR', 'is a directory'],
    ['ELOOP', 'too many symbolic links: they lead in a circle'],
    ['ENAMETOOLONG', 'the name is too long'],
    ['EFBIG', 'the file would be too large'],
    ['EROFS', 'the file system is read-only'],
    ['ECONNREFUSED', 'connection refused (ECONNREFUSED)'],
  ])('%s reads: %s', (code, words) => {
    expect(toFailure(errno(code, { path: 'x' }))!.message).toBe(`x: ${words}`);
  });

  it('names the remedy where there is one', () => {
    expect(toFailure(errno('EMFILE', { path: '/x' }))!.remedy).toBe('Raise the limit: ulimit -n 1024');
  });

  it('takes a working directory that is gone for what it is', () => {
    const failure = toFailure(errno('ENOENT', { syscall: 'uv_cwd' }))!;
    expect(failure).toMatchObject({ exitCode: 3, message: 'the working directory no longer exists' });
  });

  it('takes a command that is missing, and files of the system, for the environment’s', () => {
    expect(toFailure(errno('ENOENT', { syscall: 'spawn tc', path: 'tc' }))).toMatchObject({
      exitCode: 3,
      message: 'tc: command not found',
    });
    for (const path of ['/sys/fs/bpf/x', '/proc/self/ns/net', '/run/xdpsim/lab.json', '/run/netns/a']) {
      expect(toFailure(errno('EACCES', { path }))!.exitCode, path).toBe(3);
    }
  });

  it('takes a missing file of its own for a broken installation', () => {
    const failure = toFailure(errno('ENOENT', { path: packageFile('dist/cli/command.js') }))!;
    expect(failure).toMatchObject({
      exitCode: 3,
      message: expect.stringContaining('a file of xdpsim itself'),
    });
  });

  it('names the limits of the runtime', () => {
    const out = (error: Error): unknown => ({ ...toFailure(error), message: toFailure(error)?.message });
    expect(out(new RangeError('Array buffer allocation failed'))).toMatchObject({ exitCode: 3 });
    expect(out(new RangeError('WebAssembly.Memory(): could not allocate memory'))).toMatchObject({
      exitCode: 3,
    });
    const worker = Object.assign(new Error('heap'), { code: 'ERR_WORKER_OUT_OF_MEMORY' });
    expect(out(worker)).toMatchObject({ exitCode: 3 });
    const name = Object.assign(new TypeError('path must be a string without null bytes'), {
      code: 'ERR_INVALID_ARG_VALUE',
    });
    expect(out(name)).toMatchObject({ exitCode: 2, message: 'a path contains a null byte' });
  });

  it('leaves defects to be reported as such', () => {
    expect(toFailure(new RangeError('Invalid typed array length: -160'))).toBeUndefined();
    expect(toFailure(new TypeError("Cannot read properties of undefined (reading 'x')"))).toBeUndefined();
  });
});

it('takes a tool that Ctrl-C has ended for an interruption, not for a defect', () => {
  const error = Object.assign(new Error('Command failed: llvm-strip'), { status: null, signal: 'SIGINT' });
  expect(toFailure(error)).toMatchObject({ exitCode: EXIT.interrupted });
  expect(toFailure(new ToolEnded('ip', 'SIGINT'))).toMatchObject({ exitCode: EXIT.interrupted });
  const killed = { exitCode: EXIT.environment, message: 'ip was ended by SIGKILL', remedy: 'run it again' };
  expect(toFailure(new ToolEnded('ip', 'SIGKILL'))).toMatchObject(killed);
  expect(toFailure(Object.assign(new Error('x'), { signal: 'SIGSEGV' }))).toBeUndefined();
});
