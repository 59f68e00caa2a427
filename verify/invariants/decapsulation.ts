/**
 * Where a frame begins that a program took something off in front of: a tunnel's headers, or a tag. What leaves is a part of the
 * frame that came, byte for byte, and begins where no frame does: within a header, since one of them was taken for shorter than
 * it is, or with the packet of a tunnel that carries no frames. Receivers read MAC addresses and the EtherType from whatever lies
 * there.
 *
 * Judged are tunnels of which a number says what they are (VXLAN, Geneve, GRE, GTP-U, IP in IP and so on), VLAN tags, and the Ethernet header: of
 * headers of a program's own nobody knows where they end. What lies under labels, or in a session of L2TPv3, both ends have agreed upon, and
 * no header says it: of these, only their own headers are judged. A program that takes as much off whatever comes, as off a header that a switch puts in front, is
 * for `check` to tell (`verify/check/by-chance.ts`).
 */
import { ETHERTYPE } from '../../sim/packet/numbers.ts';
import { announcements } from '../../sim/packet/protocols.ts';
import { DELIVERY } from '../../sim/runtime/delivery.ts';
import { lastTypeAt, read16 } from '../oracle/announcement.ts';
import { HEADER, HEADER_FLAG, isIp, PART } from '../oracle/found.ts';
import type { FramePair } from '../oracle/frame-pair.ts';
import { isCarried, outerLayers } from '../oracle/outer-layers.ts';
import type { Breach, Invariant, Passage } from './invariant.ts';
import { type Rule, rule } from './rule.ts';

export const DECAPSULATION_RULES: readonly Rule[] = [
  rule(
    'lengths/decapsulated',
    'error',
    'A frame that begins within what was to be taken off',
    'What leaves is the end of the frame that came, and begins within one of its headers, or with an IP packet in the place of MAC addresses: a tunnel’s header has 4 bytes more, as VXLAN’s has 8, or options, as Geneve’s may (RFC 8926 §3.4); the tunnel carries IP and no frame; the Ethernet header was put in front of a part of the tunnel’s headers; a VLAN tag was taken off and the MAC addresses were not moved behind it; or the Ethernet header, or a part of it, was cut off an IP packet. Receivers take for addresses and EtherType what lies there. A socket of AF_XDP may want any of that: where the object has an XSKMAP, redirects are not judged.',
  ),
];

/**
 * @param toSockets may a redirect of the program hand the frame to a socket of AF_XDP? It gets the bytes as they are, and may want
 * them without any header. Everybody else reads a frame: only a device of layer 3 (tun) may be meant to get an IP packet.
 */
export function decapsulation(toSockets: boolean): Invariant {
  return {
    name: 'decapsulation',
    judge(pair: FramePair, { delivery }: Readonly<Passage>): Breach | undefined {
      if (delivery === DELIVERY.dropped || pair.cameBroken) return undefined;
      const cut = cutInFront(pair, 0);
      const isRedirected = delivery === DELIVERY.redirected;
      if (cut <= 0) return isRedirected && toSockets ? undefined : behindHeader(pair);
      const within =
        tagsCut(pair, cut) ??
        (isRedirected && toSockets ? undefined : (ethernetCut(pair, cut) ?? tunnelCut(pair, cut)));
      if (within === undefined || (isRedirected && PACKETS.includes(within))) return undefined;
      return breachOf(cut, within);
    },
  };
}

/**
 * How many bytes are gone in front of a frame that is otherwise as it came, but for what may be cut off at its end; 0: none, or bytes
 * that are all alike do not tell.
 * @param from where what is as it came begins in the frame that leaves
 */
function cutInFront(pair: FramePair, from: number): number {
  const { beforeLength, afterLength } = pair;
  const most = beforeLength - afterLength;
  if (afterLength < ETHERNET_HEADER || most <= 0 || pair.isOld(from, afterLength, 0)) return 0;
  let found = 0;
  for (let cut = 1; cut <= most; cut++) {
    if (!pair.isOld(from, afterLength, cut)) continue;
    if (found > 0) return 0;
    found = cut;
  }
  return found;
}

const ETHERNET_HEADER = 14;
const MACS = 12;
const TAG = 4;
const PACKET = 'the packet in the tunnel';
const OUTERMOST = 'the IP packet';
/** What only a device of layer 3 takes. */
const PACKETS: readonly string[] = [PACKET, OUTERMOST];

/** One or more tags' length is gone in front of the MAC addresses, in place of the tags behind them. */
function tagsCut({ before, beforeOffset, beforeLength }: FramePair, cut: number): string | undefined {
  const tags = lastTypeAt(before, beforeOffset, beforeLength) - MACS;
  return cut <= tags && cut % TAG === 0 ? 'the MAC addresses' : undefined;
}

/**
 * A part of the Ethernet header is gone, or all of it, in front of an IP packet. Behind labels, or whatever else is no tag, the packet
 * is in a frame of its own, or under a control word, as whoever put them there knows.
 */
function ethernetCut(
  { was, before, beforeOffset, beforeLength }: FramePair,
  cut: number,
): string | undefined {
  if (was.count < 1 || !isIp(was.kind[0]!) || was.part[0] !== PART.whole) return undefined;
  const end = lastTypeAt(before, beforeOffset, beforeLength) + 2;
  if (cut < end) return 'the Ethernet header';
  return cut === end && was.start[0] === end ? OUTERMOST : undefined;
}

/** What a tunnel's headers end with, and the frame within begins. */
interface Tunnel {
  /** Where the outer IP header begins, and the tunnel's own header ends. */
  readonly from: number;
  readonly to: number;
  /** Undefined: no header says. */
  readonly carries: 'frame' | 'packet' | undefined;
}

function isIpType(type: number): boolean {
  return type === ETHERTYPE.IPV4 || type === ETHERTYPE.IPV6;
}

/** What the cut is within of a tunnel; undefined: it is no tunnel, or the cut is right, or in what nobody knows. */
function tunnelCut(pair: FramePair, cut: number): string | undefined {
  const tunnel = tunnelOf(pair);
  if (tunnel === undefined || cut <= tunnel.from) return undefined;
  if (cut < tunnel.to) return 'the headers of the tunnel';
  if (tunnel.carries === undefined) return undefined;
  if (tunnel.carries === 'packet') return cut === tunnel.to ? PACKET : undefined;
  const { before, beforeOffset } = pair;
  if (cut === tunnel.to + ETHERNET_HEADER && isIpType(read16(before, beforeOffset + cut - 2))) return PACKET;
  return cut > tunnel.to && cut < tunnel.to + ETHERNET_HEADER
    ? 'the Ethernet header in the tunnel'
    : undefined;
}

/**
 * Under an Ethernet header that the program wrote, or moved, and that announces IP: what is behind it begins within the headers of
 * the tunnel, or of the packet that it carries. A frame in the tunnel has an Ethernet header of its own, which may be left out.
 */
function behindHeader(pair: FramePair): Breach | undefined {
  const { after, afterOffset, afterLength, beforeLength } = pair;
  if (afterLength <= ETHERNET_HEADER || afterLength >= beforeLength) return undefined;
  const type = read16(after, afterOffset + MACS);
  if (!isIpType(type)) return undefined;
  const tunnel = tunnelOf(pair);
  if (tunnel === undefined) return undefined;
  const cut = cutInFront(pair, ETHERNET_HEADER);
  const begins = cut + ETHERNET_HEADER;
  if (cut <= 0 || begins <= tunnel.from || begins === tunnel.to) return undefined;
  if (begins < tunnel.to) return breachBehind(cut, 'the headers of the tunnel');
  if (tunnel.carries === undefined) return undefined;
  const inner = tunnel.carries === 'packet' ? IPV4_HEADER : ETHERNET_HEADER;
  return begins < tunnel.to + inner ? breachBehind(cut, INSIDE[tunnel.carries]) : undefined;
}

const INSIDE = { packet: 'the IP header in the tunnel', frame: 'the Ethernet header in the tunnel' } as const;

/** The tunnel in the outermost IP packet of the frame as it came. */
function tunnelOf({ was, before, beforeOffset, beforeLength }: FramePair): Tunnel | undefined {
  if (was.count < 1 || !isIp(was.kind[0]!) || was.part[0] !== PART.whole) return undefined;
  const from = was.start[0]!;
  const at = was.headerEnd[0]!;
  const isUdp = was.count > 1 && was.kind[1] === HEADER.udp && was.start[1] === at;
  const bare = HEADER_FLAG.cut | HEADER_FLAG.impossible;
  if (((was.flags[0]! | (isUdp ? was.flags[1]! : 0)) & bare) !== 0) return undefined;
  // Behind a port that is nobody's, what looks like a tunnel may be a program's own.
  if (isUdp && !announcements('udpPort').has(read16(before, beforeOffset + at + 2))) return undefined;
  const frame = before.subarray(beforeOffset, beforeOffset + beforeLength);
  const layers = outerLayers(frame);
  const last = layers.at(-1);
  if (last === undefined || !isCarried(last.next) || QUOTING.includes(last.protocol.name)) return undefined;
  const unstated = layers.findLast(({ protocol }) => UNSTATED.has(protocol.name));
  if (unstated !== undefined) {
    const { protocol, offset, end, context } = unstated;
    return { from, to: offset + protocol.step(frame, offset, end, context).length, carries: undefined };
  }
  const carries = last.next === 'ethernet' ? 'frame' : 'packet';
  // What is within is all there.
  const least = carries === 'frame' ? ETHERNET_HEADER : IPV4_HEADER;
  return last.headerEnd + least <= beforeLength ? { from, to: last.headerEnd, carries } : undefined;
}

const IPV4_HEADER = 20;
/** Behind the last label stands a packet, a frame, or a control word in front of one; in a session, a cookie in front of anything. */
const UNSTATED: ReadonlySet<string> = new Set(['mpls', 'l2tpv3', 'l2tpudp']);
/** What an error quotes is in no tunnel. */
const QUOTING: readonly string[] = ['icmp', 'icmpv6'];

function breachOf(cut: number, within: string): Breach {
  const isPacket = PACKETS.includes(within);
  return breachAt(
    0,
    'the Ethernet header of a frame',
    isPacket ? 'an IP packet' : MIDDLE,
    `${taken(cut)}, and the frame that leaves begins ${isPacket ? `with ${within}` : `within ${within}`}`,
  );
}

function breachBehind(cut: number, within: string): Breach {
  const sentence = `${taken(cut)}, and what the Ethernet header announces as IP begins within ${within}`;
  return breachAt(ETHERNET_HEADER, 'an IP packet', MIDDLE, sentence);
}

const MIDDLE = 'what lies in the middle of a header';

function taken(cut: number): string {
  return `${cut} bytes were taken off in front`;
}

function breachAt(at: number, expected: string, got: string, sentence: string): Breach {
  return {
    invariant: 'lengths/decapsulated',
    severity: 'error',
    at,
    size: at === 0 ? ETHERNET_HEADER : IPV4_HEADER,
    expected,
    got,
    sentence,
    summary: 'a frame that begins within what was to be taken off',
  };
}
