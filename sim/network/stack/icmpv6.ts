/** ICMPv6: answering pings, and reporting what is wrong with a packet (net/ipv6/icmp.c). */
import { ipv6ToText, isMulticast6 } from '../../packet/addresses.ts';
import * as build from '../../packet/build.ts';
import { isZero, readU16, writeU16 } from '../../packet/bytes.ts';
import { checksum, pseudoHeader6, verify } from '../../packet/checksum.ts';
import { ICMPV6, ICMPV6_TYPE } from '../../packet/icmpv6.ts';
import { IPV6 } from '../../packet/ipv6.ts';
import { extensionLength, FRAGMENT, isExtensionHeader } from '../../packet/ipv6-extensions.ts';
import { IPPROTO } from '../../packet/numbers.ts';
import { type Arrival6, send6 } from './ipv6.ts';
import { receiveAdvertisement, receiveRouterMessage, receiveSolicitation } from './neighbour-discovery.ts';
import { isLinkLocal6, source6 } from './source-address.ts';
import type { Stack } from './stack.ts';

const UNREACHABLE = ICMPV6_TYPE.DESTINATION_UNREACHABLE;

export interface Icmpv6Code {
  readonly type: number;
  readonly code: number;
  readonly text: string;
}

type Icmpv6CodeName =
  | 'NO_ROUTE'
  | 'PROHIBITED'
  | 'BEYOND_SCOPE'
  | 'PORT_UNREACHABLE'
  | 'TOO_BIG'
  | 'HOP_LIMIT_EXPIRED'
  | 'UNKNOWN_NEXT_HEADER';

/** The errors that this stack sends, as type and code. */
export const ICMPV6_CODE: Readonly<Record<Icmpv6CodeName, Icmpv6Code>> = {
  NO_ROUTE: { type: UNREACHABLE, code: 0, text: 'no route to destination' },
  PROHIBITED: { type: UNREACHABLE, code: 1, text: 'communication prohibited' },
  BEYOND_SCOPE: { type: UNREACHABLE, code: 2, text: 'beyond scope of source address' },
  PORT_UNREACHABLE: { type: UNREACHABLE, code: 4, text: 'port unreachable' },
  TOO_BIG: { type: ICMPV6_TYPE.PACKET_TOO_BIG, code: 0, text: 'packet too big' },
  HOP_LIMIT_EXPIRED: { type: ICMPV6_TYPE.TIME_EXCEEDED, code: 0, text: 'time exceeded' },
  UNKNOWN_NEXT_HEADER: { type: ICMPV6_TYPE.PARAMETER_PROBLEM, code: 1, text: 'unknown next header' },
};

/** "As much of invoking packet as possible without the ICMPv6 packet exceeding the minimum IPv6 MTU" (RFC 4443 §3.1). */
const LONGEST_ERROR = 1280;

/** `icmpv6_rcv`. */
export function receiveIcmpv6(stack: Stack, arrival: Arrival6): undefined {
  const { device, packet, source } = arrival;
  const start = IPV6.headerLength;
  const length = packet.length - start;
  const pseudo = pseudoHeader6(packet, IPV6.at.source, IPV6.at.destination, IPPROTO.ICMPV6, length);
  if (length < ICMPV6.headerLength || !verify(packet, start, length, pseudo)) {
    return stack.tell(device, 'gets a cut-off or wrongly summed ICMPv6 message: dropped');
  }
  const type = packet[start]!;
  switch (type) {
    case ICMPV6_TYPE.ECHO_REQUEST:
      return answerEcho(stack, arrival);
    case ICMPV6_TYPE.ECHO_REPLY:
      return stack.tell(device, `gets the reply of ${ipv6ToText(source)}`);
    case ICMPV6_TYPE.NEIGHBOUR_SOLICITATION:
      return receiveSolicitation(stack, arrival);
    case ICMPV6_TYPE.NEIGHBOUR_ADVERTISEMENT:
      return receiveAdvertisement(stack, arrival);
    case ICMPV6_TYPE.ROUTER_SOLICITATION:
    case ICMPV6_TYPE.ROUTER_ADVERTISEMENT:
      return receiveRouterMessage(stack, arrival);
    default:
      return stack.tell(device, `gets an ICMPv6 message of type ${type} from ${ipv6ToText(source)}`);
  }
}

/**
 * `icmpv6_echo_reply`: pings to groups and to anycast addresses are answered too, from an address of this host's
 * choice, but only by the device that they came in by.
 */
function answerEcho(stack: Stack, arrival: Arrival6): undefined {
  const { device, packet, source, destination } = arrival;
  if (isZero(source, 0, 16)) return stack.tell(device, 'cannot answer a ping from nowhere: dropped');
  const from = stack.owns(destination) ? destination : onLinkSource(stack, arrival);
  if (from === undefined) return stack.tell(device, `has no way back to ${ipv6ToText(source)}: dropped`);
  stack.tell(device, `answers the ping of ${ipv6ToText(source)}`);
  const message = packet.slice(IPV6.headerLength);
  message[ICMPV6.at.type] = ICMPV6_TYPE.ECHO_REPLY;
  const { trafficClass } = IPV6.view().at(packet, 0);
  sendIcmpv6(stack, arrival, from, trafficClass, message);
}

/** The device's own address for a sender that it reaches itself. */
function onLinkSource(stack: Stack, { device, source }: Arrival6): Uint8Array | undefined {
  const isReached =
    isLinkLocal6(source) || stack.tables.find6(source, device.ifindex)?.ifindex === device.ifindex;
  return isReached ? source6([device], source) : undefined;
}

/** `icmp6_send`. @param rest the four bytes behind the checksum: an MTU, or where the problem lies */
export function sendIcmpv6Error(
  stack: Stack,
  arrival: Arrival6,
  { type, code, text }: Icmpv6Code,
  rest: number = 0,
): undefined {
  const { device, packet, source, destination, toHost, toMany } = arrival;
  // Packets to groups are not forwarded here, so that none of them is ever too big for a link.
  if (!toHost || toMany || isAboutError(packet) || isMulticast6(source, 0) || isZero(source, 0, 16)) {
    return stack.tell(device, `does not say “${text}” about such a packet: dropped`);
  }
  // "Make sure we respond from the address probed", which may be an anycast one (`ipv6_chk_acast_addr_src`).
  const isProbed = stack.owns(destination) || stack.ownsAnycast(destination, device);
  const from = isProbed ? destination : errorSource(stack, arrival);
  if (from === undefined) return stack.tell(device, `has no way back to ${ipv6ToText(source)}: dropped`);
  stack.tell(device, `says “${text}” to ${ipv6ToText(source)}`);
  const room = LONGEST_ERROR - IPV6.headerLength - ICMPV6.headerLength;
  const quoted = packet.subarray(0, room);
  const message = new Uint8Array(ICMPV6.headerLength + quoted.length);
  message[ICMPV6.at.type] = type;
  message[ICMPV6.at.code] = code;
  new DataView(message.buffer).setUint32(ICMPV6.at.rest, rest);
  message.set(quoted, ICMPV6.headerLength);
  sendIcmpv6(stack, arrival, from, 0, message);
}

/** `is_ineligible`: is it an ICMPv6 error, behind whatever extension headers, or a message too short to tell? */
function isAboutError(packet: Uint8Array): boolean {
  let nextHeader = packet[IPV6.at.nextHeader]!;
  let at: number = IPV6.headerLength;
  while (isExtensionHeader(nextHeader) && at + 2 <= packet.length) {
    // Later fragments do not tell.
    if (nextHeader === IPPROTO.FRAGMENT && readU16(packet, at + FRAGMENT.at.fragmentOffset) >> 3 !== 0)
      return false;
    const length = extensionLength(nextHeader, packet, at);
    nextHeader = packet[at]!;
    at += length;
  }
  return nextHeader === IPPROTO.ICMPV6 && (packet[at] ?? 0) < ICMPV6_TYPE.ECHO_REQUEST;
}

/** Errors come from the device that the packet came in by, whichever way they go. */
function errorSource(stack: Stack, { device, source }: Arrival6): Uint8Array | undefined {
  const others = stack.namespace.devices.filter((other) => other !== device);
  return source6([device], source) ?? source6(others, source);
}

function sendIcmpv6(
  stack: Stack,
  { device, source }: Arrival6,
  from: Uint8Array,
  trafficClass: number,
  message: Uint8Array,
): undefined {
  const packet = build.frame(
    build.ipv6({
      source: ipv6ToText(from),
      destination: ipv6ToText(source),
      trafficClass,
      nextHeader: IPPROTO.ICMPV6,
    }),
    message,
  );
  writeU16(packet, IPV6.headerLength + ICMPV6.at.checksum, 0);
  const pseudo = pseudoHeader6(packet, IPV6.at.source, IPV6.at.destination, IPPROTO.ICMPV6, message.length);
  writeU16(
    packet,
    IPV6.headerLength + ICMPV6.at.checksum,
    checksum(packet, IPV6.headerLength, message.length, pseudo),
  );
  send6(stack, { packet, mark: 0, freeIdentifications: 0 }, device);
}
