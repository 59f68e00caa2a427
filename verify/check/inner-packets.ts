/**
 * Packets of each kind behind what a frame begins with: VLAN tags, MPLS labels, a PPPoE session, IPv6 extension headers. A program
 * asks for a tag or a label, and guidance and proofs leave what follows as it happens to be; what a program does with the packet behind it shows only
 * where there is one. The tags stay as they are: an entry of a map may have been made for them.
 */

import { layout, repair } from '../../corpus/simplify/packet-layout.ts';
import { ipv4, ipv6 } from '../../sim/packet/build.ts';
import { readU16, writeU16 } from '../../sim/packet/bytes.ts';
import { ETHERTYPE } from '../../sim/packet/numbers.ts';
import { isTpid } from '../../sim/packet/vlan.ts';

const ETHERNET_HEADER = 14;
const IPV6_HEADER = 40;
const LABEL = 4;
/** Labels that are followed; more are seldom. */
const MAX_LABELS = 4;
const PPPOE_HEADER = 6;
const PPP: Readonly<Record<number, number>> = { 4: 0x0021, 6: 0x0057 };
const BY_VERSION: Readonly<Record<number, number>> = { 4: ETHERTYPE.IPV4, 6: ETHERTYPE.IPV6 };

/** One of each kind, whole and with right checksums. */
export const KINDS: readonly Uint8Array[] = [ipv4, ipv6].flatMap((ip) => [
  ip({}).tcp({ destinationPort: 80 }).payload(new Uint8Array(8)).bytes(),
  ip({}).udp({ destinationPort: 2000 }).payload(new Uint8Array(8)).bytes(),
]);

/** What lies behind IPv6 extension headers, whose checksums hang on the addresses. */
const MESSAGES = KINDS.filter((packet) => packet[0]! >> 4 === 6).map((packet) => ({
  protocol: packet[6]!,
  bytes: packet.subarray(IPV6_HEADER),
}));

/** What a frame begins with, and what lies behind it. */
export interface Behind {
  /** The packet that is there, in a frame of its own; undefined where none begins there. */
  readonly inner: Uint8Array | undefined;
  /** The same beginning in front of another packet. @param frame its Ethernet header is left out */
  readonly around: (frame: Uint8Array) => Uint8Array;
}

/** Frames with a packet of each kind in the place of what is there. */
export function innerPackets({ around }: Behind): Uint8Array[] {
  return KINDS.map((packet) => around(framed(packet)!));
}

/** @returns undefined where nothing of the kind begins the frame, or not all of it is there */
export function behindTags(packet: Uint8Array): Behind | undefined {
  let at = 12;
  while (at + 4 <= packet.length && isTpid(readU16(packet, at))) at += 4;
  if (at + 2 > packet.length) return undefined;
  const type = readU16(packet, at);
  const start = at + 2;
  if (type === ETHERTYPE.MPLS || type === ETHERTYPE.MPLS_MULTICAST) return behindLabels(packet, start);
  if (type === ETHERTYPE.PPPOE_SESSION) return behindSession(packet, start);
  return at === 12
    ? undefined
    : behind(packet, start, (front, version) => writeU16(front, at, BY_VERSION[version]!));
}

/**
 * The frame with a message of each kind behind its first IPv6 extension header, and behind all of them: what a program takes for
 * one may be the only one that it looks at.
 */
export function behindExtensions(packet: Uint8Array): Uint8Array[] {
  const { version, networkAt, options } = layout(packet);
  if (version !== 6 || options.length === 0) return [];
  return [...new Set([options[0]!, options.at(-1)!])].flatMap(({ from, to }) =>
    MESSAGES.map(({ protocol, bytes }) => {
      const whole = new Uint8Array(to + bytes.length);
      whole.set(packet.subarray(0, to));
      whole.set(bytes, to);
      whole[networkAt] = 0x60 | (packet[networkAt]! & 0x0f);
      whole[from] = protocol;
      repair(whole, 'checksum');
      return whole;
    }),
  );
}

function behindLabels(packet: Uint8Array, start: number): Behind | undefined {
  for (let at = start; at < start + MAX_LABELS * LABEL && at + LABEL <= packet.length; at += LABEL)
    if ((packet[at + 2]! & 1) !== 0) return behind(packet, at + LABEL, () => {});
  return undefined;
}

function behindSession(packet: Uint8Array, start: number): Behind | undefined {
  const at = start + PPPOE_HEADER;
  if (at + 2 > packet.length) return undefined;
  return behind(packet, at + 2, (front, version, size) => {
    writeU16(front, at - 2, size + 2);
    writeU16(front, at, PPP[version]!);
  });
}

/** @param name makes the beginning name what follows: its version, and how many bytes it has */
function behind(
  packet: Uint8Array,
  start: number,
  name: (front: Uint8Array, version: number, size: number) => void,
): Behind {
  return {
    inner: framed(packet.subarray(start)),
    around: (frame) => {
      const size = frame.length - ETHERNET_HEADER;
      const whole = new Uint8Array(start + size);
      whole.set(packet.subarray(0, start));
      whole.set(frame.subarray(ETHERNET_HEADER), start);
      name(whole, whole[start]! >> 4, size);
      return whole;
    },
  };
}

/** An IP packet in a frame that has no addresses of the link; undefined where it has the version of none. */
export function framed(packet: Uint8Array): Uint8Array | undefined {
  const type = BY_VERSION[(packet[0] ?? 0) >> 4];
  if (type === undefined) return undefined;
  const frame = new Uint8Array(ETHERNET_HEADER + packet.length);
  writeU16(frame, 12, type);
  frame.set(packet, ETHERNET_HEADER);
  return frame;
}
