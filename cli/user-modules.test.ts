/** Modules of users' that do what no module should: an error that names them, never "agreed" and never a stack. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { buildCommand, Started, xdpsim } from './test-support/built-command.ts';
import { type ModuleParts, writeModule } from './test-support/user-modules.ts';

const scratch = mkdtempSync(join(tmpdir(), 'xdpsim-modules-'));
beforeAll(buildCommand, 120_000);
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

async function verify(name: string, parts: ModuleParts, ...args: string[]) {
  const path = writeModule(scratch, name, parts);
  return {
    path,
    ended: await xdpsim('verify', path, '--engines', 'model,vm', '--report', join(scratch, 'found'), ...args),
  };
}

describe('a module of the user’s', () => {
  it.each<[string, ModuleParts, RegExp]>([
    ['exits', { top: 'process.exit(0);' }, /exits\.model\.mjs: ends the process \(exit code 0\)/],
    ['waits', { top: 'await new Promise(() => {});' }, /waits\.model\.mjs: never finishes loading/],
    [
      'throws_late',
      { top: "setTimeout(() => { throw new TypeError('too late'); }, 1); await new Promise(() => {});" },
      /throws_late\.model\.mjs:1:\d+: TypeError: too late/,
    ],
    ['throws', { top: "throw new Error('not today');" }, /throws\.model\.mjs: .*not today/],
  ])('that %s when it is loaded ends with code 2 and its name', async (name, parts, message) => {
    const { ended } = await verify(name, parts);
    expect(ended).toMatchObject({ code: 2, err: expect.stringMatching(message) });
    expect(ended.err).not.toMatch(/\n\s+at /);
    expect(ended.out).not.toContain('agreed');
  });

  it.each<[name: string, source: string, message: RegExp]>([
    ['syntax.mjs', 'const a = 1;\nsyntax error here', /identifier 'error' \(line 2, column 8\)\n/],
    ['syntax.cjs', 'const a = 1;\nmodule.exports = {{ };', /token '\{' \(line 2, column 19\)\n/],
    ['undefined.mjs', 'const a = 1;\nexport default b.c;', /: b is not defined \(line 2, column 16\)\n/],
    ['parses.mjs', 'const a = 1;\nJSON.parse("{");', /: Expected .*\(line 2, column 6\)\n/],
    [
      'absent.mjs',
      'const a = 1;\nimport { cpu } from "node:os";',
      /export named 'cpu' \(line 2, column 10\)\n/,
    ],
    ['imports.mjs', 'import "./syntax.mjs";', /identifier 'error' \(\/.*\/syntax\.mjs:2:8\)\n/],
    ['lacks.mjs', 'import "nosuch-package";', /nosuch-package' imported from [^(]*\n/],
  ])('says where in it an error is: %s', async (name, source, message) => {
    const path = join(scratch, name);
    writeFileSync(path, source);
    const ended = await xdpsim('run', path, '00');
    expect(ended).toMatchObject({ code: 2, err: expect.stringMatching(message) });
  });

  it.each([
    ['mjs', "import { XDP_PASS } from 'xdpsim';"],
    ['mts', "import { XDP_PASS, type Packet } from 'xdpsim';"],
    ['ts', "import { XDP_PASS } from 'xdpsim';"],
    ['cjs', "const { XDP_PASS } = require('xdpsim');"],
  ])('finds the xdpsim that runs, where its folder has none (.%s)', async (extension, first) => {
    const path = join(scratch, `elsewhere.${extension}`);
    const shown = "throw new Error('passes by ' + XDP_PASS);";
    writeFileSync(path, `${first}\n${shown}\n`);
    const ended = await xdpsim('run', path, '00');
    expect(ended).toMatchObject({ code: 2, err: expect.stringContaining('passes by 2') });
  });

  it('ends other commands with code 2, too', async () => {
    const parts: [string, ModuleParts, RegExp][] = [
      ['run_exits', { top: 'process.exit(0);' }, /run_exits\.model\.mjs: ends the process \(exit code 0\)/],
      ['run_waits', { top: 'await new Promise(() => {});' }, /run_waits\.model\.mjs: never finishes loading/],
    ];
    for (const [name, part, message] of parts) {
      const ended = await xdpsim('run', writeModule(scratch, name, part), '00');
      expect(ended).toMatchObject({ code: 2, err: expect.stringMatching(message) });
    }
  });

  it.each<[string, ModuleParts, RegExp]>([
    ['exits_later', { model: 'if (n === 3000) process.exit(0);' }, /ends the process \(exit code 0\)/],
    [
      'rejects',
      { model: "if (n === 3000) Promise.reject(new RangeError('nobody waits'));" },
      /rejects\.model\.mjs:\d+:\d+: RangeError: nobody waits/,
    ],
  ])('whose model %s is reported with what was done until then', async (name, parts, message) => {
    const { ended } = await verify(name, parts);
    expect(ended).toMatchObject({ code: 2, out: expect.stringMatching(message) });
    expect(ended.out).toContain('✗ failed');
    expect(ended.out).not.toMatch(/\n\s+at /);
    const json = (await verify(name, parts, '--json')).ended;
    expect(json.code).toBe(2);
    const [program] = JSON.parse(json.out).programs;
    expect(program.failure).toMatchObject({ kind: 'input', message: expect.stringMatching(message) });
    expect(program.packets).toBeGreaterThan(0);
  });

  it('prints nothing into the report', async () => {
    const { ended } = await verify('talks', { top: "console.log('hello');" }, '--json', '--runs', '10');
    expect(ended).toMatchObject({ code: 0, err: 'hello\n' });
    expect(() => JSON.parse(ended.out)).not.toThrow();
  });

  it('that needs more memory than there is gets a sentence, not V8’s last words', async () => {
    const path = writeModule(scratch, 'grows', {
      model: 'if (n > 3000) { const all = []; for (;;) all.push([n, n]); }',
    });
    const small = ['env', 'NODE_OPTIONS=--max-old-space-size=64'];
    const run = new Started(['verify', path, '--engines', 'model,vm', '--runs', '8k'], scratch, small);
    expect(await run.ended()).toMatchObject({ end: 3 });
    expect(run.err).toBe('');
    expect(run.out).toContain('not enough memory');
  });
});
