/**
 * Neighbours of packets that a program was seen to change: the same as a fragment, of another protocol, with options, with
 * options at odd offsets or a tag, at the end of its TTL, to a group, from where no host is, as an ICMP error of its length, with more
 * data, with the flag of resets, as the question of a host that has no address yet; with a packet inside where it says that there is
 * one; with one more label, or one whose TTL is used up. What a program does not look at before it writes shows there.
 */
import { packet as build } from '../../sim/packet/build.ts';
import { GENEVE_PORT } from '../../sim/packet/geneve.ts';
import type { Stimulus } from '../../sim/packet/packet-batch.ts';
import { isTpid } from '../../sim/packet/vlan.ts';
import { verifyChecksums } from '../oracle/checksums.ts';
import { HEADER, HEADER_FLAG, isIp, PART } from '../oracle/found.ts';
import { HeaderList } from '../oracle/header-list.ts';
import { withMoreLabels, withSpentLabels } from './label-variants.ts';
import { ChecksumRepair } from './sweep-packets.ts';

const IPV4 = 0x0800;
const IPV6 = 0x86dd;

const TCP = 6;
const UDP = 17;
const ICMP = 1;
const ICMPV6 = 58;
const ECHO_REPLY6 = 129;
const SCTP = 132;
const UDP_LITE = 136;
const IGMP = 2;
const GRE = 47;
/** IPv6's header of fragments. */
const FRAGMENT = 44;
/** ESP, OSPF, ICMP's twin in the other family, and what nobody knows. */
const OTHER_PROTOCOLS = [50, 89, 253];

const MORE_FOLLOW = 0x2000;
/** What IPv4's word of flags and offset says where 1480 bytes of a datagram went before. */
export const LATER = 185;
const OFFSET_BITS = Array.from({ length: 13 }, (_, bit) => 1 << bit);

/**
 * That word of later fragments, such as between them show a test of the offset that overlooks some of its bits, as one in the
 * wrong byte order does.
 */
export const LATER_WORDS: readonly number[] = [
  LATER,
  LATER | MORE_FOLLOW,
  ...OFFSET_BITS.flatMap((bit) => [bit, bit | MORE_FOLLOW]),
];

/** All that can be made of one packet; of a frame without IP behind its tags none, but of an ARP request the reply to it, of labels one more, and one whose TTL is used up. */
export function variantsOf(stimulus: Stimulus): Stimulus[] {
  const { packet } = stimulus;
  const sound = withItsVersion(packet);
  // What a program does to it, it does to what nobody judges: the one with the right version is the first neighbour.
  if (sound !== undefined) {
    const right = { ...stimulus, packet: sound };
    return [right, ...variantsOf(right)];
  }
  const at = networkAt(packet);
  if (at === undefined)
    return [...arpReply(packet), ...withSpentLabels(packet), ...withMoreLabels(packet)].map((one) => ({
      ...stimulus,
      packet: one,
    }));
  const variants = packet[at]! >> 4 === 4 ? variants4(packet, at) : variants6(packet, at);
  const odd = [...oddTcpOptions(packet, at), ...oddIpOptions(packet, at)];
  const flags = withFlags(packet);
  const all = [...variants, tagged(packet), ...odd, ...flags, ...dnsForms(packet, at), ...longer(packet)];
  return all.map((one) => ({ ...stimulus, packet: one }));
}

/** What met congestion (RFC 3168 §5), in the lower bits of IPv4's second byte. */
const CONGESTED = 3;
/** The same of IPv6, and a flow label (RFC 6437), in its second byte and the two behind it. */
const CONGESTED_FLOW = [0x3a, 0x5c, 0x31] as const;

/** Sources that no host has, and that whoever answers has to look out for: 0, a group, and all. */
const NO_HOSTS_4 = [
  [0, 0, 0, 0],
  [224, 0, 0, 5],
  [255, 255, 255, 255],
];
const NO_HOSTS_6 = [
  [0, 0],
  [0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 5],
];

/** Router and neighbour discovery, and redirects: some come from ::, with an address or options of their own (RFC 4861 §4, §7.1.1). */
function isDiscovery(packet: Uint8Array, at: number): boolean {
  const type = packet[at + 40]!;
  return packet[at + 6] === ICMPV6 && type >= 133 && type <= 137;
}

function* variants4(packet: Uint8Array, at: number): Generator<Uint8Array, void, void> {
  const headerLength = (packet[at]! & 0x0f) * 4;
  if (headerLength < 20 || at + headerLength > packet.length) return;
  const upper = at + headerLength;
  if (packet[at + 9] === GRE) yield* tunnels(packet, at, upper);
  if (packet[at + 9] === UDP) yield* withGeneveOption(packet, at, upper);
  const total = (packet[at + 2]! << 8) | packet[at + 3]!;
  const end = Math.min(packet.length, at + total);
  const with4 = (change: (copy: Uint8Array) => unknown, protocol?: number): Uint8Array => {
    const copy = withRoom(packet, upper, end, protocol);
    change(copy);
    const length = (copy[at + 2]! << 8) | copy[at + 3]!;
    if (copy.length > packet.length) write16(copy, at + 2, length + copy.length - packet.length);
    if (protocol !== undefined) copy[at + 9] = protocol;
    // All of it is covered.
    if (protocol === UDP_LITE) write16(copy, upper + 4, 0);
    return repaired(copy, at + 4);
  };
  const original = packet[at + 9]!;
  for (const ttl of [1, 0, 2, 255]) yield with4((copy) => copy.fill(ttl, at + 8, at + 9));
  yield with4((copy) => copy.fill(copy[at + 1]! | CONGESTED, at + 1, at + 2));
  if (upper + 8 > packet.length) return;
  for (const protocol of new Set([original, SCTP, UDP_LITE])) {
    for (const word of [LATER, LATER | MORE_FOLLOW, MORE_FOLLOW])
      yield with4((copy) => write16(copy, at + 6, word), protocol);
  }
  for (const bit of OFFSET_BITS) yield with4((copy) => write16(copy, at + 6, bit));
  yield with4((copy) => write16(copy, at + 6, 0x4000));
  for (const protocol of [SCTP, UDP_LITE, IGMP, ...OTHER_PROTOCOLS]) yield with4(() => {}, protocol);
  for (const to of [
    [224, 0, 0, 1],
    [239, 1, 2, 3],
    [255, 255, 255, 255],
    [0, 0, 0, 0],
  ])
    yield with4((copy) => copy.set(to, at + 16));
  for (const from of NO_HOSTS_4) yield with4((copy) => copy.set(from, at + 12));
  yield icmpError(packet, at, upper, end);
  yield withOptions(packet, at, headerLength);
  if (original === 17) yield with4((copy) => write16(copy, upper + 6, 0));
  // What answers it with type 0 sends nothing but zeros: their sum is the other zero (RFC 1624 §5).
  if (original === ICMP) yield with4((copy) => copy.fill(0, upper + 4, end));
}

function* variants6(packet: Uint8Array, at: number): Generator<Uint8Array, void, void> {
  const upper = at + 40;
  if (packet[at + 6] === GRE) yield* tunnels(packet, at, upper);
  if (packet[at + 6] === UDP) yield* withGeneveOption(packet, at, upper);
  const end = Math.min(packet.length, upper + ((packet[at + 4]! << 8) | packet[at + 5]!));
  const with6 = (change: (copy: Uint8Array) => unknown, protocol?: number): Uint8Array => {
    const copy = withRoom(packet, upper, end, protocol);
    change(copy);
    const length = (copy[at + 4]! << 8) | copy[at + 5]!;
    if (copy.length > packet.length) write16(copy, at + 4, length + copy.length - packet.length);
    if (protocol !== undefined) copy[at + 6] = protocol;
    if (protocol === UDP_LITE) write16(copy, upper + 4, 0);
    return repaired(copy, at);
  };
  for (const limit of [1, 0, 2, 255]) yield with6((copy) => copy.fill(limit, at + 7, at + 8));
  yield with6((copy) => {
    copy.set([(copy[at + 1]! & 0xc0) | CONGESTED_FLOW[0], ...CONGESTED_FLOW.slice(1)], at + 1);
  });
  if (upper + 8 > packet.length) return;
  for (const protocol of [SCTP, UDP_LITE, ...OTHER_PROTOCOLS]) yield with6(() => {}, protocol);
  for (const to of [
    [0xff, 2],
    [0xff, 5],
    [0, 0],
  ])
    yield with6((copy) => copy.fill(0, at + 24, at + 40).set(to, at + 24));
  for (const from of isDiscovery(packet, at) ? [] : NO_HOSTS_6)
    yield with6((copy) => copy.fill(0, at + 8, at + 24).set(from, at + 8));
  yield* unspecified(packet, at, upper, end);
  yield icmpError(packet, at, upper, end);
  for (const word of [LATER, LATER | MORE_FOLLOW, MORE_FOLLOW, ...OFFSET_BITS])
    yield fragment6(packet, at, word);
  // An echo reply that, translated to IPv4, which has no pseudo-header there, is nothing but zeros.
  if (packet[at + 6] === ICMPV6)
    yield with6((copy) => copy.fill(0, upper + 1, end).fill(ECHO_REPLY6, upper, upper + 1));
}

const NEIGHBOUR_SOLICITATION = 135;
/** Of a solicitation without options: it ends with the address that is asked for. */
const SOLICITATION = 24;

/**
 * A neighbour solicitation as of a host that asks whether the address is taken that it wants for itself (RFC 4862 §5.4.2): from ::,
 * to the group of that address, and without its MAC address (RFC 4861 §7.1.1).
 */
function* unspecified(
  packet: Uint8Array,
  at: number,
  upper: number,
  end: number,
): Generator<Uint8Array, void, void> {
  if (packet[at + 6] !== ICMPV6 || packet[upper] !== NEIGHBOUR_SOLICITATION) return;
  if (upper + SOLICITATION > end) return;
  const copy = packet.slice(0, upper + SOLICITATION);
  const asked = copy.subarray(upper + SOLICITATION - 3);
  copy.set([0x33, 0x33, 0xff, ...asked]);
  copy.fill(0, at + 8, at + 40).set([0xff, 2], at + 24);
  copy.set([1, 0xff, ...asked], at + 35);
  write16(copy, at + 4, SOLICITATION);
  yield repaired(copy, at + 4);
}

/** "Destination unreachable" in both versions, and the least of the packet's data that is quoted (RFC 792). */
const UNREACHABLE4 = [3, 1];
const UNREACHABLE6 = [1, 0];
const ERROR_HEADER = 8;
const LEAST_QUOTED = 8;

/**
 * An ICMP error about such a packet on its way back, no shorter than the packet: what answers long packets alone with errors
 * answers this one, too, unless it looks.
 */
function icmpError(packet: Uint8Array, at: number, upper: number, end: number): Uint8Array {
  const isV4 = packet[at]! >> 4 === 4;
  const addresses = isV4 ? 12 : 8;
  const size = isV4 ? 4 : 16;
  const header = packet.slice(at, at + addresses + 2 * size);
  const quoted = header.slice();
  quoted.set(header.subarray(addresses, addresses + size), addresses + size);
  quoted.set(header.subarray(addresses + size), addresses);
  if (isV4) quoted[0] = 0x45;
  const least = ERROR_HEADER + header.length + LEAST_QUOTED;
  const copy = new Uint8Array(upper + Math.max(least, end - upper));
  copy.set(packet.subarray(0, upper));
  copy.set(isV4 ? UNREACHABLE4 : UNREACHABLE6, upper);
  copy.set(quoted, upper + ERROR_HEADER);
  const data = upper + ERROR_HEADER + quoted.length;
  copy.set(packet.subarray(upper, Math.min(end, upper + copy.length - data)), data);
  copy[at + (isV4 ? 9 : 6)] = isV4 ? ICMP : ICMPV6;
  if (isV4) copy.fill(0, at + 6, at + 8);
  write16(copy, isV4 ? at + 2 : at + 4, copy.length - (isV4 ? at : upper));
  return repaired(copy, at);
}

/** The same with whole packets in GRE: who takes it off need not have looked at what it says. */
function* tunnels(packet: Uint8Array, at: number, upper: number): Generator<Uint8Array, void, void> {
  for (const given of [{}, { key: 7 }]) {
    const gre = build.gre(given);
    for (const inner of [gre.ipv4(), gre.ipv6()]) {
      const copy = Uint8Array.from([...packet.subarray(0, upper), ...inner.udp().bytes()]);
      if (copy[at]! >> 4 === 4) {
        write16(copy, at + 2, copy.length - at);
        write16(copy, at + 6, read16(copy, at + 6) & 0x4000);
      } else write16(copy, at + 4, copy.length - upper);
      yield repaired(copy, upper);
    }
  }
}

/** Version 0 with one word of options, no control message and none that is critical, a frame inside; the option of class 0 has no data. */
const GENEVE_HEADER = [1, 0, 0x65, 0x58, 0, 0, 1, 0, 0, 0, 1, 0];

/** The same with a whole frame in Geneve, behind an option, whose length few programs look at (RFC 8926 §3.4). */
function* withGeneveOption(packet: Uint8Array, at: number, upper: number): Generator<Uint8Array, void, void> {
  const inside = upper + 8;
  if (inside > packet.length || read16(packet, upper + 2) !== GENEVE_PORT) return;
  const inner = build.ethernet().ipv4().udp().bytes();
  const copy = Uint8Array.from([...packet.subarray(0, inside), ...GENEVE_HEADER, ...inner]);
  const isV4 = copy[at]! >> 4 === 4;
  write16(copy, isV4 ? at + 2 : at + 4, copy.length - (isV4 ? at : upper));
  if (isV4) write16(copy, at + 6, read16(copy, at + 6) & 0x4000);
  write16(copy, upper + 4, copy.length - upper);
  yield repaired(copy, upper + 4);
}

/** Where the data behind the IP header of a frame lies. */
export interface Transport {
  readonly version: 4 | 6;
  readonly protocol: number;
  readonly at: number;
  readonly end: number;
  /** Offset of the fragment in bytes, plus 1 where more follow. */
  readonly fragment: number;
}

/** Is it a fragment that others went before? Then what lies there is data, whatever it looks like. */
export function isLater({ fragment }: Transport): boolean {
  return fragment >= 8;
}

/** Bytes in which only a first fragment has a header: what a program decides by that reads ports, flags or lengths. */
export function headerSize(protocol: number): number {
  return HEADER_SIZES[protocol] ?? 8;
}

/** TCP, DCCP and SCTP; UDP and UDP-Lite have 8 bytes. */
const HEADER_SIZES: Readonly<Record<number, number>> = { 6: 20, 33: 12, 132: 12 };

/**
 * @param fragments whether fragments have any, too
 * @returns undefined without IP, with extension headers other than a fragment header, or with less than 8 bytes behind it
 */
export function transportOf(packet: Uint8Array, fragments: boolean = false): Transport | undefined {
  const network = networkAt(packet);
  if (network === undefined) return undefined;
  const found = packet[network]! >> 4 === 4 ? transport4(packet, network) : transport6(packet, network);
  if (found.at + 8 > found.end || found.end > packet.length) return undefined;
  return fragments || found.fragment === 0 ? found : undefined;
}

/** The same whatever version and lengths the headers state: a packet that was solved for has what the program asks for, no more. */
export function looseTransportOf(came: Uint8Array): Transport | undefined {
  const packet = came.slice();
  if (packet.length > 14) packet[14] = (packet[14]! & 0x0f) | (packet[12] === 0x08 ? 0x40 : 0x60);
  const network = networkAt(packet);
  if (network === undefined) return undefined;
  const found = packet[network]! >> 4 === 4 ? transport4(packet, network) : transport6(packet, network);
  return found.at + 8 > packet.length || found.fragment !== 0 ? undefined : { ...found, end: packet.length };
}

function transport4(packet: Uint8Array, network: number): Transport {
  const at = network + Math.max(20, (packet[network]! & 0x0f) * 4);
  const word = read16(packet, network + 6);
  const fragment = ((word & 0x1fff) << 3) | ((word >> 13) & 1);
  const end = network + read16(packet, network + 2);
  return { version: 4, protocol: packet[network + 9]!, at, end, fragment };
}

function transport6(packet: Uint8Array, network: number): Transport {
  const end = network + 40 + read16(packet, network + 4);
  const protocol = packet[network + 6]!;
  const isFragment = protocol === FRAGMENT && network + 48 <= packet.length;
  if (!isFragment) return { version: 6, protocol, at: network + 40, end, fragment: 0 };
  const fragment = read16(packet, network + 42) & 0xfff9;
  return { version: 6, protocol: packet[network + 40]!, at: network + 48, end, fragment };
}

/**
 * The same packet as a fragment that others went before; undefined where it has no IP.
 * @param word flags and offset, as in IPv4
 */
export function laterFragment(packet: Uint8Array, word: number = LATER): Uint8Array | undefined {
  const network = networkAt(packet);
  if (network === undefined) return undefined;
  if (packet[network]! >> 4 === 6) return fragment6(packet, network, word);
  const copy = packet.slice();
  write16(copy, network + 6, word);
  return repaired(copy, network + 4);
}

/** The payload as that of another protocol: long enough for its header, and even. */
function withRoom(packet: Uint8Array, upper: number, end: number, protocol: number | undefined): Uint8Array {
  if (protocol === undefined || end - upper >= 20 || end < packet.length) return packet.slice();
  const copy = new Uint8Array(upper + 20);
  copy.set(packet);
  return copy;
}

/** Four bytes of options that do nothing (RFC 791 §3.1). */
function withOptions(packet: Uint8Array, at: number, headerLength: number): Uint8Array {
  if (headerLength > 56) return packet;
  const copy = spliced(packet, at + headerLength, [1, 1, 1, 0]);
  copy[at]!++;
  write16(copy, at + 2, read16(copy, at + 2) + 4);
  return repaired(copy, at + 4);
}

/**
 * Options end where the list does (RFC 791 §3.1, RFC 9293 §3.1), and begin anywhere: a NOP in front of them swaps the bytes
 * of their words in the checksum.
 */
const NOP = 1;
const PADDING = [0, 0, 0];
/** 1460 bytes, behind a NOP. */
const ODD_MSS = [NOP, 2, 4, 0x05, 0xb4, ...PADDING];

/** The same with the options of TCP one byte further on; a SYN without any gets one. */
function* oddTcpOptions(packet: Uint8Array, at: number): Generator<Uint8Array, void, void> {
  const found = transportOf(packet);
  if (found?.protocol !== TCP || found.at + 20 > found.end) return;
  const { at: tcp, end, version } = found;
  const headerLength = (packet[tcp + 12]! >> 4) * 4;
  if (headerLength < 20 || tcp + headerLength > end) return;
  const isSyn = (packet[tcp + 13]! & 2) !== 0;
  if (headerLength === 20 && !isSyn) return;
  const copy =
    headerLength === 20 ? spliced(packet, tcp + 20, ODD_MSS) : shifted(packet, tcp + 20, tcp + headerLength);
  const more = copy.length - packet.length;
  if (headerLength + more > 60) return;
  copy[tcp + 12]! += (more / 4) << 4;
  const length = version === 4 ? at + 2 : at + 4;
  write16(copy, length, read16(copy, length) + more);
  yield repaired(copy, length);
}

const TCP_FLAGS = 13;
const [SYN, RST, ACK] = [2, 4, 16];

/** The same with the flag of resets, which nobody answers with one, or with a SYN-ACK; a SYN as a SYN-ACK, which nobody answers with one. */
function* withFlags(packet: Uint8Array): Generator<Uint8Array, void, void> {
  const found = transportOf(packet);
  if (found?.protocol !== TCP || found.at + 20 > found.end) return;
  for (const flag of (packet[found.at + TCP_FLAGS]! & SYN) === 0 ? [RST] : [RST, ACK]) {
    const copy = packet.slice();
    copy[found.at + TCP_FLAGS]! |= flag;
    yield repaired(copy, found.at + TCP_FLAGS - 1);
  }
}

/** The same with the options of IPv4 one byte further on, where it has any. */
function* oddIpOptions(packet: Uint8Array, at: number): Generator<Uint8Array, void, void> {
  if (packet[at]! >> 4 !== 4) return;
  const headerLength = (packet[at]! & 0x0f) * 4;
  if (headerLength <= 20 || headerLength > 56 || at + headerLength > packet.length) return;
  const copy = shifted(packet, at + 20, at + headerLength);
  copy[at]!++;
  write16(copy, at + 2, read16(copy, at + 2) + 4);
  yield repaired(copy, at + 4);
}

/** A NOP in front of options, and the list padded to whole words again. */
function shifted(packet: Uint8Array, from: number, to: number): Uint8Array {
  return spliced(spliced(packet, to, PADDING), from, [NOP]);
}

/**
 * The same behind a fragment header (RFC 8200 §4.5): its own, where it has one.
 * @param word flags and offset, as in IPv4
 */
function fragment6(packet: Uint8Array, at: number, word: number): Uint8Array {
  const field = ((word & 0x1fff) << 3) | ((word & MORE_FOLLOW) === 0 ? 0 : 1);
  if (packet[at + 6] === FRAGMENT && at + 48 <= packet.length) {
    const copy = packet.slice();
    write16(copy, at + 42, field);
    return copy;
  }
  const copy = spliced(packet, at + 40, [packet[at + 6]!, 0, field >> 8, field & 0xff, 0, 0, 0, 7]);
  copy[at + 6] = FRAGMENT;
  write16(copy, at + 4, read16(copy, at + 4) + 8);
  return copy;
}

/**
 * Lengths of a datagram, as its own field says them, at which arithmetic in the wrong byte order or in one byte goes wrong: what is
 * added to or taken from the lower byte carries, that byte is not all there is, and the most that a frame without jumbo size
 * holds. Behind a header of 20 bytes the next one has 255 as well.
 */
const LENGTHS = [255, 256, 263, 275, 512, 1400, 1500];
const LARGEST = 1500;

/** The same with more data, in all headers that reach as far as the outermost one. */
function* longer(packet: Uint8Array): Generator<Uint8Array, void, void> {
  const headers = new HeaderList();
  verifyChecksums(packet, 0, packet.length, headers);
  const outer = headers.kind.subarray(0, headers.count).findIndex(isIp);
  if (outer < 0 || (headers.flags[outer]! & (HEADER_FLAG.cut | HEADER_FLAG.impossible)) !== 0) return;
  const end = headers.claimedEnd[outer]!;
  const stated = LENGTH_FIELDS[headers.kind[outer]!]!;
  if (end > packet.length) return;
  const most = LARGEST - (end - headers.start[outer]!);
  for (const length of LENGTHS) {
    const more = Math.min(length - read16(packet, headers.start[outer]! + stated), most);
    if (more > 0) yield withMore(packet, headers, end, more);
  }
}

/** Where a header says how long it is with what follows. */
const LENGTH_FIELDS: Readonly<Record<number, number>> = {
  [HEADER.ipv4]: 2,
  [HEADER.ipv6]: 4,
  [HEADER.udp]: 4,
};

const [DNS_PORT, DNS_HEADER, RESPONSE] = [53, 12, 0x80];
/** One question, for the address of a name in upper and lower case. */
const COUNTS = [0, 1, 0, 0, 0, 0, 0, 0];
const QUESTION = [3, 0x77, 0x57, 0x77, 0, 0, 1, 0, 1];
/** The root's name, type 41, 1232 bytes of UDP, and no options (RFC 6891 §6.1.2). */
const OPT = [0, 0, 41, 0x04, 0xd0, 0, 0, 0, 0, 0, 0];

/**
 * A DNS query, and one with a question that can be read: as a response, which nobody answers; and with an OPT record, as most come,
 * behind which programs write their answers.
 */
function* dnsForms(packet: Uint8Array, network: number): Generator<Uint8Array, void, void> {
  const found = transportOf(packet);
  if (found?.protocol !== UDP || read16(packet, found.at + 2) !== DNS_PORT) return;
  const message = found.at + 8;
  if (message + DNS_HEADER > found.end || (packet[message + 2]! & RESPONSE) !== 0) return;
  const own = packet.subarray(message, found.end);
  const asked = Uint8Array.from([...own.subarray(0, 4), ...COUNTS, ...QUESTION]);
  const withMessage = (bytes: readonly number[]): Uint8Array =>
    withDatagram(packet, network, Uint8Array.from([...packet.subarray(found.at, message), ...bytes]));
  yield withMessage([...asked]);
  for (const query of [own, asked]) {
    yield withMessage([...query.with(2, query[2]! | RESPONSE)]);
    if (read16(query, 10) === 0) yield withMessage([...query.with(11, 1), ...OPT]);
  }
}

/** The same with another datagram behind the IP header. */
function withDatagram(packet: Uint8Array, network: number, datagram: Uint8Array): Uint8Array {
  const found = transportOf(packet)!;
  const copy = Uint8Array.from([...packet.subarray(0, found.at), ...datagram]);
  write16(copy, found.at + 4, datagram.length);
  if (found.version === 4) write16(copy, network + 2, copy.length - network);
  else write16(copy, network + 4, datagram.length);
  return repaired(copy, found.at + 4);
}

/** Where the operation is behind the type, and that of requests. */
const [ARP, OPERATION_AT, REQUEST] = [0x0806, 8, 1];

/** The same as a reply, which nobody answers. */
function arpReply(packet: Uint8Array): Uint8Array[] {
  const at = typeAt(packet) + OPERATION_AT;
  if (at + 2 > packet.length || read16(packet, at - OPERATION_AT) !== ARP || read16(packet, at) !== REQUEST)
    return [];
  const copy = packet.slice();
  write16(copy, at, REQUEST + 1);
  return [copy];
}

function withMore(packet: Uint8Array, headers: HeaderList, end: number, more: number): Uint8Array {
  const copy = new Uint8Array(end + more);
  copy.set(packet.subarray(0, end));
  for (let at = end; at < copy.length; at++) copy[at] = at * 7 + 1;
  for (let row = 0; row < headers.count; row++) {
    const field = LENGTH_FIELDS[headers.kind[row]!];
    if (field === undefined || headers.claimedEnd[row] !== end) continue;
    // Of a fragment only IP says how long it is.
    if (!isIp(headers.kind[row]!) && headers.part[row] !== PART.whole) continue;
    const at = headers.start[row]! + field;
    write16(copy, at, read16(copy, at) + more);
  }
  const outer = headers.kind.subarray(0, headers.count).findIndex(isIp);
  return repaired(copy, headers.start[outer]! + LENGTH_FIELDS[headers.kind[outer]!]!);
}

function tagged(packet: Uint8Array): Uint8Array {
  return spliced(packet, 12, [0x81, 0, 0, 42]);
}

function spliced(packet: Uint8Array, at: number, bytes: readonly number[]): Uint8Array {
  const copy = new Uint8Array(packet.length + bytes.length);
  copy.set(packet.subarray(0, at));
  copy.set(bytes, at);
  copy.set(packet.subarray(at), at + bytes.length);
  return copy;
}

const repair = new ChecksumRepair();

/** Makes right what the oracle finds wrong. @param at a word that stays as it is */
export function repaired(packet: Uint8Array, at: number): Uint8Array {
  repair.apply(packet, 0, packet.length, at, read16(packet, at), -1);
  return packet;
}

/** Where the type of what is behind the tags stands. */
function typeAt(packet: Uint8Array): number {
  let at = 12;
  while (at + 4 < packet.length && isTpid(read16(packet, at))) at += 4;
  return at;
}

/** Where the IP header of a frame begins, behind its tags; undefined where it has none. */
export function networkAt(packet: Uint8Array): number | undefined {
  const at = typeAt(packet);
  if (at + 2 + 20 > packet.length) return undefined;
  const type = read16(packet, at);
  const version = packet[at + 2]! >> 4;
  return (type === IPV4 && version === 4) || (type === IPV6 && version === 6 && at + 42 <= packet.length)
    ? at + 2
    : undefined;
}

/** The frame with the IP version that its EtherType says; undefined where it has that one, or is not of IP. */
function withItsVersion(packet: Uint8Array): Uint8Array | undefined {
  if (networkAt(packet) !== undefined) return undefined;
  const at = typeAt(packet);
  if (at + 2 > packet.length) return undefined;
  const type = read16(packet, at);
  if (type !== IPV4 && type !== IPV6) return undefined;
  const copy = packet.slice();
  const first = copy[at + 2]!;
  copy[at + 2] = type === IPV6 ? 0x60 | (first & 0x0f) : 0x40 | Math.max(first & 0x0f, 5);
  return networkAt(copy) === undefined ? undefined : repaired(copy, at + 2);
}

function read16(bytes: Uint8Array, at: number): number {
  return (bytes[at]! << 8) | bytes[at + 1]!;
}

function write16(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >> 8;
  bytes[at + 1] = value;
}
