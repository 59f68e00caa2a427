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

/** Paths of the modules in a bundle, as its source map has them. */
function modulesIn(file: string): string[] {
  const { sources } = JSON.parse(readFileSync(packageFile(`dist/bin/${file}.map`), 'utf8')) as {
    readonly sources: readonly string[];
  };
  return sources.map((path) => path.replace(/^(\.\.\/)+/, ''));
}

it.each(['bundle.cjs', 'verify-bundle.cjs'])('names the sources in a stack trace of %s', (name) => {
  const bundle = packageFile(`dist/bin/${name}`);
  const lines = readFileSync(bundle, 'utf8').split('\n');
  const line = lines.findIndex((text) => text.includes('"--mutants="'));
  const column = lines[line]!.indexOf('"--mutants="');
  const place = `${bundle}:${line + 1}:${column + 1}`;
  const shown = withSourcePositions(`Error: no\n    at f (${place})\n    at main.js:1:1`);
  const [, source, at] = /at f \(([\w/-]+\.ts):(\d+):\d+\)\n {4}at main\.js:1:1$/.exec(shown) ?? [];
  expect(source, shown).toMatch(/^cli\//);
  expect(readFileSync(packageFile(source!), 'utf8').split('\n')[Number(at) - 1]).toContain("'--mutants='");
});

it('leaves packages with native code, and those that few runs need, where npm installed them', () => {
  const packages = modulesIn('bundle.cjs').map((path) => /^node_modules\/([^/]+)/.exec(path)?.[1]);
  const bundled = new Set(packages);
  expect(bundled).toContain('commander');
  for (const name of ['koffi', 'cap', 'raw-socket', 'tsx', 'fast-check', 'z3-solver', 'vitest']) {
    expect(bundled).not.toContain(name);
  }
});

it.each(['checksum', 'verify'])('has a bundle of %s by itself, with no other command', (name) => {
  const paths = modulesIn(`${name}-bundle.cjs`);
  const commands = paths
    .map((path) => /^cli\/commands\/(\w+)\.ts$/.exec(path)?.[1])
    .filter((one) => one !== undefined);
  expect(commands.sort()).toEqual(['index', name].sort());
});

it('has the compiled code of each process and of each bundle by itself', () => {
  for (const name of ['command', 'verify', 'verifyWorker', 'checksum'])
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

it.each(['bundle.cjs', 'verify-bundle.cjs', 'checksum-bundle.cjs'])(
  'imports modules by way of the loader only: %s',
  (name) => {
    const text = readFileSync(packageFile(`dist/bin/${name}`), 'utf8');
    expect(text.match(/^(?!.*@type \{import\().*\bimport\(.*/gm)).toBeNull();
    if (name === 'bundle.cjs') expect(text).toContain('await obtain("tsx/esm/api")');
  },
);
