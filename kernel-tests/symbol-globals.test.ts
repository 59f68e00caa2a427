/** Variables of objects without type information (`clang` without `-g`): the kernel’s engines set them as the machine does. */
import { expect, it } from 'vitest';
import { createTestRunEngine } from '../kernel/testrun/testrun.ts';
import { writeElf } from '../sim/ebpf/test-support/write-elf.ts';
import { createVmEngine } from '../sim/engines/vm.ts';
import type { Program } from '../sim/runtime/program.ts';
import type { World } from '../sim/runtime/world.ts';
import { describeKernel } from './test-support/require-kernel.ts';
import { batchOf, frame, outcomes } from './test-support/testrun.ts';

/** Returns the sum of what its variables hold: 1 and nothing else, as the object has them. */
const TEXT = `
  r1 = map[.rodata]
  r0 = *(u32 *)(r1 + 4)
  r1 = map[.data]
  r2 = *(u16 *)(r1 + 2)
  r0 += r2
  r1 = map[.bss]
  r2 = *(u64 *)(r1 + 8)
  r0 += r2
  exit`;
const OBJECT = writeElf({ main: TEXT }, [], {
  '.rodata': { before: [9, 9, 9, 9], fixed: [1, 0, 0, 0] },
  '.data': { first: [7, 7], second: [0, 0] },
  '.bss': { quiet: [0, 0, 0, 0, 0, 0, 0, 0], filled: [0, 0, 0, 0, 0, 0, 0, 0] },
});
const PROGRAM: Program = { name: 'sum', object: OBJECT, entries: [{ function: 'main', hook: 'xdp' }] };

async function returned(world: World): Promise<number[]> {
  const actions: number[] = [];
  for (const engine of [createTestRunEngine(), createVmEngine()]) {
    const session = await engine.open(PROGRAM, world);
    try {
      const batch = batchOf({ packet: frame(64) });
      const output = outcomes(batch);
      await session.run(batch, output);
      actions.push(output.action[0]!);
    } finally {
      await session.close();
    }
  }
  return actions;
}

describeKernel('variables that only symbols name', ['root', 'testrun'], () => {
  it('hold what a world says, in read-only and in writable sections', async () => {
    const globals = { second: Uint8Array.of(1, 0), filled: Uint8Array.of(1, 0, 0, 0, 0, 0, 0, 0) };
    expect(await returned({})).toEqual([1, 1]);
    expect(await returned({ globals })).toEqual([3, 3]);
    const all = { ...globals, fixed: Uint8Array.of(0, 0, 0, 0) };
    expect(await returned({ globals: all })).toEqual([2, 2]);
  });

  it('are named where a world asks for another, and keep their size', async () => {
    const open = (globals: World['globals']) => createTestRunEngine().open(PROGRAM, { globals: globals! });
    await expect(open({ nothing: Uint8Array.of(1) })).rejects.toThrow(
      /has no global nothing: it has before, filled, first, fixed, quiet, second$/,
    );
    await expect(open({ second: Uint8Array.of(1) })).rejects.toThrow(
      /the global second takes 2 bytes, 1 were given$/,
    );
  });
});
