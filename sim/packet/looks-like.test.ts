/** What the payload of a datagram on unknown ports looks like, at the least length that decides it, wherever it lies. */
import { describe, expect, it } from 'vitest';
import { looksLikeFrame, looksLikeIp, looksLikeTunnel } from './looks-like.ts';

/** IPv4 of 20 bytes, IPv6 of 40, ARP of 28, each behind an Ethernet header where that is asked. */
const IPV4 = [0x45, 0, 0, 20, ...new Array(16).fill(0)];
const IPV6 = [0x60, 0, 0, 0, 0, 0, ...new Array(34).fill(0)];
const ARP = [0, 1, 0x08, 0x00, 6, 4, ...new Array(22).fill(0)];
const ethernet = (type: number, inner: readonly number[], tags: readonly number[] = []): number[] => [
  ...new Array(12).fill(2),
  ...tags.flatMap((tag) => [tag >> 8, tag & 0xff, 0, 1]),
  type >> 8,
  type & 0xff,
  ...inner,
];
const vxlan = (first: number, next: number, inner: readonly number[]): number[] => [
  ...[first, 0, 0, next, 0, 0, 7, 0],
  ...inner,
];

/** Between bytes that are not part of it. */
function seen(bytes: readonly number[], how = looksLikeTunnel): unknown {
  const around = Uint8Array.from([0x45, 0x45, 0x45, ...bytes, 0x45, 0x45]);
  return how(around, 3, 3 + bytes.length);
}

describe('a payload', () => {
  it.each<[name: string, bytes: readonly number[], shorter: string]>([
    ['ipv4', IPV4, 'data'],
    ['ipv6', IPV6, 'data'],
    ['vxlan', vxlan(0x08, 0, ethernet(0x0800, IPV4)), 'data'],
    ['vxlan', vxlan(0x08, 0, ethernet(0x86dd, IPV6)), 'data'],
    ['vxlan', vxlan(0x08, 0, ethernet(0x0806, ARP)), 'data'],
    ['vxlan', vxlan(0x08, 0, ethernet(0x0800, IPV4, [0x8100])), 'data'],
    ['vxlan', vxlan(0x08, 0, ethernet(0x0800, IPV4, [0x88a8, 0x8100])), 'data'],
    ['vxlangpe', vxlan(0x0c, 3, ethernet(0x0800, IPV4)), 'data'],
    ['vxlangpe', vxlan(0x0c, 1, IPV4), 'data'],
    ['vxlangpe', vxlan(0x0c, 2, IPV6), 'data'],
  ])('is %s, and is not without its last byte', (name, bytes, shorter) => {
    expect(seen(bytes)).toBe(name);
    expect(seen(bytes.slice(0, -1))).toBe(shorter);
  });

  it('is data where one of the fields is another', () => {
    for (const bytes of [
      [],
      [0x08, 0, 0, 0, 0, 0, 7],
      [0x08, 0, 0, 0, 0, 0, 7, 0],
      vxlan(0x09, 0, ethernet(0x0800, IPV4)),
      vxlan(0x08, 3, ethernet(0x0800, IPV4)),
      vxlan(0x08, 0, ethernet(0x0801, IPV4)),
      vxlan(0x08, 0, ethernet(0x0800, IPV6)),
      vxlan(0x08, 0, ethernet(0x86dd, IPV4)),
      vxlan(0x08, 0, ethernet(0x0806, [0, 2, ...ARP.slice(2)])),
      vxlan(0x08, 0, ethernet(0x0806, [0, 1, 0x86, 0xdd, ...ARP.slice(4)])),
      vxlan(0x0c, 2, IPV4),
      vxlan(0x0c, 1, IPV6),
      vxlan(0x0c, 0, IPV4),
      vxlan(0x0c, 4, IPV4),
    ])
      expect(seen(bytes)).toBe('data');
    for (const [at, value] of [
      [1, 1],
      [2, 1],
      [7, 1],
    ] as const) {
      const bytes = vxlan(0x08, 0, ethernet(0x0800, IPV4));
      bytes[at] = value;
      expect(seen(bytes)).toBe('data');
    }
  });

  it('is an IP packet where lengths fit, with or without something behind it', () => {
    const version = (bytes: readonly number[], exactly: boolean): number =>
      looksLikeIp(Uint8Array.from([9, ...bytes]), 1, 1 + bytes.length, exactly);
    for (const [bytes, number] of [
      [IPV4, 4],
      [IPV6, 6],
    ] as const) {
      expect([version(bytes, true), version(bytes, false)]).toEqual([number, number]);
      expect([version([...bytes, 0], true), version([...bytes, 0], false)]).toEqual([0, number]);
      expect([version(bytes.slice(1), true), version(bytes.slice(0, -1), false)]).toEqual([0, 0]);
    }
    // A header of 16 bytes, one longer than the packet, and one with options.
    expect(version([0x44, ...IPV4.slice(1)], false)).toBe(0);
    expect(version([0x46, ...IPV4.slice(1)], false)).toBe(0);
    expect(version([0x45, 0, 0, 19, ...IPV4.slice(4)], false)).toBe(0);
    expect(version([0x46, 0, 0, 24, ...IPV4.slice(4), 0, 0, 0, 0], true)).toBe(4);
    expect(version([0x50, ...IPV6.slice(1)], false)).toBe(0);
  });

  it('is a frame only where its EtherType is there', () => {
    expect(looksLikeFrame(Uint8Array.from(ethernet(0x0800, IPV4)), 0, 13)).toBe(false);
    expect(looksLikeFrame(Uint8Array.from(ethernet(0x0800, [], [0x8100])), 0, 17)).toBe(false);
  });
});
