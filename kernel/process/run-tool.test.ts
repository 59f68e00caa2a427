import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { ToolEnded } from '../../bpf/tool-ended.ts';
import { EngineError } from '../../sim/engines/engine.ts';
import { loadKoffi } from '../koffi.ts';
import { runTool } from './run-tool.ts';

describe.skipIf(process.platform !== 'linux' || loadKoffi() === undefined)('a tool', () => {
  it('reads all of its input, and prints more than a pipe holds', () => {
    const input = 'ä line of many\n'.repeat(20_000);
    expect(runTool('cat', [], input)).toEqual({ status: 0, stdout: input, stderr: '' });
  });

  it('reads nothing where it is given nothing, and may fail', () => {
    expect(runTool('sh', ['-c', 'cat; echo out; echo err >&2; exit 3'])).toEqual({
      status: 3,
      stdout: 'out\n',
      stderr: 'err\n',
    });
  });

  it('takes arguments as they are, and speaks English', () => {
    const odd = ['', 'a b', '"$HOME"', 'ü\n'];
    const { stdout } = runTool('sh', ['-c', 'printf "[%s]" "$LC_ALL" "$@"', 'sh', ...odd]);
    expect(stdout).toBe(`[C]${odd.map((text) => `[${text}]`).join('')}`);
  });

  it('is ended by signals as every program is, though Node ignores some', () => {
    for (const signal of ['SIGPIPE', 'SIGKILL', 'SIGTERM'] as const) {
      const ended = (): unknown => runTool('sh', ['-c', `kill -${signal.slice(3)} $$`]);
      expect(ended).toThrow(ToolEnded);
      expect(ended).toThrow(`sh was ended by ${signal}`);
    }
  });

  it('says which package has what is not there', () => {
    const { PATH } = process.env;
    try {
      process.env.PATH = '/nonexistent';
      expect(() => runTool('tc', [])).toThrow(
        expect.objectContaining({
          message: '`tc` cannot be run: ENOENT',
          remedy: 'apt-get install iproute2',
        }),
      );
    } finally {
      process.env.PATH = PATH;
    }
    expect(() => runTool('/etc/passwd', [])).toThrow(EngineError);
    expect(() => runTool('/etc/passwd', [])).toThrow('`/etc/passwd` cannot be run: EACCES');
  });

  it('inherits no descriptor, and leaves none', () => {
    const own = readdirSync('/proc/self/fd').length;
    const listing = ['-c', 'cd /proc/$$/fd && echo *'];
    // What this process was given itself, and is not told to keep, Node passes on as well.
    expect(runTool('sh', listing).stdout).toBe(spawnSync('sh', listing, { encoding: 'utf8' }).stdout);
    for (let i = 0; i < 20; i++) runTool('true', []);
    expect(readdirSync('/proc/self/fd').length).toBe(own);
  });
});
