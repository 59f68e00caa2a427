/** Which header is which, where headers were taken off in front of the packet inside. */
import { describe, expect, it } from 'vitest';
import { INVARIANTS } from '../invariants/index.ts';
import { ttl } from '../invariants/ttl.ts';
import {
  bytes,
  data,
  ethernet,
  ipv4,
  ipv6,
  PASSED,
  tcp,
  udp,
  V4_A,
  V4_B,
  V6_A,
  V6_B,
} from '../test-support/packets.ts';
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

it('an extension header behind the outer header leaves it the outer one, though the inner one has as many zeros', () => {
  // L2TPv3 over UDP, and a packet without addresses; the program writes a destination, as well as lengths.
  const inner = ethernet(0x86dd, ipv6(6, bytes(zeros(12), 0x50, zeros(11)), zeros(16), zeros(16)));
  const session = bytes([0, 3, 0, 0, 0, 0, 0, 1], inner);
  const before = ethernet(0x86dd, ipv6(17, udp(session, V6_A, V6_B, 1701), V6_A, V6_B));
  before[21] = 0;
  const after = bytes(before.subarray(0, 54), [17, 2, 0x1b, 20], zeros(20), before.subarray(54));
  after[19]! += 20;
  after[20] = 60;
  after.fill(0, 38, 54);
  expect(faults(before, after)).not.toContain('ttl/expired');
  expect(pair.is.match[0]).toBe(0);
  // The inner header that comes to light by itself is that.
  const bare = bytes(before.subarray(0, 14), before.subarray(before.length - inner.length + 14));
  bare[21] = 0;
  expect(faults(before, bare)).toContain('ttl/expired');
});

it('bytes that were cut off at the end displace nothing', () => {
  const before = ethernet(0x0800, ipv4(17, udp(data(40))));
  expect(faults(before, before.slice(0, -9))).toContain('lengths/total');
  expect(pair.shift).toBe(0);
});

it.each([
  ['in front', 4, 0],
  ['in front, with others cut off', 6, -9],
  ['in front and behind', 4, 7],
  ['nowhere', 0, 0],
])(
  'bytes of the program’s own %s say how far the frame moved, though nothing leads to its headers',
  (_, own, tail) => {
    const before = ethernet(0x0800, ipv4(17, udp(data(40))));
    const rest = tail < 0 ? before.slice(0, tail) : bytes(before, zeros(tail));
    const after = bytes(zeros(own), rest);
    after.fill(0, 12, 14);
    pair.set(before, 0, before.length, after, 0, after.length);
    expect(pair.is.count).toBe(0);
    expect(pair.shift).toBe(own === 0 ? 0 : -own);
  },
);

describe('a packet that came under the name of the other version of IP', () => {
  const OUTER_A = V6_A.map((byte) => byte ^ 0x55);
  const OUTER_B = V6_B.map((byte) => byte ^ 0x77);
  /** Behind UDP to this port, the first bits of a packet say what it is. */
  const inGue = (packet: Uint8Array): Uint8Array =>
    ethernet(0x86dd, ipv6(17, udp(packet, OUTER_A, OUTER_B, 6080), OUTER_A, OUTER_B));
  const misnamed = (): Uint8Array => {
    const frame = ethernet(0x86dd, ipv6(6, tcp(data(20), V6_A, V6_B)));
    frame[14] = 0x45;
    return frame;
  };

  it('is not translated by who puts it into a tunnel', () => {
    const before = misnamed();
    expect(faults(before, inGue(before.subarray(14)))).toEqual([]);
  });

  it('is not written by who changes it before, as the packet that it was called', () => {
    const before = misnamed();
    const changed = before.slice();
    changed[14 + 7] = 9;
    changed.set(data(4), 14 + 20);
    expect(faults(before, inGue(changed.subarray(14)))).toEqual([]);
  });

  it('is not damaged by who lowers what it takes for a hop limit', () => {
    const before = ethernet(0x86dd, ipv4(17, udp(data(40))));
    const changed = before.slice();
    changed[14 + 7]!--;
    expect(faults(before, inGue(changed.subarray(14)))).toEqual([]);
  });

  it('is the program’s where it makes the other version of it', () => {
    const before = ethernet(0x86dd, ipv6(17, udp(data(20), V6_A, V6_B)));
    const packet = ipv4(17, udp(data(20)));
    packet.fill(0, 10, 12);
    expect(faults(before, ethernet(0x0800, packet))).toContain('wrong from the start');
    expect(faults(misnamed(), ethernet(0x0800, packet))).toContain('wrong from the start');
  });

  it('has a wrong header around it where the program writes one', () => {
    const before = misnamed();
    const packet = inGue(before.subarray(14));
    const outer = ethernet(0x0800, ipv4(17, packet.subarray(54), { ttl: 9 }));
    outer[24]! ^= 1;
    expect(faults(before, outer)).toContain('wrong from the start');
  });
});

describe('a transport header behind an IP header of an impossible version, which the program translates', () => {
  const LEFT = 14 + 20;
  const segment = (): Uint8Array => tcp(data(40), V6_A, V6_B);
  /** IPv6 as it came, with the version that it says it has. */
  const came = (version: number, transport: Uint8Array): Uint8Array => {
    const frame = ethernet(0x86dd, ipv6(6, transport, V6_A, V6_B));
    frame[14] = version << 4;
    return frame;
  };
  /** The same as IPv4, and the checksum of TCP with these bits turned. */
  const translated = (transport: Uint8Array, turned: number): Uint8Array => {
    const frame = ethernet(0x0800, ipv4(6, transport, { source: V4_A, destination: V4_B }));
    frame[LEFT + 16]! ^= turned;
    return frame;
  };

  it('may have come with a wrong checksum, which an update keeps', () => {
    expect(faults(came(0, segment()), translated(segment(), 0x55))).toEqual([]);
    expect(faults(came(15, segment()), translated(segment(), 0x55))).toEqual([]);
  });

  it('may have another port', () => {
    const other = segment();
    other[2]! ^= 0x3c;
    expect(faults(came(0, segment()), translated(other, 0x55))).toEqual([]);
  });

  it('is judged where the version is right, and where the header is another one', () => {
    expect(faults(came(6, segment()), translated(segment(), 0x55))).toContain('wrong');
    const fresh = segment().map((byte, at) => (at < 20 && at !== 12 ? byte ^ 0x5a : byte));
    expect(faults(came(0, segment()), translated(fresh, 0x55))).toContain('wrong from the start');
  });
});

it('a packet under the explicit null label of the other version came broken (RFC 3032 §2.1)', () => {
  const packets = [ipv4(17, udp(data(9))), ipv6(17, udp(data(9), V6_A, V6_B))];
  const broken = (label: number, ...more: number[]): boolean[] =>
    packets.map((packet) => {
      const came = ethernet(0x8847, bytes(more, 0, 0, (label << 4) | 1, 64, packet));
      pair.setAny(came, 0, came.length, came, 0, came.length);
      return pair.cameBroken;
    });
  expect(broken(0)).toEqual([false, true]);
  expect(broken(2)).toEqual([true, false]);
  expect(broken(2, 0, 1, 0, 64)).toEqual([true, false]);
  expect(broken(3)).toEqual([false, false]);
});
