import { describe, expect, it } from 'vitest';
import { layout, repair } from '../simplify/packet-layout.ts';
import { faults } from '../simplify/well-formed.ts';
import { longWalks } from './long-walks.ts';

const MAC = new Uint8Array(12);
const framed = (etherType: number, packet: Uint8Array): Uint8Array =>
  Uint8Array.of(...MAC, etherType >> 8, etherType & 0xff, ...packet);
const TCP = Uint8Array.of(0, 80, 0, 80, ...new Uint8Array(8), 0x50, 2, 0xff, 0xff, 0, 0, 0, 0, 1, 2, 3, 4);
const header4 = (protocol: number): Uint8Array =>
  Uint8Array.of(0x45, 0, 0, 0, 0, 0, 0, 0, 64, protocol, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2);
const header6 = (protocol: number): Uint8Array =>
  Uint8Array.of(0x60, 0, 0, 0, 0, 0, protocol, 64, ...new Uint8Array(31), 1);
function sound(etherType: number, ...parts: Uint8Array[]): Uint8Array {
  const packet = framed(etherType, Uint8Array.of(...parts.flatMap((part) => [...part])));
  repair(packet, 'checksum');
  return packet;
}
const SYN = sound(0x0800, header4(6), TCP);
const walks = (packet: Uint8Array): Uint8Array[] =>
  longWalks({ packet, rxQueueIndex: 3 }).map((one) => one.packet);
const hexes = (packets: readonly Uint8Array[]): string[] =>
  packets.map((one) => Buffer.from(one).toString('hex'));

describe('a packet with long walks', () => {
  it('is as sound as it was, with the same data, and comes as it came', () => {
    for (const packet of [SYN, sound(0x86dd, header6(6), TCP)]) {
      const known = faults(packet);
      expect(longWalks({ packet, rxQueueIndex: 3 }).every(({ rxQueueIndex }) => rxQueueIndex === 3)).toBe(
        true,
      );
      for (const one of walks(packet)) expect([faults(one), ...one.slice(-4)]).toEqual([known, 1, 2, 3, 4]);
    }
  });

  it('has each option behind any number of others that fit', () => {
    const options = hexes(walks(SYN).map((one) => one.slice(54, -4)));
    for (let before = 0; before <= 36; before++) {
      const list = `${'01'.repeat(before)}0204`;
      expect(
        options.some((one) => one.startsWith(list)),
        list,
      ).toBe(true);
    }
    expect(options.some((one) => one.startsWith(`${'fd02'.repeat(18)}0204`))).toBe(true);
    expect(Math.max(...options.map(({ length }) => length / 2))).toBe(40);
  });

  it('has options of IPv4, extension headers, and tags', () => {
    const found = walks(SYN).map((one) => layout(one));
    expect(found.filter(({ options }) => options.length > 0).length).toBeGreaterThan(100);
    expect(Math.max(...found.map(({ tags }) => tags.length))).toBe(8);
    const extended = walks(sound(0x86dd, header6(6), TCP)).map((one) => layout(one));
    expect(Math.max(...extended.map(({ options }) => options.length))).toBe(12);
    expect(extended.every(({ protocol }) => protocol === 6)).toBe(true);
  });

  it('is none where there is nothing to walk through', () => {
    expect(walks(new Uint8Array(10))).toEqual([]);
    expect(walks(new Uint8Array(60))).toEqual([]);
  });
});
