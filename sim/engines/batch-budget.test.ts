import { describe, expect, it } from 'vitest';
import { BatchBudget } from '../ebpf/batch-budget.ts';
import { PATIENT_RUNS, SHORT_BUDGET } from '../ebpf/limits.ts';
import { writeElf } from '../ebpf/test-support/write-elf.ts';
import { PacketBatch } from '../packet/packet-batch.ts';
import type { Program } from '../runtime/program.ts';
import type { Engine } from './engine.ts';
import { OutcomeBatch, STATUS } from './outcome-batch.ts';
import { createVmEngine } from './vm.ts';
import { createWasmEngine } from './wasm.ts';

/** Counts up to 256 times the packet's first byte; for ever where that is 255. */
const COUNTS = `
  r2 = *(u32 *)(r1 + 0)
  r3 = *(u32 *)(r1 + 4)
  r4 = r2
  r4 += 14
  r0 = 2
  if r4 > r3 goto out
  r5 = *(u8 *)(r2 + 0)
  r1 = 0
again:
  if r5 == 255 goto again
  r1 += 1
  r4 = r1
  r4 >>= 8
  if r4 < r5 goto again
out:
  exit`;

const PROGRAM: Program = {
  name: 'counts',
  entries: [{ function: 'main', hook: 'xdp' }],
  object: writeElf({ main: COUNTS }),
};

const BUDGET = 500_000;

async function statuses(engine: Engine, firsts: readonly number[], batches = 1): Promise<number[]> {
  const session = await engine.open(PROGRAM, {});
  const input = new PacketBatch(firsts.length);
  for (const first of firsts) input.push({ packet: new Uint8Array(60).fill(first) });
  const output = new OutcomeBatch(firsts.length);
  for (let batch = 0; batch < batches; batch++) await session.run(input, output);
  await session.close();
  return [...output.status.subarray(0, output.count)];
}

describe.each([
  ['vm', createVmEngine({ budget: BUDGET })],
  ['wasm', createWasmEngine({ budget: BUDGET })],
])('%s, on a program that loops for ever on some packets', (_, engine) => {
  const { ran, violation } = STATUS;
  // 254 × 256 rounds of five instructions: more than the short budget, less than the whole one.
  const LONG = 254;

  it('runs packets that take long, and stops those that never end', async () => {
    expect(await statuses(engine, [LONG, 255, LONG, 1])).toEqual([ran, violation, ran, ran]);
  });

  it('gives packets behind the first few that never end less time, and short ones still run', async () => {
    const endless = Array.from({ length: PATIENT_RUNS }, () => 255);
    const stopped = endless.map(() => violation);
    expect(await statuses(engine, [...endless, LONG, 1])).toEqual([...stopped, violation, ran]);
  });

  it('begins each batch with the whole budget', async () => {
    const firsts = [LONG, ...Array.from({ length: PATIENT_RUNS }, () => 255)];
    expect((await statuses(engine, firsts, 2))[0]).toBe(ran);
  });
});

describe('the budget of a batch', () => {
  it('never grows: a small one stays as it is', () => {
    const budget = new BatchBudget(SHORT_BUDGET - 1);
    for (let run = 0; run < PATIENT_RUNS; run++) budget.note();
    expect(budget.next).toBe(SHORT_BUDGET - 1);
  });
});
