/** A number that a case came with as a constant, and that another one, which reaches nothing new by itself, has from its packet. */
import { expect, it } from 'vitest';
import { writeElf } from '../../sim/ebpf/test-support/write-elf.ts';
import type { Program } from '../../sim/runtime/program.ts';
import { guide } from './guide.ts';

/** A length of up to three digits, the line's end, and bytes of that length once more: one of 8 is asked for, and what it begins with. */
const LENGTH = `r7 = *(u32 *)(r1 + 0)
  r8 = *(u32 *)(r1 + 4)
  r0 = r7
  r0 += 40
  if r0 > r8 goto out
  r1 = *(u8 *)(r7 + 14)
  if r1 != 36 goto out
  r9 = r7
  r9 += 15
  r2 = 0
  r4 = 0
  digit:
  r1 = *(u8 *)(r9 + 0)
  if r1 == 13 goto end
  if r1 < 48 goto out
  if r1 > 57 goto out
  r2 *= 10
  r2 += r1
  r2 -= 48
  r9 += 1
  r4 += 1
  if r4 < 3 goto digit
  end:
  r3 = *(u8 *)(r9 + 1)
  if r3 != 10 goto out
  if r2 > 99 goto out
  if r2 != 8 goto out
  r3 = *(u32 *)(r9 + 2)
  if r3 != 0x53554c46 goto out
  r0 = 1
  exit
  out:
  r0 = 2
  exit`;

const program: Program = {
  name: 'length',
  entries: [{ function: 'main', hook: 'xdp' }],
  object: writeElf({ main: LENGTH }),
};

it.each(['1', '2', '3', '4', '5'])('is solved for, with seed %s', (seed) => {
  expect(guide(program, { seed, effort: 120_000 }).missing).toEqual([]);
});
