/** Rates: what a trickle of packets never reaches, a flood does, whichever of them met the program first. */
import { expect, it } from 'vitest';
import { testMap } from '../../sim/ebpf/test-support/assemble.ts';
import { writeElf } from '../../sim/ebpf/test-support/write-elf.ts';
import type { NamedWorld, Program } from '../../sim/runtime/program.ts';
import { guide } from './guide.ts';

/** Begin and count of a second, of all packets of one kind: the twentieth in it is dropped. */
const RATES = testMap('rates', 'HASH', { valueSize: 16 });
const text = `r6 = *(u32 *)(r1 + 0)
  r7 = *(u32 *)(r1 + 4)
  r2 = r6
  r2 += 20
  if r2 > r7 goto pass
  r3 = *(u32 *)(r6 + 14)
  if r3 != 0x12345678 goto pass
  *(u32 *)(r10 - 20) = 1
  call bpf_ktime_get_ns
  r8 = r0
  r1 = map[rates]
  r2 = r10
  r2 += -20
  call bpf_map_lookup_elem
  if r0 != 0 goto known
  *(u64 *)(r10 - 16) = r8
  *(u64 *)(r10 - 8) = 1
  r1 = map[rates]
  r2 = r10
  r2 += -20
  r3 = r10
  r3 += -16
  r4 = 0
  call bpf_map_update_elem
  goto pass
  known:
  r1 = *(u64 *)(r0 + 0)
  r2 = r8
  r2 -= r1
  if r2 < 1000000000 goto within
  *(u64 *)(r0 + 0) = r8
  r1 = 0
  *(u64 *)(r0 + 8) = r1
  within:
  r1 = *(u64 *)(r0 + 8)
  r1 += 1
  *(u64 *)(r0 + 8) = r1
  if r1 < 20 goto pass
  r0 = 1
  exit
  pass:
  r0 = 2
  exit`;

const program: Program = {
  name: 'limiter',
  entries: [{ function: 'main', hook: 'xdp' }],
  object: writeElf({ main: text }, [RATES]),
};

const TRICKLE: NamedWorld = { name: 'a trickle', world: { time: 3_600_000_000_000n, tick: 60_000_000n } };
const FLOOD: NamedWorld = { name: 'a flood', world: { time: 3_600_000_000_000n, tick: 1000n } };

it.each(['1', '2', '3'])('a limit of packets in a second is reached with seed %s', (seed) => {
  expect(guide(program, { seed, effort: 400_000, worlds: [TRICKLE, FLOOD] }).missing).toEqual([]);
});

it('reaches what one jiffy decides', () => {
  const jiffy = `call bpf_jiffies64\nr1 = r0\nr1 %= 100000\nr0 = 2\nif r1 != 99999 goto out\nr0 = 1\nout:\nexit`;
  const program: Program = {
    name: 'jiffy',
    entries: [{ function: 'main', hook: 'xdp' }],
    object: writeElf({ main: jiffy }),
  };
  expect(guide(program, { seed: 'jiffies', effort: 200_000 }).missing).toEqual([]);
});
