import { describe, expect, it } from 'vitest';
import * as build from '../packet/build.ts';
import type { Frame } from '../runtime/context.ts';
import { Parsing } from './parsing.ts';

const parsing = new Parsing();

/** The packet in the middle of other bytes, as in a real frame buffer. */
function parse(packet: Uint8Array): Parsing {
  const bytes = new Uint8Array(packet.length + 200).fill(0x45);
  bytes.set(packet, 100);
  const frame: Frame = { bytes, dataMeta: 100, data: 100, dataEnd: 100 + packet.length };
  return parsing.parse(frame);
}

const tags = (count: number): build.LayerStack[] =>
  Array.from({ length: count }, (_, id) => build.vlan({ id, service: id === 0 }));

describe('parsing', () => {
  it('steps over none, one and two tags, and not over a third', () => {
    for (const count of [0, 1, 2]) {
      expect(parse(build.frame(build.ethernet(), ...tags(count), build.ipv4(), build.tcp()))).toMatchObject({
        link: 'parsed',
        tagCount: count,
        etherType: 0x0800,
        version: 4,
        protocol: 6,
        l3: 114 + count * 4,
        l4: 134 + count * 4,
      });
    }
    const three = build.frame(build.ethernet(), ...tags(3), build.ipv4(), build.tcp());
    expect(parse(three)).toMatchObject({ link: 'too many tags', etherType: -1, version: 0, protocol: -1 });
    expect(parse(three.subarray(0, 22))).toMatchObject({ link: 'too many tags' });
  });

  it('wants 14 bytes of Ethernet and 4 of a tag', () => {
    const tagged = build.frame(build.ethernet(), build.vlan(), build.ipv4());
    for (const length of [0, 13, 14, 17]) expect(parse(tagged.subarray(0, length)).link).toBe('too short');
    expect(parse(tagged.subarray(0, 18))).toMatchObject({ link: 'parsed', etherType: 0x0800, version: 0 });
  });

  it('parses IPv4 with its options, all there', () => {
    const packet = build.frame(build.ethernet(), build.ipv4({ options: [{ type: 1 }] }), build.udp());
    expect(parse(packet)).toMatchObject({ version: 4, protocol: 17, l4: 138 });
    expect(parse(packet.subarray(0, 38))).toMatchObject({ version: 4, protocol: 17 });
    expect(parse(packet.subarray(0, 37))).toMatchObject({ link: 'parsed', version: 0, protocol: -1 });
    packet[14] = 0x44;
    expect(parse(packet).version).toBe(0);
    packet[14] = 0x66;
    expect(parse(packet).version).toBe(0);
  });

  it('tells fragments by MF and offset alone', () => {
    const state = (fields: Parameters<typeof build.ipv4>[0]): string =>
      parse(build.frame(build.ethernet(), build.ipv4(fields), build.udp())).fragment;
    expect(state({ dontFragment: true, reserved: true })).toBe('none');
    expect(state({ moreFragments: true })).toBe('first');
    expect(state({ moreFragments: true, fragmentOffset: 0x1000 })).toBe('later');
    expect(state({ fragmentOffset: 1 })).toBe('later');
    expect(parse(build.frame(build.ethernet(), build.ipv6(), build.udp())).fragment).toBe('none');
  });

  it('parses IPv6 and leaves extension headers alone', () => {
    const packet = build.frame(build.ethernet(), build.ipv6(), build.dstopts(), build.tcp());
    expect(parse(packet)).toMatchObject({ version: 6, protocol: 60, l4: 154 });
    expect(parse(packet.subarray(0, 53)).version).toBe(0);
    packet[14] = 0x45;
    expect(parse(packet).version).toBe(0);
  });

  it('counts the upper layer’s bytes to the end of the frame, whatever the IP header says', () => {
    const packet = build.frame(build.ethernet(), build.ipv4({ totalLength: 20 }), build.udp());
    expect([parse(packet).hasL4(8), parse(packet).hasL4(9)]).toEqual([true, false]);
    expect(parse(build.frame(build.ethernet(), build.arp())).hasL4(0)).toBe(false);
  });
});
