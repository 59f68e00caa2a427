/** Which packets of two captures are taken for the same, and what they are known by. */
import { describe, expect, it } from 'vitest';
import {
  bytes,
  data,
  ethernet,
  icmp,
  icmpv6,
  ipv4,
  ipv6,
  tcp,
  udp,
  V4_A,
  V4_B,
  V6_A,
  V6_B,
  vlan,
} from '../test-support/packets.ts';
import { identify } from './packet-identity.ts';
import { type PairedPacket, Pairing } from './pairing.ts';

const L4 = 34;
/** A copy with bytes put in at a place. */
const put = (packet: Uint8Array, at: number, ...values: number[]): Uint8Array => {
  const copy = packet.slice();
  copy.set(values, at);
  return copy;
};
const TCP = ethernet(0x0800, ipv4(6, tcp(data(20))));
const UDP = ethernet(0x0800, ipv4(17, udp(data(20))));
const PING = ethernet(0x0800, ipv4(1, icmp(8, 0, [0, 1, 0, 2], data(20))));
const PING6 = ethernet(0x86dd, ipv6(58, icmpv6(128, [0, 1, 0, 2], data(20))));
const UDP6 = ethernet(0x86dd, ipv6(17, udp(data(20), V6_A, V6_B)));
const LATER = ethernet(0x0800, ipv4(17, data(24), { fragment: 5 }));
const UNKNOWN = ethernet(0x0800, ipv4(253, data(24)));

const contentOf = (frame: Uint8Array): string | undefined => identify(frame)?.content;
const headerOf = (frame: Uint8Array): string | undefined => identify(frame)?.header;

describe('what a packet carries', () => {
  it.each<[what: string, frame: Uint8Array, other: Uint8Array]>([
    ['another TTL', TCP, put(TCP, 22, 63)],
    ['another address', TCP, put(TCP, 26, 192)],
    ['other ports', TCP, put(TCP, L4, 1, 2, 3, 4)],
    ['other ports of UDP', UDP, put(UDP, L4, 1, 2, 3, 4)],
    ['another checksum', TCP, put(TCP, L4 + 16, 1, 2)],
    ['another identification', TCP, put(TCP, 18, 9)],
    ['a tag', TCP, vlan(5, 0x0800, TCP.subarray(14))],
    ['a tunnel', UDP, ethernet(0x0800, ipv4(4, UDP.subarray(14)))],
    ['padding', UDP, bytes(UDP, data(6))],
    ['the other version', UDP, ethernet(0x86dd, ipv6(17, UDP.subarray(L4)))],
    ['an answer to the echo', PING, put(PING, L4, 0)],
    ['another checksum of ICMP', PING, put(PING, L4 + 2, 7, 7)],
    ['ICMP of the other version', PING, PING6],
    ['a fragment whose addresses differ', LATER, put(LATER, 26, 192)],
  ])('is the same with %s', (_what, frame, other) => {
    expect(contentOf(frame)).toBeDefined();
    expect(contentOf(other)).toBe(contentOf(frame));
  });

  it.each<[what: string, frame: Uint8Array, other: Uint8Array]>([
    ['the first byte of the payload', TCP, put(TCP, L4 + 20, 1)],
    ['the second', TCP, put(TCP, L4 + 21, 1)],
    ['the last', TCP, put(TCP, L4 + 39, 1)],
    ['the length', UDP, ethernet(0x0800, ipv4(17, udp(data(21))))],
    ['a sequence number', TCP, put(TCP, L4 + 7, 9)],
    ['an acknowledgement', TCP, put(TCP, L4 + 11, 9)],
    ['flags', TCP, put(TCP, L4 + 13, 0x11)],
    ['the transport', UDP, ethernet(0x0800, ipv4(136, udp(data(20))))],
    ['an identifier of ICMP', PING, put(PING, L4 + 5, 9)],
    ['a sequence number of ICMP', PING, put(PING, L4 + 7, 9)],
    ['the place of a fragment', LATER, put(LATER, 21, 6)],
    ['data of a fragment', LATER, put(LATER, L4, 0xff)],
    ['data of a protocol that nobody knows', UNKNOWN, put(UNKNOWN, L4 + 23, 0xff)],
  ])('is another with another %s', (_what, frame, other) => {
    expect(contentOf(other)).toBeDefined();
    expect(contentOf(other)).not.toBe(contentOf(frame));
  });

  it('lies behind its header', () => {
    const placeOf = (frame: Uint8Array): number[] => {
      const { from, to } = identify(frame)!;
      return [from, to];
    };
    expect(placeOf(TCP)).toEqual([L4 + 20, L4 + 40]);
    expect(placeOf(UDP)).toEqual([L4 + 8, L4 + 28]);
    expect(placeOf(bytes(UDP, data(6)))).toEqual([L4 + 8, L4 + 28]);
    expect(placeOf(PING)).toEqual([L4 + 4, L4 + 28]);
    expect(placeOf(UDP6)).toEqual([62, 82]);
    expect(placeOf(LATER)).toEqual([L4, L4 + 24]);
    expect(placeOf(UNKNOWN)).toEqual([L4, L4 + 24]);
  });

  it('is nothing without IP', () => {
    expect(identify(ethernet(0x0806, data(28)))).toBeUndefined();
    expect(identify(data(10))).toBeUndefined();
  });

  it('is what an ICMP error says, and not what it quotes', () => {
    const error = ethernet(0x0800, ipv4(1, icmp(3, 3, [0, 0, 0, 0], ipv4(17, udp(data(8))))));
    expect(identify(error)?.from).toBe(L4 + 4);
  });
});

describe('whose packet it is', () => {
  it.each<[what: string, frame: Uint8Array, other: Uint8Array]>([
    ['with another payload', UDP, put(UDP, L4 + 8, 1)],
    ['with another TTL', UDP, put(UDP, 22, 3)],
    [
      'in the other direction',
      UDP,
      ethernet(
        0x0800,
        ipv4(17, put(udp(data(20)), 0, 0, 53, 0x9c, 0x40), { source: V4_B, destination: V4_A }),
      ),
    ],
    ['of ICMP with another type', PING, put(PING, L4, 0)],
  ])('is the same %s', (_what, frame, other) => {
    expect(headerOf(other)).toBe(headerOf(frame));
  });

  it.each<[what: string, frame: Uint8Array, other: Uint8Array]>([
    ['source', UDP, put(UDP, 29, 77)],
    ['destination', UDP, put(UDP, 33, 77)],
    ['first byte of the addresses', UDP, put(UDP, 26, 77)],
    ['source port', UDP, put(UDP, L4 + 1, 1)],
    ['destination port', UDP, put(UDP, L4 + 3, 1)],
    ['identification', UDP, put(UDP, 19, 1)],
    ['sequence number', TCP, put(TCP, L4 + 7, 9)],
    ['source over IPv6', UDP6, put(UDP6, 22, 77)],
    ['destination over IPv6', UDP6, put(UDP6, 53, 77)],
    ['place of a fragment', LATER, put(LATER, 21, 6)],
    ['source of a fragment', LATER, put(LATER, 29, 77)],
    ['identification of a fragment', LATER, put(LATER, 19, 77)],
  ])('is another with another %s', (_what, frame, other) => {
    expect(headerOf(other)).not.toBe(headerOf(frame));
  });
});

describe('two sides', () => {
  type Side = Parameters<Pairing['add']>[0];

  /** Which packets became pairs, and who was left. */
  function paired(
    packets: readonly (readonly [Side, number, Uint8Array])[],
    limit?: number,
  ): { pairs: string[]; before: number; after: number; pairing: Pairing } {
    const pairs: string[] = [];
    const said = (before: PairedPacket, after: PairedPacket): void => {
      pairs.push(`${before.packet}-${after.packet}`);
    };
    const pairing = new Pairing(said, limit);
    for (const [side, number, frame] of packets) pairing.add(side, number, frame);
    pairing.end();
    expect(pairing.paired).toBe(pairs.length);
    return { pairs, ...pairing.alone, pairing };
  }
  const numbered = (port: number): Uint8Array => put(UDP, L4 + 8, port);

  it('wait for each other, whichever comes first', () => {
    expect(
      paired([
        ['before', 1, TCP],
        ['before', 2, UDP],
        ['after', 1, UDP],
        ['after', 2, TCP],
      ]),
    ).toMatchObject({
      pairs: ['2-1', '1-2'],
      before: 0,
      after: 0,
    });
    expect(
      paired([
        ['after', 1, TCP],
        ['before', 1, TCP],
      ]).pairs,
    ).toEqual(['1-1']);
  });

  it('leave alone what has no counterpart, and count what has no IP by side', () => {
    const arp = ethernet(0x0806, data(28));
    const { pairs, before, after, pairing } = paired([
      ['before', 1, TCP],
      ['before', 2, arp],
      ['after', 1, UDP],
      ['after', 2, PING],
      ['after', 3, arp],
      ['after', 4, arp],
    ]);
    expect([pairs, before, after]).toEqual([[], 1, 2]);
    expect(pairing.withoutIp).toEqual({ before: 1, after: 2 });
  });

  it('take the packet of the same flow before an older one that carries the same, and else the oldest', () => {
    const other = put(UDP, 29, 99);
    const third = put(UDP, 29, 98);
    expect(
      paired([
        ['before', 1, other],
        ['before', 2, UDP],
        ['after', 1, UDP],
      ]).pairs,
    ).toEqual(['2-1']);
    expect(
      paired([
        ['before', 1, other],
        ['before', 2, UDP],
        ['after', 1, third],
      ]).pairs,
    ).toEqual(['1-1']);
    // Each only once.
    expect(
      paired([
        ['before', 1, UDP],
        ['after', 1, UDP],
        ['after', 2, UDP],
      ]),
    ).toMatchObject({ pairs: ['1-1'], after: 1 });
  });

  it('look through 64 that carry the same', () => {
    const others = (count: number): (readonly [Side, number, Uint8Array])[] =>
      Array.from({ length: count }, (_, at) => ['before', at + 1, put(UDP, 28, 2, at)] as const);
    const searched = (count: number): string[] =>
      paired([...others(count), ['before', 100, UDP], ['after', 1, UDP]]).pairs;
    expect(searched(63)).toEqual(['100-1']);
    expect(searched(64)).toEqual(['1-1']);
  });

  it('pair in the end what carries something else, by its flow, the oldest first', () => {
    expect(
      paired([
        ['before', 1, numbered(1)],
        ['before', 2, numbered(2)],
        ['before', 3, TCP],
        ['after', 1, numbered(3)],
        ['after', 2, numbered(4)],
        ['after', 3, numbered(5)],
      ]),
    ).toMatchObject({ pairs: ['1-1', '2-2'], before: 1, after: 1 });
  });

  it('let the oldest go where there is no room', () => {
    // Each takes 400 bytes beside its own.
    const room = 2 * (UDP.length + 400);
    const packets = [1, 2, 3].map((number) => ['before', number, numbered(number)] as const);
    const all = [...packets, ['after', 2, numbered(2)] as const, ['after', 3, numbered(3)] as const];
    expect(paired(all, room)).toMatchObject({ pairs: ['2-2', '3-3'], before: 1, after: 0 });
    expect(paired(all, room - 1)).toMatchObject({ pairs: ['3-3'], before: 2, after: 1 });
    // What was taken out makes room.
    const taken = [packets[0]!, ['after', 1, numbered(1)] as const, ...packets.slice(1), ...all.slice(3)];
    expect(paired(taken, room)).toMatchObject({ pairs: ['1-1', '2-2', '3-3'], before: 0, after: 0 });
  });
});
