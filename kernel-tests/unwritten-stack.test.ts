/**
 * Bytes of the stack that a program never wrote, against the real kernel: padding in what it stores, above all. The
 * kernel has something else there on every run, which is no divergence and worth a warning.
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { compileBpf } from '../bpf/compile.ts';
import { kernelIsOlderThan } from '../kernel/kernel-version.ts';
import { createTestRunEngine } from '../kernel/testrun/testrun.ts';
import { createVmEngine } from '../sim/engines/vm.ts';
import { createWasmEngine } from '../sim/engines/wasm.ts';
import type { ProgramEntry } from '../sim/runtime/program.ts';
import type { ProgramReport } from '../verify/report.ts';
import { verify } from '../verify/run.ts';
import { describeKernel } from './test-support/require-kernel.ts';

const SOURCE = 'kernel-tests/fixtures/unwritten-stack.bpf.c';
const PACKETS = Number(process.env.XDPSIM_STACK_PACKETS ?? 6000);

describeKernel('stack bytes that a program never wrote', ['compiler', 'testrun'], () => {
  const scratch = mkdtempSync(join(tmpdir(), 'xdpsim-stack-'));
  let object: Uint8Array;
  beforeAll(() => {
    compileBpf(SOURCE, join(scratch, 'u.o'));
    object = new Uint8Array(readFileSync(join(scratch, 'u.o')));
  });
  afterAll(() => rmSync(scratch, { recursive: true, force: true }));

  const run = (name: string, hook: ProgramEntry['hook'], machine: 'vm' | 'wasm'): Promise<ProgramReport> => {
    const witness = createVmEngine();
    return verify({
      program: { name, object, entries: [{ function: name, hook }] },
      engines: [machine === 'vm' ? createVmEngine() : createWasmEngine(), createTestRunEngine()],
      witness,
      seed: 'stack',
      runs: PACKETS,
      maxDivergences: 9,
    });
  };

  it.each([
    ['value', 'xdp', 'bpf_map_update_elem(&last', true],
    ['key', 'xdp', 'bpf_map_lookup_elem(&flows', true],
    ['frame', 'tc-ingress', 'bpf_skb_store_bytes', true],
    ['branch', 'xdp', 'asm volatile', false],
  ] as const)('%s: no divergence, and one warning at its line of C', async (name, hook, text, compares) => {
    const line =
      1 +
      readFileSync(SOURCE, 'utf8')
        .split('\n')
        .findIndex((one) => one.includes(text));
    for (const machine of ['wasm', 'vm'] as const) {
      const report = await run(name, hook, machine);
      expect(report.divergences.map(({ summary }) => summary)).toEqual([]);
      expect(report.warnings).toEqual([
        {
          severity: 'warning',
          kind: 'unwritten-stack',
          summary: expect.stringMatching(
            /^stack bytes that the program never wrote reach its output, .* at fp-\d+ /,
          ),
          source: { file: expect.stringMatching(/unwritten-stack\.bpf\.c$/), line },
        },
      ]);
      // Padding costs no comparison of anything else.
      if (compares) expect(report.compared).toBeGreaterThan(PACKETS * 0.9);
    }
  });

  // `bpf_iter_bits_new` came with 6.11.
  it.skipIf(kernelIsOlderThan('6.11'))(
    'behind what a function reads at any address are no divergence',
    async () => {
      for (const machine of ['wasm', 'vm'] as const) {
        const report = await run('bits', 'xdp', machine);
        expect(report.divergences.map(({ summary }) => summary)).toEqual([]);
        expect(report.compared).toBeGreaterThan(PACKETS * 0.2);
      }
    },
  );

  it('are not warned of where the program sets them all', async () => {
    expect(await run('right', 'xdp', 'vm')).toMatchObject({ divergences: [], warnings: [] });
  });
});
