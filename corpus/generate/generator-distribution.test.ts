/**
 * Does every corner occur? Each sentence names one at which a wrong program shows; it must occur within 200,000
 * packets of a generator without hints, whatever the seed. The figure beside it is the mean of five seeds.
 */
import { beforeAll, describe, expect, it } from 'vitest';
import { PacketBatch } from '../../sim/packet/packet-batch.ts';
import { PacketGenerator } from './generator.ts';
import { NO_LIMITS, TEST_RUN_LIMITS } from './packet-limits.ts';
import { seedFromText } from './random.ts';

const PACKETS = 200_000;
const SEEDS = ['1', '2', '3', '4', '5'];

/** A packet as a right parser sees it, read plainly and without anything of the generator's. */
class Look {
  bytes: Uint8Array = new Uint8Array(0);
  at = 0;
  end = 0;
  length = 0;
  /** Tags stepped over, at most two. */
  tags = 0;
  /** A further tag, or one that is cut off. */
  notParsed = false;
  etherType = 0;
  ip = 0;
  /** 4 or 6 where the header is parsed, else 0. */
  version = 0;
  ihl = 0;
  total = 0;
  offset = 0;
  more = false;
  ttl = 0;
  protocol = -1;
  /** Where the upper layer begins. */
  upper = 0;

  u8(at: number): number {
    return this.bytes[at]!;
  }

  u16(at: number): number {
    return (this.bytes[at]! << 8) | this.bytes[at + 1]!;
  }

  /** Bytes of the upper layer that are there. */
  get held(): number {
    return this.end - this.upper;
  }

  read(bytes: Uint8Array, at: number, length: number): void {
    this.bytes = bytes;
    this.at = at;
    this.length = length;
    this.end = at + length;
    this.tags = 0;
    this.version = 0;
    this.protocol = -1;
    this.etherType = -1;
    this.notParsed = length < 14;
    if (this.notParsed) return;
    let place = at + 12;
    while (isTag(this.u16(place))) {
      if (this.tags === 2 || place + 6 > this.end) {
        this.notParsed = true;
        return;
      }
      this.tags++;
      place += 4;
    }
    this.etherType = this.u16(place);
    this.ip = place + 2;
    const left = this.end - this.ip;
    if (this.etherType === 0x0800 && left >= 20 && this.u8(this.ip) >>> 4 === 4) {
      this.ihl = this.u8(this.ip) & 15;
      if (this.ihl < 5 || left < this.ihl * 4) return;
      this.version = 4;
      this.total = this.u16(this.ip + 2);
      this.offset = this.u16(this.ip + 6) & 0x1fff;
      this.more = (this.u16(this.ip + 6) & 0x2000) !== 0;
      this.ttl = this.u8(this.ip + 8);
      this.protocol = this.u8(this.ip + 9);
      this.upper = this.ip + this.ihl * 4;
    } else if (this.etherType === 0x86dd && left >= 40 && this.u8(this.ip) >>> 4 === 6) {
      this.version = 6;
      this.total = this.u16(this.ip + 4);
      this.ttl = this.u8(this.ip + 7);
      this.protocol = this.u8(this.ip + 6);
      this.upper = this.ip + 40;
    }
  }

  get unicastMacs(): boolean {
    return ((this.u8(this.at) | this.u8(this.at + 6)) & 1) === 0;
  }

  /** Everything but fragmentation and length is as the echo server wants it. */
  get isRequest4(): boolean {
    if (this.version !== 4 || this.protocol !== 1 || !this.unicastMacs || this.held < 4) return false;
    const source = this.u8(this.ip + 12);
    const destination = this.u8(this.ip + 16);
    return (
      source !== 0 &&
      source < 224 &&
      destination < 224 &&
      this.u8(this.upper) === 8 &&
      this.u8(this.upper + 1) === 0
    );
  }

  get answered4(): boolean {
    return (
      this.isRequest4 &&
      !this.more &&
      this.offset === 0 &&
      this.total >= this.ihl * 4 + 8 &&
      this.ip + this.total <= this.end
    );
  }

  get answered6(): boolean {
    return (
      this.version === 6 &&
      this.protocol === 58 &&
      this.unicastMacs &&
      this.total >= 8 &&
      this.upper + this.total <= this.end &&
      this.u8(this.ip + 8) !== 0xff &&
      this.u8(this.ip + 24) !== 0xff &&
      this.u8(this.ip + 8) !== 0 &&
      this.u8(this.upper) === 128 &&
      this.u8(this.upper + 1) === 0
    );
  }

  /** The ICMP checksum as a little-endian machine loads it. */
  get checksum(): number {
    return this.u8(this.upper + 2) | (this.u8(this.upper + 3) << 8);
  }

  get isTcpOrUdp(): boolean {
    return this.version !== 0 && (this.protocol === 6 || this.protocol === 17);
  }

  port(which: 0 | 2): number {
    return this.u16(this.upper + which);
  }

  get isForwardable4(): boolean {
    return this.version === 4 && this.tags === 0 && this.ihl === 5 && this.ttl > 1;
  }
}

function isTag(etherType: number): boolean {
  return etherType === 0x8100 || etherType === 0x88a8;
}

/** RFC 1624 on a little-endian machine, with so many folds. */
function updated(checksum: number, from: number, to: number, folds: number): number {
  let sum = (~checksum & 0xffff) + (~from & 0xffff) + to;
  for (let fold = 0; fold < folds; fold++) sum = (sum & 0xffff) + (sum >>> 16);
  return ~sum & 0xffff;
}

function reply(look: Look, folds: number): number {
  const checksum = look.answered6
    ? updated(look.checksum, 0x0080, 0x0081, folds)
    : updated(look.checksum, 0x0008, 0x0000, folds);
  return checksum || 0xffff;
}

function sumOf(look: Look, from: number, to: number): number {
  let total = 0;
  for (let at = from; at < to; at++) total += (at - from) % 2 === 0 ? look.u8(at) << 8 : look.u8(at);
  return total;
}

type Corner = readonly [sentence: string, mean: number, holds: (look: Look) => boolean];

/** Packets on which faulty echo servers differ from the right one. */
const ECHO_CORNERS: readonly Corner[] = [
  ['an IPv4 echo request that is answered', 9591, (p) => p.answered4],
  ['an IPv6 echo request that is answered', 8401, (p) => p.answered6],
  ['a reply whose checksum folded once is wrong', 69, (p) => p.answered6 && reply(p, 1) !== reply(p, 2)],
  [
    'a reply whose checksum is wrong when 0x0800 is added without the end-around carry',
    139,
    (p) => p.answered4 && ((p.checksum + 0x0008) & 0xffff) !== reply(p, 2),
  ],
  [
    'a reply whose checksum is wrong when the delta is in the wrong byte order',
    9591,
    (p) => p.answered4 && (updated(p.checksum, 0x0800, 0, 2) || 0xffff) !== reply(p, 2),
  ],
  ['an echo request whose reply is all zero', 210, (p) => p.answered4 && updated(p.checksum, 8, 0, 2) === 0],
  [
    'an echo request all zero but for type and checksum',
    92,
    (p) => p.answered4 && p.u16(p.upper + 2) === 0xf7ff && sumOf(p, p.upper + 4, p.ip + p.total) === 0,
  ],
  [
    'a message whose words add up to 16 bits that carry again when folded',
    42,
    (p) => {
      if (!p.answered4 && !p.answered6) return false;
      const total = sumOf(p, p.upper + 4, p.version === 4 ? p.ip + p.total : p.upper + p.total);
      return (total & 0xffff) + (total >>> 16) > 0xffff;
    },
  ],
  ['a first fragment of an echo request', 387, (p) => p.isRequest4 && p.more && p.offset === 0],
  [
    'a middle fragment with what looks like an echo request',
    187,
    (p) => p.isRequest4 && p.more && p.offset !== 0,
  ],
  [
    'a last fragment with what looks like an echo request',
    202,
    (p) => p.isRequest4 && !p.more && p.offset !== 0,
  ],
  ['an echo request with DF and with the reserved bit', 58, (p) => p.answered4 && p.u16(p.ip + 6) === 0xc000],
  ['an echo request behind IPv4 options', 745, (p) => p.answered4 && p.ihl > 5],
  ['an echo request behind forty bytes of options', 39, (p) => p.answered4 && p.ihl === 15],
  [
    'options that look like an echo request, before something else',
    351,
    (p) => p.version === 4 && p.protocol === 1 && p.ihl > 5 && p.u16(p.ip + 20) === 0x0800,
  ],
  [
    'an echo request whose ihl is below 5',
    400,
    (p) =>
      p.etherType === 0x0800 &&
      p.version === 0 &&
      p.end - p.ip >= 28 &&
      p.u8(p.ip) >>> 4 === 4 &&
      (p.u8(p.ip) & 15) < 5 &&
      p.u8(p.ip + 9) === 1,
  ],
  [
    'an IPv6 echo request between different addresses',
    6163,
    (p) => p.answered6 && p.u16(p.ip + 22) !== p.u16(p.ip + 38),
  ],
  [
    'an echo request that ends after four bytes of its header, frame and total length alike',
    127,
    (p) => p.isRequest4 && p.held === 4 && p.total === p.ihl * 4 + 4,
  ],
  [
    'an echo request whose total length ends within its header, padded',
    86,
    (p) =>
      p.isRequest4 && p.offset === 0 && p.total >= p.ihl * 4 + 4 && p.total < p.ihl * 4 + 8 && p.held >= 8,
  ],
  [
    'an echo request whose total length exceeds the frame',
    425,
    (p) => p.isRequest4 && p.ip + p.total > p.end,
  ],
  ['an echo request with padding behind its total length', 420, (p) => p.answered4 && p.ip + p.total < p.end],
  ['an echo request of odd length', 4757, (p) => p.answered4 && p.total % 2 === 1],
  [
    'an echo request with a code that is not 0',
    638,
    (p) => p.protocol === 1 && p.held >= 8 && p.u8(p.upper) === 8 && p.u8(p.upper + 1) !== 0,
  ],
  ['an echo request in two tags', 360, (p) => p.tags === 2 && (p.answered4 || p.answered6)],
  [
    'an IPv4 echo request from 0.0.0.0',
    65,
    (p) => p.protocol === 1 && p.version === 4 && p.u16(p.ip + 12) === 0 && p.u16(p.ip + 14) === 0,
  ],
  [
    'an IPv4 packet to 224.0.0.0/4',
    254,
    (p) => p.protocol === 1 && p.version === 4 && p.u8(p.ip + 16) >>> 4 === 14,
  ],
  [
    'an IPv4 packet to 240.0.0.0, just behind the multicast addresses',
    58,
    (p) => p.protocol === 1 && p.version === 4 && p.u8(p.ip + 16) === 240,
  ],
  [
    'an IPv6 echo request from ::',
    96,
    (p) => p.version === 6 && p.protocol === 58 && sumOf(p, p.ip + 8, p.ip + 24) === 0,
  ],
  [
    'an IPv6 echo request to ff00::/8',
    667,
    (p) => p.version === 6 && p.protocol === 58 && p.u8(p.ip + 24) === 0xff,
  ],
  [
    'an IPv6 echo request to feff::, just before the multicast addresses',
    102,
    (p) => p.version === 6 && p.protocol === 58 && p.u8(p.ip + 24) === 0xfe && p.u8(p.ip + 25) === 0xff,
  ],
  [
    'an echo request to the broadcast MAC',
    60,
    (p) => p.version === 4 && p.protocol === 1 && p.u8(p.at) === 0xff,
  ],
  [
    'an echo request whose payload length is below 8',
    674,
    (p) => p.version === 6 && p.protocol === 58 && p.held >= 8 && p.total < 8,
  ],
];

/** Packets on which faulty filters, counters and routers differ from the right ones. */
const OTHER_CORNERS: readonly Corner[] = [
  [
    'a forwardable packet with header checksum 0xFEFF, which becomes 0x0000',
    170,
    (p) => p.isForwardable4 && p.u16(p.ip + 10) === 0xfeff,
  ],
  [
    'a forwardable packet with header checksum 0xFF00, which becomes 0x0001',
    50,
    (p) => p.isForwardable4 && p.u16(p.ip + 10) === 0xff00,
  ],
  [
    'a forwardable packet with header checksum 0x0000, which becomes 0x0100',
    184,
    (p) => p.isForwardable4 && p.u16(p.ip + 10) === 0x0000,
  ],
  [
    'a forwardable packet with header checksum 0xFFFF',
    224,
    (p) => p.isForwardable4 && p.u16(p.ip + 10) === 0xffff,
  ],
  [
    'a forwardable packet with header checksum 0xFFxx: the carry of a TTL decrement',
    1066,
    (p) => p.isForwardable4 && p.u8(p.ip + 10) === 0xff,
  ],
  ['an IPv4 packet with TTL 0', 199, (p) => p.version === 4 && p.ttl === 0],
  ['an IPv4 packet with TTL 1', 185, (p) => p.version === 4 && p.ttl === 1],
  ['an IPv4 packet with TTL 2', 182, (p) => p.version === 4 && p.ttl === 2],
  ['an IPv6 packet with hop limit 1', 276, (p) => p.version === 6 && p.ttl === 1],
  ['TCP to port 80', 420, (p) => p.protocol === 6 && p.offset === 0 && p.held >= 20 && p.port(2) === 80],
  [
    'TCP from port 80 behind IPv4 options',
    17,
    (p) => p.version === 4 && p.protocol === 6 && p.ihl > 5 && p.held >= 20 && p.port(0) === 80,
  ],
  [
    'TCP to port 20480, which is 80 in the wrong byte order',
    440,
    (p) => p.protocol === 6 && p.held >= 20 && p.port(2) === 20480,
  ],
  ['UDP to port 80', 415, (p) => p.protocol === 17 && p.held >= 8 && p.port(2) === 80],
  [
    'a later fragment of TCP with what looks like port 80',
    17,
    (p) =>
      p.version === 4 &&
      p.protocol === 6 &&
      p.offset !== 0 &&
      p.held >= 20 &&
      (p.port(0) === 80 || p.port(2) === 80),
  ],
  [
    'TCP that ends between its ports and its header’s end',
    1149,
    (p) => p.protocol === 6 && p.held >= 4 && p.held < 20,
  ],
  ['TCP that ends within its ports', 196, (p) => p.protocol === 6 && p.held > 0 && p.held < 4],
  ['UDP that is one byte short of its header', 370, (p) => p.protocol === 17 && p.held === 7],
  [
    'UDP over IPv4 without a checksum',
    417,
    (p) => p.version === 4 && p.protocol === 17 && p.offset === 0 && p.held >= 8 && p.u16(p.upper + 6) === 0,
  ],
  [
    'UDP over IPv6 with checksum 0, which is illegal',
    424,
    (p) => p.version === 6 && p.protocol === 17 && p.held >= 8 && p.u16(p.upper + 6) === 0,
  ],
  ['UDP with checksum 0xFFFF', 428, (p) => p.protocol === 17 && p.held >= 8 && p.u16(p.upper + 6) === 0xffff],
  [
    'UDP whose length exceeds the IP packet',
    805,
    (p) => p.version === 4 && p.protocol === 17 && p.held >= 8 && p.u16(p.upper + 4) > p.total - p.ihl * 4,
  ],
  [
    'router solicitation',
    2623,
    (p) => p.version === 6 && p.protocol === 58 && p.held >= 8 && p.u8(p.upper) === 133,
  ],
  [
    'redirect, the last type of neighbour discovery',
    2656,
    (p) => p.version === 6 && p.protocol === 58 && p.held >= 8 && p.u8(p.upper) === 137,
  ],
  [
    'ICMPv6 type 132, just before neighbour discovery',
    471,
    (p) => p.version === 6 && p.protocol === 58 && p.held >= 8 && p.u8(p.upper) === 132,
  ],
  [
    'ICMPv6 type 138, just behind neighbour discovery',
    478,
    (p) => p.version === 6 && p.protocol === 58 && p.held >= 8 && p.u8(p.upper) === 138,
  ],
  ['ICMPv6’s number in an IPv4 header', 244, (p) => p.version === 4 && p.protocol === 58],
  ['ICMP’s number in an IPv6 header', 231, (p) => p.version === 6 && p.protocol === 1],
  [
    'IPv6 hop-by-hop options before TCP',
    292,
    (p) => p.version === 6 && p.protocol === 0 && p.held >= 28 && p.u8(p.upper) === 6,
  ],
  ['an IPv6 fragment header', 3741, (p) => p.version === 6 && p.protocol === 44],
  ['protocol 255', 461, (p) => p.protocol === 255],
  [
    'an IPv4 EtherType before a version of 6',
    228,
    (p) => p.etherType === 0x0800 && p.end > p.ip && p.u8(p.ip) >>> 4 === 6,
  ],
  [
    'an IPv6 EtherType before a version of 4',
    403,
    (p) => p.etherType === 0x86dd && p.end > p.ip && p.u8(p.ip) >>> 4 === 4,
  ],
  ['an EtherType of IPv4 in the wrong byte order', 578, (p) => p.etherType === 0x0008],
  [
    'two tags, 802.1ad outside and 802.1Q inside',
    1836,
    (p) => p.tags === 2 && p.u16(p.at + 12) === 0x88a8 && p.u16(p.at + 16) === 0x8100,
  ],
  ['three tags', 2445, (p) => p.notParsed && p.length >= 26 && isTag(p.u16(p.at + 20))],
  ['a tag of the old type 0x9100', 2336, (p) => p.etherType === 0x9100],
  ['a tag of the older type 0x9200', 2336, (p) => p.etherType === 0x9200],
  [
    'a frame that ends within its tag',
    399,
    (p) => p.notParsed && p.length >= 14 && p.length < 18 && isTag(p.u16(p.at + 12)),
  ],
  [
    'a frame that ends one byte before the IPv4 header does',
    167,
    (p) => p.etherType === 0x0800 && p.end - p.ip === 19,
  ],
  ['a frame that ends with the IPv4 header', 291, (p) => p.version === 4 && p.end - p.ip === 20],
  [
    'a frame that ends within the IPv4 options',
    194,
    (p) =>
      p.etherType === 0x0800 &&
      p.end - p.ip >= 20 &&
      p.u8(p.ip) >>> 4 === 4 &&
      p.end - p.ip < (p.u8(p.ip) & 15) * 4,
  ],
  [
    'a frame that ends one byte before the IPv6 header does',
    190,
    (p) => p.etherType === 0x86dd && p.end - p.ip === 39,
  ],
  ['a frame that ends with the IPv6 header', 423, (p) => p.version === 6 && p.end - p.ip === 40],
  [
    'a frame that ends with the Ethernet header and says IPv4',
    434,
    (p) => p.length === 14 && p.u16(p.at + 12) === 0x0800,
  ],
  ['ARP that is cut off', 1114, (p) => p.etherType === 0x0806 && p.end - p.ip < 28],
  ['a frame above 1514 bytes', 1500, (p) => p.length > 1514],
  ['a frame above 3000 bytes', 840, (p) => p.length > 3000],
  ['a frame of exactly 3520 bytes', 674, (p) => p.length === 3520],
  [
    'an ICMP error that quotes a packet',
    667,
    (p) =>
      p.version === 4 &&
      p.protocol === 1 &&
      p.held >= 28 &&
      p.u8(p.upper) === 3 &&
      p.u8(p.upper + 8) === 0x45,
  ],
];

/** Frames that BPF_PROG_TEST_RUN does not take. */
const SHORT_CORNERS: readonly Corner[] = [
  ['a frame of no byte', 557, (p) => p.length === 0],
  ['a frame of 13 bytes', 1609, (p) => p.length === 13],
];

const groups = [
  { name: 'echo servers', corners: ECHO_CORNERS, limits: TEST_RUN_LIMITS },
  { name: 'filters, counters and routers', corners: OTHER_CORNERS, limits: TEST_RUN_LIMITS },
  { name: 'engines without limits', corners: SHORT_CORNERS, limits: NO_LIMITS },
];

describe.each(groups)(
  'within 200,000 packets of any of five seeds, for $name, there is',
  ({ corners, limits }) => {
    const counts = corners.map(() => [] as number[]);

    beforeAll(() => {
      const generator = new PacketGenerator();
      const batch = new PacketBatch(4000);
      const look = new Look();
      for (const text of SEEDS) {
        const seed = seedFromText(text);
        for (const list of counts) list.push(0);
        for (let first = 0; first < PACKETS; first += batch.capacity) {
          batch.clear();
          generator.fill(batch, seed, first, batch.capacity, limits);
          for (let index = 0; index < batch.count; index++) {
            look.read(batch.bytes, batch.offset[index]!, batch.length[index]!);
            for (let corner = 0; corner < corners.length; corner++) {
              if (corners[corner]![2](look)) counts[corner]![counts[corner]!.length - 1]!++;
            }
          }
        }
      }
      if (process.env.SHOW_RATES !== undefined) {
        for (const [index, [sentence]] of corners.entries()) {
          const list = counts[index]!;
          console.log(Math.round(list.reduce((a, b) => a + b) / list.length), Math.min(...list), sentence);
        }
      }
    });

    it.each(corners.map(([sentence, mean], index) => ({ sentence, mean, index })))(
      '$sentence: about $mean',
      ({ mean, index }) => {
        const list = counts[index]!;
        expect(list).toHaveLength(SEEDS.length);
        // No seed may come near to missing it.
        expect(Math.min(...list)).toBeGreaterThanOrEqual(Math.max(5, mean / 3));
        const measured = list.reduce((total, count) => total + count, 0) / list.length;
        expect(measured / mean).toBeGreaterThan(0.8);
        expect(measured / mean).toBeLessThan(1.25);
      },
    );
  },
);
