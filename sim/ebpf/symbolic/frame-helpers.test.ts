/**
 * Helpers on the frame in lockstep with the interpreter, with arguments at the borders of what they take: what they return, the
 * frame and the context behind them.
 */
import { expect, it } from 'vitest';
import { OLDEST_KERNEL } from '../kernel-versions.ts';
import { call, followed, frameOf, joined, LENGTH } from '../test-support/call-sequences.ts';

const head = (by: number): string => call('bpf_xdp_adjust_head', 'context', by);
const tail = (by: number): string => call('bpf_xdp_adjust_tail', 'context', by);
const meta = (by: number): string => call('bpf_xdp_adjust_meta', 'context', by);

/** Numbers in the metadata, of which there are eight bytes at the least. */
const WRITTEN = `r7 = *(u32 *)(r6 + 8)\nr8 = *(u32 *)(r6 + 0)\nr9 = r7\nr9 += 8\nif r9 > r8 goto out
  *(u32 *)(r7 + 0) = 0x55667788\n*(u32 *)(r7 + 4) = 0x11223344`;

const OLD = { options: { asKernel: OLDEST_KERNEL } };

/** How far the front of a frame can move: `xdp_frame` lies before it (net/core/filter.c, `bpf_xdp_adjust_head`). */
const ROOM = 216;

it('the front of a frame at XDP moves as far as there is room, with its metadata', () => {
  const fronts = [0, 1, 4, 45, 46, 47, 60, -1, -4, -ROOM + 1, -ROOM, -ROOM - 1].map((by) => [head(by)]);
  const metas = [0, 1, 2, 4, -1, -2, -4, -8, -28, -32, -36, -212, -216, -220, -252, -256].map((by) => [
    meta(by),
  ]);
  const both = [4, 46, 47, -4, -ROOM + 8, -ROOM + 7, -ROOM + 4].map((by) => [
    meta(-8),
    WRITTEN,
    head(by),
    meta(4),
    head(-2),
  ]);
  const twice = [-4, 0, 4, 8, 12, -24, -28].map((by) => [meta(-8), meta(by), head(0)]);
  const rows = [...fronts, ...metas, ...both, ...twice];
  expect(followed('xdp', frameOf(0x0800), rows)).toEqual([]);
  expect(followed('xdp', frameOf(0x0800), rows, OLD)).toEqual([]);
});

it('the end of a frame at XDP moves, and what it gains is zero', () => {
  const rows = [0, 1, 4, 100, -1, -45, -46, -47, -60, -61, 3000, 3459, 3460, 3461, 4096].map((by) => [
    tail(by),
  ]);
  const twice = [-20, 20, -46].flatMap((by) => [
    [tail(by), tail(10)],
    [tail(by), head(4), tail(3)],
    [meta(-4), tail(by)],
  ]);
  expect(followed('xdp', frameOf(0x0800), [...rows, ...twice])).toEqual([]);
  expect(followed('xdp', frameOf(0x0800), rows, OLD)).toEqual([]);
});

it('bytes are copied from and to a frame as far as it goes', () => {
  const sizes = [1, 2, 8, 15];
  const offsets = [
    0, 1, 45, 51, 52, 53, 58, 59, 60, 61, 0xffff, 0x1_0000, 0x7fff_ffff, 0x8000_0000, 0x1_0000_0003,
  ];
  const pairs = offsets.flatMap((offset) => sizes.map((size) => [offset, size] as const));
  const xdp = ['bpf_xdp_load_bytes', 'bpf_xdp_store_bytes'].flatMap((name) =>
    pairs.map(([offset, size]) => [call(name, 'context', offset, 'stack', size)]),
  );
  expect(followed('xdp', frameOf(0x0800), joined(xdp))).toEqual([]);
  const loads = pairs.map(([offset, size]) => [call('bpf_skb_load_bytes', 'context', offset, 'stack', size)]);
  const relative = pairs.flatMap(([offset, size]) =>
    [0, 1].map((from) => [call('bpf_skb_load_bytes_relative', 'context', offset, 'stack', size, from)]),
  );
  const stores = pairs.flatMap(([offset, size], index) => [
    [call('bpf_skb_store_bytes', 'context', offset, 'stack', size, index % 6)],
  ]);
  expect(followed('tc-ingress', frameOf(0x0800), joined([...loads, ...relative, ...stores]))).toEqual([]);
  const lengths = [0, 14, 59, 60, 61, 0x7fff_ffff, 0x8000_0000].map((by) => [
    call('bpf_skb_pull_data', 'context', by),
  ]);
  expect(followed('tc-ingress', frameOf(0x0800), joined(lengths))).toEqual([]);
});

it('checksums are replaced in a frame, where their place and flags are good', () => {
  /** What the checksum at byte 24 is. */
  const frames = [0, 0xffff, 0x1234].map((sum) => frameOf(0x0800, LENGTH, { 24: sum >> 8, 25: sum & 0xff }));
  const l3 = (offset: number, from: number, to: number, flags: number): string[] => [
    call('bpf_l3_csum_replace', 'context', offset, from, to, flags),
  ];
  const l4 = (offset: number, from: number, to: number, flags: number): string[] => [
    call('bpf_l4_csum_replace', 'context', offset, from, to, flags),
  ];
  const places = [24, 25, 57, 58, 59, 60, 0xfffe, 0xffff, 0x1_0000, 0x1_0018];
  const flags = [
    0, 1, 2, 3, 4, 5, 0xf, 0x10, 0x12, 0x14, 0x20, 0x22, 0x24, 0x40, 0x62, 0x64, 0x80, 0x84, 0x100, 0x102,
  ];
  const values = [
    [0, 0],
    [0, 0x1234_5678],
    [0x1234, 0],
    [0x1234, 0xedcb],
    [0xffff, 0x1_ffff],
    [0xffff_ffff, 0x8000_0001],
    [0x3412, 0],
    [0, 0xffff],
  ] as const;
  for (const frame of frames) {
    const rows = [l3, l4].flatMap((replace) => [
      ...values.flatMap(([from, to]) => [0, 2, 4].map((kind) => replace(24, from, to, kind))),
      ...values.flatMap(([from, to]) =>
        replace === l4 ? [0x22, 0x24, 0x62].map((kind) => replace(24, from, to, kind)) : [],
      ),
    ]);
    expect(followed('tc-ingress', frame, joined(rows))).toEqual([]);
  }
  const borders = [l3, l4].flatMap((replace) => [
    ...places.map((at) => replace(at, 1, 2, 2)),
    ...flags.map((kind) => replace(24, 0, 7, kind)),
  ]);
  for (const frame of frames.slice(0, 2)) expect(followed('tc-ingress', frame, joined(borders))).toEqual([]);
});

const TYPES = [0x0800, 0x86dd, 0x0806, 46];

it('a frame at TC grows and shrinks at its end and its front', () => {
  const ends = [0, 13, 14, 15, 33, 34, 59, 60, 61, 100, 4000, 16065, 0xffff_ffff].flatMap((length) =>
    [0, 1]
      .slice(0, length === 60 ? 2 : 1)
      .map((flags) => [call('bpf_skb_change_tail', 'context', length, flags)]),
  );
  const fronts = [0, 1, 14, 100, 4096, 0xffff_ffff, 0x8000_0000].flatMap((by) =>
    [0, 1].slice(0, by === 14 ? 2 : 1).map((flags) => [call('bpf_skb_change_head', 'context', by, flags)]),
  );
  const again = [13, 14, 24, 27, 28, 29].map((length) => [
    call('bpf_skb_change_head', 'context', 14, 0),
    call('bpf_skb_change_tail', 'context', length, 0),
  ]);
  expect(
    followed('tc-ingress', frameOf(0x0800), [
      ...fronts,
      ...again,
      ...ends.filter((_, index) => index !== 99),
    ]),
  ).toEqual([]);
  const others = TYPES.flatMap((type) =>
    [33, 34, 53, 54, 60].map((length) => ({
      frame: frameOf(type, length),
      rows: [0x0008, 0xdd86, 0x0081, 0x1_0008].flatMap((to) =>
        [0, 1]
          .slice(0, to === 0xdd86 ? 2 : 1)
          .map((flags) => [call('bpf_skb_change_proto', 'context', to, flags)]),
      ),
    })),
  );
  for (const { frame, rows } of others) expect(followed('tc-ingress', frame, rows)).toEqual([]);
});

it('room is made for a tunnel and taken off again, with any flags (BPF_F_ADJ_ROOM_*)', () => {
  const room = (by: number, mode: number, flags: number | bigint): string =>
    call('bpf_skb_adjust_room', 'context', by, mode, flags);
  const kinds = [0, 2, 4, 6, 8, 0x10, 0x18, 0x40, 0x80, 0x100, 0x180, 0x200];
  const inner = [0n, 13n, 14n, 20n, 21n].map((length) => length << 56n);
  const grown = kinds.flatMap((kind) =>
    kinds.filter((one) => one <= 0x40).map((other) => [room(20, 1, kind | other)]),
  );
  const inners = [2, 4, 0x42, 0x44, 0].flatMap((flags) =>
    inner.map((length) => [room(20, 1, BigInt(flags) | length)]),
  );
  const twice = [2, 4, 0].flatMap((first) => [0, 2, 4].map((then) => [room(20, 1, first), room(8, 0, then)]));
  const shrunk = [0, 1, 0x20, 0x80, 0x100, 0x180, 0x82, 0xa0, 0x120].flatMap((flags) =>
    [-6, -7, -25, -26, -27].map((by) => [room(by, 1, flags), room(by, 0, flags)]),
  );
  expect(followed('tc-ingress', frameOf(0x0800), [...grown, ...inners, ...twice, ...shrunk])).toEqual([]);
  expect(
    followed('tc-ingress', frameOf(0x86dd), [...inners.slice(0, 10), ...twice, ...shrunk.slice(0, 30)]),
  ).toEqual([]);
  // Encapsulated frames keep their length.
  expect(
    followed('tc-ingress', frameOf(0x0800), [
      [room(20, 1, 2), call('bpf_skb_change_tail', 'context', 70, 0)],
    ]),
  ).toEqual([]);
});
