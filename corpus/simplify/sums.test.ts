/** Checksums alone put in order, and packets made as long as they say. */
import { describe, expect, it } from 'vitest';
import { readU16, writeU16 } from '../../sim/packet/bytes.ts';
import {
  data,
  ethernet,
  ipv4,
  ipv6,
  udp,
  V4_A,
  V4_B,
  V6_A,
  V6_B,
} from '../../verify/test-support/packets.ts';
import { repair } from './packet-layout.ts';
import { completions, faults } from './well-formed.ts';

const IP = 14;
const UDP = 34;
const datagram = (): Uint8Array => ethernet(0x0800, ipv4(17, udp(data(20), V4_A, V4_B)));

describe('checksums alone', () => {
  it('are made right, and lengths stay as they are', () => {
    const packet = datagram();
    const whole = packet.slice();
    for (const at of [IP + 10, UDP + 6]) writeU16(packet, at, 0x1234);
    expect(repair(packet, 'sums')).toBe(true);
    expect(packet).toEqual(whole);
    writeU16(packet, IP + 2, 1001);
    const message = packet.slice(UDP);
    expect(repair(packet, 'sums')).toBe(true);
    expect([readU16(packet, IP + 2), faults(packet)]).toEqual([1001, 1]);
    // Not all that the datagram's covers is there.
    expect(packet.slice(UDP)).toEqual(message);
  });

  it('of UDP over IPv4 stay 0, which says that there is none', () => {
    const packet = datagram();
    writeU16(packet, UDP + 6, 0);
    writeU16(packet, IP + 10, 0);
    expect(repair(packet, 'sums')).toBe(true);
    expect([readU16(packet, UDP + 6), faults(packet)]).toEqual([0, 0]);
    const over6 = ethernet(0x86dd, ipv6(17, udp(data(20), V6_A, V6_B)));
    const whole = over6.slice();
    writeU16(over6, 60, 0);
    expect(repair(over6, 'sums')).toBe(true);
    expect(over6).toEqual(whole);
  });

  it('are nothing to do where there are none', () => {
    expect(repair(ethernet(0x86dd, ipv6(59, data(8))), 'sums')).toBe(false);
    expect(repair(ethernet(0x88b5, data(40)), 'sums')).toBe(false);
  });
});

describe('a packet that says that it is longer', () => {
  const stating = (total: number): Uint8Array => {
    const packet = ethernet(0x0800, ipv4(253, data(8)));
    writeU16(packet, IP + 2, total);
    repair(packet, 'sums');
    return packet;
  };
  const lengths = (packet: Uint8Array): number[] => [...completions(packet)].map(({ length }) => length);

  it('becomes so long, as far as an Ethernet carries it', () => {
    expect(lengths(stating(1001)).at(-1)).toBe(IP + 1001);
    expect(lengths(stating(1500)).at(-1)).toBe(IP + 1500);
    expect(lengths(stating(1501)).at(-1)).not.toBe(IP + 1501);
    const longest = [...completions(stating(1001))].at(-1)!;
    expect(faults(longest)).toBe(0);
  });

  it('is left as it is where it is whole', () => {
    expect(lengths(stating(28))).toEqual([]);
  });
});
