/** Sound packets behind tags, labels and sessions. */
import { describe, expect, it } from 'vitest';
import { CHECKSUM, verifyChecksums } from '../oracle/checksums.ts';
import { HEADER, HEADER_NAMES } from '../oracle/found.ts';
import { HeaderList, NO_CHECKSUM } from '../oracle/header-list.ts';
import { bytes, data, ethernet, ipv4, ipv6, MAC_A, MAC_B, tcp, u16, udp } from '../test-support/packets.ts';
import { behindExtensions, behindTags, innerPackets } from './inner-packets.ts';
import { soundPackets } from './sound-cases.ts';

const link = (type: number, ...rest: readonly (number | readonly number[] | Uint8Array)[]): Uint8Array =>
  bytes(MAC_B, MAC_A, u16(type), ...rest);
const LABEL = [0x12, 0x34, 0x50, 63];
const LAST = [0x12, 0x34, 0x51, 63];

/** The headers of IP and above, with right checksums. */
function headersOf(packet: Uint8Array): string {
  const found = new HeaderList();
  verifyChecksums(packet, 0, packet.length, found);
  const rows = Array.from({ length: found.count }, (_, row) => row);
  for (const row of rows) expect([CHECKSUM.good, NO_CHECKSUM]).toContain(found.status[row]);
  for (const row of rows.filter((one) => found.kind[one] !== HEADER.gre)) expect(found.flags[row]).toBe(0);
  return rows.map((row) => HEADER_NAMES[found.kind[row]!]).join(' ');
}

const EACH = ['ipv4 tcp', 'ipv4 udp', 'ipv6 tcp', 'ipv6 udp'];

describe('a packet of each kind', () => {
  it.each<[what: string, frame: Uint8Array, kept: number]>([
    ['a VLAN tag', link(0x8100, u16(0x2005), u16(0x1234), data(4)), 16],
    ['two VLAN tags', link(0x88a8, u16(5), u16(0x8100), u16(6), u16(0)), 20],
    ['the last MPLS label', link(0x8847, LAST, data(3)), 18],
    ['two MPLS labels', link(0x8847, LABEL, LAST), 22],
    ['a label behind a tag', link(0x8100, u16(5), u16(0x8847), LAST), 22],
    ['a PPPoE session', link(0x8864, [0x11, 0], u16(7), u16(0), u16(0xc021), data(9)), 18],
  ])('comes behind %s, which stays', (_, frame, kept) => {
    const packets = innerPackets(behindTags(frame)!);
    expect(packets.map(headersOf)).toEqual(EACH);
    for (const packet of packets) expect(packet.subarray(0, kept)).toEqual(frame.subarray(0, kept));
    // They are among what is tried for it.
    const tried = soundPackets({ packet: frame }).map((one) => one.packet.join());
    for (const packet of packets) expect(tried).toContain(packet.join());
  });

  it.each<[what: string, frame: Uint8Array]>([
    ['nothing but Ethernet', ethernet(0x0800, ipv4(17, udp(data(8))))],
    ['a label that is not the last', link(0x8847, LABEL, LABEL)],
    ['half a label', link(0x8847, LAST.slice(0, 3))],
    ['a session without a protocol', link(0x8864, [0x11, 0, 0, 7, 0, 0, 0])],
    ['a type of which nothing is known', link(0x88f7, data(40))],
    ['less than a type', link(0x0800).slice(0, 13)],
  ])('is not made up for %s', (_, frame) => {
    expect(behindTags(frame)).toBeUndefined();
  });
});

it('the packet that is there is put in order where it is', () => {
  const broken = ipv4(6, tcp(data(9)));
  broken[30]! ^= 1;
  const packets = soundPackets({ packet: link(0x8847, LAST, broken) }).map((one) => one.packet);
  const own = packets.find((packet) => packet.length === 18 + broken.length && packet[48] === broken[30]);
  expect(headersOf(own!)).toBe('ipv4 tcp');
});

describe('a message of each kind behind extension headers', () => {
  const NONE = 59;
  const option = (next: number): number[] => [next, 0, 0x1e, 4, 1, 2, 3, 4];

  it('is right, and the headers stay', () => {
    const came = ethernet(0x86dd, ipv6(0, bytes(option(NONE), data(3))));
    const packets = behindExtensions(came);
    expect(packets.map(headersOf)).toEqual(['ipv6 tcp', 'ipv6 udp']);
    for (const packet of packets) expect(packet.subarray(55, 62)).toEqual(came.subarray(55, 62));
    const tried = soundPackets({ packet: came }).map((one) => one.packet.join());
    for (const packet of packets) expect(tried).toContain(packet.join());
  });

  it('comes behind the first of them as well as behind the last, in a packet of the right version', () => {
    const came = ethernet(0x86dd, ipv6(0, bytes(option(60), option(NONE))));
    came[14] = 0x05;
    const packets = behindExtensions(came);
    expect(packets.map(headersOf)).toEqual(['ipv6 tcp', 'ipv6 udp', 'ipv6 tcp', 'ipv6 udp']);
    expect(packets.map((packet) => packet[54])).toEqual([6, 17, 60, 60]);
    expect(packets.slice(2).map((packet) => packet[62])).toEqual([6, 17]);
  });

  it('is not made up where there are none', () => {
    expect(behindExtensions(ethernet(0x86dd, ipv6(NONE, data(8))))).toEqual([]);
    expect(behindExtensions(ethernet(0x0800, ipv4(0, bytes(option(NONE)))))).toEqual([]);
  });
});
