import { describe, expect, it } from 'vitest';
import { FramePair } from '../oracle/frame-pair.ts';
import { bytes, data, ethernet, ipv4, ipv6, PASSED, udp, V6_A, V6_B, vlan } from '../test-support/packets.ts';
import { mpls } from './mpls.ts';
import { ruleOf } from './rules.ts';

const pair = new FramePair();
const MPLS = 0x8847;
const packet4 = ipv4(17, udp(data(20)));
const packet6 = ipv6(17, udp(data(20), V6_A, V6_B));

/** An entry of the stack. */
const entry = (label: number, isLast: boolean, ttl: number): number[] => [
  label >> 12,
  (label >> 4) & 0xff,
  ((label & 15) << 4) | Number(isLast),
  ttl,
];
const swapped = (...one: Parameters<typeof entry>): number[] => entry(...one).reverse();
const labelled = (entries: readonly (readonly number[])[], packet: Uint8Array): Uint8Array =>
  ethernet(MPLS, bytes(entries.flat(), packet));

function said(before: Uint8Array, after: Uint8Array): string | undefined {
  pair.setAny(before, 0, before.length, after, 0, after.length);
  const breach = mpls.judge(pair, PASSED);
  if (breach !== undefined) expect(ruleOf(breach.invariant).severity).toBe(breach.severity);
  return breach && `${breach.invariant} at ${breach.at}`;
}

describe('a label that is put in front of a packet', () => {
  const pushed = (one: readonly number[], packet = packet4, type = 0x0800): string | undefined =>
    said(ethernet(type, packet), labelled([one], packet));

  it('says that it is the last', () => {
    expect(pushed(entry(500, true, 64))).toBeUndefined();
    expect(pushed(entry(500, false, 64))).toBe('mpls/bottom at 16');
    expect(pushed(entry(500, false, 64), packet6, 0x86dd)).toBe('mpls/bottom at 16');
    expect(said(vlan(5, 0x0800, packet4), vlan(5, MPLS, bytes(entry(500, false, 64), packet4)))).toBe(
      'mpls/bottom at 20',
    );
  });

  it('leaves that to the last of several', () => {
    const two = (first: boolean, second: boolean): string | undefined =>
      said(
        labelled([entry(7, true, 9)], packet4),
        labelled([entry(500, first, 64), entry(7, second, 9)], packet4),
      );
    expect(two(false, true)).toBeUndefined();
    expect(two(true, true)).toBe('mpls/bottom at 16');
    expect(two(false, false)).toBe('mpls/bottom at 20');
  });

  it('has a TTL, unless the packet has none', () => {
    expect(pushed(entry(500, true, 0))).toBe('mpls/zero-ttl at 17');
    const dying = ipv4(17, udp(data(20)), { ttl: 1 });
    expect(pushed(entry(500, true, 0), dying)).toBeUndefined();
  });

  it('has none where it stands behind the indicator of an entropy label, put in at any depth', () => {
    const under = (first: number, ttl: number): string | undefined =>
      said(
        ethernet(0x0800, packet4),
        labelled([entry(500, false, 64), entry(first, false, 64), entry(0x12345, true, ttl)], packet4),
      );
    expect(under(7, 0)).toBeUndefined();
    expect(under(7, 64)).toBeUndefined();
    expect(under(8, 0)).toBe('mpls/zero-ttl at 25');
    expect(
      said(
        labelled([entry(500, true, 9)], packet4),
        labelled([entry(500, false, 8), entry(7, false, 8), entry(0x12345, true, 0)], packet4),
      ),
    ).toBeUndefined();
  });

  it('is in the order of the network', () => {
    expect(pushed(swapped(500, true, 64))).toBe('mpls/byte-order at 14');
    expect(pushed(swapped(500, true, 9))).toBe('mpls/byte-order at 14');
    // Where the number would be right in no order, it is what it says.
    expect(pushed(swapped(500, false, 64))).toBe('mpls/zero-ttl at 17');
    // A large label that only forgets its S bit would have one in the other order, and a TTL that nothing has.
    expect(pushed(entry(0xabcde, false, 64))).toBe('mpls/bottom at 16');
    expect(pushed(swapped(0xabcde, true, 63))).toBeUndefined();
    expect(pushed(swapped(0xabcce, true, 63))).toBe('mpls/byte-order at 14');
  });

  it('is not judged where something else stands in front of the packet', () => {
    const before = ethernet(0x0800, packet4);
    // A control word, and a frame inside.
    expect(said(before, labelled([entry(500, true, 64), [0, 0, 0, 0]], packet4))).toBeUndefined();
    expect(said(before, labelled([entry(500, true, 64)], before))).toBeUndefined();
    expect(said(before, ethernet(0x88b5, bytes(entry(500, false, 64), packet4)))).toBeUndefined();
  });
});

describe('a label that came', () => {
  const swap = (from: readonly number[], to: readonly number[]): string | undefined =>
    said(labelled([from], packet4), labelled([to], packet4));

  it('is not sent on with TTL 0', () => {
    expect(swap(entry(5, true, 2), entry(6, true, 1))).toBeUndefined();
    expect(swap(entry(5, true, 1), entry(6, true, 0))).toBe('mpls/expired at 17');
    expect(swap(entry(5, true, 0), entry(6, true, 0))).toBeUndefined();
  });

  it('stays the last', () => {
    expect(swap(entry(5, true, 2), entry(6, false, 1))).toBe('mpls/bottom at 16');
    expect(swap(entry(5, true, 64), swapped(200, true, 63))).toBe('mpls/byte-order at 14');
  });

  it('is judged where the one in front of it was taken off', () => {
    const stack = (inner: readonly number[]): string | undefined =>
      said(labelled([entry(5, false, 9), entry(7, true, 30)], packet4), labelled([inner], packet4));
    expect(stack(entry(7, true, 8))).toBeUndefined();
    expect(stack(entry(7, true, 0))).toBe('mpls/expired at 17');
  });

  it('is not judged where no label said that it is the last', () => {
    const open = (ttl: number): Uint8Array => ethernet(MPLS, bytes(entry(5, false, ttl), new Uint8Array(16)));
    expect(said(open(5), open(0))).toBeUndefined();
  });
});
