/** IPv6 in a host and a router: net/ipv6/ip6_input.c, route.c, ip6_output.c. */
import { inPrefix, ipv6ToText, isMulticast6 } from '../../packet/addresses.ts';
import { equal, isZero, readU16 } from '../../packet/bytes.ts';
import { IPV6, isIpv6 } from '../../packet/ipv6.ts';
import { isExtensionHeader } from '../../packet/ipv6-extensions.ts';
import { ETHERTYPE, IPPROTO, protocolName } from '../../packet/numbers.ts';
import type { RouteEntry } from '../../runtime/fib-lookup.ts';
import type { ScenarioDevice } from '../scenario.ts';
import { ICMPV6_CODE, receiveIcmpv6, sendIcmpv6Error } from './icmpv6.ts';
import { addressesOf, isLinkLocal6 } from './source-address.ts';
import { type Arrival, type Departure, hasHandler, type Stack } from './stack.ts';
import { receiveTcp6 } from './tcp.ts';
import { receiveUdp6 } from './udp.ts';

/** An IPv6 packet that has passed the checks of the input. */
export interface Arrival6 extends Arrival {
  readonly source: Uint8Array;
  readonly destination: Uint8Array;
  /** Is it for a multicast group? */
  readonly toMany: boolean;
}

/** `ip6_rcv_core`, `ip6_route_input`. */
export function receive6(stack: Stack, frame: Arrival): undefined {
  const { device } = frame;
  if (!isIpv6(frame.packet, 0, frame.packet.length)) {
    return stack.tell(device, 'gets no whole IPv6 header: dropped');
  }
  const length = IPV6.headerLength + readU16(frame.packet, IPV6.at.payloadLength);
  if (length > frame.packet.length) return stack.tell(device, 'gets a cut-off IPv6 packet: dropped');
  const packet = frame.packet.subarray(0, length);
  const source = packet.subarray(IPV6.at.source, IPV6.at.source + 16);
  const destination = packet.subarray(IPV6.at.destination, IPV6.at.destination + 16);
  const toMany = isMulticast6(destination, 0);
  const arrival: Arrival6 = { ...frame, packet, source, destination, toMany };
  if (isMulticast6(source, 0) || isLoopback6(source) || isLoopback6(destination)) {
    return stack.tell(device, 'gets addresses that cannot come from outside: dropped');
  }
  if (packet[IPV6.at.nextHeader] === IPPROTO.HOPOPTS) {
    return stack.tell(device, 'would look at hop-by-hop options, which is not simulated: dropped');
  }
  if (toMany) {
    if (isMember(device, destination)) return deliver6(stack, arrival);
    return stack.tell(device, `is not in the group ${ipv6ToText(destination)}: dropped`);
  }
  route6(stack, arrival);
}

function isLoopback6(address: Uint8Array): boolean {
  return isZero(address, 0, 15) && address[15] === 1;
}

/** The solicited-node group of an address (RFC 4291 §2.7.1). */
export function solicitedNodeGroup(address: Uint8Array): Uint8Array {
  const group = Uint8Array.of(0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff, 0, 0, 0);
  group.set(address.subarray(13), 13);
  return group;
}

/** Groups that a device is in by itself: all nodes, all routers, and those of its addresses. */
function isMember(device: ScenarioDevice, group: Uint8Array): boolean {
  const scope = group[1]!;
  if (isZero(group, 2, 13) && (scope === 1 || scope === 2) && group[15] === 1) return true;
  if (device.forwarding && isZero(group, 2, 13) && [1, 2, 5].includes(scope) && group[15] === 2) return true;
  return addressesOf([device], 16).some(({ address }) => equal(solicitedNodeGroup(address), 0, group, 0, 16));
}

function route6(stack: Stack, arrival: Arrival6): undefined {
  const { device, destination } = arrival;
  if (
    isLinkLocal6(destination) &&
    (stack.owns(destination, device) || stack.ownsAnycast(destination, device))
  ) {
    return deliver6(stack, arrival);
  }
  const route = routeFrom(stack, device, destination);
  switch (route?.type) {
    case 'local':
      return deliver6(stack, arrival);
    case undefined:
    case 'unreachable':
      // A host says so too, not routers alone (`ip6_pkt_drop`).
      stack.tell(device, `has no route to ${ipv6ToText(destination)}`);
      return sendIcmpv6Error(stack, arrival, ICMPV6_CODE.NO_ROUTE);
    case 'prohibit':
      stack.tell(device, `has a prohibit route to ${ipv6ToText(destination)}`);
      return sendIcmpv6Error(stack, arrival, ICMPV6_CODE.PROHIBITED);
    case 'blackhole':
      return stack.tell(device, `has a blackhole route to ${ipv6ToText(destination)}: dropped`);
    case 'unicast':
      return forward6(stack, arrival);
  }
}

/** The route of a packet that has come in by a device: link-local ones lead nowhere but to that device's link. */
function routeFrom(stack: Stack, device: ScenarioDevice, destination: Uint8Array): RouteEntry | undefined {
  return isLinkLocal6(destination)
    ? onLinkRoute(device, destination)
    : stack.tables.find6(destination, device.ifindex);
}

/** The route that a device's own link-local address brings: fe80::/64, and not all of fe80::/10. */
function onLinkRoute(device: ScenarioDevice, destination: Uint8Array): RouteEntry | undefined {
  const { ifindex } = device;
  const own = addressesOf([device], 16).find(
    (prefix) => isLinkLocal6(prefix.address) && inPrefix(destination, 0, prefix),
  );
  if (own === undefined) return undefined;
  return { prefix: own, type: 'unicast', metric: 0, ifindex, gateway: undefined, mtu: undefined };
}

/** `ip6_forward`. */
function forward6(stack: Stack, arrival: Arrival6): undefined {
  const { device, packet, source, destination, toHost, mark } = arrival;
  // `net.ipv6.conf.all.forwarding` decides here, and it is on where any device forwards.
  if (!stack.namespace.devices.some((one) => one.forwarding)) {
    return stack.tell(device, `does not forward, and ${ipv6ToText(destination)} is not its own: dropped`);
  }
  if (!toHost) return stack.tell(device, 'does not forward what was sent to a group of MACs: dropped');
  if (packet[IPV6.at.hopLimit]! <= 1) {
    stack.tell(device, 'finds the hop limit expired');
    return sendIcmpv6Error(stack, arrival, ICMPV6_CODE.HOP_LIMIT_EXPIRED);
  }
  const route = routeFrom(stack, device, destination)!;
  const egress = stack.deviceOf(route.ifindex);
  if (egress === undefined) return stack.tell(device, 'has a route to the loopback device: dropped');
  if (egress === device) {
    // Back where it came from: Linux asks nothing of the source then, and has no switch for redirects.
    if (addressesOf([device], 16).some(({ address }) => isLinkLocal6(address))) {
      stack.tell(device, 'may send a redirect, which is not simulated');
    }
  } else if (isZero(source, 0, 16)) {
    return stack.tell(device, 'does not forward from nowhere: dropped');
  } else if (isLinkLocal6(source)) {
    stack.tell(device, 'does not forward from a link-local address');
    return sendIcmpv6Error(stack, arrival, ICMPV6_CODE.BEYOND_SCOPE);
  }
  // No device with IPv6 has an MTU below what every link must carry (RFC 8200 §5).
  const mtu = route.mtu ?? egress.mtu;
  if (packet.length > mtu) {
    stack.tell(device, `finds the packet too long for ${egress.name}`);
    return sendIcmpv6Error(stack, arrival, ICMPV6_CODE.TOO_BIG, mtu);
  }
  const forwarded = packet.slice();
  forwarded[IPV6.at.hopLimit] = forwarded[IPV6.at.hopLimit]! - 1;
  stack.tell(device, `forwards to ${ipv6ToText(destination)} by ${egress.name}`);
  stack.transmitTo(egress, route.gateway ?? destination.slice(), {
    packet: forwarded,
    mark,
    freeIdentifications: 0,
  });
}

/** `ip6_input_finish`. */
function deliver6(stack: Stack, arrival: Arrival6): undefined {
  const { device, packet } = arrival;
  const nextHeader = packet[IPV6.at.nextHeader]!;
  switch (nextHeader) {
    case IPPROTO.ICMPV6:
      return receiveIcmpv6(stack, arrival);
    case IPPROTO.UDP:
      return receiveUdp6(stack, arrival);
    case IPPROTO.TCP:
      return receiveTcp6(stack, arrival);
    // RFC 8200 §4.7; net/ipv6/exthdrs.c `nodata_protocol`.
    case IPPROTO.NONE:
      return stack.tell(device, 'discards a packet without a next header');
    default:
      if (isExtensionHeader(nextHeader)) {
        return stack.tell(device, 'would follow extension headers, which is not simulated: dropped');
      }
      if (hasHandler(nextHeader)) {
        const name = protocolName(nextHeader) ?? nextHeader;
        return stack.tell(device, `may have a handler of ${name}, which is not simulated: dropped`);
      }
      stack.tell(device, `knows nothing of next header ${protocolName(nextHeader) ?? nextHeader}`);
      return sendIcmpv6Error(stack, arrival, ICMPV6_CODE.UNKNOWN_NEXT_HEADER, IPV6.at.nextHeader);
  }
}

/**
 * `ip6_route_output`, `ip6_output`: a packet of this host's own.
 * @param from the device that it answers something from; it must be given for groups and link-local addresses
 */
export function send6(stack: Stack, departure: Departure, from?: ScenarioDevice): undefined {
  const { packet } = departure;
  const destination = packet.slice(IPV6.at.destination, IPV6.at.destination + 16);
  if (isMulticast6(destination, 0)) {
    if (from === undefined) return stack.tell(undefined, 'sends to groups from known devices only');
    return stack.transmit(from, groupMac(destination), ETHERTYPE.IPV6, departure);
  }
  if (stack.owns(destination)) return stack.tell(undefined, 'sends to itself, which no wire sees');
  if (from !== undefined && stack.ownsAnycast(destination, from)) {
    return stack.tell(undefined, 'sends to itself, which no wire sees');
  }
  const isOnLink = isLinkLocal6(destination);
  const onLink = from === undefined ? undefined : onLinkRoute(from, destination);
  const route = isOnLink ? onLink : stack.tables.find6(destination, from?.ifindex ?? 0);
  const egress = isOnLink ? from : stack.deviceOf(route?.ifindex ?? 0);
  if (egress === undefined || route?.type !== 'unicast') {
    return stack.tell(undefined, `has no route to ${ipv6ToText(destination)}: nothing is sent`);
  }
  if (packet.length > (route.mtu ?? egress.mtu)) {
    return stack.tell(egress, 'would fragment what it sends, which is not simulated: nothing is sent');
  }
  stack.transmitTo(egress, route.gateway ?? destination, departure);
}

/** 33:33 and the group's last four bytes (RFC 2464 §7). */
export function groupMac(group: Uint8Array): Uint8Array {
  return Uint8Array.of(0x33, 0x33, ...group.subarray(12));
}
