/** Packets with a header in front of the transport header: are they right, and is what they say of themselves true? */
import { describe, expect, it } from 'vitest';
import { readU16, toHex } from '../../sim/packet/bytes.ts';
import { CHECKSUM, verifyChecksums } from '../oracle/checksums.ts';
import {
  data,
  ethernet,
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
import { type Displaced, displaced, withoutData } from './displaced.ts';
import { transportOf } from './variants.ts';

const HEADER = Uint8Array.from({ length: 20 }, (_, at) => 0xa0 + at);

const PACKETS: Readonly<Record<string, Uint8Array>> = {
  'UDP over IPv4': ethernet(0x0800, ipv4(17, udp(data(9), V4_A, V4_B))),
  'TCP over IPv4': ethernet(0x0800, ipv4(6, tcp(data(3)))),
  'UDP over IPv6 behind a tag': vlan(7, 0x86dd, ipv6(17, udp(data(8), V6_A, V6_B))),
};

function statuses(packet: Uint8Array): number[] {
  const found: number[] = [];
  verifyChecksums(packet, 0, packet.length, { checksum: ({ status }) => found.push(status) });
  return found;
}

describe.each(Object.entries(PACKETS))('in front of %s', (_, packet) => {
  const all = [...displaced(packet, HEADER)];
  const { version, protocol, at } = transportOf(packet)!;

  it('there is each header that may stand there, with a place within it and one behind, all sums right', () => {
    const names = version === 4 ? ['IPv4 options', 'the authentication header'] : FRONTS_6;
    expect([...new Set(all.map(({ name }) => name))]).toEqual(names);
    for (const name of names) {
      const own = all.filter((one) => one.name === name);
      expect(own.some(isInside)).toBe(true);
    }
    expect(all.some((one) => !isInside(one))).toBe(true);
    for (const one of all) {
      expect(statuses(one.packet), toHex(one.packet)).not.toContain(CHECKSUM.bad);
      expect(statuses(one.packet).length).toBeGreaterThan(0);
    }
  });

  it('the transport header lies where it is said to, and bytes of the other one elsewhere', () => {
    for (const one of all) {
      const ports = readU16(packet, at + 2);
      expect(readU16(one.packet, one.transport + 2)).toBe(ports);
      // An option of IPv4 says first what it is.
      const skipped = one.name === 'IPv4 options' && isInside(one) ? 2 : 0;
      expect(toHex(one.packet.subarray(one.at + skipped, one.at + one.size))).toBe(
        toHex(HEADER.subarray(skipped, one.size)),
      );
      const size = protocol === 6 ? 20 : 8;
      if (!isInside(one)) expect(one.at).toBeGreaterThanOrEqual(one.transport + size);
    }
  });

  it('the data holds them without that header, too', () => {
    for (const one of all) {
      expect(one.bare === undefined).toBe(isInside(one));
      if (one.bare === undefined) continue;
      const start = transportOf(one.bare)!.at + one.at - one.transport;
      expect(toHex(one.bare.subarray(start, start + one.size))).toBe(toHex(HEADER));
      expect(statuses(one.bare)).not.toContain(CHECKSUM.bad);
      expect(one.bare.length).toBe(one.packet.length - (one.transport - at));
    }
  });

  it('and it is a whole packet with its data cut off', () => {
    const cut = withoutData(packet);
    expect(cut.length).toBe(at + (protocol === 6 ? 20 : 8));
    expect(statuses(cut)).not.toContain(CHECKSUM.bad);
    expect(transportOf(cut)).toMatchObject({ version, protocol, at, end: cut.length });
    expect(withoutData(cut)).toBe(cut);
  });
});

const FRONTS_6 = [
  'hop-by-hop options',
  'destination options',
  'the routing header',
  'the authentication header',
];

function isInside(one: Displaced): boolean {
  return one.at < one.transport;
}

describe('there is nothing in front of', () => {
  const udp4 = PACKETS['UDP over IPv4']!;

  it.each<readonly [string, Uint8Array]>([
    [
      'a packet with options',
      ethernet(0x0800, ipv4(17, udp(data(9), V4_A, V4_B), { options: [1, 1, 1, 0] })),
    ],
    ['a fragment', ethernet(0x0800, ipv4(17, udp(data(9), V4_A, V4_B), { fragment: 0x2000 }))],
    ['what is no transport', ethernet(0x0800, ipv4(50, data(40)))],
    ['no IP', ethernet(0x0806, data(28))],
    ['a packet that is cut', udp4.subarray(0, 38)],
  ])('%s', (_, packet) => {
    expect([...displaced(packet, HEADER)]).toEqual([]);
  });
});
