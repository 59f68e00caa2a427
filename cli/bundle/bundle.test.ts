import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { beforeAll, expect, it } from 'vitest';
import { packageFile } from '../../kernel/package-file.ts';
import { buildCommand, xdpsim } from '../test-support/built-command.ts';
import { withSourcePositions } from './source-positions.ts';

beforeAll(buildCommand, 600_000);

it('prints the version of package.json without loading the bundle', async () => {
  const { version } = JSON.parse(readFileSync(packageFile('package.json'), 'utf8')) as { version: string };
  for (const option of ['--version', '-V']) {
    expect(await xdpsim(option)).toEqual({ code: 0, out: `${version}\n`, err: '' });
  }
});

it('names the sources in a stack trace of the bundle', () => {
  const bundle = packageFile('dist/bin/bundle.cjs');
  const lines = readFileSync(bundle, 'utf8').split('\n');
  const line = lines.findIndex((text) => text.startsWith('function isSupervised('));
  const shown = withSourcePositions(
    `Error: no\n    at isSupervised (${bundle}:${line + 1}:10)\n    at main.js:1:1`,
  );
  const source = readFileSync(packageFile('cli/supervisor.ts'), 'utf8').split('\n');
  const at = source.findIndex((text) => text.startsWith('export function isSupervised('));
  expect(shown).toMatch(
    new RegExp(`at isSupervised \\(cli/supervisor\\.ts:${at + 1}:\\d+\\)\n    at main.js:1:1$`),
  );
});

it('leaves packages with native code, and those that few runs need, where npm installed them', () => {
  const text = readFileSync(packageFile('dist/bin/bundle.cjs'), 'utf8');
  const bundled = new Set([...text.matchAll(/^\/\/ node_modules\/([^/\n]+)/gm)].map(([, name]) => name));
  expect(bundled).toContain('commander');
  for (const name of ['koffi', 'cap', 'raw-socket', 'tsx', 'fast-check', 'z3-solver', 'vitest']) {
    expect(bundled).not.toContain(name);
  }
});

it.each(['checksum'])('has a bundle of %s by itself, with no other command', (name) => {
  const text = readFileSync(packageFile(`dist/bin/${name}-bundle.cjs`), 'utf8');
  const commands = [...text.matchAll(/^\/\/ cli\/commands\/(\w+)\.ts$/gm)].map(([, command]) => command);
  expect(commands.sort()).toEqual(['index', name].sort());
  expect(existsSync(packageFile(`dist/bin/${name}.v8`))).toBe(true);
});

it('has the compiled code of each process and of each bundle by itself', () => {
  for (const name of ['command', 'verifyWorker', 'checksum'])
    expect(existsSync(packageFile(`dist/bin/${name}.v8`)), name).toBe(true);
});

it('runs a command from its own bundle', async () => {
  const { code, out } = await xdpsim('checksum', packageFile('corpus/captures/tcp.pcapng'));
  expect(code).toBe(0);
  expect(out).toMatch(/tcp +\d+/);
});

it('loads modules of Node that few runs need when they are first used', () => {
  const bundle = packageFile('dist/bin/bundle.cjs');
  const script = `const before = new Set(process.moduleLoadList);
    require(${JSON.stringify(packageFile('dist/bin/load.cjs'))});
    require('node:vm').runInThisContext(require('node:fs').readFileSync(${JSON.stringify(bundle)}, 'latin1'))({}, require, {}, __filename);
    console.log(process.moduleLoadList.filter((name) => !before.has(name)).join());`;
  const { stdout } = spawnSync(process.execPath, ['-e', script], { encoding: 'utf8' });
  expect(stdout).toContain('NativeModule vm');
  expect(stdout).not.toMatch(/NativeModule (zlib|child_process|worker_threads|fs\/promises)\b/);
});

it.each(['bundle.cjs', 'checksum-bundle.cjs'])('imports modules by way of the loader only: %s', (name) => {
  const text = readFileSync(packageFile(`dist/bin/${name}`), 'utf8');
  expect(text.match(/^(?!.*@type \{import\().*\bimport\(.*/gm)).toBeNull();
  if (name === 'bundle.cjs') expect(text).toContain('await importModule("tsx/esm/api")');
});
