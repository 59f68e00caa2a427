/** Elements of a hash map come in an order of each kernel's own: what hangs on it is not held against anybody. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { compileBpf } from '../bpf/compile.ts';
import { createEngine } from '../cli/engines.ts';
import type { Program } from '../sim/runtime/program.ts';
import { verify } from '../verify/run.ts';
import { describeKernel } from './test-support/require-kernel.ts';

describeKernel('elements of a hash map', ['testrun', 'compiler'], () => {
  const scratch = mkdtempSync(join(tmpdir(), 'xdpsim-order-'));
  let program: Program;
  beforeAll(() => {
    const path = join(scratch, 'element-order.o');
    compileBpf('kernel-tests/fixtures/element-order.bpf.c', path);
    const object = new Uint8Array(readFileSync(path));
    program = { name: 'order', object, entries: [{ function: 'element_order', hook: 'xdp' }] };
  });
  afterAll(() => rmSync(scratch, { recursive: true, force: true }));

  it('decide nothing that is compared, and their sum is', async () => {
    const engines = [createEngine('wasm'), createEngine('testrun')];
    const report = await verify({ program, engines, seed: 'order', runs: 4_096 });
    expect(report.divergences.map(({ summary }) => summary)).toEqual([]);
    const left = report.notCompared.filter(({ what }) => what.includes('bpf_for_each_map_elem'));
    expect(left.map(({ what }) => what)).toEqual([
      'outcomes: what a packet comes to depends on bpf_for_each_map_elem',
    ]);
    // Packets on which all orders come to the same are compared, byte for byte.
    expect(left[0]!.packets).toBeLessThan(report.packets);
  });
});
