/** Which packets go ways of their own, in a program of two conditions. */
import { expect, it } from 'vitest';
import { writeElf } from '../../sim/ebpf/test-support/write-elf.ts';
import type { Program } from '../../sim/runtime/program.ts';
import { ofOtherWays } from './other-ways.ts';
import type { Sighting } from './probe.ts';

const PROGRAM: Program = {
  name: 'p',
  entries: [{ function: 'main', hook: 'xdp' }],
  object: writeElf(
    {
      main: `r2 = *(u32 *)(r1 + 0)
        r3 = *(u32 *)(r1 + 4)
        r4 = r2
        r4 += 2
        if r4 > r3 goto pass
        r1 = *(u8 *)(r2 + 0)
        if r1 != 9 goto pass
        r1 = *(u8 *)(r2 + 1)
        if r1 != 9 goto pass
        r1 = 0
        pass:
        r0 = 2
        exit`,
    },
    [],
  ),
};

const packet = (first: number, second: number, length = 60): Sighting => {
  const bytes = new Uint8Array(length);
  bytes.set([first, second]);
  return { world: {}, stimulus: { packet: bytes } };
};

it('takes the first of each way that no kept packet goes', () => {
  const others = [packet(1, 9), packet(9, 1), packet(9, 2), packet(9, 9), packet(9, 9, 61)];
  expect(ofOtherWays(PROGRAM, [packet(0, 0)], others)).toEqual([others[1], others[3]]);
  expect(ofOtherWays(PROGRAM, [packet(9, 9), packet(0, 0)], others)).toEqual([others[1]]);
});

it('takes none that a kernel would not give the program', () => {
  expect(ofOtherWays(PROGRAM, [packet(0, 0)], [packet(9, 9, 4)])).toEqual([]);
});
