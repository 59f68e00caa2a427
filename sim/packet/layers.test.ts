import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import './test-support/arbitraries.ts';
import * as build from './build.ts';
import { verify } from './checksum.ts';
import { routeOption } from './ipv4-options.ts';
import { Layers } from './layers.ts';

const layers = new Layers();
const walk = (bytes: Uint8Array): Layers => layers.walk(bytes, 0, bytes.length);
const data = Uint8Array.of(1, 2, 3);
const segments = (final: number): Uint8Array =>
  Uint8Array.from({ length: 36 }, (_, at) => (at < 20 ? 0 : final));

describe('a walk', () => {
  it('finds the upper layer behind Ethernet and IPv4', () => {
    walk(build.frame(build.ethernet(), build.ipv4(), build.udp(), data));
    expect(layers).toMatchObject({
      stop: '',
      etherType: 0x0800,
      tagCount: 0,
      version: 4,
      l3: 14,
      l3DeclaredEnd: 45,
      l3End: 45,
      l4Protocol: 17,
      l4: 34,
      fragment: 'whole',
      sourceAt: 26,
      destinationAt: 30,
      isTruncated: false,
      l4Length: 11,
    });
  });

  it('steps over any number of tags of both kinds', () => {
    walk(
      build.frame(
        build.ethernet(),
        build.vlan({ service: true }),
        build.vlan({ id: 7 }),
        build.vlan({ id: 8 }),
        build.ipv6(),
        build.tcp(),
      ),
    );
    expect(layers).toMatchObject({ stop: '', tagCount: 3, l3: 26, l4: 66, l4Protocol: 6, version: 6 });
    expect(layers.bytes[layers.tagAt(1) + 1]).toBe(7);
  });

  it('leaves padding behind the total length alone', () => {
    const bytes = build.frame(build.ethernet(), build.ipv4(), build.udp());
    walk(new Uint8Array([...bytes, 0, 0, 0, 0]));
    expect(layers).toMatchObject({ l3End: bytes.length, end: bytes.length + 4, isTruncated: false });
  });

  it('knows a packet that is cut off', () => {
    const bytes = build.frame(build.ethernet(), build.ipv4(), build.udp(), data);
    walk(bytes.subarray(0, 44));
    expect(layers).toMatchObject({ stop: '', l3End: 44, l3DeclaredEnd: 45, isTruncated: true, l4Length: 11 });
  });

  it('tells fragments apart in both versions', () => {
    const states = [
      build.frame(build.ethernet(), build.ipv4({ dontFragment: true, reserved: true }), data),
      build.frame(build.ethernet(), build.ipv4({ moreFragments: true }), data),
      build.frame(build.ethernet(), build.ipv4({ moreFragments: true, fragmentOffset: 1 }), data),
      build.frame(build.ethernet(), build.ipv4({ fragmentOffset: 0x1fff }), data),
      ...[
        { fragmentOffset: 0, moreFragments: false },
        { fragmentOffset: 0, moreFragments: true },
        { fragmentOffset: 1, moreFragments: false },
      ].map((fields) =>
        build.frame(
          build.ethernet(),
          build.ipv6(),
          build.fragment6({ identification: 1, nextHeader: 60, ...fields }),
          new Uint8Array(8),
        ),
      ),
    ].map((bytes) => walk(bytes).fragment);
    expect(states).toEqual(['whole', 'first', 'later', 'later', 'whole', 'first', 'later']);
    // Behind a later fragment's header lies data, though it announced destination options.
    expect(layers).toMatchObject({ l4Protocol: 60, l4: 62, extensionCount: 1 });
  });

  it('follows the whole chain of extension headers', () => {
    walk(
      build.frame(
        build.ethernet(),
        build.ipv6(),
        build.hopopts({ options: [{ type: 5, data: new Uint8Array(2) }] }),
        build.dstopts(),
        build.ah({ spi: 1, sequence: 1, icv: new Uint8Array(12) }),
        build.mobility({ data: new Uint8Array(6) }),
        build.icmpv6({ type: 128 }),
      ),
    );
    expect(layers).toMatchObject({ stop: '', l4Protocol: 58, l4: 54 + 8 + 8 + 24 + 8, extensionCount: 4 });
  });

  it('ends at ESP and at no next header', () => {
    for (const next of [50, 59]) {
      walk(build.frame(build.ethernet(), build.ipv6({ nextHeader: next }), data));
      expect(layers).toMatchObject({ stop: '', l4Protocol: next, l4: 54, extensionCount: 0 });
    }
  });

  it('steps over AH in IPv4', () => {
    const ah = build.frame(
      build.ah({ nextHeader: 17, spi: 1, sequence: 1, icv: new Uint8Array(12) }),
      new Uint8Array(8),
    );
    walk(build.frame(build.ethernet(), build.ipv4({ protocol: 51 }), ah));
    expect(layers).toMatchObject({ stop: '', l4Protocol: 17, l4: 34 + 24 });
  });

  it('takes the length from a jumbo payload option (RFC 2675 §2)', () => {
    const payload = new Uint8Array(70000);
    walk(
      build.frame(
        build.ethernet(),
        build.ipv6({ payloadLength: 0 }),
        build.hopopts({ nextHeader: 59, options: [{ type: 0xc2, data: Uint8Array.of(0, 1, 0x11, 0x78) }] }),
        payload,
      ),
    );
    expect(layers).toMatchObject({ stop: '', l4: 62, l4Length: 70000, isTruncated: false });
  });

  it.each([
    ['ethernet too short', build.frame(build.ethernet()).subarray(0, 13)],
    ['tag too short', build.frame(build.ethernet(), build.vlan()).subarray(0, 17)],
    ['not ip', build.frame(build.ethernet(), build.arp())],
    ['ip too short', build.frame(build.ethernet(), build.ipv4()).subarray(0, 33)],
    ['ip too short', build.frame(build.ethernet(), build.ipv6()).subarray(0, 53)],
    ['ip version', build.frame(build.ethernet({ etherType: 0x0800 }), build.ipv6())],
    ['ip version', build.frame(build.ethernet({ etherType: 0x86dd }), build.ipv4(), new Uint8Array(20))],
    ['ihl', build.frame(build.ethernet({ etherType: 0x0800 }), Uint8Array.of(0x44), new Uint8Array(30))],
    ['ihl', build.frame(build.ethernet({ etherType: 0x0800 }), Uint8Array.of(0x4f), new Uint8Array(30))],
    ['ip length', build.frame(build.ethernet(), build.ipv4({ totalLength: 19 }))],
    ['extension header', build.frame(build.ethernet(), build.ipv6({ nextHeader: 60 }), new Uint8Array(7))],
    [
      'extension header',
      build.frame(build.ethernet(), build.ipv6({ nextHeader: 60 }), Uint8Array.of(6, 1, 0, 0, 0, 0, 0, 0)),
    ],
  ] as const)('stops: %s', (stop, bytes) => {
    expect(walk(bytes).stop).toBe(stop);
    if (stop !== 'not ip') expect(layers.l4).toBe(-1);
  });

  it('forgets the packet before', () => {
    walk(build.frame(build.ethernet(), build.vlan(), build.ipv4({ fragmentOffset: 1 }), data));
    walk(new Uint8Array(3));
    expect({ ...layers, bytes: 0, end: 0, stop: '' }).toEqual({ ...new Layers(), bytes: 0 });
  });

  it('takes any bytes without throwing and stays within them', () => {
    const seed = build.frame(build.ethernet(), build.ipv6(), build.hopopts(), build.tcp());
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(90), fc.nat(255))), fc.nat(seed.length), (changes, length) => {
        const bytes = seed.slice();
        for (const [at, byte] of changes) bytes[at] = byte;
        walk(bytes.subarray(0, length));
        const addressLength = layers.version === 6 ? 16 : 4;
        for (const at of [layers.sourceAt, layers.destinationAt]) {
          if (at >= 0) expect(at + addressLength).toBeLessThanOrEqual(length);
        }
        for (const at of [layers.l3End, layers.l4]) {
          expect(at).toBeLessThanOrEqual(length);
        }
        if (layers.findInner()) expect(layers.innerAt).toBeLessThan(layers.innerEnd);
      }),
      { numRuns: 2000 },
    );
  });
});

describe('the pseudo-header', () => {
  const good = (bytes: Uint8Array): boolean => {
    walk(bytes);
    return verify(bytes, layers.l4, layers.l4Length, layers.pseudoHeader());
  };

  it('has the final destination of routing headers and source routes', () => {
    const routing = (type: number, segmentsLeft: number): build.LayerStack =>
      build.routing({ type, segmentsLeft, data: segments(9) });
    const route = routeOption(131, 4, ['1.1.1.1', '2.2.2.2']);
    for (const bytes of [
      build.frame(build.ethernet(), build.ipv4(), build.tcp(), data),
      build.frame(build.ethernet(), build.ipv6(), build.udp(), data),
      build.frame(build.ethernet(), build.ipv6(), routing(0, 2), build.udp(), data),
      build.frame(build.ethernet(), build.ipv6(), routing(0, 0), build.tcp(), data),
      build.frame(build.ethernet(), build.ipv6(), routing(4, 1), build.icmpv6({ type: 128 }), data),
      build.frame(build.ethernet(), build.ipv4({ options: [route] }), build.udp(), data),
    ]) {
      expect(good(bytes)).toBe(true);
    }
    walk(build.frame(build.ethernet(), build.ipv6(), routing(0, 2), build.udp(), data));
    expect(layers.destinationAt).toBe(54 + 8 + 16);
    walk(build.frame(build.ethernet(), build.ipv6(), routing(3, 1), build.udp(), data));
    expect(layers.destinationAt).toBe(-1);
  });
});

describe('inner packets', () => {
  const quoted = build.frame(build.ipv4(), build.udp(), data);
  const quoted6 = build.frame(build.ipv6(), build.udp(), data);
  const gre = (flags: number, type: number, more: number): Uint8Array =>
    Uint8Array.from([flags, 0, type >> 8, type & 0xff, ...new Array<number>(more).fill(0)]);

  it.each([
    ['icmp error', 42, build.frame(build.ethernet(), build.ipv4(), build.icmp({ type: 3 }), quoted)],
    ['icmp error', 62, build.frame(build.ethernet(), build.ipv6(), build.icmpv6({ type: 2 }), quoted6)],
    ['ip', 34, build.frame(build.ethernet(), build.ipv4(), build.ipv4(), build.udp())],
    ['ip', 54, build.frame(build.ethernet(), build.ipv6(), build.ipv4(), build.udp())],
    ['ip', 34, build.frame(build.ethernet(), build.ipv4(), build.ipv6(), build.udp())],
    ['ip', 38, build.frame(build.ethernet(), build.ipv4({ protocol: 47 }), gre(0, 0x0800, 0), quoted)],
    ['ip', 50, build.frame(build.ethernet(), build.ipv4({ protocol: 47 }), gre(0xb0, 0x86dd, 12), quoted6)],
    ['ethernet', 38, build.frame(build.ethernet(), build.ipv4({ protocol: 47 }), gre(0, 0x6558, 0), quoted)],
    [
      'ethernet',
      50,
      build.frame(
        build.ethernet(),
        build.ipv4(),
        build.udp({ destinationPort: 4789 }),
        Uint8Array.of(8, 0, 0, 0, 0, 0, 1, 0),
        build.ethernet(),
        build.ipv4(),
      ),
    ],
    [
      'ip',
      54,
      build.frame(
        build.ethernet(),
        build.ipv4(),
        build.udp({ destinationPort: 6081 }),
        Uint8Array.of(1, 0, 8, 0, 0, 0, 1, 0, 0, 0, 0, 0),
        quoted,
      ),
    ],
  ] as const)('are found: %s at byte %i', (kind, at, bytes) => {
    expect(walk(bytes).findInner()).toBe(true);
    expect(layers).toMatchObject({ innerKind: kind, innerAt: at, innerEnd: bytes.length });
  });

  it('are not seen in echoes, plain UDP, later fragments and unknown GRE versions', () => {
    for (const bytes of [
      build.frame(build.ethernet(), build.ipv4(), build.echoRequest(), quoted),
      build.frame(build.ethernet(), build.ipv6(), build.echoRequest6(), quoted6),
      build.frame(build.ethernet(), build.ipv4(), build.udp(), new Uint8Array(20)),
      build.frame(build.ethernet(), build.ipv4({ protocol: 4, fragmentOffset: 1 }), quoted),
      build.frame(build.ethernet(), build.ipv4({ protocol: 47 }), Uint8Array.of(0, 1, 8, 0), quoted),
      build.frame(build.ethernet(), build.ipv4(), build.icmp({ type: 3 })),
    ]) {
      expect(walk(bytes).findInner()).toBe(false);
      expect(layers).toMatchObject({ innerKind: 'none', innerAt: -1 });
    }
  });

  it('are walked by version', () => {
    expect(layers.walkIp(quoted, 0, quoted.length)).toMatchObject({
      version: 4,
      l4: 20,
      l3: 0,
      etherType: -1,
    });
    expect(layers.walkIp(quoted6, 0, quoted6.length)).toMatchObject({ version: 6, l4: 40 });
    expect(layers.walkIp(Uint8Array.of(0x50), 0, 1).stop).toBe('ip version');
    expect(layers.walkEtherType(0x86dd, quoted6, 0, quoted6.length)).toMatchObject({ version: 6, l4: 40 });
    expect(layers.walkEtherType(0x0806, quoted, 0, quoted.length).stop).toBe('not ip');
  });
});
