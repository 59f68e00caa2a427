import { describe, expect, it } from 'vitest';
import { FramePair } from '../oracle/frame-pair.ts';
import {
  bytes,
  data,
  ethernet,
  ipv4,
  ipv6,
  PASSED,
  tcp,
  u16,
  udp,
  V4_A,
  V4_B,
  V6_A,
  V6_B,
} from '../test-support/packets.ts';
import { ethertype } from './ethertype.ts';

const pair = new FramePair();

function verdict(before: Uint8Array, after: Uint8Array): string | undefined {
  if (!pair.set(before, 0, before.length, after, 0, after.length)) return undefined;
  return ethertype.judge(pair, PASSED)?.sentence;
}

const four = ipv4(6, tcp(data(40)));
const six = ipv6(17, udp(data(40), V6_A, V6_B));
const tagged = (type: number, packet: Uint8Array): Uint8Array =>
  ethernet(0x8100, bytes(0, 5, u16(type), packet));

describe('the EtherType', () => {
  it('is not that of a tag that is gone', () => {
    expect(verdict(tagged(0x0800, four), ethernet(0x8100, four))).toBe(
      'the EtherType says 0x8100 (a VLAN tag), but the IPv4 packet follows right behind it',
    );
    expect(verdict(tagged(0x86dd, six), ethernet(0x8100, six))).toContain('the IPv6 packet follows');
    // One tag of two.
    const two = ethernet(0x88a8, bytes(0, 1, u16(0x8100), 0, 5, u16(0x0800), four));
    expect(verdict(two, ethernet(0x88a8, bytes(0, 1, u16(0x8100), four)))).toContain('0x8100');
    expect(verdict(two, tagged(0x0800, four))).toBeUndefined();
    expect(verdict(tagged(0x0800, four), ethernet(0x0800, four))).toBeUndefined();
  });

  it('is not the packet’s own with a label left in between that looks like a header', () => {
    const labels = (last: readonly number[], packet: Uint8Array): Uint8Array =>
      ethernet(0x8847, bytes(0, 1, 0, 64, last, packet));
    const left = (type: number, last: readonly number[], packet: Uint8Array): Uint8Array =>
      ethernet(type, bytes(last, packet));
    for (const last of [
      [0x45, 0, 1, 64],
      [0x45, 0, 0x0b, 1],
    ])
      expect(verdict(labels(last, four), left(0x0800, last, four))).toBe(
        'the EtherType says 0x0800 (IPv4), but the IPv4 packet begins 4 bytes further on',
      );
    const last = [0x60, 0, 1, 64];
    expect(verdict(labels(last, six), left(0x86dd, last, six))).toContain('the IPv6 packet begins 4 bytes');
    // Nor is it where the label is taken for a packet of the other version.
    expect(verdict(labels([0x45, 0, 1, 64], six), left(0x0800, [0x45, 0, 1, 64], six))).toContain(
      '0x0800 (IPv4)',
    );
    expect(verdict(labels(last, six), left(0x8847, last, six))).toBeUndefined();
    expect(verdict(labels(last, six), ethernet(0x86dd, six))).toBeUndefined();
  });

  it('is not the packet’s own with a part of its tags left in between', () => {
    const two = (packet: Uint8Array, type: number): Uint8Array =>
      ethernet(0x88a8, bytes(0, 1, u16(0x8100), 0, 5, u16(type), packet));
    const left = (packet: Uint8Array, type: number): Uint8Array =>
      ethernet(type, bytes(0, 5, u16(type), packet));
    expect(verdict(two(four, 0x0800), left(four, 0x0800))).toBe(
      'the EtherType says 0x0800 (IPv4), but the IPv4 packet begins 4 bytes further on',
    );
    expect(verdict(two(six, 0x86dd), left(six, 0x86dd))).toContain('the IPv6 packet begins 4 bytes');
    // The tag is there, its type is not.
    expect(verdict(tagged(0x0800, four), left(four, 0x0800))).toContain('4 bytes further on');
    const routed = four.slice();
    routed[8]!--;
    expect(verdict(two(four, 0x0800), left(routed, 0x0800))).toContain('4 bytes further on');
  });

  it('may stand where all tags are gone, in front of another packet, and be a program’s own', () => {
    const two = ethernet(0x88a8, bytes(0, 1, u16(0x8100), 0, 5, u16(0x0800), four));
    expect(verdict(two, ethernet(0x0800, four))).toBeUndefined();
    expect(verdict(two, ethernet(0x88b5, bytes(0, 5, u16(0x0800), four)))).toBeUndefined();
    expect(verdict(ethernet(0x0800, four), ethernet(0x0800, ipv4(4, four)))).toBeUndefined();
    expect(verdict(ethernet(0x0800, ipv4(4, four)), ethernet(0x0800, four))).toBeUndefined();
  });

  it('is not changed to what does not follow', () => {
    expect(verdict(ethernet(0x0800, four), ethernet(0x8847, four))).toContain('0x8847 (MPLS)');
    expect(verdict(ethernet(0x0800, four), ethernet(0x8864, four))).toContain('PPPoE');
  });

  it('is found by packets whose TTL changed on the way', () => {
    const routed = four.slice();
    routed[8]!--;
    expect(verdict(tagged(0x0800, four), ethernet(0x8100, routed))).toContain('a VLAN tag');
  });

  it('is that of the version of IP that follows, in GRE too', () => {
    const within = (protocol: number, packet: Uint8Array): Uint8Array =>
      ethernet(0x0800, ipv4(protocol, packet));
    expect(verdict(within(41, six), ethernet(0x0800, six))).toBe(
      'the EtherType says 0x0800 (IPv4), but the IPv6 packet follows right behind it',
    );
    expect(verdict(within(41, six), ethernet(0x86dd, six))).toBeUndefined();
    expect(verdict(ethernet(0x86dd, ipv6(4, four)), ethernet(0x86dd, four))).toContain('0x86dd (IPv6)');
    expect(verdict(ethernet(0x86dd, six), within(47, bytes(0, 0, u16(0x0800), six)))).toBe(
      'the protocol type of GRE says 0x0800 (IPv4), but the IPv6 packet follows right behind it',
    );
    expect(verdict(ethernet(0x86dd, six), within(47, bytes(0, 0, u16(0x86dd), six)))).toBeUndefined();
    // Behind a label, in PPP and in GTP-U other things say what it is, or the packet itself.
    const labelled = bytes(0, 6, 0x41, 64, six);
    expect(verdict(ethernet(0x8847, labelled), ethernet(0x0800, six))).toContain('0x0800 (IPv4)');
    expect(verdict(ethernet(0x8847, labelled), ethernet(0x86dd, six))).toBeUndefined();
    // Explicit null stands for one version alone (RFC 3032 §2.1).
    const under = (label: number, packet: Uint8Array): Uint8Array =>
      ethernet(0x8847, bytes(0, 0, (label << 4) | 1, 64, packet));
    expect(verdict(under(0, six), ethernet(0x0800, six))).toBeUndefined();
    expect(verdict(under(2, four), ethernet(0x86dd, four))).toBeUndefined();
    expect(verdict(under(2, six), ethernet(0x0800, six))).toContain('0x0800 (IPv4)');
    expect(verdict(under(4, six), ethernet(0x8847, six))).toContain('MPLS');
    const session = bytes(0x11, 0, 0, 1, u16(six.length + 2), u16(0x0057), six);
    expect(verdict(ethernet(0x8864, session), ethernet(0x0800, six))).toContain('0x0800 (IPv4)');
    const gtpu = bytes(0x30, 255, u16(six.length), 0, 0, 0, 7, six);
    const outer = ethernet(0x0800, ipv4(17, udp(gtpu, V4_A, V4_B, 2152)));
    expect(verdict(outer, ethernet(0x0800, six))).toContain('0x0800 (IPv4)');
    expect(verdict(outer, ethernet(0x86dd, six))).toBeUndefined();
    expect(verdict(ethernet(0x8847, labelled), ethernet(0x8847, six))).toContain('MPLS');
  });

  it('is none where a length stands', () => {
    expect(verdict(ethernet(0x0800, four), tagged(0, four))).toContain('0x0000 (a length)');
    expect(verdict(ethernet(0x0800, four), tagged(0x0600, four))).toBeUndefined();
  });

  it('has the byte order of the network', () => {
    const order = 'in the wrong byte order';
    expect(verdict(ethernet(0x0800, four), ethernet(0x0008, four))).toBe(
      'the EtherType says 0x0008, which is 0x0800 (IPv4) in the wrong byte order',
    );
    expect(verdict(tagged(0x86dd, six), ethernet(0xdd86, six))).toContain(order);
    expect(verdict(ethernet(0x0800, four), ethernet(0x0081, bytes(0, 5, u16(0x0800), four)))).toBe(
      'the EtherType says 0x0081, which is 0x8100 (a VLAN tag) in the wrong byte order',
    );
    expect(verdict(ethernet(0x0800, four), tagged(0x0008, four))).toContain(order);
    // In front of a header that is new.
    expect(verdict(ethernet(0x86dd, six), ethernet(0x0008, ipv4(41, six)))).toContain(order);
    expect(verdict(ethernet(0x0800, four), ethernet(0xdd86, ipv6(4, four)))).toContain(order);
    expect(verdict(ethernet(0x0800, four), ethernet(0x0800, ipv4(47, bytes(0, 0, u16(8), four))))).toContain(
      order,
    );
    // What came so, and what something else follows.
    expect(verdict(ethernet(0x0008, four), ethernet(0x0008, bytes(four, 1)))).toBeUndefined();
    expect(verdict(ethernet(0x0800, four), ethernet(0x0008, data(60)))).toBeUndefined();
  });

  it('is not what came elsewhere in the frame, and lies in its place since something was put in front', () => {
    // A source that ends in what is an EtherType with its bytes swapped, two or four bytes in front of its place.
    const mac = [2, 0, 0, 0, 0, 2];
    for (const source of [
      [0, 0, 0, 0x91, 0, 0],
      [0, 0, 0, 0, 0, 0x81],
    ]) {
      const before = bytes(mac, source, u16(0x0800), four);
      for (const own of [2, 4, 6])
        for (const tail of [[], [1, 2, 3]])
          expect(verdict(before, bytes(data(own), before, tail)), `${own} ${tail}`).toBeUndefined();
      for (const cut of [0, 5])
        expect(verdict(before, bytes(data(4), before.subarray(0, before.length - cut)))).toBeUndefined();
    }
    // Written there, in front of the same bytes.
    const plain = ethernet(0x0800, four);
    const pushed = bytes(plain.subarray(0, 12), u16(0x0081), 0, 5, plain.subarray(12));
    expect(verdict(plain, pushed)).toContain('0x0081');
    expect(verdict(plain, bytes(pushed, 1, 2, 3))).toContain('0x0081');
  });

  it('may be of a header that is new, or of what only the program knows', () => {
    const plain = ethernet(0x0800, four);
    expect(verdict(plain, tagged(0x0800, four))).toBeUndefined();
    expect(verdict(plain, ethernet(0x8847, bytes(0, 6, 0x41, 64, four)))).toBeUndefined();
    expect(verdict(plain, ethernet(0x88b5, four))).toBeUndefined();
    // Another packet altogether.
    expect(verdict(plain, ethernet(0x0806, data(28)))).toBeUndefined();
  });
});

describe('a type in the wrong byte order', () => {
  it('is none that a frame had inside a tunnel', () => {
    // An IPv4 header of which all but the begin is zeros: no header of the frame that came is seen again.
    const inner = ethernet(0x0008, bytes(0x45, 0, new Uint8Array(18)));
    const vxlan = bytes(8, 0, 0, 0, 0, 0, 7, 0, inner);
    const outer = ethernet(0x0800, ipv4(17, udp(vxlan)));
    expect(verdict(outer, inner)).toBeUndefined();
    // One that the program wrote, in front of the same, still is.
    const named = ethernet(0x0800, inner.subarray(14));
    expect(verdict(ethernet(0x0800, ipv4(17, udp(bytes(8, 0, 0, 0, 0, 0, 7, 0, named)))), inner)).toContain(
      '0x0008, which is 0x0800',
    );
  });

  const LABEL = [0x12, 0x34, 0x50, 63];
  const LAST = [0x12, 0x34, 0x51, 63];
  const session = (packet: Uint8Array, protocol: number): Uint8Array =>
    bytes([0x11, 0], u16(7), u16(packet.length + 2), u16(protocol), packet);
  const arp = bytes(u16(1), u16(0x0800), [6, 4], u16(2), data(20));

  it.each<[what: string, wrong: number, came: Uint8Array, payload: Uint8Array]>([
    ['0x8847 (MPLS)', 0x4788, four, bytes(LAST, four)],
    ['0x8847 (MPLS)', 0x4788, six, bytes(LABEL, LAST, six)],
    ['0x8848 (MPLS)', 0x4888, four, bytes(LAST, four)],
    ['0x8864 (PPPoE)', 0x6488, four, session(four, 0x21)],
    ['0x8864 (PPPoE)', 0x6488, six, session(six, 0x57)],
    ['0x0806 (ARP)', 0x0608, four, arp],
  ])('is %s by what follows it', (what, wrong, came, payload) => {
    const before = ethernet(came === six ? 0x86dd : 0x0800, came);
    expect(verdict(before, ethernet(wrong, payload))).toContain(`${what} in the wrong byte order`);
    expect(verdict(before, ethernet(((wrong & 0xff) << 8) | (wrong >> 8), payload))).toBeUndefined();
  });

  it.each<[what: string, type: number, payload: Uint8Array]>([
    ['no last label', 0x4788, bytes(LABEL, LABEL, LABEL, LABEL, LABEL)],
    ['no IP packet behind the label', 0x4788, bytes(LAST, data(30))],
    ['another protocol of PPP', 0x6488, session(four, 0xc021)],
    ['a length that is more than there is', 0x6488, session(four, 0x21).slice(0, 40)],
    ['other addresses than those of IPv4', 0x0608, bytes(u16(1), u16(0x86dd), [6, 16], u16(2), data(40))],
  ])('may be a program’s own with %s', (_, type, payload) => {
    expect(verdict(ethernet(0x0800, four), ethernet(type, payload))).toBeUndefined();
  });
});

describe('the type that a tunnel carries', () => {
  const gre = (type: number, flags = 0, inside = four): Uint8Array =>
    ethernet(0x0800, ipv4(47, bytes(u16(flags), u16(type), new Uint8Array(flags === 0 ? 0 : 4), inside)));
  const overUdp = (port: number, payload: Uint8Array): Uint8Array => {
    const datagram = udp(payload, V4_A, V4_B, port);
    datagram.set([0, 0], 6);
    return ethernet(0x0800, ipv4(17, datagram));
  };
  const geneve = (type: number, inside: Uint8Array, port = 6081): Uint8Array =>
    overUdp(port, bytes(1, 0, u16(type), 0, 0, 7, 0, 1, 2, 3, 0, inside));

  it('is in the order of the network, in GRE and in Geneve', () => {
    expect(verdict(ethernet(0x0800, four), gre(0x0008, 0x2000))).toBe(
      'the protocol type of GRE says 0x0008, which is 0x0800 (IPv4) in the wrong byte order',
    );
    expect(verdict(ethernet(0x0800, four), gre(0x0008))).toContain('GRE says 0x0008');
    expect(verdict(ethernet(0x86dd, six), gre(0xdd86, 0x2000, six))).toContain('0x86dd (IPv6)');
    const inner = ethernet(0x0800, four);
    expect(verdict(inner, gre(0x5865, 0x2000, inner))).toContain('0x6558 (Ethernet)');
    expect(verdict(inner, geneve(0x5865, inner))).toContain('Geneve says 0x5865, which is 0x6558 (Ethernet)');
    expect(verdict(inner, geneve(0x0008, four))).toContain('Geneve says 0x0008, which is 0x0800 (IPv4)');
  });

  it('names what follows behind a key, too', () => {
    expect(verdict(ethernet(0x0800, four), gre(0x86dd, 0x2000))).toContain('GRE says 0x86dd (IPv6)');
  });

  it('is right as it is, or a program’s own', () => {
    const inner = ethernet(0x0800, four);
    expect(verdict(inner, gre(0x0800))).toBeUndefined();
    expect(verdict(inner, gre(0x0800, 0x2000))).toBeUndefined();
    expect(verdict(inner, gre(0x6558, 0x2000, inner))).toBeUndefined();
    expect(verdict(inner, geneve(0x6558, inner))).toBeUndefined();
    expect(verdict(inner, geneve(0x0800, four))).toBeUndefined();
    // Another port, another type, another version of GRE, and what came so.
    expect(verdict(inner, geneve(0x5865, inner, 4000))).toBeUndefined();
    expect(verdict(inner, gre(0xb588, 0x2000))).toBeUndefined();
    expect(verdict(inner, gre(0x0008, 0x2001))).toBeUndefined();
    const came = gre(0x0008, 0x2000);
    const routed = came.slice();
    routed[1]! ^= 1;
    expect(verdict(came, routed)).toBeUndefined();
  });
});
