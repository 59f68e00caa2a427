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
import {
  atItsPlace,
  behindOptions,
  type Displaced,
  displaced,
  optionsAsHeader,
  withoutData,
} from './displaced.ts';
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

  it('another header is put at its own place, as it is and with right sums, and nothing else changes', () => {
    const isUdp = protocol === 17;
    for (const one of all) {
      const [asItIs, whole, ...more] = atItsPlace(one, protocol, HEADER);
      expect(more).toEqual([]);
      const size = Math.min(HEADER.length, (isInside(one) ? one.packet.length : one.at) - one.transport);
      const [from, to] = [one.transport, one.transport + size];
      const expected = one.packet.slice();
      expected.set(HEADER.subarray(0, size), from);
      expect(toHex(asItIs!)).toBe(toHex(expected));
      expect(toHex(whole!.subarray(from, from + 4))).toBe(toHex(HEADER.subarray(0, 4)));
      if (isUdp) expect(readU16(whole!, from + 4)).toBe(readU16(one.packet, from + 4));
      if (isUdp) expect(statuses(whole!)).not.toContain(CHECKSUM.bad);
      expect(toHex(whole!.subarray(to))).toBe(toHex(one.packet.subarray(to)));
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

describe('options of IPv4', () => {
  const [IP, AT] = [14, 34];
  const packet = PACKETS['UDP over IPv4']!;
  const forms = (header: readonly number[], of = packet): (readonly [string, string, boolean])[] =>
    [...displaced(of, Uint8Array.from(header))]
      .filter((one) => one.name === 'IPv4 options' && isInside(one))
      .map((one) => [one.form!, toHex(one.packet.subarray(AT, AT + 8)), one.isMalformed === true]);

  it.each<
    [what: string, header: readonly number[], expected: readonly (readonly [string, string, boolean])[]]
  >([
    [
      'a port below 256: the end of options, whatever follows',
      [0, 123, 0x80, 1, 0, 9, 2, 2],
      [
        ['option', '1e14800100090202', false],
        ['whole', '007b800100090202', false],
      ],
    ],
    [
      'a port of an option that has to have a length',
      [1, 0xbb, 0x80, 1, 0, 9, 2, 2],
      [
        ['option', '1e14800100090202', false],
        ['mended', '01bb130100090202', false],
        ['whole', '01bb800100090202', true],
      ],
    ],
    [
      'a port that no option has',
      [0x2b, 0xcb, 0x80, 1, 0, 9, 2, 2],
      [
        ['option', '1e14800100090202', false],
        ['mended', '2b14800100090202', false],
        ['whole', '2bcb800100090202', true],
      ],
    ],
    [
      'a route, of which more is asked',
      [0x83, 7, 4, 1, 0, 9, 2, 2],
      [
        ['option', '1e14040100090202', false],
        ['whole', '8307040100090202', true],
      ],
    ],
  ])('hold %s', (_, header, expected) => {
    expect(forms(header)).toEqual(expected);
  });

  it('move what is behind them whatever the protocol', () => {
    const igmp = ethernet(0x0800, ipv4(2, data(8)));
    expect(forms([0x16, 0, 1, 1, 224, 1, 1, 1], igmp).map(([name]) => name)).toEqual([
      'option',
      'mended',
      'whole',
    ]);
    expect(new Set([...displaced(igmp, HEADER)].map(({ name }) => name))).toEqual(new Set(['IPv4 options']));
  });

  it('are put in front, and taken for what is behind them, sums right', () => {
    const moved = behindOptions(packet)!;
    expect(transportOf(moved)?.at).toBe(AT + 20);
    expect(toHex(moved.subarray(AT + 20))).toBe(toHex(packet.subarray(AT)));
    expect(statuses(moved)).not.toContain(CHECKSUM.bad);
    expect(behindOptions(moved)).toBeUndefined();
    expect(behindOptions(PACKETS['UDP over IPv6 behind a tag']!)).toBeUndefined();
    const plain = optionsAsHeader(moved);
    expect(plain[IP]).toBe(0x45);
    expect(toHex(plain.subarray(AT))).toBe(toHex(moved.subarray(AT)));
    expect(optionsAsHeader(packet)).toBe(packet);
  });
});

describe('there is nothing in front of', () => {
  const udp4 = PACKETS['UDP over IPv4']!;

  it.each<readonly [string, Uint8Array]>([
    [
      'a packet with options',
      ethernet(0x0800, ipv4(17, udp(data(9), V4_A, V4_B), { options: [1, 1, 1, 0] })),
    ],
    ['a fragment', ethernet(0x0800, ipv4(17, udp(data(9), V4_A, V4_B), { fragment: 0x2000 }))],
    ['what is no transport', ethernet(0x86dd, ipv6(50, data(40)))],
    ['no IP', ethernet(0x0806, data(28))],
    ['a packet that is cut', udp4.subarray(0, 38)],
  ])('%s', (_, packet) => {
    expect([...displaced(packet, HEADER)]).toEqual([]);
  });
});
