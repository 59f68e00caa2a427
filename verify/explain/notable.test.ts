/** What is unusual about a packet, and what may be behind a difference, in half a sentence. */
import { describe, expect, it } from 'vitest';
import type { MapDefinition } from '../../sim/runtime/maps.ts';
import type { Finding } from '../finding.ts';
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
  V6_A,
  V6_B,
  vlan,
} from '../test-support/packets.ts';
import { plainOutcome } from '../test-support/plain-outcome.ts';
import { likelyCause, mapCause } from './causes.ts';
import { notable } from './notable.ts';

const put = (packet: Uint8Array, at: number, ...values: number[]): Uint8Array => {
  const copy = packet.slice();
  copy.set(values, at);
  return copy;
};
const UDP = ethernet(0x0800, ipv4(17, udp(data(20))));
const UDP6 = ethernet(0x86dd, ipv6(17, udp(data(20), V6_A, V6_B)));
/** Without what is said of wrong checksums. */
const said = (packet: Uint8Array): string[] =>
  notable(packet).filter((feature) => !feature.includes('checksum'));

describe('a packet', () => {
  it.each<[what: string, packet: Uint8Array, features: string[]]>([
    ['that is plain has nothing unusual', UDP, []],
    ['that is plain over IPv6 neither', UDP6, []],
    ['of 13 bytes', UDP.subarray(0, 13), ['it ends within the Ethernet header (13 bytes)']],
    ['of 14 bytes', UDP.subarray(0, 14), ['it ends after 0 bytes of the IPv4 header']],
    ['to a group', put(UDP, 0, 1), ['its destination MAC is a group address']],
    ['from a group', put(UDP, 6, 3), ['its source MAC is a group address']],
    ['with a tag', vlan(5, 0x0800, UDP.subarray(14)), ['it has a VLAN tag']],
    ['with two tags', vlan(5, 0x8100, bytes([0, 6, 8, 0], UDP.subarray(14)), 0x88a8), ['it has 2 VLAN tags']],
    ['with 19 bytes of a header', UDP.subarray(0, 33), ['it ends after 19 bytes of the IPv4 header']],
    ['with 39 bytes of a header', UDP6.subarray(0, 53), ['it ends after 39 bytes of the IPv6 header']],
    ['of another version', put(UDP, 14, 0x55), ['its IPv4 header says version 5']],
    ['of another version over IPv6', put(UDP6, 14, 0x50), ['its IPv6 header says version 5']],
    ['with a header that is too short', put(UDP, 14, 0x44), ['its ihl is 4, below 5']],
    [
      'with options',
      ethernet(0x0800, ipv4(17, udp(data(8)), { options: [1, 1, 1, 0] })),
      ['it has IPv4 options (ihl 6)'],
    ],
    ['that is a first fragment', put(UDP, 20, 0x20), ['it is a first fragment']],
    ['that is a later fragment', put(UDP, 21, 1), ['it is a later fragment']],
    ['that is the last fragment', put(UDP, 20, 0x3f, 0xff), ['it is a later fragment']],
    ['that may not be fragmented', put(UDP, 20, 0x40), []],
    ['that says that it is longer', put(UDP, 16, 0, 49), ['its IPv4 total length 49 goes beyond the frame']],
    ['that says that it is shorter', put(UDP, 16, 0, 47), ['1 byte follows its IPv4 packet']],
    ['that says that it ends with its header', put(UDP, 16, 0, 20), ['28 bytes follow its IPv4 packet']],
    [
      'that says that it ends before its header',
      put(UDP, 16, 0, 19),
      ['its IPv4 total length 19 is below its header’s'],
    ],
    [
      'over IPv6 that says that it is longer',
      put(UDP6, 18, 0, 29),
      ['its IPv6 payload length 29 goes beyond the frame'],
    ],
    ['over IPv6 that says that it is shorter', put(UDP6, 18, 0, 27), ['1 byte follows its IPv6 packet']],
    ['with a TTL of 1', ethernet(0x0800, ipv4(17, udp(data(8)), { ttl: 1 })), ['its TTL is 1']],
    ['with a TTL of 2', ethernet(0x0800, ipv4(17, udp(data(8)), { ttl: 2 })), []],
    ['with a hop limit of 0', put(UDP6, 21, 0), ['its hop limit is 0']],
    ['with a hop limit of 2', put(UDP6, 21, 2), []],
    [
      'with a TTL of 0 and something that tells more',
      put(put(UDP, 22, 0), 0, 1),
      ['its destination MAC is a group address'],
    ],
    ['of another protocol with little behind', ethernet(0x0800, ipv4(253, data(2))), []],
    ['of another EtherType', ethernet(0x0806, data(28)), []],
  ])('%s', (_what, packet, features) => {
    expect(said(packet)).toEqual(features);
  });

  it.each([0, 43, 44, 60])('with extension header %d says so', (next) => {
    expect(said(put(UDP6, 20, next))).toContain('it has IPv6 extension headers');
  });

  it.each<[name: string, packet: (size: number) => Uint8Array, header: number]>([
    ['ICMP', (size) => ethernet(0x0800, ipv4(1, icmp(8, 0, [0, 0, 0, 0], data(0)).subarray(0, size))), 8],
    ['TCP', (size) => ethernet(0x0800, ipv4(6, tcp(data(0)).subarray(0, size))), 20],
    ['UDP', (size) => ethernet(0x0800, ipv4(17, udp(data(0)).subarray(0, size))), 8],
    ['ICMPv6', (size) => ethernet(0x86dd, ipv6(58, icmpv6(128, [0, 0, 0, 0], data(0)).subarray(0, size))), 8],
  ])('with a part of a header of %s says how much of it', (name, packet, header) => {
    expect(said(packet(header))).toEqual([]);
    expect(said(packet(header - 1))).toEqual([`it ends after ${header - 1} bytes of the ${name} header`]);
    expect(said(packet(0))).toEqual([`it ends after 0 bytes of the ${name} header`]);
    // Of a later fragment nobody expects one.
    if (name === 'UDP') expect(said(put(packet(3), 21, 1))).toEqual(['it is a later fragment']);
  });

  it('with a wrong checksum, or none, says which', () => {
    expect(notable(put(UDP, 40, 1))).toEqual(['its udp checksum is bad']);
    expect(notable(put(UDP, 40, 0, 0))).toEqual(['its udp checksum is absent']);
    expect(notable(put(UDP6, 60, 0, 0))).toEqual(['its udp checksum is illegal']);
    const inner = put(UDP.subarray(14), 10, 0);
    expect(notable(ethernet(0x0800, ipv4(4, inner)))).toEqual([
      'its ipv4 checksum (the 2. of its kind) is bad',
    ]);
  });
});

describe('counters of a map', () => {
  const definition: MapDefinition = { name: 'm', type: 'ARRAY', keySize: 4, valueSize: 16, maxEntries: 1 };
  const words = (...values: number[]): Uint8Array =>
    new Uint8Array(BigUint64Array.from(values.map(BigInt)).buffer);
  const cause = (
    expected: Uint8Array | undefined,
    got: Uint8Array | undefined,
    packets = 1,
  ): string | undefined => mapCause({ map: 'm', definition, key: new Uint8Array(4), expected, got }, packets);

  it.each<
    [
      what: string,
      expected: Uint8Array | undefined,
      got: Uint8Array | undefined,
      packets: number,
      cause: string,
    ]
  >([
    ['were made', undefined, words(1), 1, 'an entry was made that should not be there'],
    ['were not made', words(1), undefined, 1, 'no entry was made'],
    [
      'are twice as large',
      words(3, 10),
      words(6, 20),
      1,
      'counted twice: every number is 2 times what it should be',
    ],
    [
      'are three times as large',
      words(3, 0),
      words(9, 0),
      1,
      'counted 3 times: every number is 3 times what it should be',
    ],
    [
      'are half as large',
      words(6, 20),
      words(3, 10),
      1,
      'counted too seldom: every number should be 2 times as large',
    ],
    ['are off, each by its own', words(3, 10), words(6, 30), 1, 'number 1 of 2 is off by 3'],
    ['are off, the second', words(3, 10), words(3, 17), 1, 'number 2 of 2 is off by 7'],
    ['are off by as much a packet', words(3, 10), words(3, 16), 3, 'number 2 of 2 is off by 6, 2 a packet'],
    ['are off by no whole number a packet', words(3, 10), words(3, 17), 3, 'number 2 of 2 is off by 7'],
    [
      'leave out the Ethernet header',
      words(1, 64),
      words(1, 50),
      1,
      'number 2 of 2 is off by -14: the Ethernet header?',
    ],
    [
      'have the Ethernet header too much',
      words(3, 100),
      words(3, 142),
      3,
      'number 2 of 2 is off by 42, 14 a packet: the Ethernet header?',
    ],
    [
      'of 32 bits',
      Uint8Array.of(1, 0, 0, 0, 5, 0, 0, 0, 7, 0, 0, 0),
      Uint8Array.of(1, 0, 0, 0, 6, 0, 0, 0, 7, 0, 0, 0),
      1,
      'number 2 of 3 is off by 1',
    ],
    ['of bytes', Uint8Array.of(1, 2, 3), Uint8Array.of(1, 2, 9), 1, 'number 3 of 3 is off by 6'],
    [
      'of many bits',
      Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 1),
      Uint8Array.of(1, 0, 0, 0, 0, 0, 0, 1),
      1,
      'number 1 of 1 is off by 1',
    ],
  ])('that %s', (_what, expected, got, packets, text) => {
    expect(cause(expected, got, packets)).toBe(text);
  });
});

describe('a field that differs', () => {
  const shownBy = (
    came: Uint8Array,
    expected: Uint8Array,
    got: Uint8Array,
    others: Finding['others'] = [],
  ): string | undefined => {
    const finding: Finding = {
      ...{ engines: ['model', 'vm'], part: 'packet', field: 'x', packet: 0, others },
      ...{ expected: plainOutcome(expected), got: plainOutcome(got) },
    };
    return likelyCause({ program: 'p', world: {}, stimuli: [{ packet: came }] }, finding);
  };

  it.each<[what: string, came: Uint8Array, expected: Uint8Array, got: Uint8Array, cause: string | undefined]>(
    [
      ['was left as it came', UDP, put(UDP, 22, 63), UDP, 'the field was left as it came'],
      ['was changed', UDP, UDP, put(UDP, 22, 63), 'the field was changed, though it should stay as it came'],
      [
        'has its bytes the other way round',
        UDP,
        put(UDP, 34, 1, 2),
        put(UDP, 34, 2, 1),
        'the field was written in the wrong byte order',
      ],
      [
        'was not swapped',
        UDP,
        put(UDP, 26, 10, 11, 1, 2),
        UDP,
        'the field was left as it came: addresses not swapped (byte 30 holds what is expected here)',
      ],
      ['is something else', UDP, put(UDP, 34, 1, 2), put(UDP, 34, 3, 4), undefined],
      [
        'is of a packet with options',
        put(UDP, 0, 1),
        put(UDP, 0, 1),
        put(put(UDP, 0, 1), 22, 63),
        'the field was changed, though it should stay as it came; the packet is special: its destination MAC is a group address',
      ],
      [
        'is something else of a packet that is special',
        put(UDP, 0, 1),
        put(put(UDP, 0, 1), 34, 1, 2),
        put(put(UDP, 0, 1), 34, 3, 4),
        'the packet is special: its destination MAC is a group address',
      ],
    ],
  )('%s', (_what, came, expected, got, cause) => {
    expect(shownBy(came, expected, got)).toBe(cause);
  });

  it('has the cause that other packets show, too: a value may be that of the packet by chance', () => {
    // The program writes 64 into every TTL, which the first packet has already.
    const wanted = put(UDP, 22, 63);
    const of = (ttl: number) => ({ came: put(UDP, 22, ttl), left: UDP, wanted: put(UDP, 22, ttl - 1) });
    expect(shownBy(UDP, wanted, UDP, [of(9), of(30), of(64)])).toBeUndefined();
    // One that left as it should tells nothing, nor do others of the same cause.
    const right = { came: UDP, left: wanted, wanted };
    expect(shownBy(UDP, wanted, UDP, [right])).toBe('the field was left as it came');
    const left = { came: put(UDP, 22, 9), left: put(UDP, 22, 9), wanted: put(UDP, 22, 8) };
    expect(shownBy(UDP, wanted, UDP, [left, left, of(30)])).toBe('the field was left as it came');
  });

  it('of an action is what the packet is', () => {
    const of = (packet: Uint8Array, more: Partial<Finding> = {}): string | undefined =>
      likelyCause(
        { program: 'p', world: {}, stimuli: [{ packet }] },
        {
          ...{
            engines: ['model', 'vm'],
            part: 'action',
            field: 'action',
            packet: 0,
            expected: plainOutcome(packet),
            got: plainOutcome(packet),
          },
          ...more,
        },
      );
    expect(of(UDP)).toBeUndefined();
    expect(of(put(UDP, 22, 1))).toBe('the packet is special: its ipv4 checksum is bad');
    expect(of(put(UDP, 0, 1))).toBe('the packet is special: its destination MAC is a group address');
    expect(of(put(UDP, 0, 1), { part: 'redirect' })).toBeUndefined();
    expect(of(put(UDP, 0, 1), { packet: 4 })).toBeUndefined();
    const note = { message: 'out of bounds' };
    expect(of(UDP, { part: 'status', got: plainOutcome(UDP, { note }) })).toBe('out of bounds');
    expect(of(UDP, { part: 'status', expected: plainOutcome(UDP, { note }) })).toBe('out of bounds');
  });
});
