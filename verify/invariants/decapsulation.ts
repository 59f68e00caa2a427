/**
 * Where a frame begins that a program took something off in front of: a tunnel's headers, or a tag. What leaves is a part of the
 * frame that came, byte for byte, and begins where no frame does: within a header, since one of them was taken for shorter than
 * it is, or with the packet of a tunnel that carries no frames. Receivers read MAC addresses and the EtherType from whatever lies
 * there.
 *
 * Judged are tunnels that say of themselves what they carry (VXLAN, Geneve, GRE), VLAN tags, and the Ethernet header: of headers of a program's own
 * nobody knows where they end. A program that takes as much off whatever comes, as off a header that a switch puts in front, is
 * for `check` to tell (`verify/check/by-chance.ts`).
 */
import { GENEVE_PORT } from '../../sim/packet/geneve.ts';
import { ETHERTYPE, IPPROTO } from '../../sim/packet/numbers.ts';
import { VXLAN_LINUX_PORT, VXLAN_PORT } from '../../sim/packet/vxlan.ts';
import { DELIVERY } from '../../sim/runtime/delivery.ts';
import { greSize, lastTypeAt, read16 } from '../oracle/announcement.ts';
import { HEADER, HEADER_FLAG, isIp, PART } from '../oracle/found.ts';
import type { FramePair } from '../oracle/frame-pair.ts';
import type { Breach, Invariant, Passage } from './invariant.ts';
import { type Rule, rule } from './rule.ts';

export const DECAPSULATION_RULES: readonly Rule[] = [
  rule(
    'lengths/decapsulated',
    'error',
    'A frame that begins within what was to be taken off',
    'What leaves is the end of the frame that came, and begins within one of its headers, or with an IP packet in the place of MAC addresses: a tunnel’s header has 4 bytes more, as VXLAN’s has 8, or options, as Geneve’s may (RFC 8926 §3.4); the tunnel carries IP and no frame; a VLAN tag was taken off and the MAC addresses were not moved behind it; or the Ethernet header, or a part of it, was cut off an IP packet. Receivers take for addresses and EtherType what lies there. A socket of AF_XDP may want any of that: where the object has an XSKMAP, redirects are not judged.',
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
      const cut = cutInFront(pair);
      if (cut <= 0) return undefined;
      const isRedirected = delivery === DELIVERY.redirected;
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
 */
function cutInFront(pair: FramePair): number {
  const { beforeLength, afterLength } = pair;
  const most = beforeLength - afterLength;
  if (afterLength < ETHERNET_HEADER || most <= 0 || pair.isOld(0, afterLength, 0)) return 0;
  let found = 0;
  for (let cut = 1; cut <= most; cut++) {
    if (!pair.isOld(0, afterLength, cut)) continue;
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

/** A part of the Ethernet header is gone, or all of it, in front of an IP packet. */
function ethernetCut({ was }: FramePair, cut: number): string | undefined {
  if (was.count < 1 || !isIp(was.kind[0]!) || was.part[0] !== PART.whole) return undefined;
  const from = was.start[0]!;
  if (cut === from) return OUTERMOST;
  return cut < from ? 'the Ethernet header' : undefined;
}

/** What a tunnel's headers end with, and the frame within begins. */
interface Tunnel {
  /** Where the outer IP header begins, and the tunnel's own header ends. */
  readonly from: number;
  readonly to: number;
  readonly carries: 'frame' | 'packet';
}

/** What the cut is within of a tunnel; undefined: it is no tunnel, or the cut is right, or in what nobody knows. */
function tunnelCut(pair: FramePair, cut: number): string | undefined {
  const tunnel = tunnelOf(pair);
  if (tunnel === undefined || cut <= tunnel.from) return undefined;
  if (cut < tunnel.to) return 'the headers of the tunnel';
  if (tunnel.carries === 'packet') return cut === tunnel.to ? PACKET : undefined;
  return cut > tunnel.to && cut < tunnel.to + ETHERNET_HEADER
    ? 'the Ethernet header in the tunnel'
    : undefined;
}

/** The tunnel in the outermost IP packet of the frame as it came. */
function tunnelOf({ was, before, beforeOffset, beforeLength }: FramePair): Tunnel | undefined {
  if (was.count < 1 || !isIp(was.kind[0]!) || was.part[0] !== PART.whole) return undefined;
  const from = was.start[0]!;
  const at = was.headerEnd[0]!;
  const isUdp = was.count > 1 && was.kind[1] === HEADER.udp && was.start[1] === at;
  const bare = HEADER_FLAG.cut | HEADER_FLAG.impossible;
  if (((was.flags[0]! | (isUdp ? was.flags[1]! : 0)) & bare) !== 0) return undefined;
  const protocol = before[beforeOffset + from + (was.kind[0] === HEADER.ipv4 ? 9 : 6)];
  const room = beforeLength - at;
  const found = isUdp
    ? inUdp(before, beforeOffset + at, room)
    : protocol === IPPROTO.GRE
      ? inGre(before, beforeOffset + at, room)
      : undefined;
  if (found === undefined) return undefined;
  const to = at + found.size;
  // The frame within is all there.
  const least = found.carries === 'frame' ? ETHERNET_HEADER : IPV4_HEADER;
  return to + least <= beforeLength ? { from, to, carries: found.carries } : undefined;
}

const IPV4_HEADER = 20;
const UDP_HEADER = 8;
const VXLAN_PORTS: readonly number[] = [VXLAN_PORT, VXLAN_LINUX_PORT];
/** Without options. */
const GENEVE_HEADER = 8;
const VXLAN_HEADER = 8;

type Inside = Pick<Tunnel, 'carries'> & { readonly size: number };

function inUdp(bytes: Uint8Array, at: number, room: number): Inside | undefined {
  const port = read16(bytes, at + 2);
  const inside = at + UDP_HEADER;
  if (room < UDP_HEADER + VXLAN_HEADER) return undefined;
  // The flag of the identifier, and no other (RFC 7348 §5).
  if (VXLAN_PORTS.includes(port))
    return bytes[inside] === 8 ? { size: UDP_HEADER + VXLAN_HEADER, carries: 'frame' } : undefined;
  // Version 0, and no control message (RFC 8926 §3.4).
  if (port !== GENEVE_PORT || bytes[inside]! >> 6 !== 0 || (bytes[inside + 1]! & 0x80) !== 0)
    return undefined;
  const size = UDP_HEADER + GENEVE_HEADER + (bytes[inside]! & 63) * 4;
  return carrying(read16(bytes, inside + 2), size);
}

function inGre(bytes: Uint8Array, at: number, room: number): Inside | undefined {
  if (room < 4) return undefined;
  const size = greSize(read16(bytes, at));
  return size === undefined ? undefined : carrying(read16(bytes, at + 2), size);
}

function carrying(type: number, size: number): Inside | undefined {
  if (type === ETHERTYPE.TRANSPARENT_ETHERNET) return { size, carries: 'frame' };
  return type === ETHERTYPE.IPV4 || type === ETHERTYPE.IPV6 ? { size, carries: 'packet' } : undefined;
}

function breachOf(cut: number, within: string): Breach {
  const isPacket = PACKETS.includes(within);
  const where = isPacket ? `with ${within}` : `within ${within}`;
  return {
    invariant: 'lengths/decapsulated',
    severity: 'error',
    at: 0,
    size: ETHERNET_HEADER,
    expected: 'the Ethernet header of a frame',
    got: isPacket ? 'an IP packet' : 'what lies in the middle of a header',
    sentence: `${cut} bytes were taken off in front, and the frame that leaves begins ${where}`,
    summary: 'a frame that begins within what was to be taken off',
  };
}
