/** IPv4 in a host and a router: net/ipv4/ip_input.c, route.c, ip_forward.c, ip_output.c. */
import { ipv4ToText, isMulticast4 } from '../../packet/addresses.ts';
import { isZero, readU16 } from '../../packet/bytes.ts';
import { verify } from '../../packet/checksum.ts';
import {
  decrementTtl,
  IPV4,
  IPV4_DF,
  IPV4_MF,
  IPV4_OFFSET_MASK,
  ipv4HeaderLength,
} from '../../packet/ipv4.ts';
import { IPPROTO, protocolName } from '../../packet/numbers.ts';
import { ICMP_CODE, type IcmpCode, receiveIcmp, sendIcmpError } from './icmp.ts';
import { type Arrival, type Departure, hasHandler, type Stack } from './stack.ts';
import { receiveTcp } from './tcp.ts';
import { receiveUdp } from './udp.ts';

/** An IPv4 packet that has passed the checks of the input: header and lengths are right. */
export interface Arrival4 extends Arrival {
  readonly headerLength: number;
  readonly source: Uint8Array;
  readonly destination: Uint8Array;
  /** Is it for a broadcast address or a group, so that no errors are sent about it? */
  readonly toMany: boolean;
}

const ALL_HOSTS = '224.0.0.1';

/** `ip_rcv`, `ip_route_input`. */
export function receive4(stack: Stack, frame: Arrival): undefined {
  const { device } = frame;
  const problem = headerProblem(frame.packet);
  if (problem !== undefined) return stack.tell(device, `gets ${problem}: dropped`);
  // What lies behind the total length is padding.
  const packet = frame.packet.subarray(0, readU16(frame.packet, IPV4.at.totalLength));
  const source = packet.subarray(IPV4.at.source, IPV4.at.source + 4);
  const destination = packet.subarray(IPV4.at.destination, IPV4.at.destination + 4);
  const headerLength = ipv4HeaderLength(packet, 0, packet.length);
  const arrival: Arrival4 = { ...frame, packet, headerLength, source, destination, toMany: false };
  if (headerLength > IPV4.headerLength) {
    return stack.tell(device, 'would look at IPv4 options, which is not simulated: dropped');
  }
  if (isMulticast4(source, 0) || isLimitedBroadcast(source)) return martianSource(stack, arrival);
  if (isLimitedBroadcast(destination) || (isZero(source, 0, 4) && isZero(destination, 0, 4))) {
    return deliver4(stack, { ...arrival, toMany: true });
  }
  if (isZero(source, 0, 4) || source[0] === 127) return martianSource(stack, arrival);
  if (isZero(destination, 0, 4) || destination[0] === 127) {
    return stack.tell(device, `gets a packet for ${ipv4ToText(destination)} from outside: dropped`);
  }
  if (isMulticast4(destination, 0)) {
    if (ipv4ToText(destination) === ALL_HOSTS) return deliver4(stack, { ...arrival, toMany: true });
    return stack.tell(device, `is not in the group ${ipv4ToText(destination)}: dropped`);
  }
  route4(stack, arrival);
}

/** @returns what is wrong with the header, in words; undefined where nothing is */
function headerProblem(packet: Uint8Array): string | undefined {
  const headerLength = ipv4HeaderLength(packet, 0, packet.length);
  if (headerLength === 0) return 'no whole IPv4 header';
  if (!verify(packet, 0, headerLength)) return 'a wrong IPv4 header checksum';
  const totalLength = readU16(packet, IPV4.at.totalLength);
  if (totalLength < headerLength) return 'an IPv4 total length below the header length';
  return totalLength > packet.length ? 'a cut-off IPv4 packet' : undefined;
}

function isLimitedBroadcast(address: Uint8Array): boolean {
  return address.every((byte) => byte === 0xff);
}

function martianSource(stack: Stack, { device, source }: Arrival4): undefined {
  stack.tell(device, `gets a packet from ${ipv4ToText(source)}, which cannot be: dropped`);
}

function route4(stack: Stack, arrival: Arrival4): undefined {
  const { device, source, destination } = arrival;
  const route = stack.tables.find4(destination);
  // Whoever sends from one of this host's own addresses lies (`fib_validate_source`).
  const sourceIsOwn = stack.owns(source);
  if (route?.type === 'local' || route?.type === 'broadcast') {
    if (sourceIsOwn) return martianSource(stack, arrival);
    return deliver4(stack, { ...arrival, toMany: route.type === 'broadcast' });
  }
  if (!device.forwarding) {
    return stack.tell(device, `does not forward, and ${ipv4ToText(destination)} is not its own: dropped`);
  }
  switch (route?.type) {
    case undefined:
      stack.tell(device, `has no route to ${ipv4ToText(destination)}`);
      return routeError(stack, arrival, ICMP_CODE.NET_UNREACHABLE);
    case 'unreachable':
      stack.tell(device, `has an unreachable route to ${ipv4ToText(destination)}`);
      return routeError(stack, arrival, ICMP_CODE.HOST_UNREACHABLE);
    case 'prohibit':
      stack.tell(device, `has a prohibit route to ${ipv4ToText(destination)}`);
      return routeError(stack, arrival, ICMP_CODE.PROHIBITED);
    case 'blackhole':
      return stack.tell(device, `has a blackhole route to ${ipv4ToText(destination)}: dropped`);
    case 'unicast':
      if (sourceIsOwn) return martianSource(stack, arrival);
      return forward4(stack, arrival);
  }
}

/** How many route errors a sender gets: five seconds' worth at one a second (`ip_rt_error_burst`), and no second passes. */
const ROUTE_ERRORS = 5;

/** `ip_error`. */
function routeError(stack: Stack, arrival: Arrival4, error: IcmpCode): undefined {
  if (stack.countRouteError(arrival.source) <= ROUTE_ERRORS) return sendIcmpError(stack, arrival, error);
  return stack.tell(arrival.device, `has said so ${ROUTE_ERRORS} times, and says no more: dropped`);
}

/** `ip_forward`. */
function forward4(stack: Stack, arrival: Arrival4): undefined {
  const { device, packet, destination, toHost, mark, freeIdentifications } = arrival;
  if (!toHost) return stack.tell(device, 'does not forward what was sent to a group of MACs: dropped');
  if (packet[IPV4.at.ttl]! <= 1) {
    stack.tell(device, 'finds the TTL expired');
    return sendIcmpError(stack, arrival, ICMP_CODE.TTL_EXPIRED);
  }
  const route = stack.tables.find4(destination)!;
  const egress = stack.deviceOf(route.ifindex);
  if (egress === undefined) return stack.tell(device, 'has a route to the loopback device: dropped');
  const mtu = route.mtu ?? egress.mtu;
  if (packet.length > mtu) {
    if ((readU16(packet, IPV4.at.fragmentOffset) & IPV4_DF) === 0) {
      return stack.tell(device, 'would fragment the packet, which is not simulated: dropped');
    }
    stack.tell(device, `finds the packet too long for ${egress.name}`);
    return sendIcmpError(stack, arrival, ICMP_CODE.FRAGMENTATION_NEEDED, mtu);
  }
  const forwarded = packet.slice();
  decrementTtl(forwarded, 0);
  stack.tell(device, `forwards to ${ipv4ToText(destination)} by ${egress.name}`);
  stack.transmitTo(egress, route.gateway ?? destination.slice(), {
    packet: forwarded,
    mark,
    freeIdentifications,
  });
}

/** `ip_local_deliver`. */
function deliver4(stack: Stack, arrival: Arrival4): undefined {
  const { device, packet } = arrival;
  if ((readU16(packet, IPV4.at.fragmentOffset) & (IPV4_MF | IPV4_OFFSET_MASK)) !== 0) {
    return stack.tell(device, 'would wait for the other fragments, which is not simulated: dropped');
  }
  const protocol = packet[IPV4.at.protocol]!;
  switch (protocol) {
    case IPPROTO.ICMP:
      return receiveIcmp(stack, arrival);
    case IPPROTO.UDP:
      return receiveUdp(stack, arrival);
    case IPPROTO.TCP:
      return receiveTcp(stack, arrival);
    default:
      if (hasHandler(protocol)) {
        const name = protocolName(protocol) ?? protocol;
        return stack.tell(device, `may have a handler of ${name}, which is not simulated: dropped`);
      }
      stack.tell(device, `knows nothing of protocol ${protocolName(protocol) ?? protocol}`);
      return sendIcmpError(stack, arrival, ICMP_CODE.PROTOCOL_UNREACHABLE);
  }
}

/** `ip_route_output`, `ip_output`: a packet of this host's own. */
export function send4(stack: Stack, departure: Departure): undefined {
  const { packet } = departure;
  const destination = packet.slice(IPV4.at.destination, IPV4.at.destination + 4);
  const route = stack.tables.find4(destination);
  const egress = route === undefined ? undefined : stack.deviceOf(route.ifindex);
  if (route?.type === 'local') return stack.tell(undefined, 'sends to itself, which no wire sees');
  if (route?.type === 'broadcast') {
    return stack.tell(undefined, 'would broadcast, which is not simulated: nothing is sent');
  }
  if (route?.type !== 'unicast' || egress === undefined) {
    return stack.tell(undefined, `has no route to ${ipv4ToText(destination)}: nothing is sent`);
  }
  if (packet.length > (route.mtu ?? egress.mtu)) {
    return stack.tell(egress, 'would fragment what it sends, which is not simulated: nothing is sent');
  }
  stack.transmitTo(egress, route.gateway ?? destination, departure);
}
