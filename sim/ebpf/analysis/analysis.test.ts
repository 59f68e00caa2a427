/**
 * Programs that would slip through an analysis which believes too much. Each runs with every proven access checked
 * all the same, on packets that make the difference.
 */
import { expect, it } from 'vitest';
import { XDP_LAYOUT } from '../context/xdp-md.ts';
import { HELPERS } from '../helpers/index.ts';
import { testMap, testObject } from '../test-support/assemble.ts';
import { both } from '../test-support/both.ts';
import { VERDICT } from './access.ts';
import { analyse } from './analysis.ts';

const PACKET = 'r7 = *(u32 *)(r1 + 0)\nr8 = *(u32 *)(r1 + 4)';

function packet(length: number, ...first: number[]): Uint8Array {
  const bytes = new Uint8Array(length);
  bytes.set(first);
  return bytes;
}

/** Which packets were stopped. */
function stopped(
  text: string,
  packets: readonly Uint8Array[],
  maps: Parameters<typeof both>[1] = {},
): boolean[] {
  const outcomes = both(text, { ...maps, packets, distrustful: true });
  return outcomes.map((outcome) => outcome.stoppedAt !== undefined);
}

it('where two ways meet, only what both have proven counts', () => {
  const text = `
    ${PACKET}
    r0 = 0
    r2 = r7
    r2 += 14
    if r2 > r8 goto out
    r6 = r7
    r6 += 2
    r3 = *(u8 *)(r7 + 0)
    if r3 == 0 goto meet
    r6 += 2
    r2 = r6
    r2 += 30
    if r2 > r8 goto out
    meet:
    r0 = *(u8 *)(r6 + 20)
    out:
    exit`;
  expect(stopped(text, [packet(20, 0), packet(40, 1), packet(20, 1)])).toEqual([true, false, false]);
});

it('where two ways meet, the same register is not the same pointer', () => {
  const text = `
    ${PACKET}
    r0 = 0
    r2 = r7
    r2 += 14
    if r2 > r8 goto out
    r3 = *(u8 *)(r7 + 0)
    r6 = r7
    if r3 == 0 goto meet
    r6 += 10
    meet:
    r0 = *(u8 *)(r6 + 4)
    r0 = *(u8 *)(r6 + 3)
    out:
    exit`;
  expect(stopped(text, [packet(14, 0), packet(14, 1)])).toEqual([false, true]);
});

it('a function that moves the packet makes its caller’s pointers void', () => {
  const text = `
    r6 = r1
    ${PACKET}
    r0 = 0
    r2 = r7
    r2 += 34
    if r2 > r8 goto out
    call shrink
    r0 = *(u8 *)(r7 + 2)
    out:
    exit
    shrink:
    r2 = 20
    call bpf_xdp_adjust_head
    exit`;
  const withContext = text.replace('call shrink', 'r1 = r6\ncall shrink');
  expect(stopped(withContext, [packet(60), packet(20)])).toEqual([true, false]);
});

it('a store to who knows where may hit a pointer that lies on the stack', () => {
  const text = `
    ${PACKET}
    r0 = 0
    r2 = r7
    r2 += 14
    if r2 > r8 goto out
    *(u64 *)(r10 - 8) = r7
    r3 = *(u8 *)(r7 + 0)
    r4 = r7
    if r3 == 0 goto store
    r4 = r10
    r4 += -8
    store:
    *(u64 *)(r4 + 0) = 5
    r2 = *(u64 *)(r10 - 8)
    r0 = *(u8 *)(r2 + 1)
    out:
    exit`;
  expect(stopped(text, [packet(20, 0), packet(20, 1)])).toEqual([false, true]);
});

it('a partial store spoils a pointer that lies on the stack', () => {
  const text = `
    ${PACKET}
    r0 = 0
    r2 = r7
    r2 += 14
    if r2 > r8 goto out
    *(u64 *)(r10 - 8) = r7
    *(u8 *)(r10 - 6) = 9
    r2 = *(u64 *)(r10 - 8)
    r0 = *(u8 *)(r2 + 1)
    out:
    exit`;
  expect(stopped(text, [packet(20)])).toEqual([true]);
});

it('a pointer made in a loop is not the one that was made in the round before', () => {
  const text = `
    ${PACKET}
    r0 = 0
    r2 = r7
    r2 += 14
    if r2 > r8 goto out
    r9 = 0
    r5 = r7
    again:
    r3 = *(u8 *)(r7 + 0)
    if r9 == 0 goto first
    r3 = *(u8 *)(r7 + 1)
    first:
    r6 = r5
    r5 = r7
    r5 += r3
    r9 += 1
    if r9 < 2 goto again
    r4 = r5
    r4 += 30
    if r4 > r8 goto out
    r0 = *(u8 *)(r6 + 29)
    out:
    exit`;
  expect(stopped(text, [packet(64, 60, 0)])).toEqual([true]);
});

it('a number below one that may be negative may be anything', () => {
  const values = testMap('v', 'ARRAY', { maxEntries: 1, valueSize: 130 });
  const text = `
    ${PACKET}
    r6 = 0
    r2 = r7
    r2 += 14
    if r2 > r8 goto none
    r6 = *(u8 *)(r7 + 0)
    r9 = *(s8 *)(r7 + 1)
    if r6 < r9 goto use
    none:
    r6 = 0
    use:
    *(u32 *)(r10 - 4) = 0
    r1 = map[v]
    r2 = r10
    r2 += -4
    call bpf_map_lookup_elem
    if r0 == 0 goto out
    r0 += r6
    r0 = *(u8 *)(r0 + 0)
    out:
    r0 = 1
    exit`;
  const packets = [packet(20, 5, 6), packet(20, 255, 255), packet(20, 7, 6)];
  expect(stopped(text, packets, { maps: [values] })).toEqual([false, true, false]);
});

it('a 32-bit comparison says nothing of the upper half', () => {
  const values = testMap('v', 'ARRAY', { maxEntries: 1, valueSize: 16 });
  const text = `
    ${PACKET}
    r6 = 0
    r2 = r7
    r2 += 14
    if r2 > r8 goto none
    r6 = *(u64 *)(r7 + 0)
    if w6 < 16 goto use
    none:
    r6 = 0
    use:
    *(u32 *)(r10 - 4) = 0
    r1 = map[v]
    r2 = r10
    r2 += -4
    call bpf_map_lookup_elem
    if r0 == 0 goto out
    r0 += r6
    r0 = *(u8 *)(r0 + 0)
    out:
    r0 = 1
    exit`;
  const packets = [packet(20, 5), packet(20, 5, 0, 0, 0, 0, 1)];
  expect(stopped(text, packets, { maps: [values] })).toEqual([false, true]);
});

it('a sum that may wrap around is no interval', () => {
  const values = testMap('v', 'ARRAY', { maxEntries: 1, valueSize: 16 });
  const text = `
    ${PACKET}
    r6 = 0
    r2 = r7
    r2 += 14
    if r2 > r8 goto none
    r6 = *(u64 *)(r7 + 0)
    r6 += 8
    if r6 < 16 goto use
    none:
    r6 = 8
    use:
    r6 -= 8
    *(u32 *)(r10 - 4) = 0
    r1 = map[v]
    r2 = r10
    r2 += -4
    call bpf_map_lookup_elem
    if r0 == 0 goto out
    r0 += r6
    r0 = *(u8 *)(r0 + 0)
    out:
    r0 = 1
    exit`;
  const minusOne = packet(20, 255, 255, 255, 255, 255, 255, 255, 255);
  expect(stopped(text, [packet(20, 5), minusOne], { maps: [values] })).toEqual([false, true]);
});

it('a number that is negative moves a packet pointer below the packet', () => {
  const text = `
    ${PACKET}
    r0 = 0
    r2 = r7
    r2 += 14
    if r2 > r8 goto out
    r3 = *(s8 *)(r7 + 0)
    r2 = r7
    r2 += r3
    r4 = r2
    r4 += 8
    if r4 > r8 goto out
    r0 = *(u8 *)(r2 + 0)
    out:
    exit`;
  expect(stopped(text, [packet(20, 3), packet(20, 0xf0)])).toEqual([false, true]);
});

it('a helper spoils of the stack what it may write, and nothing else', () => {
  const program = (at: number, size: number): string => `
    r6 = r1
    ${PACKET}
    r0 = 0
    r2 = r7
    r2 += 14
    if r2 > r8 goto out
    *(u64 *)(r10 - 8) = r7
    *(u64 *)(r10 - 16) = 0
    r1 = r6
    r2 = 2
    r3 = r10
    r3 += ${at}
    r4 = ${size}
    call bpf_xdp_load_bytes
    r2 = *(u64 *)(r10 - 8)
    r0 = *(u8 *)(r2 + 1)
    out:
    exit`;
  const proven = (text: string): boolean => {
    const [main] = testObject({ main: text }).programs;
    const facts = analyse({
      program: main!,
      maps: [],
      layout: XDP_LAYOUT,
      helperAt: (slot) => HELPERS.get(main!.instructions.imm[slot]!),
      enteredWith: 'context',
    });
    const load = Math.max(...facts.accesses.keys());
    return facts.accesses.get(load)!.verdict === VERDICT.proven;
  };
  expect(proven(program(-16, 8))).toBe(true);
  expect(stopped(program(-16, 8), [new Uint8Array(20).fill(0xff)])).toEqual([false]);
  for (const [at, size] of [
    [-16, 9],
    [-8, 1],
    [-1, 1],
  ] as const) {
    expect(proven(program(at, size))).toBe(false);
    expect(stopped(program(at, size), [new Uint8Array(20).fill(0xff)])).toEqual([true]);
  }
});
