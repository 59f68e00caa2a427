/** ICMP: answering pings, and reporting what is wrong with a packet (net/ipv4/icmp.c). */
import { ipv4ToText, isMulticast4 } from '../../packet/addresses.ts';
import * as build from '../../packet/build.ts';
import { isZero, readU16, writeU16 } from '../../packet/bytes.ts';
import { checksum, verify } from '../../packet/checksum.ts';
import { ICMP, ICMP_TYPE } from '../../packet/icmp.ts';
import { IPV4, IPV4_OFFSET_MASK } from '../../packet/ipv4.ts';
import { IPPROTO } from '../../packet/numbers.ts';
import { type Arrival4, send4 } from './ipv4.ts';
import { sourceFor } from './source-address.ts';
import type { Stack } from './stack.ts';

const UNREACHABLE = ICMP_TYPE.DESTINATION_UNREACHABLE;

export interface IcmpCode {
  readonly type: number;
  readonly code: number;
  readonly text: string;
}

type IcmpCodeName =
  | 'NET_UNREACHABLE'
  | 'HOST_UNREACHABLE'
  | 'PROTOCOL_UNREACHABLE'
  | 'PORT_UNREACHABLE'
  | 'FRAGMENTATION_NEEDED'
  | 'PROHIBITED'
  | 'TTL_EXPIRED';

/** The errors that this stack sends, as type and code. */
export const ICMP_CODE: Readonly<Record<IcmpCodeName, IcmpCode>> = {
  NET_UNREACHABLE: { type: UNREACHABLE, code: 0, text: 'net unreachable' },
  HOST_UNREACHABLE: { type: UNREACHABLE, code: 1, text: 'host unreachable' },
  PROTOCOL_UNREACHABLE: { type: UNREACHABLE, code: 2, text: 'protocol unreachable' },
  PORT_UNREACHABLE: { type: UNREACHABLE, code: 3, text: 'port unreachable' },
  FRAGMENTATION_NEEDED: { type: UNREACHABLE, code: 4, text: 'fragmentation needed' },
  PROHIBITED: { type: UNREACHABLE, code: 13, text: 'communication prohibited' },
  TTL_EXPIRED: { type: ICMP_TYPE.TIME_EXCEEDED, code: 0, text: 'time exceeded' },
};

/** "RFC 1812: … as much of the original datagram as possible without the length … exceeding 576 bytes." */
const LONGEST_ERROR = 576;
/** RFC 1812 §4.3.2.5: errors have the precedence of internetwork control. */
const PRECEDENCE_INTERNETCONTROL = 0xc0;
/** `IPTOS_RT_MASK` and the bits of the old TOS field that an error takes over (`RT_TOS`). */
const RT_TOS_MASK = 0x1e;

/** All other types are taken for errors, unknown ones too: "This isn't specified by the RFC" (`icmp_pointers`, `icmp_send`). */
const NO_ERRORS: readonly number[] = [
  ICMP_TYPE.ECHO_REPLY,
  ICMP_TYPE.ECHO,
  ICMP_TYPE.TIMESTAMP,
  ICMP_TYPE.TIMESTAMP_REPLY,
  ICMP_TYPE.INFORMATION_REQUEST,
  ICMP_TYPE.INFORMATION_REPLY,
  ICMP_TYPE.ADDRESS_MASK_REQUEST,
  ICMP_TYPE.ADDRESS_MASK_REPLY,
];

/** `icmp_rcv`. */
export function receiveIcmp(stack: Stack, arrival: Arrival4): undefined {
  const { device, packet, headerLength, source, destination, toMany } = arrival;
  const length = packet.length - headerLength;
  if (length < ICMP.headerLength || !verify(packet, headerLength, length)) {
    return stack.tell(device, 'gets a cut-off or wrongly summed ICMP message: dropped');
  }
  const type = packet[headerLength]!;
  switch (type) {
    case ICMP_TYPE.ECHO:
      if (toMany) return stack.tell(device, 'ignores a ping to a broadcast address or a group');
      stack.tell(device, `answers the ping of ${ipv4ToText(source)}`);
      return reply(stack, arrival, destination);
    case ICMP_TYPE.ECHO_REPLY:
      return stack.tell(device, `gets the reply of ${ipv4ToText(source)}`);
    case ICMP_TYPE.TIMESTAMP:
      return stack.tell(device, 'would answer with the time, which is not simulated: dropped');
    default:
      return stack.tell(device, `gets an ICMP message of type ${type} from ${ipv4ToText(source)}`);
  }
}

/** `icmp_echo`: the request's own bytes, type changed; TOS as it came. */
function reply(stack: Stack, { packet, headerLength, source }: Arrival4, from: Uint8Array): undefined {
  const message = packet.slice(headerLength);
  message[ICMP.at.type] = ICMP_TYPE.ECHO_REPLY;
  writeU16(message, ICMP.at.checksum, 0);
  // Of nothing but zeros the kernel's sum is its other zero: `csum_partial_copy_nocheck` begins at ~0.
  const isZeros = isZero(message, 0, message.length);
  writeU16(message, ICMP.at.checksum, isZeros ? 0 : checksum(message, 0, message.length));
  sendIcmp(stack, ipv4ToText(from), ipv4ToText(source), packet[IPV4.at.tos]!, message);
}

/** The kernel sends these without DF and so chooses an identification (`ip_select_ident`). `fwmark_reflect` is off. */
function sendIcmp(
  stack: Stack,
  source: string,
  destination: string,
  tos: number,
  message: Uint8Array,
  quotedIdentifications: number = 0,
): undefined {
  const header = build.ipv4({ source, destination, tos, protocol: IPPROTO.ICMP, identification: 0 });
  send4(stack, {
    packet: build.frame(header, message),
    mark: 0,
    freeIdentifications: 1 + quotedIdentifications,
  });
}

/**
 * `icmp_send`: tells the sender what is wrong with its packet, unless that would be an error about an error, or
 * about something that went to many (RFC 1122 §3.2.2).
 * @param nextHopMtu for FRAGMENTATION_NEEDED, in bytes
 */
export function sendIcmpError(
  stack: Stack,
  arrival: Arrival4,
  { type, code, text }: IcmpCode,
  nextHopMtu: number = 0,
): undefined {
  const { device, packet, headerLength, source, destination, toHost, toMany } = arrival;
  const isLaterFragment = (readU16(packet, IPV4.at.fragmentOffset) & IPV4_OFFSET_MASK) !== 0;
  const isError =
    packet[IPV4.at.protocol] === IPPROTO.ICMP && !NO_ERRORS.includes(packet[headerLength] ?? -1);
  if (!toHost || toMany || isLaterFragment || isError || isMulticast4(source, 0)) {
    return stack.tell(device, `does not say “${text}” about such a packet: dropped`);
  }
  const route = stack.tables.find4(source);
  const from = stack.owns(destination)
    ? destination
    : route === undefined
      ? undefined
      : sourceFor(stack.namespace.devices, route, source);
  if (from === undefined) return stack.tell(device, `has no way back to ${ipv4ToText(source)}: dropped`);
  stack.tell(device, `says “${text}” to ${ipv4ToText(source)}`);
  const room = LONGEST_ERROR - IPV4.headerLength - ICMP.headerLength;
  const message = build.frame(
    build.icmp({ type, code, body: { kind: 'other', rest: nextHopMtu } }),
    packet.subarray(0, room),
  );
  const tos = (packet[IPV4.at.tos]! & RT_TOS_MASK) | PRECEDENCE_INTERNETCONTROL;
  sendIcmp(stack, ipv4ToText(from), ipv4ToText(source), tos, message, arrival.freeIdentifications);
}
