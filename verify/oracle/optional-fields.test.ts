/**
 * Headers of tunnels whose length depends on flags in them, put together from the RFCs for every combination of flags: the oracle
 * finds the packet behind each, and reads no field that the flags say is not there.
 */
import { describe, expect, it } from 'vitest';
import { bytes, data, u16 } from '../test-support/packets.ts';
import { eth4, frame, ip, ip6, onPort } from '../test-support/right-packets.ts';
import { CHECKSUM_LAYERS, CHECKSUM_STATUSES, verifyChecksums } from './checksums.ts';

/** `ipv4/0 good, udp/0 good` */
function verdict(packet: Uint8Array): string {
  const found: string[] = [];
  verifyChecksums(packet, 0, packet.length, {
    checksum: ({ layer, depth, status }) =>
      found.push(`${CHECKSUM_LAYERS[layer]}/${depth} ${CHECKSUM_STATUSES[status]}`),
  });
  return found.join(', ');
}

const IN_UDP = 'ipv4/0 good, udp/0 good, ipv4/1 good, tcp/0 good';
const IN_IP = 'ipv4/0 good, ipv4/1 good, tcp/0 good';
const NOTHING = 'ipv4/0 good, udp/0 good';
const flagsOf = (count: number): number[] => Array.from({ length: 1 << count }, (_, flags) => flags);

describe('the oracle finds a packet behind', () => {
  it.each(flagsOf(3))('GTP-U with flags %i (3GPP TS 29.281 §5.1)', (flags) => {
    // With any flag all three fields are there, and those without their flag are not to be read: E 4, S 2, PN 1.
    const isExtended = (flags & 4) !== 0;
    const next = isExtended ? 0x85 : 0xc0;
    const optional = flags === 0 ? [] : [0x12, 0x34, 0x56, next];
    const extension = isExtended ? [1, 0x10, 9, 0] : [];
    const size = ip.length + optional.length + extension.length;
    const header = bytes(0x30 | flags, 0xff, u16(size), 0, 0, 0, 42, optional, extension);
    expect(verdict(onPort(2152, bytes(header, ip)))).toBe(IN_UDP);
    // What stands behind the length is no part of it.
    expect(verdict(onPort(2152, bytes(header, ip, data(3))))).toBe(IN_UDP);
  });

  it('GTP-U whose place for an extension header says that there is none', () => {
    const header = bytes(0x34, 0xff, u16(ip.length + 4), 0, 0, 0, 42, 0, 0, 0, 0);
    expect(verdict(onPort(2152, bytes(header, ip)))).toBe(IN_UDP);
  });

  it.each([1, 2, 3])('GTP-U with %i extension headers', (count) => {
    const extensions = Array.from({ length: count }, (_, index) => {
      const words = 1 + index;
      return [words, ...data(4 * words - 2), index === count - 1 ? 0 : 0x85];
    });
    const size = ip.length + 4 + extensions.flat().length;
    const header = bytes(0x34, 0xff, u16(size), 0, 0, 0, 42, 0, 0, 0, 0x85, ...extensions);
    expect(verdict(onPort(2152, bytes(header, ip)))).toBe(IN_UDP);
    // One of no length has no end.
    const endless = header.slice();
    endless[12] = 0;
    expect(verdict(onPort(2152, bytes(endless, ip)))).toBe(NOTHING);
  });

  it.each(flagsOf(2))('GRE with flags %i (RFC 2890 §2)', (flags) => {
    const key = (flags & 2) === 0 ? [] : [0, 0, 0, 7];
    const sequence = (flags & 1) === 0 ? [] : [0, 0, 0, 8];
    expect(verdict(eth4(47, bytes(flags << 4, 0, u16(0x0800), key, sequence, ip)))).toBe(IN_IP);
  });

  it.each(flagsOf(3))('L2TPv2 with flags %i (RFC 2661 §3.1)', (flags) => {
    const length = (flags & 4) !== 0;
    const sequence = (flags & 2) === 0 ? [] : [0, 1, 0, 2];
    const offset = (flags & 1) === 0 ? [] : [...u16(3), 0xee, 0xee, 0xee];
    const rest = bytes(0, 9, 0, 8, sequence, offset, 0xff, 3, 0, 0x21, ip);
    const first = (length ? 0x40 : 0) | (sequence.length > 0 ? 8 : 0) | (offset.length > 0 ? 2 : 0);
    const stated = length ? u16(rest.length + 4) : [];
    expect(verdict(onPort(1701, bytes(first, 2, stated, rest)))).toBe(IN_UDP);
    // A control message carries none.
    expect(verdict(onPort(1701, bytes(first | 0x80, 2, stated, rest)))).toBe(NOTHING);
  });

  it.each([
    ['address and control, and a protocol of two bytes', [0xff, 3, 0, 0x21]],
    ['a protocol of two bytes', [0, 0x21]],
    ['address and control, and a protocol of one byte', [0xff, 3, 0x21]],
    ['a protocol of one byte', [0x21]],
  ])('L2TPv2 with %s (RFC 1661 §6.5 and §6.6)', (_, ppp) => {
    expect(verdict(onPort(1701, bytes(0, 2, 0, 9, 0, 8, ppp, ip)))).toBe(IN_UDP);
  });

  it.each(Array.from({ length: 4 }, (_, words) => words))('GUE with %i words of options', (words) => {
    const of = (first: number, protocol: number, inside: Uint8Array): Uint8Array =>
      onPort(6080, bytes(first | words, protocol, 0, 0, data(4 * words), inside));
    expect(verdict(of(0, 4, ip))).toBe(IN_UDP);
    expect(verdict(of(0, 41, ip6))).toBe('ipv4/0 good, udp/0 good, udp/1 good');
    // A control message, a version that is none, a protocol that needs the addresses around it.
    for (const packet of [of(0x20, 4, ip), of(0x80, 4, ip), of(0, 6, ip.subarray(20))])
      expect(verdict(packet)).toBe(NOTHING);
  });

  it.each(Array.from({ length: 4 }, (_, words) => words))('Geneve with %i words of options', (words) => {
    const of = (first: number, type: number, inside: Uint8Array): Uint8Array =>
      onPort(6081, bytes(first | words, 0, u16(type), 0, 0, 42, 0, data(4 * words), inside));
    expect(verdict(of(0, 0x6558, frame))).toBe(IN_UDP);
    expect(verdict(of(0, 0x0800, ip))).toBe(IN_UDP);
    expect(verdict(of(0x40, 0x6558, frame))).toBe(NOTHING);
  });

  it.each(Array.from({ length: 4 }, (_, words) => words + 2))('NSH of %i words (RFC 8300 §2.2)', (words) => {
    const of = (size: number, version = 0): Uint8Array =>
      onPort(
        4790,
        bytes(0x0c, 0, 0, 4, 0, 0, 42, 0, version, 0xc0 | size, 2, 1, 0, 0, 1, 255, data(4 * words - 8), ip),
      );
    expect(verdict(of(words))).toBe(IN_UDP);
    expect(verdict(of(1))).toBe(NOTHING);
    expect(verdict(of(words, 0x40))).toBe(NOTHING);
  });

  it.each(flagsOf(2))('CAPWAP whose header has %i words more (RFC 5415 §4.3)', (more) => {
    const size = 2 + more;
    const of = (version: number, flags: number): Uint8Array =>
      onPort(5247, bytes(version, size << 3, 2, flags, 0, 0, 0, 0, data(4 * more), frame));
    expect(verdict(of(0, 0))).toBe(IN_UDP);
    // Encrypted, a fragment, what keeps the channel alive.
    for (const packet of [of(1, 0), of(0, 0x80), of(0, 0x08)]) expect(verdict(packet)).toBe(NOTHING);
    const short = onPort(5247, bytes(0, 1 << 3, 2, 0, 0, 0, 0, 0, frame));
    expect(verdict(short)).toBe(NOTHING);
  });
});

describe('the destination in a pseudo-header', () => {
  /** A datagram of zeros but for its ports, summed with the destination at the option’s end. */
  const routed = (options: readonly number[], isRouted: boolean): string => {
    const datagram = bytes(u16(7), u16(53), u16(8), 0, 0);
    let sum = 0x0a0b + 0x0101 + 17 + 8 + 7 + 53 + 8;
    for (const word of isRouted ? [0x0a09, 0x0909] : [0x0a0b, 0x0102]) sum += word;
    sum = 0xffff - (sum > 0xffff ? sum - 0xffff : sum);
    datagram.set(u16(sum), 6);
    return verdict(eth4(17, datagram, { options }));
  };
  const right = 'ipv4/0 good, udp/0 good';

  it.each([
    ['loose, behind nothing', [131, 7, 4, 10, 9, 9, 9, 0], true],
    ['strict', [137, 7, 4, 10, 9, 9, 9, 0], true],
    ['loose, behind a filler', [1, 131, 7, 4, 10, 9, 9, 9], true],
    ['behind another option', [7, 4, 4, 0, 1, 131, 7, 4, 10, 9, 9, 9], true],
    ['used up', [131, 7, 8, 10, 9, 9, 9, 0], false],
    ['of a pointer that is none', [131, 7, 3, 10, 9, 9, 9, 0], false],
    ['of a length that ends within an address', [131, 8, 8, 10, 9, 9, 9, 9], false],
    ['of a pointer into an address', [131, 7, 5, 10, 9, 9, 9, 0], false],
    ['of two addresses, at the last', [131, 11, 8, 1, 1, 1, 1, 10, 9, 9, 9, 0], true],
    ['behind the end of options', [0, 131, 7, 4, 10, 9, 9, 9], false],
    ['longer than the header', [131, 11, 4, 10, 9, 9, 9, 0], false],
    ['of no address', [131, 3, 4, 1, 1, 1, 1, 0], false],
    ['behind an option of no length', [7, 1, 131, 7, 4, 10, 9, 9], false],
    ['an option of another type', [130, 7, 4, 10, 9, 9, 9, 0], false],
  ])(
    'is the last of a source route that is %s (RFC 791 §3.1), or the packet’s own',
    (_, options, isRouted) => {
      expect(routed(options, isRouted)).toBe(right);
      expect(routed(options, !isRouted)).toBe('ipv4/0 good, udp/0 bad');
    },
  );
});
