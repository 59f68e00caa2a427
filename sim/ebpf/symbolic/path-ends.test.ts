/** What ends a path early: everything that the verifier forbids and a path can come to, each at its border, with its reason. */
import { expect, it } from 'vitest';
import type { Hook } from '../../runtime/actions.ts';
import { Machine } from '../machine.ts';
import { testMap, testObject } from '../test-support/assemble.ts';
import { frameOf, LENGTH } from '../test-support/call-sequences.ts';
import { lockstep } from '../test-support/lockstep.ts';

const MAPS = [
  testMap('held', 'ARRAY', { valueSize: 16 }),
  testMap('jumps', 'PROG_ARRAY'),
  testMap('ring', 'RINGBUF'),
  testMap('table', 'HASH'),
];

function reasonAt(hook: Hook, text: string): string | undefined {
  const machine = new Machine(testObject({ main: `${text}\nr0 = 0\nout:\nexit` }, MAPS), {});
  const { left, difference } = lockstep({
    machine,
    program: 0,
    hook,
    packet: frameOf(0x0800),
    mostSteps: 500,
  });
  expect(difference, text).toBeUndefined();
  return left;
}

const FRAME = 'r6 = r1\nr7 = *(u32 *)(r1 + 0)\nr8 = *(u32 *)(r1 + 4)\nr9 = r7\nr9 += 60\nif r9 > r8 goto out';
const VALUE = `*(u32 *)(r10 - 4) = 1\nr1 = map[held]\nr2 = r10\nr2 += -4\ncall bpf_map_lookup_elem\nif r0 == 0 goto out`;
const PRINT = `*(u64 *)(r10 - 8) = 0\nr1 = r10\nr1 += -8\nr2 = 8`;

const numbers = (from: number, to: number): number[] =>
  Array.from({ length: to - from + 1 }, (_, at) => from + at);

it.each<[what: string, hook: Hook, text: string, first: number, last: number]>([
  ['at the begin, but for r1', 'xdp', '', 2, 9],
  ['behind a helper', 'xdp', 'call bpf_ktime_get_ns', 1, 5],
  [
    'behind a load of the frame by its place',
    'tc-ingress',
    'r6 = r1\nr1 = 1\nr2 = 2\nr3 = 3\nr4 = 4\nr5 = 5\nr0 = *skb(u8)(3)',
    1,
    5,
  ],
  [
    'behind a tail call to nothing',
    'xdp',
    'r2 = map[jumps]\nr3 = 2\nr4 = 4\nr5 = 5\nr0 = 7\ncall bpf_tail_call',
    0,
    5,
  ],
  ['behind a loop of no rounds', 'xdp', 'r1 = 0\nr2 = round\nr3 = 0\nr4 = 0\nr5 = 5\ncall bpf_loop', 1, 5],
  ['behind a loop', 'xdp', 'r1 = 2\nr2 = round\nr3 = 0\nr4 = 0\nr5 = 5\ncall bpf_loop', 1, 5],
  [
    'behind a walk',
    'xdp',
    'r1 = map[held]\nr2 = visit\nr3 = 0\nr4 = 0\nr5 = 5\ncall bpf_for_each_map_elem',
    1,
    5,
  ],
  [
    'behind a refused walk',
    'xdp',
    'r1 = map[held]\nr2 = visit\nr3 = 0\nr4 = 1\nr5 = 5\ncall bpf_for_each_map_elem',
    1,
    5,
  ],
  ['behind a function', 'xdp', 'r2 = 2\nr3 = 3\nr4 = 4\nr5 = 5\ncall round', 1, 5],
])('registers %s', (_what, hook, text, first, last) => {
  const functions = 'r0 = 0\nexit\nround:\nr0 = 0\nexit\nvisit:\nr0 = 0\nexit';
  const left = numbers(0, 9).map((register) => reasonAt(hook, `${text}\nr9 = r${register}\n${functions}`));
  for (const register of numbers(first, last))
    expect(left[register], `${register}`).toBe(`R${register} !read_ok`);
  const others = numbers(text === '' ? 1 : 0, text === '' ? 1 : first - 1);
  for (const register of others) expect(left[register], `${register}`).toBeUndefined();
});

it.each<[text: string, reason: string | undefined]>([
  ['r1 += r10', 'pointer += pointer prohibited'],
  ['r2 = 5\nr3 = *(u8 *)(r2 + 0)', 'a load through what is no pointer to memory (a number)'],
  ['r2 = 5\n*(u8 *)(r2 + 0) = 1', 'a store through what is no pointer to memory (a number)'],
  ['r2 = map[held]\n*(u8 *)(r2 + 0) = 1', 'a store through what is no pointer to memory (map)'],
  ['r2 = map[held]\nr3 = *(u8 *)(r2 + 0)', 'a load through what is no pointer to memory (map)'],
  ['r2 = *(u32 *)(r1 + 4)\nr3 = *(u8 *)(r2 - 1)', 'a load through what is no pointer to memory (packet end)'],
  ['*(u64 *)(r10 - 512) = 1', undefined],
  ['*(u64 *)(r10 - 520) = 1', 'stack access out of bounds: fp-520'],
  ['*(u64 *)(r10 + 0) = 1', 'stack access out of bounds: fp0'],
  ['*(u8 *)(r10 - 1) = 1', undefined],
  ['*(u8 *)(r10 + 0) = 1', 'stack access out of bounds: fp0'],
  ['*(u32 *)(r10 - 6) = 1', 'misaligned stack access: fp-6, 4 bytes'],
  [`${VALUE}\n*(u64 *)(r0 + 8) = 1`, undefined],
  [`${VALUE}\n*(u64 *)(r0 + 9) = 1`, 'an access out of bounds of a map value'],
  [`${VALUE}\nr3 = *(u8 *)(r0 + 15)`, undefined],
  [`${VALUE}\nr3 = *(u8 *)(r0 + 16)`, 'an access out of bounds of a map value'],
  [`${VALUE}\nr3 = *(u8 *)(r0 - 1)`, 'an access out of bounds of a map value'],
  [`${VALUE}\nr3 = *(u8 *)(r0 + 0)`, undefined],
  [`${FRAME}\nr3 = *(u8 *)(r7 + ${LENGTH - 1})`, undefined],
  [`${FRAME}\nr3 = *(u8 *)(r7 + ${LENGTH})`, 'a packet access out of bounds'],
  [`${FRAME}\nr3 = *(u32 *)(r7 + ${LENGTH - 4})`, undefined],
  [`${FRAME}\nr3 = *(u32 *)(r7 + ${LENGTH - 3})`, 'a packet access out of bounds'],
  [`${FRAME}\nr3 = *(u8 *)(r7 - 1)`, 'a packet access out of bounds'],
  [`${FRAME}\n*(u16 *)(r7 + ${LENGTH - 1}) = 1`, 'a packet access out of bounds'],
  ['r2 = *(u32 *)(r1 + 20)', 'a context access that is not permitted (egress_ifindex)'],
  ['r2 = *(u64 *)(r1 + 16)', 'a context access that is not permitted (rx_queue_index)'],
  [`${FRAME}\nr2 = 1\nlock *(u64 *)(r7 + 0) += r2`, 'an atomic operation on the packet'],
  ['r2 = 1\nlock *(u32 *)(r1 + 0) += r2', 'an atomic operation on the context'],
  [`${VALUE}\nr2 = 1\nlock *(u32 *)(r0 + 4) += r2`, undefined],
  [`${VALUE}\nr2 = 1\nlock *(u32 *)(r0 + 6) += r2`, 'a misaligned atomic operation'],
  // A pointer that is kept is one when it comes back whole, and a number when it comes back in part.
  ['*(u64 *)(r10 - 8) = r1\nr2 = *(u64 *)(r10 - 8)\nr3 = *(u32 *)(r2 + 16)', undefined],
  [
    '*(u64 *)(r10 - 8) = r1\nr2 = *(u32 *)(r10 - 8)\nr3 = *(u32 *)(r2 + 16)',
    'a load through what is no pointer to memory (a number)',
  ],
  [
    '*(u64 *)(r10 - 8) = r1\n*(u8 *)(r10 - 3) = 0\nr2 = *(u64 *)(r10 - 8)\nr3 = *(u32 *)(r2 + 16)',
    'a load through what is no pointer to memory (a number)',
  ],
  [`*(u64 *)(r10 - 8) = 1\nlock *(u64 *)(r10 - 8) += r1`, 'an atomic operation with an address'],
  [`*(u64 *)(r10 - 8) = r1\nr2 = 1\nlock *(u64 *)(r10 - 8) += r2`, 'an atomic operation on an address'],
  [`${PRINT}\ncall bpf_trace_printk`, undefined],
  [`${PRINT}\nr2 = 0\ncall bpf_trace_printk`, 'R2 invalid zero-sized read'],
  [`${PRINT}\nr2 = 0x80000000 ll\ncall bpf_trace_printk`, 'R2 unbounded memory access'],
  [`${PRINT}\nr2 = 0x7fffffff\ncall bpf_trace_printk`, 'stack access out of bounds: fp0'],
  [`${PRINT}\nr2 = -1\ncall bpf_trace_printk`, 'R2 unbounded memory access'],
  [
    `${PRINT}\nr3 = r10\nr3 += -8\nr1 = 5\ncall bpf_trace_printk`,
    'a load through what is no pointer to memory (a number)',
  ],
  [
    'r1 = map[held]\nr2 = 5\nr3 = 0\nr4 = 0\ncall bpf_for_each_map_elem',
    'bpf_for_each_map_elem without a function',
  ],
  ['r1 = 5\nr2 = 5\nr3 = 0\nr4 = 0\ncall bpf_loop', 'bpf_loop without a function'],
  ['r2 = 5\nr3 = 0\ncall bpf_tail_call', 'bpf_tail_call without a map'],
])('where it meets: %s', (text, reason) => {
  expect(reasonAt('xdp', text)).toBe(reason);
});

// Where a piece of memory lies is the kernel's business.
it.each<[text: string, reason: string | undefined]>([
  ['r2 = r10\nif r0 == r2 goto out', undefined],
  ['r2 = r10\nif r0 > r2 goto out', 'a comparison of addresses of two pieces of memory'],
  ['r2 = r10\nif w0 == w2 goto out', 'a comparison of addresses of two pieces of memory'],
  ['r2 = r10\nr2 -= r0', 'a difference of addresses of two pieces of memory'],
  ['r2 = r0\nr2 += 4\nr3 = r0\nr0 = 0\nif r2 > r3 goto out', undefined],
  ['r2 = r0\nr2 += 4\nr2 -= r0', undefined],
  ['r3 = r0\nr0 = 0\nif r3 > 0 goto out', undefined],
  ['if r0 >= -4095 goto out', undefined],
  ['if r0 > 4096 goto out', 'a comparison of an address with a number'],
  ['if r0 s< 0 goto out', 'a comparison of an address with a number'],
  ['if w0 == 0 goto out', 'a comparison of an address with a number'],
])('what addresses are compared with: %s', (text, reason) => {
  expect(reasonAt('xdp', `${VALUE}\n${text}`)).toBe(reason);
});

it('functions call each other eight deep', () => {
  const chain = (depth: number): string => {
    const functions = numbers(1, depth).map(
      (at) => `f${at}:\n${at < depth ? `call f${at + 1}` : 'r0 = 0'}\nexit`,
    );
    return `call f1\nr0 = 0\nexit\n${functions.join('\n')}`;
  };
  expect(reasonAt('xdp', chain(7))).toBeUndefined();
  expect(reasonAt('xdp', chain(8))).toBe('the call stack is too deep');
});

it('pointers into the frame are gone behind what moves or may have written it', () => {
  const stale = 'a packet pointer from before a helper moved the packet';
  const xdp = ['adjust_head', 'adjust_tail', 'adjust_meta'].map(
    (name) => `r1 = r6\nr2 = -4\ncall bpf_xdp_${name}`,
  );
  const tc = [
    'r2 = 5\nr3 = 5\ncall bpf_skb_vlan_push',
    'call bpf_skb_vlan_pop',
    'r2 = 50\ncall bpf_skb_pull_data',
    'r2 = 100\nr3 = 0\ncall bpf_skb_change_tail',
    'r2 = 14\nr3 = 0\ncall bpf_skb_change_head',
    'r2 = 20\nr3 = 1\nr4 = 0\ncall bpf_skb_adjust_room',
    'r2 = 0xdd86\nr3 = 0\ncall bpf_skb_change_proto',
    'r2 = 24\nr3 = 1\nr4 = 2\nr5 = 2\ncall bpf_l3_csum_replace',
    'r2 = 24\nr3 = 1\nr4 = 2\nr5 = 2\ncall bpf_l4_csum_replace',
    '*(u64 *)(r10 - 8) = 1\nr2 = 20\nr3 = r10\nr3 += -8\nr4 = 8\nr5 = 0\ncall bpf_skb_store_bytes',
  ].map((text) => `r1 = r6\n${text}`);
  const load = 'r9 = *(u8 *)(r7 + 40)';
  for (const text of xdp) expect(reasonAt('xdp', `${FRAME}\n${load}\n${text}\n${load}`), text).toBe(stale);
  const skb = FRAME.replace('r1 + 0', 'r1 + 76').replace('r1 + 4', 'r1 + 80');
  for (const text of tc)
    expect(reasonAt('tc-ingress', `${skb}\n${load}\n${text}\n${load}`), text).toBe(stale);
  expect(reasonAt('tc-ingress', `${skb}\nr1 = r6\nr2 = 7\ncall bpf_set_hash\n${load}`)).toBeUndefined();
});

it('registers of a function are its own, but for its arguments', () => {
  const reads = (begin: string, register: number): string | undefined =>
    reasonAt(
      'xdp',
      `r6 = 6\nr7 = 7\nr8 = 8\nr9 = 9\n${begin}\nr0 = 0\nexit\nown:\nr0 = r${register}\nr0 = 0\nexit`,
    );
  for (const [begin, last] of [
    ['r1 = 1\nr2 = 2\nr3 = 3\nr4 = 4\nr5 = 5\ncall own', 5],
    ['r1 = 2\nr2 = own\nr3 = 0\nr4 = 0\nr5 = 5\ncall bpf_loop', 2],
    ['r1 = map[held]\nr2 = own\nr3 = 0\nr4 = 0\nr5 = 5\ncall bpf_for_each_map_elem', 4],
  ] as const)
    for (const register of numbers(0, 9)) {
      const isThere = register >= 1 && register <= last;
      expect(reads(begin, register), `${begin} ${register}`).toBe(
        isThere ? undefined : `R${register} !read_ok`,
      );
    }
});
