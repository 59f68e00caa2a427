/**
 * The EtherType names the packet behind it: who takes a VLAN tag, an MPLS label or a PPPoE header off a frame and leaves
 * the EtherType as it was sends a packet that receivers take for something else. So does who takes an IPv6 packet out of an
 * IPv4 one, or writes the number in the order of the machine. No header leads to the packet any more, so an oracle for
 * checksums alone would pass over it.
 *
 * Judged is an IPv4 or IPv6 header that lies unchanged right behind the Ethernet header, its tags, or GRE; the types that GRE and Geneve carry; one in front of
 * which a part of tags or labels was left behind an EtherType that names it already; and what is no EtherType, but would be one with its bytes swapped. Not judged are EtherTypes of which this does not know what
 * follows: they may be a program's own.
 */
import { GENEVE_PORT } from '../../sim/packet/geneve.ts';
import { ETHERTYPE, ETHERTYPE_MIN, IPPROTO } from '../../sim/packet/numbers.ts';
import { TPIDS } from '../../sim/packet/vlan.ts';
import {
  greSize,
  type LostPacket,
  lastTypeAt,
  lostPacket,
  read16,
  rightNumber,
} from '../oracle/announcement.ts';
import { HEADER, HEADER_FLAG, isIp } from '../oracle/found.ts';
import type { FramePair } from '../oracle/frame-pair.ts';
import { closedStack, LABEL_SIZE, labelsOf } from '../oracle/label-stacks.ts';
import type { Breach, Invariant } from './invariant.ts';

/** What follows these has a form of its own, which is not IP's. */
const OTHERS: ReadonlyMap<number, string> = new Map([
  ...TPIDS.map((type) => [type, 'a VLAN tag'] as const),
  [ETHERTYPE.MPLS, 'MPLS'],
  [ETHERTYPE.MPLS_MULTICAST, 'MPLS'],
  [ETHERTYPE.PPPOE_DISCOVERY, 'PPPoE'],
  [ETHERTYPE.PPPOE_SESSION, 'PPPoE'],
  [ETHERTYPE.ARP, 'ARP'],
]);
const { IPV4, IPV6 } = ETHERTYPE;
const MEANINGS: ReadonlyMap<number, string> = new Map([
  ...OTHERS,
  [IPV4, 'IPv4'],
  [IPV6, 'IPv6'],
  [ETHERTYPE.TRANSPARENT_ETHERNET, 'Ethernet'],
]);
/** Protocol numbers of PPP (RFC 1332, RFC 5072). */
const PPP_IPV4 = 0x0021;
const PPP_IPV6 = 0x0057;
const ETHERNET_SIZE = 14;
/** Bytes of an MPLS label, and labels that are followed. */
const LABEL = 4;
const MAX_LABELS = 4;
/** The most bytes of tags or labels that may be left in front of a packet. */
const MAX_GAP = 16;

export const ethertype: Invariant = {
  name: 'ethertype',
  judge(pair: FramePair): Breach | undefined {
    if (pair.cameBroken || pair.was.count === 0) return undefined;
    const swapped = judgeOrder(pair) ?? judgeTunnels(pair);
    if (swapped !== undefined) return swapped;
    const lost = lostPacket(pair);
    return (lost === undefined ? undefined : etherTypeBreach(lost)) ?? judgeGap(pair);
  },
};

/** What the EtherType in front of a packet breaks; undefined where it is no EtherType, or may be a program's own. */
export function etherTypeBreach(lost: LostPacket): Breach | undefined {
  const { version, says, wasNamed } = lost;
  if (says.by === 'protocol') return undefined;
  const right = rightNumber(says.by, version);
  const name = says.by === 'gre' ? 'protocol type of GRE' : 'EtherType';
  if (wasNamed && swap(says.number) === right) return swappedBreach(name, says.at, says.number, right);
  const meaning = meaningOf(lost);
  if (meaning === undefined) return undefined;
  const label = `IPv${version}`;
  const got = `${hex(says.number)} (${meaning})`;
  return {
    invariant: 'ethertype/stale',
    severity: 'error',
    layer: version === 4 ? 'ipv4' : 'ipv6',
    depth: 0,
    at: says.at,
    size: 2,
    expected: `${hex(right)} (${label})`,
    got,
    sentence: `the ${name} says ${got}, but the ${label} packet follows right behind it`,
    summary: `the ${name} does not name the packet behind it`,
  };
}

/** What a type says that does not announce this packet; undefined where it may be a program's own. */
function meaningOf({ says: { by, number }, wasNamed }: LostPacket): string | undefined {
  const other = number === IPV4 ? 'IPv4' : number === IPV6 ? 'IPv6' : OTHERS.get(number);
  if (other !== undefined) return other;
  return wasNamed && by === 'etherType' && number < ETHERTYPE_MIN ? 'a length' : undefined;
}

/** A number that the program wrote in the order of the machine, in front of what it would name in the other order. */
function judgeOrder(pair: FramePair): Breach | undefined {
  const { after, afterOffset, afterLength } = pair;
  const at = lastTypeAt(after, afterOffset, afterLength);
  if (at + 2 > afterLength) return undefined;
  // As it came: where headers say that it moved to, where it lay, or, behind a tunnel that was taken off, as much further on as the frame is shorter.
  const growth = pair.beforeLength - afterLength;
  if ([pair.shift, 0, growth].some((shift) => pair.isOld(at, at + 2, shift))) return undefined;
  const got = read16(after, afterOffset + at);
  const right = swap(got);
  return follows(pair, right, at + 2) ? swappedBreach('EtherType', at, got, right) : undefined;
}

/** The same number in the header of a tunnel that says so what it carries: GRE (RFC 2784 §2.3) or Geneve (RFC 8926 §3.4). */
function judgeTunnels(pair: FramePair): Breach | undefined {
  const { is } = pair;
  for (let row = 0; row < is.count && (is.flags[row]! & (HEADER_FLAG.quoted | NO_HEADER)) === 0; row++) {
    const type = typeOfTunnel(pair, row);
    if (type === undefined || pair.isOld(type.at, type.at + 2)) continue;
    const got = read16(pair.after, pair.afterOffset + type.at);
    const right = swap(got);
    if (follows(pair, right, type.from)) return swappedBreach(type.name, type.at, got, right);
  }
  return undefined;
}

const NO_HEADER = HEADER_FLAG.cut | HEADER_FLAG.impossible;

/** Where a tunnel's type lies, and what it carries begins. */
interface TunnelType {
  readonly name: string;
  readonly at: number;
  readonly from: number;
}

/** In the IP or UDP header of this row; undefined: it carries no such tunnel. */
function typeOfTunnel(
  { is, after, afterOffset, afterLength }: FramePair,
  row: number,
): TunnelType | undefined {
  const kind = is.kind[row]!;
  const start = is.start[row]!;
  const at = is.headerEnd[row]!;
  if (at + 8 > afterLength) return undefined;
  if (kind === HEADER.udp) {
    const isGeneve =
      read16(after, afterOffset + start + 2) === GENEVE_PORT && after[afterOffset + at]! >> 6 === 0;
    const options = (after[afterOffset + at]! & 63) * 4;
    return isGeneve ? { name: 'protocol type of Geneve', at: at + 2, from: at + 8 + options } : undefined;
  }
  if (!isIp(kind) || is.fragment[row] !== 0) return undefined;
  const protocol = after[afterOffset + start + (kind === HEADER.ipv4 ? 9 : 6)];
  const size = protocol === IPPROTO.GRE ? greSize(read16(after, afterOffset + at)) : undefined;
  return size === undefined ? undefined : { name: 'protocol type of GRE', at: at + 2, from: at + size };
}

/**
 * A packet as it came, and between it and the EtherType that names it what is no such packet: of two tags, say, one was taken
 * off, and the EtherType is the inner one's.
 */
function judgeGap(pair: FramePair): Breach | undefined {
  const growth = pair.beforeLength - pair.afterLength;
  return judgeGapBy(pair, pair.shift) ?? (growth === pair.shift ? undefined : judgeGapBy(pair, growth));
}

/** @param shift how many bytes further in front the packet lies than it did */
function judgeGapBy(pair: FramePair, shift: number): Breach | undefined {
  const { was, after, afterOffset, afterLength } = pair;
  const kind = was.kind[0]!;
  if (!isIp(kind)) return undefined;
  const at = lastTypeAt(after, afterOffset, afterLength);
  const start = was.start[0]! - shift;
  const gap = start - at - 2;
  const [version, type, size, addresses] = kind === HEADER.ipv4 ? [4, IPV4, 20, 12] : [6, IPV6, 40, 8];
  if (gap <= 0 || gap > MAX_GAP || start + size > afterLength) return undefined;
  const got = read16(after, afterOffset + at);
  const isOther = got !== type || after[afterOffset + at + 2]! >> 4 === version;
  if (isOther && !(isIpType(got) && areLabels(pair, at + 2, start, shift))) return undefined;
  // The version and the addresses: a TTL may have gone down.
  if (!pair.isOld(start, start + 1, shift) || !pair.isOld(start + addresses, start + size, shift))
    return undefined;
  const said = `${hex(got)} (${MEANINGS.get(got)})`;
  return {
    invariant: 'ethertype/stale',
    severity: 'error',
    at,
    size: 2,
    expected: 'the type of what follows',
    got: said,
    sentence: `the EtherType says ${said}, but the IPv${version} packet begins ${gap} bytes further on`,
    summary: 'the EtherType does not name what follows it',
  };
}

function isIpType(type: number): boolean {
  return type === IPV4 || type === IPV6;
}

/** Are these bytes the rest of a stack of labels that came in front of the packet, whatever they look like? */
function areLabels(pair: FramePair, from: number, to: number, shift: number): boolean {
  const { before, beforeOffset, beforeLength } = pair;
  const start = labelsOf(before, beforeOffset, beforeLength);
  if (start === undefined || from + shift <= start || !pair.isOld(from, to, shift)) return false;
  const stack = closedStack(before.subarray(beforeOffset, beforeOffset + beforeLength), start);
  return stack !== undefined && start + stack.count * LABEL_SIZE === to + shift;
}

/** Does what this EtherType announces begin here, as far as can be told? */
function follows(pair: FramePair, type: number, start: number): boolean {
  const { after, afterOffset, afterLength } = pair;
  const room = afterLength - start;
  const first = after[afterOffset + start]!;
  const word = (at: number): number => read16(after, afterOffset + start + at);
  if (type === IPV4) return room >= 20 && first >> 4 === 4 && (first & 15) >= 5 && word(2) <= room;
  if (type === IPV6) return room >= 40 && first >> 4 === 6 && word(4) + 40 <= room;
  if (type === ETHERTYPE.MPLS || type === ETHERTYPE.MPLS_MULTICAST) return labelsFollow(pair, start);
  if (type === ETHERTYPE.PPPOE_SESSION)
    return (
      room >= 8 && first === 0x11 && (word(6) === PPP_IPV4 || word(6) === PPP_IPV6) && word(4) <= room - 6
    );
  // Of Ethernet and IPv4, with addresses of 6 and 4 bytes (RFC 826).
  if (type === ETHERTYPE.ARP) return room >= 28 && word(0) === 1 && word(2) === IPV4 && word(4) === 0x0604;
  if (type === ETHERTYPE.TRANSPARENT_ETHERNET)
    return room >= ETHERNET_SIZE && follows(pair, word(12), start + ETHERNET_SIZE);
  if (!TPIDS.includes(type) || room < 4) return false;
  const next = word(2);
  return [next, swap(next)].some((one) => one === IPV4 || one === IPV6 || OTHERS.has(one));
}

/** Labels up to the last one, which says so, and behind that an IP packet. */
function labelsFollow(pair: FramePair, start: number): boolean {
  const { after, afterOffset, afterLength } = pair;
  for (let at = start; at < start + MAX_LABELS * LABEL && at + LABEL <= afterLength; at += LABEL) {
    if ((after[afterOffset + at + 2]! & 1) === 0) continue;
    const behind = at + LABEL;
    return follows(pair, IPV4, behind) || follows(pair, IPV6, behind);
  }
  return false;
}

function swappedBreach(name: string, at: number, number: number, right: number): Breach {
  const meaning = MEANINGS.get(right)!;
  return {
    invariant: 'ethertype/byte-order',
    severity: 'error',
    at,
    size: 2,
    expected: `${hex(right)} (${meaning})`,
    got: hex(number),
    sentence: `the ${name} says ${hex(number)}, which is ${hex(right)} (${meaning}) in the wrong byte order`,
    summary: `the ${name} has its bytes the wrong way round`,
  };
}

function swap(number: number): number {
  return ((number & 0xff) << 8) | (number >> 8);
}

function hex(type: number): string {
  return `0x${type.toString(16).padStart(4, '0')}`;
}
