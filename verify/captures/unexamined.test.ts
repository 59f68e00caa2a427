import { expect, it } from 'vitest';
import { LINKTYPE } from '../../corpus/formats/link-type.ts';
import { ethernet } from '../../sim/packet/build.ts';
import { UNKNOWN } from '../oracle/found.ts';
import { UDP_PORTS_NOT_FOLLOWED } from '../oracle/walk.ts';
import { CaptureChecker } from './checker.ts';
import { namedNumbers, unexaminedName } from './unexamined.ts';

/** What one packet of these has that is not looked into. */
function unexamined(packet: Uint8Array): string[] {
  const checker = new CaptureChecker();
  checker.checkPacket(packet, 0, packet.length, LINKTYPE.ETHERNET);
  checker.end();
  return [...checker.unexamined.keys()];
}

// Data that no version and no type of any protocol is right in: none of the two is followed.
const DATA = [new Uint8Array(64), new Uint8Array(64).fill(0xff)];

it('counts each EtherType that it has a name for', () => {
  for (const number of namedNumbers(UNKNOWN.etherType)) {
    const frames = DATA.map((data) => ethernet({ etherType: number }).payload(data).bytes());
    expect(frames.flatMap(unexamined), `0x${number.toString(16)}`).toContain(
      unexaminedName(UNKNOWN.etherType, number),
    );
  }
});

it('counts each IP protocol that it has a name for, over IPv4 or IPv6', () => {
  for (const number of namedNumbers(UNKNOWN.ipProtocol)) {
    const packets = DATA.flatMap((data) => [
      ethernet().ipv4({ protocol: number }).payload(data).bytes(),
      ethernet().ipv6({ nextHeader: number }).payload(data).bytes(),
    ]);
    expect(packets.flatMap(unexamined), String(number)).toContain(unexaminedName(UNKNOWN.ipProtocol, number));
  }
});

it('counts what UDP carries on each port that it has a name for, in both directions, and through the fast scan', () => {
  expect([...namedNumbers(UNKNOWN.udpPort)]).toEqual([...UDP_PORTS_NOT_FOLLOWED].sort((a, b) => a - b));
  for (const port of UDP_PORTS_NOT_FOLLOWED) {
    const name = [unexaminedName(UNKNOWN.udpPort, port)];
    const data = Uint8Array.from({ length: 60 }, (_, at) => at + 0x81);
    expect(unexamined(ethernet().ipv4().udp({ destinationPort: port }).payload(data).bytes())).toEqual(name);
    expect(unexamined(ethernet().ipv6().udp({ sourcePort: port }).payload(data).bytes())).toEqual(name);
  }
  // What a followed port says counts, and so does a packet that cannot be anything else.
  const inner = ethernet().ipv4().udp({ destinationPort: 9 }).bytes();
  const ports = { sourcePort: 4789, destinationPort: 4791 };
  expect(unexamined(ethernet().ipv4().udp(ports).vxlan().payload(inner).bytes())).toEqual([]);
  expect(
    unexamined(ethernet().ipv4().udp({ destinationPort: 4500 }).payload(inner.subarray(14)).bytes()),
  ).toEqual([]);
  expect(unexamined(ethernet().ipv4().udp({ destinationPort: 4342 }).payload(inner).bytes())).toEqual([]);
});

it('counts what PPP carries by protocols that it has a name for, or by one byte', () => {
  const over = (protocol: number): string[] =>
    unexamined(ethernet().pppoe().ppp({ protocol }).payload(new Uint8Array(40)).bytes());
  for (const protocol of namedNumbers(UNKNOWN.pppProtocol))
    expect(over(protocol)).toEqual([unexaminedName(UNKNOWN.pppProtocol, protocol)]);
  expect(over(0x2145)).toEqual(['ppp with a protocol of one byte']);
  // LCP carries no packet.
  expect(over(0xc021)).toEqual([]);
});

it('counts what LLC carries by service access points and types of SNAP that it has a name for, and through the fast scan', () => {
  const llc = (...header: number[]): string[] =>
    unexamined(
      Uint8Array.of(...new Array<number>(12).fill(2), 0, 40, ...header, ...new Array<number>(40).fill(0)),
    );
  for (const sap of namedNumbers(UNKNOWN.llcSap)) {
    expect(llc(sap, sap, 3)).toEqual([unexaminedName(UNKNOWN.llcSap, sap)]);
    // Asked by an end that names none, or another: a test of the link.
    expect(llc(sap, sap ^ 4, 3)).toEqual([]);
  }
  for (const number of namedNumbers(UNKNOWN.snap)) {
    const bytes = [32, 24, 16, 8, 0].map((shift) => Math.floor(number / 2 ** shift) & 0xff);
    expect(llc(0xaa, 0xaa, 3, ...bytes)).toEqual([unexaminedName(UNKNOWN.snap, number)]);
  }
  // The spanning tree has no checksum; trunks of Cisco have none, either.
  expect(llc(0x42, 0x42, 3)).toEqual([]);
  expect(llc(0xaa, 0xaa, 3, 0, 0, 0x0c, 0x20, 4)).toEqual([]);
});

it('counts ICMP over IPv6 and ICMPv6 over IPv4, unless nothing is there, or a later fragment', () => {
  const over6 = (...data: number[]): string[] =>
    unexamined(ethernet().ipv6({ nextHeader: 1 }).payload(Uint8Array.from(data)).bytes());
  expect(over6(8, 0, 1, 2, 0, 0, 0, 0)).toEqual(['icmp over ipv6']);
  expect(over6()).toEqual([]);
  const over4 = ethernet().ipv4({ protocol: 58, fragmentOffset: 3 }).payload(new Uint8Array(8)).bytes();
  expect(unexamined(over4)).toEqual([]);
});

it('lets a UDP checksum of 0 be where LISP has none over IPv6', () => {
  const status = (port: number): number[] => {
    const checker = new CaptureChecker();
    const frame = ethernet()
      .ipv6()
      .udp({ destinationPort: port, checksum: 0 })
      .payload(new Uint8Array(40))
      .bytes();
    checker.checkPacket(frame, 0, frame.length, LINKTYPE.ETHERNET);
    return [checker.count('udp', 'absent'), checker.count('udp', 'illegal')];
  };
  expect([status(4341), status(4343)]).toEqual([
    [1, 0],
    [0, 1],
  ]);
});
