import { describe, expect, it } from 'vitest';
import * as build from './build.ts';
import { readU16, toHex } from './bytes.ts';
import { pseudoHeader6, verify } from './checksum.ts';
import { IPV4 } from './ipv4.ts';
import { decodeTree } from './tree.ts';

/** What the tree says of each checksum. */
const verdicts = (bytes: Uint8Array): (string | undefined)[] =>
  decodeTree(bytes).flatMap(({ children }) =>
    children.filter(({ name }) => name === 'checksum').map(({ note }) => note),
  );

describe('a built frame', () => {
  it('has lengths, numbers and checksums filled in', () => {
    const bytes = build.frame(build.ethernet(), build.vlan(), build.ipv4(), build.tcp(), new Uint8Array(3));
    expect(decodeTree(bytes).map(({ name, offset }) => [name, offset])).toEqual([
      ['ethernet', 0],
      ['vlan', 14],
      ['ipv4', 18],
      ['tcp', 38],
      ['payload', 58],
    ]);
    expect(readU16(bytes, 20)).toBe(bytes.length - 18);
    expect(verdicts(bytes)).toEqual(['correct', 'correct']);
  });

  it('has what was stated, right or wrong', () => {
    const bytes = build.frame(
      build.ethernet({ etherType: 0x1234 }),
      build.ipv4({ totalLength: 99, checksum: 0, protocol: 200 }),
      build.echoRequest({ checksum: 0xbeef }),
    );
    expect(readU16(bytes, 12)).toBe(0x1234);
    expect(IPV4.decode(bytes, 14)).toMatchObject({ value: { totalLength: 99, checksum: 0, protocol: 200 } });
    expect(readU16(bytes, 36)).toBe(0xbeef);
  });

  it('sends a computed UDP checksum of 0 as 0xffff (RFC 768)', () => {
    const empty = build.frame(build.ipv4(), build.udp(), Uint8Array.of(0, 0));
    // Two data bytes that make up what the sum lacks to 0xffff.
    const lacking = readU16(empty, 26);
    const bytes = build.frame(build.ipv4(), build.udp(), Uint8Array.of(lacking >> 8, lacking & 0xff));
    expect(readU16(bytes, 26)).toBe(0xffff);
  });

  it('chains extension headers', () => {
    const bytes = build.frame(build.ipv6(), build.dstopts(), build.echoRequest6());
    expect([bytes[6], bytes[40]]).toEqual([60, 58]);
  });

  it('takes plain bytes anywhere', () => {
    expect(toHex(build.frame(Uint8Array.of(1), Uint8Array.of(2, 3)))).toBe('010203');
  });
});

describe('layers one inside the other', () => {
  it('are the same in a chain as in a list', () => {
    const chained = build
      .ethernet()
      .ipv4({ ttl: 1 })
      .udp({ destinationPort: 53 })
      .payload(Uint8Array.of(1, 2, 3));
    const listed = build.frame(
      build.ethernet(),
      build.ipv4({ ttl: 1 }),
      build.udp({ destinationPort: 53 }),
      Uint8Array.of(1, 2, 3),
    );
    expect(toHex(chained.bytes())).toBe(toHex(listed));
  });

  it('fill in the checksums of an inner packet and of an outer one', () => {
    const bytes = build.ethernet().ipv4().ipv6().tcp().payload(new Uint8Array(5)).bytes();
    expect(decodeTree(bytes).map(({ name }) => name)).toEqual(['ethernet', 'ipv4', 'ipv6', 'tcp', 'payload']);
    expect(verdicts(bytes)).toEqual(['correct', 'correct']);
    const pseudo = pseudoHeader6(bytes, 34 + 8, 34 + 24, 6, 25);
    expect(verify(bytes, 74, 25, pseudo)).toBe(true);
  });

  it('take the last address of a routing header for the pseudo-header (RFC 8200 §8.1)', () => {
    const segments = new Uint8Array(20);
    segments[19] = 9;
    const bytes = build.ipv6().routing({ segmentsLeft: 1, data: segments }).udp().bytes();
    expect(verify(bytes, 64, 8, pseudoHeader6(bytes, 8, 48, 17, 8))).toBe(true);
  });
});
