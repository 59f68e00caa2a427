/** A check that may take only so long: its sweeps are part of that, and what they left out is said. */
import { expect, it } from 'vitest';
import { writeElf } from '../../sim/ebpf/test-support/write-elf.ts';
import { createVmEngine } from '../../sim/engines/vm.ts';
import { createWasmEngine } from '../../sim/engines/wasm.ts';
import type { Program } from '../../sim/runtime/program.ts';
import { type CheckOptions, check } from './check.ts';
import type { CheckedProgram } from './finding.ts';

/** Gives every frame another destination once it has gone round so often. */
const turning = (rounds: number): Program => ({
  ...{ name: 'turning', entries: [{ function: 'main', hook: 'xdp' }] },
  object: writeElf({
    main: `r7 = *(u32 *)(r1 + 0)
  r8 = *(u32 *)(r1 + 4)
  r0 = r7
  r0 += 14
  if r0 > r8 goto pass
  r1 = ${rounds}
  again:
  r1 -= 1
  if r1 != 0 goto again
  *(u32 *)(r7 + 0) = 0x11223344
  pass:
  r0 = 2
  exit`,
  }),
});

const checked = (program: Program, more: Partial<CheckOptions> = {}): Promise<CheckedProgram> =>
  check({
    ...{ program, machine: createWasmEngine(), witness: createVmEngine(), seed: 'timed', effort: 20_000 },
    ...more,
  });

it('of a heavy program does not take longer for its sweeps, and says how far they came', async () => {
  const { sweeps } = await checked(turning(20_000), { seconds: 3 });
  expect(sweeps.words).toBe(0);
  expect(sweeps.wanted).toBe(sweeps.left * 0x1_0000);
  expect(sweeps.packets).toBeLessThan(sweeps.wanted!);
  expect(sweeps.least).toBeLessThan(1);
});

it('of a light one is whole, and over as soon as all is done that was asked for', async () => {
  const { sweeps, verdict, report } = await checked(turning(1), { seconds: 600, runs: 2000 });
  expect(sweeps).toMatchObject({ left: 0, packets: sweeps.words * 0x1_0000 });
  expect(sweeps).not.toHaveProperty('wanted');
  expect(sweeps.words).toBeGreaterThan(0);
  expect(verdict).toBe('pass');
  expect(report.packets).toBeGreaterThan(1000);
});
