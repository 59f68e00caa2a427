/** Maps of millions of entries, and values of 64 KiB: the same in machine and kernel, at a price that can be paid. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { compileBpf, SOURCE_ROOT } from '../bpf/compile.ts';
import { chooseEngines } from '../cli/engines.ts';
import { BUILD_TIMEOUT, buildCommand, builtModule } from '../cli/test-support/built-command.ts';
import { verify } from '../verify/run.ts';
import { oneOfEach } from './test-support/part.ts';
import { describeKernel } from './test-support/require-kernel.ts';

const NO_PREALLOC = 1;
const MILLION = 1_000_000;

interface LargeMap {
  readonly type: string;
  readonly entries: number;
  readonly value: number;
  readonly flags?: number;
  readonly megabytes: number;
}

const MAPS: readonly LargeMap[] = [
  { type: 'ARRAY', entries: 2 * MILLION, value: 8, megabytes: 400 },
  { type: 'ARRAY', entries: 33 * MILLION, value: 8, megabytes: 800 },
  { type: 'ARRAY', entries: 2000, value: 65_536, megabytes: 600 },
  { type: 'PERCPU_ARRAY', entries: 2 * MILLION, value: 8, megabytes: 400 },
  { type: 'PERCPU_ARRAY', entries: 1000, value: 32_000, megabytes: 600 },
  { type: 'HASH', entries: MILLION, value: 16, megabytes: 400 },
  { type: 'HASH', entries: 12 * MILLION, value: 16, flags: NO_PREALLOC, megabytes: 600 },
  { type: 'HASH', entries: 4096, value: 65_536, flags: NO_PREALLOC, megabytes: 1200 },
  { type: 'PERCPU_HASH', entries: MILLION, value: 24, megabytes: 400 },
  { type: 'LRU_HASH', entries: 65_536, value: 16, megabytes: 400 },
  { type: 'LRU_PERCPU_HASH', entries: MILLION, value: 16, megabytes: 400 },
  { type: 'LPM_TRIE', entries: MILLION, value: 8, flags: NO_PREALLOC, megabytes: 400 },
];

const folder = mkdtempSync(join(tmpdir(), 'xdpsim-large-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** A program with this one map. @returns the object's path */
function compile({ type, entries, value, flags = 0 }: LargeMap): string {
  const source = join(folder, 'large.bpf.c');
  const fixture = join(SOURCE_ROOT, 'kernel-tests/fixtures/large-map.bpf.c');
  const settings = { TYPE: `BPF_MAP_TYPE_${type}`, ENTRIES: entries, VALUE: value, FLAGS: flags };
  const lines = Object.entries(settings).map(([name, text]) => `#define ${name} ${text}`);
  if (type === 'LPM_TRIE') lines.push('#define PREFIX');
  writeFileSync(source, `${lines.join('\n')}\n#include "${fixture}"\n`);
  const object = join(folder, `${type}-${entries}-${value}.o`);
  compileBpf(source, object);
  return object;
}

beforeAll(buildCommand, BUILD_TIMEOUT);

describeKernel('a map that the world fills with many entries', ['compiler', 'testrun'], () => {
  it.each(['ARRAY', 'HASH', 'PERCPU_ARRAY', 'PERCPU_HASH'])(
    '%s is the same at the start of every case',
    async (type) => {
      const object = readFileSync(compile({ type, entries: 40_000, value: 16, megabytes: 0 }));
      const ring = Array.from({ length: 2000 }, (_, index) => ({
        key: Uint8Array.of(index * 7, (index * 7) >> 8, 0, 0),
        value: Uint8Array.from({ length: 16 }, (_, at) => (index + at) & 0xff),
      }));
      // Some keys twice: the second value counts.
      for (const { key } of ring.slice(100, 300)) ring.push({ key, value: new Uint8Array(16).fill(3) });
      const report = await verify({
        program: {
          name: 'filled',
          object: new Uint8Array(object),
          entries: [{ function: 'large_map', hook: 'xdp' }],
        },
        engines: chooseEngines('vm,wasm,testrun').engines,
        seed: 'filled',
        runs: 6000,
        batchSize: 256,
        worlds: [{ name: 'filled', world: { maps: { large: ring } } }],
      });
      expect(report.divergences.map(({ summary }) => summary)).toEqual([]);
      expect(report.engines.map(({ status, reason }) => reason ?? status)).toEqual(['ran', 'ran', 'ran']);
    },
  );
});

const CHILD = fileURLToPath(builtModule('kernel-tests/test-support/large-maps-child.ts'));

describeKernel('a large map', ['compiler', 'testrun'], () => {
  for (const map of oneOfEach(MAPS, ({ type }) => type.replace(/^(PERCPU|LRU_PERCPU)_/, ''))) {
    const what = `${map.type} of ${map.entries} entries of ${map.value} bytes`;
    it(`${what} does the same in machine and kernel, in ${map.megabytes} MB`, () => {
      const { stdout, stderr } = spawnSync(
        process.execPath,
        [CHILD, compile(map), 'large_map', 'vm,wasm,testrun'],
        { encoding: 'utf8' },
      );
      expect(stderr).toBe('');
      const result = JSON.parse(stdout);
      expect(result.divergences).toEqual([]);
      expect(result.engines.map(({ status }: { status: string }) => status)).toEqual(['ran', 'ran', 'ran']);
      expect(result.megabytes).toBeLessThan(map.megabytes);
      // Processor time: a second or two, and minutes where each entry is gone over for each packet.
      expect(result.seconds).toBeLessThan(60);
      if (process.env.XDPSIM_FIGURES !== undefined) console.log(what, result.megabytes, result.seconds);
    });
  }
});
