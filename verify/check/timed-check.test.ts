/** A check that may take only so long: its sweeps are part of that, and what they left out is said. */
import { expect, it } from 'vitest';
import { testMap } from '../../sim/ebpf/test-support/assemble.ts';
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

/** Goes round for long, and makes a map's entry the identification of packets between two hosts; the sum is made anew. */
const identifying = (folds: number): Program => ({
  ...{ name: 'identifying', entries: [{ function: 'main', hook: 'xdp' }] },
  object: writeElf(
    {
      main: `r6 = *(u32 *)(r1 + 0)
  r7 = *(u32 *)(r1 + 4)
  r0 = r6
  r0 += 34
  if r0 > r7 goto out
  r1 = *(u16 *)(r6 + 12)
  if r1 != 8 goto out
  r1 = *(u8 *)(r6 + 14)
  if r1 != 0x45 goto out
  r1 = *(u32 *)(r6 + 26)
  if r1 != 0x0100000a goto out
  r1 = *(u32 *)(r6 + 30)
  if r1 != 0x0200000a goto out
  *(u32 *)(r10 - 4) = 0
  r1 = map[ids]
  r2 = r10
  r2 += -4
  call bpf_map_lookup_elem
  if r0 == 0 goto out
  r1 = 60
  again:
  r1 -= 1
  if r1 != 0 goto again
  r2 = *(u16 *)(r0 + 0)
  *(u16 *)(r6 + 18) = r2
  *(u16 *)(r6 + 24) = 0
  r1 = 0
  ${[14, 16, 18, 20, 22, 26, 28, 30, 32].map((at) => `r2 = *(u16 *)(r6 + ${at})\nr1 += r2`).join('\n')}
  ${'r2 = r1\nr2 >>= 16\nr1 &= 65535\nr1 += r2\n'.repeat(folds)}
  r1 ^= 65535
  *(u16 *)(r6 + 24) = r1
  out:
  r0 = 2
  exit`,
    },
    [testMap('ids', 'HASH', { keySize: 4, valueSize: 2, maxEntries: 4 })],
  ),
});

it('tries telling contents of maps before sweeps, which would take the time', async () => {
  const errors = async (folds: number): Promise<string[]> => {
    // However fast the machine is: nothing is swept any more once sweeps have begun.
    const swept = new AbortController();
    const { findings } = await checked(identifying(folds), {
      ...{ seconds: 600, runs: 200, signal: swept.signal },
      onProgress: ({ phase }) => {
        if (phase === 'sweeps') swept.abort();
      },
    });
    expect(swept.signal.aborted).toBe(true);
    return findings.filter(({ severity }) => severity === 'error').map(({ invariant }) => invariant);
  };
  expect(await errors(1)).toEqual(['checksum/folded-once']);
  expect(await errors(2)).toEqual([]);
}, 60_000);
