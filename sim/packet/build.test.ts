import { describe, expect, it } from 'vitest';
import * as build from './build.ts';
import { readU16, toHex } from './bytes.ts';
import { verify } from './checksum.ts';
import { decodeIpv4, Ipv4View } from './ipv4.ts';
import { Layers } from './layers.ts';

describe('a built frame', () => {
  it('has lengths, numbers and checksums filled in', () => {
    const bytes = build.frame(build.ethernet(), build.vlan(), build.ipv4(), build.tcp(), new Uint8Array(3));
    const layers = new Layers().walk(bytes, 0, bytes.length);
    expect(layers).toMatchObject({ stop: '', tagCount: 1, l4Protocol: 6, l3DeclaredEnd: bytes.length });
    expect(new Ipv4View().at(bytes, layers.l3).verifyChecksum()).toBe(true);
    expect(verify(bytes, layers.l4, layers.l4Length, layers.pseudoHeader())).toBe(true);
  });

  it('has what was stated, right or wrong', () => {
    const bytes = build.frame(
      build.ethernet({ etherType: 0x1234 }),
      build.ipv4({ totalLength: 99, checksum: 0, protocol: 200 }),
      build.echoRequest({ checksum: 0xbeef }),
    );
    expect(readU16(bytes, 12)).toBe(0x1234);
    expect(decodeIpv4(bytes, 14)).toMatchObject({ value: { totalLength: 99, checksum: 0, protocol: 200 } });
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
    const bytes = build.frame(
      build.ipv6(),
      build.extension({ header: 60, options: [] }),
      build.echoRequest6(),
    );
    expect([bytes[6], bytes[40]]).toEqual([60, 58]);
  });

  it('takes plain bytes anywhere', () => {
    expect(toHex(build.frame(Uint8Array.of(1), Uint8Array.of(2, 3)))).toBe('010203');
  });
});
