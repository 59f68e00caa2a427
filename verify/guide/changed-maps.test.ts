/** Maps that a program changes itself: entries are made for them in time, however much else there is to try. */
import { expect, it } from 'vitest';
import { testMap } from '../../sim/ebpf/test-support/assemble.ts';
import { writeElf } from '../../sim/ebpf/test-support/write-elf.ts';
import type { Program } from '../../sim/runtime/program.ts';
import { guide } from './guide.ts';

/** So many conditions come before the lookup, each of which makes a case of its own. */
const CONDITIONS = 60;
const PORTS = testMap('ports', 'ARRAY', { maxEntries: 256 });

/** Ports that user space marks, and whose packets the program counts in the same word. */
const text = `r6 = *(u32 *)(r1 + 0)
  r7 = *(u32 *)(r1 + 4)
  r2 = r6
  r2 += ${20 + CONDITIONS}
  if r2 > r7 goto pass
  ${Array.from({ length: CONDITIONS }, (_, at) => `r3 = *(u8 *)(r6 + ${20 + at})\nif r3 == ${at + 1} goto next${at}\nr9 = ${at}\nnext${at}:`).join('\n')}
  r3 = *(u8 *)(r6 + 15)
  *(u32 *)(r10 - 4) = r3
  r1 = map[ports]
  r2 = r10
  r2 += -4
  call bpf_map_lookup_elem
  if r0 == 0 goto pass
  r2 = *(u64 *)(r0 + 0)
  r3 = *(u8 *)(r6 + 14)
  if r3 == 7 goto count
  r4 = r2
  r4 &= 10
  if r4 != 10 goto pass
  r0 = 1
  exit
  count:
  r2 += 64
  *(u64 *)(r0 + 0) = r2
  pass:
  r0 = 2
  exit`;

const program: Program = {
  name: 'marked',
  entries: [{ function: 'main', hook: 'xdp' }],
  object: writeElf({ main: text }, [PORTS]),
};

it.each([100_000, 1_000_000])('are given entries with an effort of %i', (effort) => {
  const { missing, cases } = guide(program, { seed: 'marked', effort });
  const isMarked = cases.some(({ world }) =>
    (world.maps?.ports ?? []).some(({ value }) => (value[0]! & 10) === 10),
  );
  expect(isMarked).toBe(true);
  expect(missing.filter(({ instruction, taken }) => instruction > 5 * CONDITIONS && taken === false)).toEqual(
    [],
  );
});
