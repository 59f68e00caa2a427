/** One checksum of one packet with all that goes into it, as a value: what worksheets and diagnoses are made of. */
import type { ByteRange } from '../../sim/packet/hexdump.ts';
import {
  CHECKSUM,
  CHECKSUM_LAYERS,
  CHECKSUM_STATUSES,
  type ChecksumLayer,
  type ChecksumSink,
  type ChecksumStatus,
  type FoundChecksum,
  LAYER,
  verifyChecksums,
} from '../oracle/checksums.ts';

export interface ChecksumSite {
  readonly layer: ChecksumLayer;
  /** 0 for the outermost of its kind. */
  readonly depth: number;
  readonly status: ChecksumStatus;
  /** Offset of the checksum field in the packet. */
  readonly at: number;
  readonly got: number;
  readonly expected: number;
  /** The packet, and the part of it that is summed. */
  readonly packet: Uint8Array;
  readonly start: number;
  readonly end: number;
  /** The pseudo-header's bytes in the order of RFC 9293 §3.1 and RFC 8200 §8.1; none for IPv4 and ICMP. */
  readonly pseudo: Uint8Array;
  /** 4 or 16; 0 without a pseudo-header. */
  readonly addressLength: number;
  /** Where the pseudo-header's addresses lie in the packet; none without one. */
  readonly pseudoAt: readonly ByteRange[];
}

/**
 * Every checksum whose field the packet holds, outermost first.
 * @param isCaptured does TCP in IP with a length of 0 end with the frame?
 */
export function checksumSites(packet: Uint8Array, isCaptured: boolean = false): ChecksumSite[] {
  const sites: ChecksumSite[] = [];
  const sink: ChecksumSink = {
    checksum(found) {
      // Neither is one sum over one range: SCTP's is a CRC, OSPF's leaves the authentication data out.
      if (found.at < 0 || found.layer === LAYER.sctp || found.layer === LAYER.ospf) return;
      const { addressLength, source, destination } = found;
      sites.push({
        layer: CHECKSUM_LAYERS[found.layer]!,
        depth: found.depth,
        status: CHECKSUM_STATUSES[found.status]!,
        at: found.at,
        got: found.got,
        expected: found.expected,
        packet,
        start: found.start,
        end: found.end,
        addressLength,
        pseudoAt: pseudoRanges(found),
        pseudo:
          addressLength === 0
            ? new Uint8Array(0)
            : Uint8Array.of(
                ...packet.subarray(source, source + addressLength),
                ...packet.subarray(destination, destination + addressLength),
                0,
                found.protocol,
                found.length >>> 8,
                found.length,
              ),
      });
    },
  };
  verifyChecksums(packet, 0, packet.length, sink, undefined, isCaptured);
  return sites;
}

/** One checksum of the packet; undefined where there is none of that kind and depth. */
export function checksumSite(
  packet: Uint8Array,
  layer: string,
  depth: number = 0,
  isCaptured: boolean = false,
): ChecksumSite | undefined {
  return checksumSites(packet, isCaptured).find((site) => site.layer === layer && site.depth === depth);
}

/** What a checksum lies in and goes over, whether or not it is a sum. Places are offsets in the packet. */
export interface ChecksumCover {
  readonly field: ByteRange;
  readonly covered: ByteRange;
  /** Where the pseudo-header's addresses lie; none without one. */
  readonly pseudoAt: readonly ByteRange[];
}

/** Of one checksum of any kind, SCTP's and OSPF's included; undefined where the packet does not hold its field. */
export function checksumCover(packet: Uint8Array, layer: string, depth: number): ChecksumCover | undefined {
  let cover: ChecksumCover | undefined;
  verifyChecksums(packet, 0, packet.length, {
    checksum(found) {
      const { at, start, end } = found;
      if (CHECKSUM_LAYERS[found.layer] !== layer || found.depth !== depth || at < 0) return;
      const size = found.layer === LAYER.sctp ? 4 : 2;
      cover = {
        field: { from: at, to: at + size },
        covered: { from: start, to: end },
        pseudoAt: pseudoRanges(found),
      };
    },
  });
  return cover;
}

/** Where the checksums of a packet lie, of any kind. */
export function checksumFields(packet: Uint8Array): ByteRange[] {
  const fields: ByteRange[] = [];
  verifyChecksums(packet, 0, packet.length, {
    checksum({ at, layer }) {
      if (at >= 0) fields.push({ from: at, to: at + (layer === LAYER.sctp ? 4 : 2) });
    },
  });
  return fields;
}

function pseudoRanges({ addressLength, source, destination }: FoundChecksum): ByteRange[] {
  if (addressLength === 0) return [];
  return [source, destination].map((from) => ({ from, to: from + addressLength }));
}

/** The data of a later fragment, as far as it adds to a checksum that another fragment holds; undefined where it is no such fragment. */
export function fragmentData(packet: Uint8Array, layer: string, depth: number): ByteRange | undefined {
  let range: ByteRange | undefined;
  verifyChecksums(packet, 0, packet.length, {
    checksum(found) {
      if (CHECKSUM_LAYERS[found.layer] !== layer || found.depth !== depth) return;
      const isLater = found.status === CHECKSUM.unverifiable && found.at < 0 && found.sum >= 0;
      if (isLater) range = { from: found.start, to: found.end };
    },
  });
  return range;
}

/** One 16-bit word that goes into a checksum. */
export interface SummedWord {
  /** What people call it: `source address`, `type and code`, `payload`. */
  readonly group: string;
  readonly value: number;
  /** Offset in the packet; -1 for the pseudo-header. */
  readonly at: number;
}

/** The words of a checksum in order, the field itself left out. An odd last byte is a high byte (RFC 1071 §4.1). */
export function summedWords(site: ChecksumSite): SummedWord[] {
  const words: SummedWord[] = [];
  const { pseudo, addressLength, packet, start, end, at } = site;
  for (let offset = 0; offset < pseudo.length; offset += 2) {
    const group =
      offset < addressLength
        ? 'source address'
        : offset < addressLength * 2
          ? 'destination address'
          : offset === addressLength * 2
            ? 'protocol'
            : 'pseudo-header length';
    words.push({ group, value: (pseudo[offset]! << 8) | pseudo[offset + 1]!, at: -1 });
  }
  const extensionsAt = extensionsOf(site);
  for (let place = start; place < end; place += 2) {
    if (place === at) continue;
    const low = place + 1 < end ? packet[place + 1]! : 0;
    const group = place < extensionsAt ? groupOf(site, place - start) : 'extensions';
    words.push({ group, value: (packet[place]! << 8) | low, at: place });
  }
  return words;
}

const IPV4_GROUPS = [
  'version, ihl and TOS',
  'total length',
  'identification',
  'fragment word',
  'TTL and protocol',
  '',
  'source address',
  'source address',
  'destination address',
  'destination address',
] as const;

function groupOf(site: ChecksumSite, offset: number): string {
  const { layer, packet, start, end } = site;
  const word = offset >> 1;
  switch (layer) {
    case 'ipv4':
      return IPV4_GROUPS[word] ?? 'options';
    case 'icmp':
    case 'icmpv6':
      if (word === 0) return 'type and code';
      if (word < 4) return 'rest of header';
      return isIcmpError(layer, packet[start]!) ? `${QUOTED}${quotedGroup(site, offset - 8)}` : 'payload';
    case 'icmpext':
      return word === 0 ? 'version' : 'objects';
    case 'udp':
      return (['source port', 'destination port', 'length'] as const)[word] ?? 'payload';
    default: {
      const names = ['source port', 'destination port'] as const;
      if (word < 2) return names[word]!;
      if (word < 4) return 'sequence number';
      if (word < 6) return 'acknowledgment number';
      if (word === 6) return 'offset and flags';
      if (word === 7) return 'window';
      if (word === 9) return 'urgent pointer';
      const header = start + 12 < end ? (packet[start + 12]! >> 4) * 4 : 20;
      return offset < header ? 'options' : 'payload';
    }
  }
}

/** Where the extensions of an ICMP message begin; at the end of what is summed where there are none. */
function extensionsOf({ layer, packet, start, end }: ChecksumSite): number {
  let from = end;
  if (layer !== 'icmp' && layer !== 'icmpv6') return from;
  verifyChecksums(packet, 0, packet.length, {
    checksum(found) {
      if (found.layer === LAYER.icmpext && found.start >= start && found.end <= end) from = found.start;
    },
  });
  return from;
}

/** What the groups of the packet in an ICMP error begin with. */
export const QUOTED = 'quoted ';

/** Each field that translators change is a group of its own: one may be forgotten in the outer sum, and the others not. */
function quotedGroup({ packet, start }: ChecksumSite, offset: number): string {
  const header = start + 8;
  const isV4 = packet[header]! >> 4 === 4;
  if (!isV4 && packet[header]! >> 4 !== 6) return 'packet';
  const size = isV4 ? (packet[header]! & 0x0f) * 4 : 40;
  if (offset >= size) return quotedTransport(packet[header + (isV4 ? 9 : 6)]!, offset - size);
  if (isV4) return (offset === 10 ? 'header checksum' : IPV4_GROUPS[offset >> 1]) ?? 'options';
  return offset < 8 ? 'header' : offset < 24 ? 'source address' : 'destination address';
}

function quotedTransport(protocol: number, offset: number): string {
  if (offset === CHECKSUM_OFFSETS[protocol]) return 'checksum';
  return offset === 0 ? 'source port' : offset === 2 ? 'destination port' : 'data';
}

/** Where TCP and UDP have theirs. */
const CHECKSUM_OFFSETS: Readonly<Record<number, number>> = { 6: 16, 17: 6 };

function isIcmpError(layer: 'icmp' | 'icmpv6', type: number): boolean {
  return layer === 'icmp'
    ? type === 3 || type === 4 || type === 5 || type === 11 || type === 12
    : type >= 1 && type <= 4;
}
