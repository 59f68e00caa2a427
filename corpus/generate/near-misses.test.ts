import { describe, expect, it } from 'vitest';
import { addressFromText, addressToText, inPrefix, prefixFromText } from '../../sim/packet/addresses.ts';
import { readU16 } from '../../sim/packet/bytes.ts';
import type { GeneratorHints, PacketKind } from '../../sim/runtime/program.ts';
import { PACKET_KINDS, PacketGenerator } from './generator.ts';
import { numbersNear } from './near-misses.ts';
import { seedFromText } from './random.ts';

const SEED = seedFromText('near misses');
const ORDINARY = 3;

/** Ordinary packets of one kind, without payload. */
function packets(
  hints: GeneratorHints,
  kind: PacketKind,
  count: number,
  simplicity: number = ORDINARY,
): Uint8Array[] {
  const kinds = Object.fromEntries(PACKET_KINDS.map((one) => [one, one === kind ? 1 : 0]));
  const generator = new PacketGenerator({ ...hints, kinds });
  return Array.from({ length: count }, (_, index) => generator.single(SEED, index, simplicity).packet);
}

/** How many of the values are drawn, and how often on average. */
function drawn<T>(values: readonly T[], all: readonly T[]): number {
  const seen = new Set(all);
  return values.filter((value) => seen.has(value)).length;
}

describe('near misses', () => {
  it('are one bit off, one beside, and in the wrong byte order', () => {
    const near = numbersNear(0x1234, 16);
    expect(near).toEqual(expect.arrayContaining([0x1233, 0x1235, 0x3412, 0x1236, 0x9234]));
    expect(new Set(near).size).toBe(16 + 1 + 1); // 0x1235 is one bit off, too
    expect(numbersNear(0, 12)).toContain(0xfff);
    expect(numbersNear(0xff, 8)).toContain(0);
    expect(Math.max(...numbersNear(0xfff, 12))).toBeLessThanOrEqual(0xfff);
  });

  it('of ports come with every bit, and hits more often than all of them', () => {
    const ports = packets({ ports: [34567] }, 'udp', 4_000).flatMap((packet) => [
      readU16(packet, 34),
      readU16(packet, 36),
    ]);
    const near = numbersNear(34567, 16);
    expect(drawn(near, ports)).toBe(near.length);
    const hits = ports.filter((port) => port === 34567).length;
    const misses = ports.filter((port) => near.includes(port)).length;
    expect(hits / ports.length).toBeCloseTo(0.5 * (5 / 8), 1);
    expect(misses / ports.length).toBeCloseTo(0.5 * (3 / 8), 1);
  });

  it('of VLAN ids, protocols and TCP options', () => {
    const vlans = packets({ vlans: [100] }, 'udp', 6_000)
      .filter((packet) => readU16(packet, 12) !== 0x0800)
      .map((packet) => readU16(packet, 14) & 0xfff);
    expect(drawn([100, ...numbersNear(100, 12)], vlans)).toBe(1 + numbersNear(100, 12).length);

    const protocols = packets({ protocols: [253] }, 'ip-other', 4_000).map((packet) =>
      readU16(packet, 12) === 0x0800 ? packet[23] : packet[20],
    );
    expect(drawn([253, ...numbersNear(253, 8)], protocols)).toBe(1 + numbersNear(253, 8).length);

    const options = packets({ tcpOptions: [76] }, 'tcp', 6_000).flatMap(kindsOfOptions);
    expect(drawn([76, ...numbersNear(76, 8)], options)).toBe(1 + numbersNear(76, 8).length);
  });

  it('of IPv4 and IPv6 addresses', () => {
    const sources = packets({ addresses: ['203.0.113.7'] }, 'udp', 12_000).map((packet) =>
      addressToText(packet.subarray(26, 30)),
    );
    const near = ['203.0.113.6', '203.0.113.8', '7.113.0.203', '75.0.113.7', '203.0.112.7', '203.0.113.135'];
    expect(drawn(near, sources)).toBe(near.length);
    const six = packets({ addresses: ['2001:db8::5'] }, 'udp6', 30_000).map((packet) =>
      addressToText(packet.subarray(22, 38)),
    );
    const near6 = ['2001:db8::4', '2001:db8::6', '2001:db8::1:0:0:5', '2001:db8:0:1::5', 'a001:db8::5'];
    expect(drawn(near6, six)).toBe(near6.length);
  });

  it('of prefixes lie on both sides of both borders', () => {
    const prefix = prefixFromText('10.20.0.0/14');
    const sources = packets({ addresses: ['10.20.0.0/14'] }, 'udp', 6_000).map((packet) =>
      packet.slice(26, 30),
    );
    const texts = sources.map((address) => addressToText(address));
    const borders = ['10.20.0.0', '10.23.255.255', '10.19.255.255', '10.24.0.0', '10.16.0.0'];
    expect(drawn(borders, texts)).toBe(borders.length);
    const inside = sources.filter((address) => inPrefix(address, 0, prefix));
    expect(new Set(inside.map((address) => addressToText(address))).size).toBeGreaterThan(400);
  });

  it('come in tunnels, too', () => {
    const hints = { addresses: ['203.0.113.7'], ports: [34567] };
    const inner = packets(hints, 'ip-other', 6_000, 2).map((packet) =>
      // Behind the outermost headers of any version.
      Buffer.from(packet.subarray(14 + 40)).toString('latin1'),
    );
    const has = (bytes: Uint8Array): boolean =>
      inner.some((text) => text.includes(Buffer.from(bytes).toString('latin1')));
    for (const address of ['203.0.113.7', '203.0.113.8', '203.0.113.6', '7.113.0.203'])
      expect(has(addressFromText(address)), address).toBe(true);
    for (const port of [34567, ...numbersNear(34567, 16)])
      expect(has(Uint8Array.of(port >> 8, port)), String(port)).toBe(true);
  });

  it('of special addresses come without hints', () => {
    const special = packets({}, 'udp', 30_000, 0).map((packet) =>
      packet.length < 34 ? '' : addressToText(packet.subarray(26, 30)),
    );
    // Next to 0.0.0.0 and 255.255.255.255 in the machine's order.
    expect(special).toContain('1.0.0.0');
    expect(special).toContain('254.255.255.255');
  });

  it('are the same for the same seed', () => {
    const hints = { addresses: ['203.0.113.7', 'fc00::/7'], ports: [1], vlans: [7], protocols: [9] };
    const hex = (): string[] =>
      packets(hints, 'tcp6', 200, 0).map((packet) => Buffer.from(packet).toString('hex'));
    expect(hex()).toEqual(hex());
  });
});

/** The kinds of the options of a TCP segment over IPv4 without tags, as far as their lengths lead. */
function kindsOfOptions(packet: Uint8Array): number[] {
  const end = 34 + 4 * (packet[46]! >>> 4);
  const kinds: number[] = [];
  for (let at = 54; at < end && packet[at] !== 0; ) {
    kinds.push(packet[at]!);
    at += packet[at] === 1 ? 1 : Math.max(2, packet[at + 1]!);
  }
  return kinds;
}
