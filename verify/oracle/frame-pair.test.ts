/** Which header is which, where headers were taken off in front of the packet inside. */
import { expect, it } from 'vitest';
import { INVARIANTS } from '../invariants/index.ts';
import { ttl } from '../invariants/ttl.ts';
import { bytes, data, ethernet, ipv4, PASSED, udp, V4_A, V4_B } from '../test-support/packets.ts';
import { vxlan } from '../test-support/right-packets.ts';
import { FramePair } from './frame-pair.ts';
import { ChecksumJudge } from './judge.ts';

const pair = new FramePair();
const judge = new ChecksumJudge();
const OUTER = 50;

/** VXLAN around a frame with this IPv4 header and its data. */
const around = (...inner: readonly number[]): Uint8Array =>
  ethernet(0x0800, ipv4(17, udp(vxlan(ethernet(0x0800, bytes(inner))), V4_A, V4_B, 4789)));

/** All that is found fault with. */
function faults(before: Uint8Array, after: Uint8Array): string[] {
  if (!pair.set(before, 0, before.length, after, 0, after.length)) return [];
  const broken = [...INVARIANTS, ttl].map((one) => one.judge(pair, PASSED)?.invariant);
  return [judge.judgePair(pair)?.kind, ...broken].filter((one) => one !== undefined);
}

const zeros = (size: number): number[] => Array.from({ length: size }, () => 0);

it.each([
  ['nothing but a version', [0x45, ...zeros(19)]],
  ['a protocol, and a byte of a UDP header', [0x45, ...zeros(8), 17, ...zeros(10), 0]],
  ['a total length of 0', [0x45, ...zeros(8), 17, ...zeros(10), ...data(8), 1, 2, 3]],
])('a packet inside with %s left as it came', (_, inner) => {
  const before = around(...inner);
  const after = before.slice(OUTER);
  expect(faults(before, after)).toEqual([]);
  expect(pair.shift).toBe(OUTER);
});

it('an address that the program changed before it took the outer headers off does not hide which header is which', () => {
  const before = ethernet(
    0x0800,
    ipv4(17, udp(vxlan(ethernet(0x0800, ipv4(17, udp(data(20), V4_A, V4_B)))), V4_A, V4_B, 4789)),
  );
  const after = before.slice(OUTER);
  after[33]! ^= 0x40;
  expect(faults(before, after)).toContain('wrong');
  expect(pair.shift).toBe(OUTER);
});

it('bytes that were cut off at the end displace nothing', () => {
  const before = ethernet(0x0800, ipv4(17, udp(data(40))));
  expect(faults(before, before.slice(0, -9))).toContain('lengths/total');
  expect(pair.shift).toBe(0);
});
