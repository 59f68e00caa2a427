/** TCP where nobody listens: every segment is answered by a reset (RFC 9293 §3.5.2; `tcp_v4_send_reset`). */
import { ipv4ToText, ipv6ToText } from '../../packet/addresses.ts';
import * as build from '../../packet/build.ts';
import { readU16, readU32 } from '../../packet/bytes.ts';
import { pseudoHeader4, pseudoHeader6, verify } from '../../packet/checksum.ts';
import { IPV4 } from '../../packet/ipv4.ts';
import { IPV6 } from '../../packet/ipv6.ts';
import { IPPROTO } from '../../packet/numbers.ts';
import { TCP, TCP_FLAG, type TcpHeader } from '../../packet/tcp.ts';
import { type Arrival4, send4 } from './ipv4.ts';
import { type Arrival6, send6 } from './ipv6.ts';
import type { Arrival, Stack } from './stack.ts';

/** Explicit congestion notification: the low two bits of TOS and traffic class. */
const ECN_MASK = 3;

/** A segment over IPv4. */
export function receiveTcp(stack: Stack, arrival: Arrival4): undefined {
  const { packet, headerLength, source, destination, toMany } = arrival;
  const length = packet.length - headerLength;
  const pseudo = pseudoHeader4(packet, IPV4.at.source, IPV4.at.destination, IPPROTO.TCP, length);
  const reset = resetFor(stack, arrival, headerLength, pseudo);
  if (reset === undefined || toMany) return;
  const header = build.ipv4({
    source: ipv4ToText(destination),
    destination: ipv4ToText(source),
    tos: packet[IPV4.at.tos]! & ~ECN_MASK,
    // "Please enforce IP_DF and IPID==0 for RST and ACK" (net/ipv4/tcp_ipv4.c, tcp_sk_init).
    identification: 0,
    dontFragment: true,
  });
  send4(stack, { packet: build.frame(header, build.tcp(reset)), mark: 0, freeIdentifications: 0 });
}

/** A segment over IPv6. */
export function receiveTcp6(stack: Stack, arrival: Arrival6): undefined {
  const { packet, source, destination, toMany } = arrival;
  const length = packet.length - IPV6.headerLength;
  const pseudo = pseudoHeader6(packet, IPV6.at.source, IPV6.at.destination, IPPROTO.TCP, length);
  const reset = resetFor(stack, arrival, IPV6.headerLength, pseudo);
  if (reset === undefined || toMany) return;
  const header = build.ipv6({
    source: ipv6ToText(destination),
    destination: ipv6ToText(source),
    trafficClass: IPV6.view().at(packet, 0).trafficClass & ~ECN_MASK,
  });
  const packet6 = build.frame(header, build.tcp(reset));
  send6(stack, { packet: packet6, mark: 0, freeIdentifications: 0 }, arrival.device);
}

function resetFor(
  stack: Stack,
  { device, packet, toHost }: Arrival,
  start: number,
  pseudo: number,
): Partial<TcpHeader> | undefined {
  const length = packet.length - start;
  const segment = TCP.view().at(packet, start);
  const headerLength = length < TCP.headerLength ? 0 : segment.dataOffset * 4;
  if (headerLength < TCP.headerLength || headerLength > length || !verify(packet, start, length, pseudo)) {
    stack.tell(device, 'gets a cut-off or wrongly summed TCP segment: dropped');
    return undefined;
  }
  if (!toHost) {
    stack.tell(device, 'ignores TCP that was sent to a group of MACs');
    return undefined;
  }
  stack.tell(device, `has nobody at TCP port ${readU16(packet, start + TCP.at.destinationPort)}`);
  const { flags } = segment;
  if ((flags & TCP_FLAG.RST) !== 0) return undefined;
  const ports = {
    sourcePort: readU16(packet, start + TCP.at.destinationPort),
    destinationPort: readU16(packet, start + TCP.at.sourcePort),
    window: 0,
  };
  if ((flags & TCP_FLAG.ACK) !== 0) {
    const sequence = readU32(packet, start + TCP.at.acknowledgment);
    return { ...ports, sequence, acknowledgment: 0, flags: TCP_FLAG.RST };
  }
  const controls = ((flags & TCP_FLAG.SYN) === 0 ? 0 : 1) + ((flags & TCP_FLAG.FIN) === 0 ? 0 : 1);
  const acknowledgment = (readU32(packet, start + TCP.at.sequence) + controls + length - headerLength) >>> 0;
  return { ...ports, sequence: 0, acknowledgment, flags: TCP_FLAG.RST | TCP_FLAG.ACK };
}
