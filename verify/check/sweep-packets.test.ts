import { describe, expect, it } from 'vitest';
import { packet as packetOf } from '../../sim/packet/build.ts';
import { PacketBatch, type Stimulus } from '../../sim/packet/packet-batch.ts';
import { verifyChecksums } from '../oracle/checksums.ts';
import { CHECKSUM } from '../oracle/found.ts';
import {
  bytes,
  data,
  ethernet,
  ipv4,
  ipv6,
  tcp,
  udp,
  V6_A,
  V6_B,
  withChecksum,
} from '../test-support/packets.ts';
import { RIGHT_PACKETS } from '../test-support/right-packets.ts';
import type { Rewritten } from './rewritten.ts';
import { SWEEP_SIZE, SweepSource } from './sweep-packets.ts';
import { isLater, laterFragment, transportOf, variantsOf } from './variants.ts';

function sweep(packet: Uint8Array, at: number, balance: number): Rewritten {
  return { world: {}, stimulus: { packet }, name: 'a word', at, balance };
}

/** The packets of a sweep with these values of the word. */
function swept(one: Rewritten, values: readonly number[]): Uint8Array[] {
  const source = new SweepSource([one]);
  return values.map((value) => {
    const batch = new PacketBatch(1);
    source.fill(batch, undefined, value, 1);
    return batch.stimulus(0).packet;
  });
}

function statuses(packet: Uint8Array): number[] {
  const found: number[] = [];
  verifyChecksums(packet, 0, packet.length, { checksum: ({ status }) => void found.push(status) });
  return found;
}

function word(packet: Uint8Array, at: number): number {
  return (packet[at]! << 8) | packet[at + 1]!;
}

const VALUES = [0, 1, 0x00ff, 0x0100, 0x7fff, 0x8000, 0xfffe, 0xffff];
const TCP4 = ethernet(0x0800, ipv4(6, tcp(data(20))));
const UDP6 = ethernet(0x86dd, ipv6(17, udp(data(20), V6_A, V6_B)));

describe('a sweep', () => {
  it('gives a word every value, and keeps every checksum right', () => {
    // A port, an address, the identification.
    for (const at of [34, 26, 18]) {
      const packets = swept(sweep(TCP4, at, -1), VALUES);
      expect(packets.map((packet) => word(packet, at))).toEqual(VALUES);
      for (const packet of packets) expect(statuses(packet)).toEqual([CHECKSUM.good, CHECKSUM.good]);
    }
  });

  it('gives a checksum every value: another word that it covers makes up for it', () => {
    for (const [packet, at, balance] of [
      [TCP4, 24, 18],
      [TCP4, 50, 38],
      [UDP6, 60, 62],
    ] as const) {
      const packets = swept(sweep(packet, at, balance), VALUES.slice(1));
      expect(packets.map((one) => word(one, at))).toEqual(VALUES.slice(1));
      for (const one of packets) expect(new Set(statuses(one))).toEqual(new Set([CHECKSUM.good]));
    }
  });

  it('keeps all 65,536 values of a checksum right, where the sum carries twice, too', () => {
    // The word that makes up for it is large, so that some value needs both carries.
    const large = ethernet(0x0800, ipv4(6, tcp(bytes(data(18), 0xff, 0xf0))));
    const source = new SweepSource([sweep(large, 50, 72)]);
    const batch = new PacketBatch(SWEEP_SIZE);
    source.fill(batch, undefined, 0, SWEEP_SIZE);
    const wrong: number[] = [];
    const scanned = {
      value: 0,
      checksum: ({ status }: { status: number }) =>
        void (status === CHECKSUM.bad && wrong.push(scanned.value)),
    };
    for (let value = 0; value < SWEEP_SIZE; value++) {
      scanned.value = value;
      verifyChecksums(batch.bytes, batch.offset[value]!, batch.length[value]!, scanned);
    }
    expect(wrong).toEqual([]);
  });

  it('repairs the CRC of SCTP', () => {
    const sctp = packetOf.ethernet().ipv4({}).sctp({}).payload(data(20)).bytes();
    for (const packet of swept(sweep(sctp, 34, -1), VALUES))
      expect(statuses(packet)).toEqual([CHECKSUM.good, CHECKSUM.good]);
  });

  it('repairs checksums that cover one another, from the innermost on', () => {
    const inner = ethernet(0x0800, ipv4(6, tcp(data(20))));
    const gre = ethernet(0x0800, ipv4(47, withChecksum(bytes([0x80, 0, 0x65, 0x58, 0, 0, 0, 0], inner), 4)));
    for (const packet of swept(sweep(gre, 34 + 8 + 26, -1), VALUES))
      expect(new Set(statuses(packet))).toEqual(new Set([CHECKSUM.good]));
  });

  it('keeps where a packet came in, what was stored in front of it, and its marks', () => {
    const stimulus: Stimulus = {
      packet: TCP4,
      metadata: data(8),
      ingressIfindex: 7,
      rxQueueIndex: 3,
      entry: 2,
      skb: { mark: 9 },
    };
    const batch = new PacketBatch(2);
    new SweepSource([{ ...sweep(TCP4, 34, -1), stimulus }]).fill(batch, undefined, 5, 2);
    expect(batch.stimulus(1)).toMatchObject({ ...stimulus, packet: swept(sweep(TCP4, 34, -1), [6])[0] });
    const plain = new PacketBatch(1);
    new SweepSource([sweep(TCP4, 34, -1)]).fill(plain, undefined, 0, 1);
    const usual = new PacketBatch(1);
    usual.push({ packet: swept(sweep(TCP4, 34, -1), [0])[0]! });
    expect(plain.stimulus(0)).toEqual(usual.stimulus(0));
  });

  it('leaves a UDP checksum of 0 what it says: none', () => {
    const [packet] = swept(sweep(ethernet(0x0800, ipv4(17, udp(data(20)))), 40, 42), [0]);
    expect(word(packet!, 40)).toBe(0);
    expect(statuses(packet!)).toEqual([CHECKSUM.good, CHECKSUM.absent]);
  });

  it('numbers packets through: the second word’s come behind 65,536 of the first', () => {
    const source = new SweepSource([sweep(TCP4, 34, -1), sweep(TCP4, 36, -1)]);
    const batch = new PacketBatch(2);
    source.fill(batch, undefined, SWEEP_SIZE - 1, 2);
    expect(word(batch.stimulus(0).packet, 34)).toBe(0xffff);
    expect(word(batch.stimulus(1).packet, 36)).toBe(0);
  });
});

it('the checksum of GRE covers the one inside, and is right with it', () => {
  const came = RIGHT_PACKETS['GRE with checksum, key and sequence number']!;
  for (const packet of swept(sweep(came, came.length - 2, -1), VALUES))
    expect(statuses(packet).every((status) => status === CHECKSUM.good)).toBe(true);
});

describe('variants of a packet', () => {
  const of = (packet: Uint8Array): Uint8Array[] => variantsOf({ packet }).map((one: Stimulus) => one.packet);

  it('have every end of a TTL, also where nothing follows the header, and where the version was a wrong one', () => {
    const bare4 = TCP4.slice(0, 34);
    const bare6 = RIGHT_PACKETS['UDP over IPv6']!.slice(0, 54);
    for (const [packet, at, version] of [
      [bare4, 22, 4],
      [bare6, 21, 6],
    ] as const) {
      const odd = packet.slice();
      odd[14] = 0x30;
      for (const variants of [of(packet), of(odd)]) {
        expect(variants.map((one) => one[at])).toEqual(expect.arrayContaining([0, 1, 2, 255]));
        for (const one of variants.slice(0, 4)) {
          expect(one[14]! >> 4).toBe(version);
          expect(statuses(one)).not.toContain(CHECKSUM.bad);
        }
      }
    }
    const arp = bare4.slice();
    arp[13] = 6;
    expect([of(arp), of(bare4.subarray(0, 33))]).toEqual([[], []]);
  });

  it('are fragments, other protocols, TTLs, groups, options and a tag, with right checksums', () => {
    const variants = of(TCP4);
    const protocols = new Set(variants.map((packet) => packet[23]));
    for (const protocol of [6, 50, 132, 136]) expect(protocols).toContain(protocol);
    expect(variants.map((packet) => packet[22])).toEqual(expect.arrayContaining([0, 1]));
    expect(variants.some((packet) => packet[14] === 0x46)).toBe(true);
    expect(variants.some((packet) => word(packet, 12) === 0x8100)).toBe(true);
    for (const packet of variants) {
      expect(statuses(packet), Buffer.from(packet).toString('hex')).not.toContain(CHECKSUM.bad);
    }
  });

  it.each([
    ['IPv4', ethernet(0x0800, ipv4(6, bytes(data(12), 0x50, data(1400)))), 14 + 9, 1, 34],
    ['IPv4 that is short', ethernet(0x0800, ipv4(17, data(8))), 14 + 9, 1, 34],
    ['IPv6', ethernet(0x86dd, ipv6(17, data(1400))), 14 + 6, 58, 54],
    ['IPv6 that is short', ethernet(0x86dd, ipv6(6, data(8))), 14 + 6, 58, 54],
  ] as const)(
    'of %s are an ICMP error that is as long, about a packet on its way back',
    (_, packet, at, icmp, upper) => {
      const errors = of(packet).filter((one) => one[12] !== 0x81 && one[at] === icmp);
      expect(errors).toHaveLength(1);
      const [error] = errors as [Uint8Array];
      expect(error.length).toBe(Math.max(packet.length, 2 * upper - 14 + 16));
      expect(error[upper]).toBe(icmp === 1 ? 3 : 1);
      const size = icmp === 1 ? 4 : 16;
      const quoted = upper * 2 - 14 + 8 - 2 * size;
      expect(error.subarray(quoted, quoted + size)).toEqual(packet.subarray(upper - size, upper));
      expect(error.subarray(quoted + size, quoted + 2 * size)).toEqual(
        packet.subarray(upper - 2 * size, upper - size),
      );
      expect(error[quoted - (icmp === 1 ? 3 : 2)]).toBe(packet[at]);
      expect(statuses(error)).not.toContain(CHECKSUM.bad);
    },
  );

  it('are later fragments of each offset of one bit', () => {
    const bits = Array.from({ length: 13 }, (_, bit) => 1 << bit);
    expect(of(TCP4).map((packet) => word(packet, 20))).toEqual(expect.arrayContaining(bits));
    const offsets6 = of(UDP6).flatMap((packet) => (packet[20] === 44 ? [word(packet, 56) >> 3] : []));
    expect(offsets6).toEqual(expect.arrayContaining(bits));
  });

  it('of IPv6 keep the fragment header that they have', () => {
    const later = laterFragment(UDP6)!;
    const other = laterFragment(later, 0x2020)!;
    expect(other.length).toBe(later.length);
    expect(transportOf(other, true)).toMatchObject({ protocol: 17, fragment: 0x101 });
  });

  it('of IPv6 have a fragment header', () => {
    const later = laterFragment(UDP6)!;
    expect(transportOf(later)).toBeUndefined();
    expect(transportOf(later, true)).toMatchObject({ version: 6, protocol: 17, fragment: 1480 });
    for (const packet of of(UDP6)) expect(statuses(packet)).not.toContain(CHECKSUM.bad);
  });

  it.each([
    ['IPv4', TCP4, 20, [0x2000, 0x4000], [1, 0x2001, 0x00b9, 0x1fff]],
    ['IPv6', laterFragment(UDP6)!, 56, [0, 1], [8, 9, 0xfff8]],
  ] as const)(
    'of %s are later fragments where others went before, not where more follow',
    (_, packet, at, no, yes) => {
      const later = (offset: number): boolean => {
        const copy = packet.slice();
        copy.set([offset >> 8, offset & 0xff], at);
        return isLater(transportOf(copy, true)!);
      };
      expect(no.map(later)).toEqual(no.map(() => false));
      expect(yes.map(later)).toEqual(yes.map(() => true));
    },
  );

  describe('with options one byte further on', () => {
    /** Its own checksum is wrong: variants put it right. */
    const tcpWith = (options: readonly number[], flags: number): Uint8Array => {
      const packet = ethernet(0x0800, ipv4(6, bytes(data(12), 0, flags, data(6), options, data(9))));
      packet[46] = (5 + options.length / 4) << 4;
      return packet;
    };
    const optionsOf = (packets: readonly Uint8Array[], header: number): string[] =>
      packets
        .filter((packet) => packet[14] === 0x45 && packet[23] === 6 && packet[46] === header)
        .map((packet) => Buffer.from(packet.subarray(54, 34 + (packet[46]! >> 4) * 4)).toString('hex'));
    const MSS = [2, 4, 5, 0xb4];
    const SYN = 2;
    const ACK = 16;

    it('of TCP, with right lengths and checksums', () => {
      const came = tcpWith(MSS, SYN);
      const [odd] = of(came).filter((packet) => packet[14] === 0x45 && packet[46] === 0x70);
      expect(optionsOf([odd!], 0x70)).toEqual(['01020405b4000000']);
      expect(word(odd!, 16)).toBe(word(came, 16) + 4);
      expect(odd!.subarray(62)).toEqual(came.subarray(58));
      expect(statuses(odd!)).toEqual([CHECKSUM.good, CHECKSUM.good]);
    });

    it('of a SYN without any, not of other segments without', () => {
      expect(optionsOf(of(tcpWith([], SYN)), 0x70)).toEqual(['01020405b4000000']);
      expect(optionsOf(of(tcpWith([], ACK)), 0x70)).toEqual([]);
    });

    it('of TCP over IPv6', () => {
      const came = packetOf.ethernet().ipv6().tcp({ flags: SYN }).bytes();
      const odd = of(came).find((packet) => packet.length === came.length + 8 && packet[54 + 12] === 0x70);
      expect(word(odd!, 18)).toBe(word(came, 18) + 8);
      expect(statuses(odd!)).toEqual([CHECKSUM.good]);
    });

    it('of IPv4, where it has any', () => {
      const came = ethernet(0x0800, ipv4(17, udp(data(8)), { options: [148, 4, 0, 0] }));
      const shifted = of(came).filter((packet) => packet[14] === 0x47 && packet[34] === 1);
      expect(shifted.map((packet) => [...packet.subarray(34, 42)])).toEqual([[1, 148, 4, 0, 0, 0, 0, 0]]);
      expect(word(shifted[0]!, 16)).toBe(word(came, 16) + 4);
      expect(statuses(shifted[0]!)).toEqual([CHECKSUM.good, CHECKSUM.good]);
      expect(of(TCP4).filter((packet) => packet[14] === 0x47)).toEqual([]);
    });

    it('is none where the header is full, cut off, or of a fragment', () => {
      // Of what is cut off nobody makes longer ones, either, and of a fragment or what is cut off neither a reset nor a SYN-ACK.
      const short = (packet: Uint8Array): Uint8Array[] => of(packet).filter(({ length }) => length < 250);
      const full = tcpWith([...MSS, ...Array<number>(36).fill(0)], SYN);
      const count = short(full).length;
      const roomy = tcpWith([...MSS, ...Array<number>(32).fill(0)], SYN);
      expect(short(roomy)).toHaveLength(count + 1);
      expect(short(roomy.subarray(0, 60))).toHaveLength(count - 2);
      const fragment = roomy.slice();
      fragment[20] = 0x20;
      expect(short(fragment)).toHaveLength(count - 2);
    });
  });

  it('there are none without IP', () => {
    expect(of(ethernet(0x0806, data(28)))).toEqual([]);
  });
});
