/**
 * Helpers on what an sk_buff says of its frame, in lockstep with the interpreter: tags, hash, type, ECN, time stamp; alone and
 * after each other, with frames of every kind, and cut short.
 */
import { expect, it } from 'vitest';
import { call, followed, frameOf, joined } from '../test-support/call-sequences.ts';

/** A frame with tags in its bytes: the types of the tags, and what stands behind them. */
function tagged(types: readonly number[], length = 60): Uint8Array {
  const frame = frameOf(types[0]!, 60);
  for (const [index, type] of types.slice(1).entries())
    frame.set([index + 1, 0x30 + index, type >> 8, type & 0xff], 14 + 4 * index);
  return frame.slice(0, length);
}

const TAGGED: readonly (readonly number[])[] = [
  [0x0800],
  [0x8100, 0x0800],
  [0x88a8, 0x8100, 0x86dd],
  [0x8100, 0x8100, 0x8100, 0x0806],
  [0x8100, 46],
  [0x8100, 0x05ff],
  [0x8100, 0x0600],
  [0x88a8, 0x8100, 46],
  [46],
];

it('tags are pushed and popped, beside the frame and in it', () => {
  const push = (proto: number, tci: number): string => call('bpf_skb_vlan_push', 'context', proto, tci);
  const pop = call('bpf_skb_vlan_pop', 'context');
  const sequences = [
    [pop, pop, pop],
    [push(0x0081, 5), pop, pop],
    [push(0xa888, 0x1fff), push(0x0081, 0x2_0007), pop, pop, pop],
    [push(0, 0xffff), push(0x1_a888, 9), push(0x0008, 1), pop],
  ];
  for (const types of TAGGED) {
    const end = 14 + 4 * (types.length - 1);
    const lengths = [60, end, end + 1, end + 2, end + 3, end - 1];
    for (const length of lengths)
      if (length >= 14)
        expect(
          followed(
            'tc-ingress',
            tagged(types, length),
            length === 60 ? sequences : [sequences[0]!, sequences[1]!],
          ),
        ).toEqual([]);
  }
  // A raw frame of Novell's has no LLC header.
  const raw = tagged([0x8100, 46]);
  raw.set([0xff, 0xff], 18);
  for (const length of [60, 20, 19, 18])
    expect(followed('tc-ingress', raw.slice(0, length), sequences)).toEqual([]);
});

it('congestion is marked where the sender knows of it, and the checksum with it', () => {
  const mark = call('bpf_skb_ecn_set_ce', 'context');
  for (const ecn of [0, 1, 2, 3])
    for (const sum of [0, 1, 2, 3, 0x1234, 0xfffd, 0xfffe, 0xffff]) {
      const ipv4 = frameOf(0x0800, 60, { 15: 0xb8 | ecn, 24: sum >> 8, 25: sum & 0xff });
      expect(followed('tc-ingress', ipv4, [[mark, mark]])).toEqual([]);
    }
  for (const ecn of [0, 0x10, 0x20, 0x30]) {
    const ipv6 = frameOf(0x86dd, 60, { 15: 0x8b | ecn });
    expect(followed('tc-ingress', ipv6, [[mark, mark]])).toEqual([]);
  }
  const marked = { 15: 0xba };
  for (const [type, lengths] of [
    [0x0800, [33, 34]],
    [0x86dd, [53, 54]],
    [0x0806, [60]],
  ] as const)
    for (const length of lengths)
      expect(followed('tc-ingress', frameOf(type, length, marked), [[mark]])).toEqual([]);
  for (const types of TAGGED)
    for (const length of [60, 18, 17, 22, 21])
      expect(followed('tc-ingress', tagged(types, length), [[mark]])).toEqual([]);
});

it('congestion is marked behind the tags that the kernel finds, wherever it starts to look', () => {
  const mark = call('bpf_skb_ecn_set_ce', 'context');
  const push = call('bpf_skb_vlan_push', 'context', 0x0081, 7);
  const pop = call('bpf_skb_vlan_pop', 'context');
  const head = (by: number): string => call('bpf_skb_change_head', 'context', by, 0);
  const sequences = [
    [push, push, head(14), mark],
    [push, push, head(14), pop, mark, pop, mark],
    [head(3), push, push, mark, pop, mark],
    [head(14), mark, pop, mark],
    [pop, mark, push, push, mark],
  ];
  const deep = (depth: number): readonly number[] => [...new Array<number>(depth).fill(0x8100), 0x0800];
  for (const types of [[0x0800], [0x8100, 0x0800], [0x88a8, 0x8100, 0x86dd], deep(7), deep(8)]) {
    const packet = tagged(types, 110);
    packet[11 + 4 * types.length] = types.at(-1) === 0x86dd ? 0x20 : 2;
    expect(followed('tc-ingress', packet, [[mark], ...sequences])).toEqual([]);
  }
});

it('hash, type, level of checksums and time stamp are set to what they may be', () => {
  const type = (value: number): string => call('bpf_skb_change_type', 'context', value);
  const level = (value: number): string => call('bpf_csum_level', 'context', value);
  const hash = (value: number): string => call('bpf_set_hash', 'context', value);
  const stamp = (time: number, clock: number): string => call('bpf_skb_set_tstamp', 'context', time, clock);
  const recalculate = call('bpf_get_hash_recalc', 'context');
  const invalidate = call('bpf_set_hash_invalid', 'context');
  const rows = [
    ...[0, 1, 2, 3, 4, 0x1_0002, 0xffff_ffff].map((value) => [type(value)]),
    [type(4), type(3), type(0)],
    ...[0, 1, 2, 3, 4, 5, 0x1_0000_0000].map((value) => [level(value)]),
    ...[[1], [1, 1, 2], [1, 2], [2, 1, 1], [1, 1, 3], [1, 1, 1, 1, 1]].map((levels) =>
      [...levels, 0].map(level),
    ),
    ...[0, 32].map((flags) => [level(1), call('bpf_skb_adjust_room', 'context', 8, 0, flags), level(0)]),
    [hash(0), recalculate],
    [hash(0x1_2345_6789), recalculate, invalidate],
    [recalculate, recalculate, hash(7), recalculate],
    [call('bpf_skb_change_proto', 'context', 0xdd86, 0)],
    ...[0, 1].flatMap((time) => [0, 1, 2, 3, 0x1_0000_0001].map((clock) => [stamp(time, clock)])),
  ].map((row) => [...row, 'r7 = *(u64 *)(r6 + 152)\nr7 = *(u8 *)(r6 + 180)']);
  for (const ether of [0x0800, 0x86dd, 0x0806, 46])
    expect(followed('tc-ingress', frameOf(ether), ether === 0x0800 ? rows : joined(rows.slice(-11)))).toEqual(
      [],
    );
});

it('frames are cut after room was made in front, also in tunnels', () => {
  const room = (by: number, flags: number): string => call('bpf_skb_adjust_room', 'context', by, 0, flags);
  const tail = (length: number): string => call('bpf_skb_change_tail', 'context', length, 0);
  const head = call('bpf_skb_change_head', 'context', 14, 0);
  const sequences = [
    [room(68, 0), tail(14), tail(2)],
    [room(768, 0), tail(710), tail(5)],
    [head, room(60, 0), tail(60), tail(1)],
    [room(28, 2 | 16), tail(34), tail(33), tail(13)],
    [room(50, 2 | 8), room(60, 2), tail(40)],
  ];
  expect(followed('tc-ingress', frameOf(0x0800, 100), sequences)).toEqual([]);
});
