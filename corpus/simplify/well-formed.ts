/**
 * How far a packet is from one that a network would carry, and ways to bring it nearer: nobody believes a fault that
 * is shown on a TCP header of 18 bytes, if a whole packet shows it, too.
 */
import { copy, isZero, readU16, writeU16 } from '../../sim/packet/bytes.ts';
import { sum } from '../../sim/packet/checksum.ts';
import { ETHERTYPE, IPPROTO } from '../../sim/packet/numbers.ts';
import {
  coveredEnd,
  covers,
  headerLength,
  layout,
  type PacketLayout,
  pseudoHeader,
  UPPER,
} from './packet-layout.ts';

const ETHERNET_HEADER = 14;
/** The least frame on an Ethernet: shorter packets are padded up to it. */
const ETHERNET_MINIMUM = 60;
/** The longest IP packet on an Ethernet. */
const ETHERNET_MTU = 1500;

/**
 * How many things are wrong with the packet: headers that are not all there, versions, lengths, checksums, addresses
 * that no packet is sent from or to, fragments. 0 for one that could be on a wire.
 */
export function faults(packet: Uint8Array, parts: PacketLayout = layout(packet)): number {
  if (packet.length < ETHERNET_HEADER) return 3;
  if (parts.version === 0) return parts.networkAt > packet.length || namesIp(packet, parts) ? 3 : 0;
  return networkFaults(packet, parts) + addressFaults(packet, parts) + upperFaults(packet, parts);
}

function namesIp(packet: Uint8Array, { networkAt }: PacketLayout): boolean {
  const type = readU16(packet, networkAt - 2);
  return type === ETHERTYPE.IPV4 || type === ETHERTYPE.IPV6;
}

function networkFaults(packet: Uint8Array, parts: PacketLayout): number {
  const { networkAt, upperEnd } = parts;
  let count = 0;
  if (packet[networkAt]! >>> 4 !== parts.version) count++;
  if (parts.version === 4) {
    const total = readU16(packet, networkAt + 2);
    const ihl = packet[networkAt]! & 0x0f;
    if (ihl < 5 || networkAt + ihl * 4 > packet.length) count++;
    if (total < ihl * 4 || networkAt + total > packet.length) count++;
    if (sum(packet, networkAt, headerLength(packet, networkAt)) !== 0xffff) count++;
    if ((readU16(packet, networkAt + 6) & 0x3fff) !== 0) count++;
    if (packet[networkAt + 8] === 0) count++;
  } else {
    if (networkAt + 40 + readU16(packet, networkAt + 4) > packet.length) count++;
    if (parts.fragmentHeader !== undefined) count++;
    if (packet[networkAt + 7] === 0) count++;
  }
  const padding = packet.length - upperEnd;
  if (padding > 0 && (packet.length > ETHERNET_MINIMUM || !isZero(packet, upperEnd, padding))) count++;
  return count;
}

/** Nobody sends from a group or from nowhere, nor to nowhere (RFC 1122 §3.2.1.3, RFC 4291 §2.5.2 and §2.7). */
function addressFaults(packet: Uint8Array, { version, networkAt }: PacketLayout): number {
  let count = 0;
  if (isZero(packet, 0, 6)) count++;
  if ((packet[6]! & 1) !== 0 || isZero(packet, 6, 6)) count++;
  const [source, destination, size] = version === 4 ? [12, 16, 4] : [8, 24, 16];
  const first = packet[networkAt + source]!;
  if (version === 4 ? first === 0 || first === 127 || first >= 224 : first === 0xff) count++;
  else if (isZero(packet, networkAt + source, size)) count++;
  if (isZero(packet, networkAt + destination, size)) count++;
  return count;
}

function upperFaults(packet: Uint8Array, parts: PacketLayout): number {
  const { upperAt, upperEnd, checksumAt, protocol } = parts;
  const form = UPPER[protocol];
  if (form === undefined || isLaterFragment(packet, parts)) return 0;
  if (upperAt < 0 || upperEnd - upperAt < form.header) return 2;
  let count = 0;
  if (protocol === IPPROTO.TCP) {
    const size = (packet[upperAt + 12]! >>> 4) * 4;
    if (size < form.header || upperAt + size > upperEnd) count++;
  }
  if (checksumAt < 0 || parts.incomplete) return count;
  const udp = protocol === IPPROTO.UDP;
  if (udp && readU16(packet, upperAt + 4) !== upperEnd - upperAt) count++;
  const absent = udp && parts.version === 4 && readU16(packet, checksumAt) === 0;
  if (absent) return count;
  // UDP-Lite may not go without (RFC 3828 §3.1).
  const isLite = protocol === IPPROTO.UDPLITE;
  if (isLite && !covers(packet, parts)) count++;
  const covered = coveredEnd(packet, parts) - upperAt;
  const isRight = sum(packet, upperAt, covered, pseudoHeader(packet, parts)) === 0xffff;
  if (!isRight || (isLite && readU16(packet, checksumAt) === 0)) count++;
  return count;
}

function isLaterFragment(packet: Uint8Array, { version, networkAt, fragmentHeader }: PacketLayout): boolean {
  if (version === 4) return (readU16(packet, networkAt + 6) & 0x1fff) !== 0;
  return fragmentHeader !== undefined && readU16(packet, fragmentHeader.from + 2) >>> 3 !== 0;
}

/**
 * The packet with everything done that makes it whole, then with each of these things alone. Lengths and checksums are
 * left to `repair`.
 */
export function* completions(packet: Uint8Array): Iterable<Uint8Array> {
  if (faults(packet) === 0) return;
  let whole = packet;
  for (const step of STEPS) whole = step(whole);
  yield whole;
  for (const step of STEPS) {
    const one = step(packet);
    if (one !== packet && one !== whole) yield one;
  }
  // Last: a program may ask for the length that the header states, and for nothing that lies there.
  const long = asLongAsStated(packet);
  if (long !== packet) yield long;
}

/** Each returns the packet itself where it has nothing to do. */
type Step = (packet: Uint8Array) => Uint8Array;

const longEnough: Step = (packet) => {
  if (packet.length < ETHERNET_HEADER) return extended(packet, ETHERNET_HEADER);
  const { version, networkAt } = layout(packet);
  if (version !== 0) return packet;
  if (networkAt > packet.length) return extended(packet, networkAt);
  const type = readU16(packet, networkAt - 2);
  if (type === ETHERTYPE.IPV4) return extended(packet, networkAt + 20);
  return type === ETHERTYPE.IPV6 ? extended(packet, networkAt + 40) : packet;
};

const withRightVersion: Step = (packet) => {
  const { version, networkAt } = layout(packet);
  if (version === 0) return packet;
  const first = packet[networkAt]!;
  const ihl = first & 0x0f;
  if (version === 6) return first >>> 4 === 6 ? packet : changed(packet, networkAt, 0x60 | ihl);
  const fits = ihl >= 5 && networkAt + ihl * 4 <= packet.length;
  return first >>> 4 === 4 && fits ? packet : changed(packet, networkAt, 0x40 | (fits ? ihl : 5));
};

const unfragmented: Step = (packet) => {
  const { version, networkAt } = layout(packet);
  if (version !== 4 || (readU16(packet, networkAt + 6) & 0x3fff) === 0) return packet;
  const whole = packet.slice();
  writeU16(whole, networkAt + 6, readU16(packet, networkAt + 6) & 0xc000);
  return whole;
};

/** What addresses are in a packet in which nothing is special. */
export const PLAIN_MAC = { destination: [2, 0, 0, 0, 0, 2], source: [2, 0, 0, 0, 0, 1] } as const;
export const PLAIN_ADDRESSES = {
  4: { source: [10, 0, 0, 1], destination: [10, 0, 0, 2] },
  6: {
    source: [0xfc, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1],
    destination: [0xfc, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2],
  },
} as const;

const addressed: Step = (packet) => {
  const parts = layout(packet);
  const { version, networkAt } = parts;
  if (version === 0) return packet;
  const lifeAt = networkAt + (version === 4 ? 8 : 7);
  if (addressFaults(packet, parts) === 0 && packet[lifeAt] !== 0) return packet;
  const sane = packet.slice();
  sane.set(PLAIN_MAC.destination, 0);
  sane.set(PLAIN_MAC.source, 6);
  sane.set(PLAIN_ADDRESSES[version].source, networkAt + (version === 4 ? 12 : 8));
  sane.set(PLAIN_ADDRESSES[version].destination, networkAt + (version === 4 ? 16 : 24));
  if (sane[lifeAt] === 0) sane[lifeAt] = 64;
  return sane;
};

const withWholeMessage: Step = (packet) => {
  const parts = layout(packet);
  const { networkAt, version, protocol } = parts;
  const form = UPPER[protocol];
  if (version === 0 || form === undefined || isLaterFragment(packet, parts)) return packet;
  const at =
    parts.upperAt >= 0
      ? parts.upperAt
      : version === 4
        ? networkAt + headerLength(packet, networkAt)
        : packet.length;
  const long = at + form.header > packet.length ? extended(packet, at + form.header) : packet;
  if (protocol !== IPPROTO.TCP) return long;
  const size = (long[at + 12]! >>> 4) * 4;
  const fits = size >= form.header && at + size <= long.length;
  return fits ? long : changed(long, at + 12, 0x50 | (long[at + 12]! & 0x0f));
};

/** Ends no packet behind what an Ethernet carries. */
const asLongAsStated: Step = (packet) => {
  const { version, networkAt } = layout(packet);
  if (version === 0) return packet;
  const stated = version === 4 ? readU16(packet, networkAt + 2) : 40 + readU16(packet, networkAt + 4);
  const isMissing = stated <= ETHERNET_MTU && networkAt + stated > packet.length;
  return isMissing ? extended(packet, networkAt + stated) : packet;
};

/** In this order: the later ones look for what the earlier ones made. */
const STEPS: readonly Step[] = [longEnough, withRightVersion, unfragmented, withWholeMessage, addressed];

function extended(packet: Uint8Array, length: number): Uint8Array {
  const long = new Uint8Array(length);
  copy(packet, 0, long, 0, packet.length);
  return long;
}

function changed(packet: Uint8Array, at: number, value: number): Uint8Array {
  const copied = packet.slice();
  copied[at] = value;
  return copied;
}
