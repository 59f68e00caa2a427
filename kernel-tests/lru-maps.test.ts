/**
 * LRU maps forget when the kernel chooses, which is earlier than the machine: what cannot be known is not compared, and
 * what can be known is.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { compileBpf, SOURCE_ROOT } from '../bpf/compile.ts';
import { chooseEngines } from '../cli/engines.ts';
import type { ProgramReport } from '../verify/report.ts';
import { verify } from '../verify/run.ts';
import { describeKernel } from './test-support/require-kernel.ts';

const folder = mkdtempSync(join(tmpdir(), 'xdpsim-lru-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const NO_COMMON_LRU = 2;

interface Lru {
  readonly type: 'LRU_HASH' | 'LRU_PERCPU_HASH';
  readonly entries: number;
  readonly flags?: number;
  /** Makes the kernel's copy of the program another one. */
  readonly define?: string;
}

function compile({ type, entries, flags = 0, define }: Lru): Uint8Array {
  const source = join(folder, 'lru.bpf.c');
  const object = join(folder, 'lru.o');
  const settings = { TYPE: `BPF_MAP_TYPE_${type}`, ENTRIES: entries, VALUE: 16, FLAGS: flags };
  const lines = Object.entries(settings).map(([name, text]) => `#define ${name} ${text}`);
  if (define !== undefined) lines.push(`#define ${define}`);
  writeFileSync(
    source,
    [...lines, `#include "${SOURCE_ROOT}/kernel-tests/fixtures/large-map.bpf.c"\n`].join('\n'),
  );
  compileBpf(source, object);
  return new Uint8Array(readFileSync(object));
}

function hold(lru: Lru): Promise<ProgramReport> {
  return verify({
    program: { name: 'lru', object: compile(lru), entries: [{ function: 'large_map', hook: 'xdp' }] },
    engines: chooseEngines('vm,wasm,testrun').engines,
    seed: 'lru',
    runs: 12_000,
  });
}

const left = (report: ProgramReport): number =>
  report.notCompared.reduce(
    (sum, { what, packets = 0 }) => sum + (what.includes('LRU map') ? packets : 0),
    0,
  );

describeKernel('an LRU map', ['compiler', 'testrun'], () => {
  it.each([
    { type: 'LRU_HASH', entries: 4096 },
    { type: 'LRU_HASH', entries: 1000 },
    { type: 'LRU_PERCPU_HASH', entries: 300 },
  ] as const)('$type of $entries entries is compared packet by packet, in pieces', async (lru) => {
    const report = await hold(lru);
    expect(report.divergences.map(({ summary }) => summary)).toEqual([]);
    expect(report.engines.map(({ status, reason }) => reason ?? status)).toEqual(['ran', 'ran', 'ran']);
    expect(left(report)).toBe(0);
  });

  it.each([
    { type: 'LRU_HASH', entries: 16 },
    { type: 'LRU_HASH', entries: 1 },
    { type: 'LRU_HASH', entries: 300, flags: NO_COMMON_LRU },
  ] as const)(
    '$type of $entries entries (flags $flags) is no divergence, and what is left out is counted',
    async (lru) => {
      const report = await hold(lru);
      expect(report.divergences.map(({ summary }) => summary)).toEqual([]);
      expect(left(report)).toBeGreaterThan(1000);
    },
  );

  it('that a program treats otherwise in the kernel is found', async () => {
    const right = compile({ type: 'LRU_HASH', entries: 1000 });
    const wrong = compile({ type: 'LRU_HASH', entries: 1000, define: 'WRONG' });
    const [testrun, vm] = chooseEngines('vm,testrun').engines;
    const entries = [{ function: 'large_map', hook: 'xdp' }] as const;
    const report = await verify({
      program: { name: 'lru', object: right, entries },
      engines: [
        vm!,
        {
          name: testrun!.name,
          observes: testrun!.observes,
          availability: (program) => testrun!.availability(program),
          refuses: (program, batch) => testrun!.refuses(program, batch),
          open: (program, world) => testrun!.open({ ...program, object: wrong }, world),
        },
      ],
      seed: 'lru',
      runs: 12_000,
    });
    expect(report.divergences).not.toEqual([]);
  });
});
