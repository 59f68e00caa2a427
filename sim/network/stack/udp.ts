/** UDP where nobody listens (net/ipv4/udp.c, `__udp4_lib_rcv`; net/ipv6/udp.c). */
import { readU16 } from '../../packet/bytes.ts';
import { pseudoHeader4, pseudoHeader6, verify } from '../../packet/checksum.ts';
import { IPV4 } from '../../packet/ipv4.ts';
import { IPV6 } from '../../packet/ipv6.ts';
import { IPPROTO } from '../../packet/numbers.ts';
import { UDP } from '../../packet/udp.ts';
import { ICMP_CODE, sendIcmpError } from './icmp.ts';
import { ICMPV6_CODE, sendIcmpv6Error } from './icmpv6.ts';
import type { Arrival4 } from './ipv4.ts';
import type { Arrival6 } from './ipv6.ts';
import type { Stack } from './stack.ts';

/** A datagram over IPv4: the port is unreachable. */
export function receiveUdp(stack: Stack, arrival: Arrival4): undefined {
  const { device, packet, headerLength, toMany } = arrival;
  const end = datagramEnd(packet, headerLength);
  if (end < 0) return stack.tell(device, 'gets a cut-off UDP datagram: dropped');
  const length = end - headerLength;
  const pseudo = pseudoHeader4(packet, IPV4.at.source, IPV4.at.destination, IPPROTO.UDP, length);
  const isUnsummed = readU16(packet, headerLength + UDP.at.checksum) === 0;
  if (!isUnsummed && !verify(packet, headerLength, length, pseudo)) {
    return stack.tell(device, 'gets a wrong UDP checksum: dropped');
  }
  stack.tell(device, `has nobody at UDP port ${readU16(packet, headerLength + UDP.at.destinationPort)}`);
  // What lies behind the datagram is cut off before it is quoted.
  if (!toMany)
    sendIcmpError(stack, { ...arrival, packet: packet.subarray(0, end) }, ICMP_CODE.PORT_UNREACHABLE);
}

/** A datagram over IPv6: the same, but a checksum is a must (RFC 8200 §8.1). */
export function receiveUdp6(stack: Stack, arrival: Arrival6): undefined {
  const { device, packet, toMany } = arrival;
  const start = IPV6.headerLength;
  const end = datagramEnd(packet, start);
  if (end < 0) return stack.tell(device, 'gets a cut-off UDP datagram: dropped');
  const length = end - start;
  const pseudo = pseudoHeader6(packet, IPV6.at.source, IPV6.at.destination, IPPROTO.UDP, length);
  if (readU16(packet, start + UDP.at.checksum) === 0 || !verify(packet, start, length, pseudo)) {
    return stack.tell(device, 'gets no UDP checksum, or a wrong one: dropped');
  }
  stack.tell(device, `has nobody at UDP port ${readU16(packet, start + UDP.at.destinationPort)}`);
  if (!toMany) {
    sendIcmpv6Error(stack, { ...arrival, packet: packet.subarray(0, end) }, ICMPV6_CODE.PORT_UNREACHABLE);
  }
}

/** Where the datagram ends, by its own length; −1 where that cannot be. */
function datagramEnd(packet: Uint8Array, start: number): number {
  if (packet.length - start < UDP.headerLength) return -1;
  const length = readU16(packet, start + UDP.at.length);
  return length < UDP.headerLength || start + length > packet.length ? -1 : start + length;
}
