/** Neighbour discovery as a Linux host does it (RFC 4861; net/ipv6/ndisc.c). */
import { ipv6ToText, isMulticast6, macToText } from '../../packet/addresses.ts';
import * as build from '../../packet/build.ts';
import { isZero } from '../../packet/bytes.ts';
import { ICMPV6, ICMPV6_TYPE } from '../../packet/icmpv6.ts';
import { IPV6 } from '../../packet/ipv6.ts';
import { linkLayerAddressOption, ND_OPTION, NEIGHBOUR_OPTIONS } from '../../packet/neighbour-options.ts';
import { ETHERTYPE } from '../../packet/numbers.ts';
import type { ScenarioDevice } from '../scenario.ts';
import { type Arrival6, groupMac, solicitedNodeGroup } from './ipv6.ts';
import { addressesOf, isLinkLocal6 } from './source-address.ts';
import type { Stack } from './stack.ts';

/** "The IP Hop Limit field has a value of 255, i.e., the packet could not possibly have been forwarded" (RFC 4861 §7.1). */
const HOP_LIMIT = 255;
/** The fixed part of solicitations and advertisements: header and target. */
const FIXED_LENGTH = 24;
/** Those of router solicitations and advertisements. */
const SOLICITATION_LENGTH = 8;
const ADVERTISEMENT_LENGTH = 16;
const ALL_NODES: Uint8Array = Uint8Array.of(0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1);

/**
 * Asks who has an address (`ndisc_solicit`): from the waiting packet's source where that is the device's own, else
 * from its link-local address. Without either nothing is sent.
 */
export function solicitByDiscovery(
  stack: Stack,
  device: ScenarioDevice,
  target: Uint8Array,
  source: Uint8Array,
): undefined {
  const own = stack.owns(source, device)
    ? source
    : addressesOf([device], 16).find(({ address }) => isLinkLocal6(address))?.address;
  if (own === undefined) {
    return stack.tell(device, `has no address to ask for ${ipv6ToText(target)} from: the packet waits`);
  }
  stack.tell(device, `asks who has ${ipv6ToText(target)}`);
  const group = solicitedNodeGroup(target);
  const packet = build.frame(
    build.ipv6({ source: ipv6ToText(own), destination: ipv6ToText(group), hopLimit: HOP_LIMIT }),
    message(undefined, target, ND_OPTION.SOURCE_LINK_LAYER_ADDRESS, device),
  );
  stack.transmit(device, groupMac(group), ETHERTYPE.IPV6, { packet, mark: 0, freeIdentifications: 0 });
}

/** `ndisc_recv_ns`. */
export function receiveSolicitation(stack: Stack, arrival: Arrival6): undefined {
  const { device, source, destination, toMany } = arrival;
  const target = targetOf(stack, arrival);
  if (target === undefined) return;
  if (!stack.owns(target, device)) {
    return stack.tell(device, `is not ${ipv6ToText(target)}: ignores the solicitation`);
  }
  const lladdr = linkLayerAddress(arrival, ND_OPTION.SOURCE_LINK_LAYER_ADDRESS);
  if (isZero(source, 0, 16)) {
    // Duplicate address detection (RFC 4862 §5.4.3): the answer goes to all.
    const isProbe = destination[11] === 1 && destination[12] === 0xff && toMany && lladdr === undefined;
    if (!isProbe) return stack.tell(device, 'gets a solicitation from nowhere that is no probe: dropped');
    return advertise(stack, device, ALL_NODES, target, { override: true }, true);
  }
  if (lladdr !== undefined) stack.neighbours.learn(device.ifindex, source, lladdr, true);
  else if (toMany && !stack.neighbours.has(device.ifindex, source)) {
    return stack.tell(device, 'gets a solicitation without a link-layer address: ignored');
  }
  advertise(stack, device, source, target, { solicited: true, override: toMany }, toMany);
}

/** `ndisc_recv_na`. */
export function receiveAdvertisement(stack: Stack, arrival: Arrival6): undefined {
  const { device, packet, toMany } = arrival;
  const target = targetOf(stack, arrival);
  if (target === undefined) return;
  const { solicited, override } = ICMPV6.view().at(packet, IPV6.headerLength);
  if (toMany && solicited) {
    return stack.tell(device, 'gets a solicited advertisement to all: dropped');
  }
  const lladdr = linkLayerAddress(arrival, ND_OPTION.TARGET_LINK_LAYER_ADDRESS);
  if (lladdr === undefined || stack.owns(target, device) || !stack.neighbours.has(device.ifindex, target)) {
    return stack.tell(device, 'ignores an advertisement that it did not ask for');
  }
  stack.tell(device, `learns that ${ipv6ToText(target)} is at ${macToText(lladdr)}`);
  stack.neighbours.learn(device.ifindex, target, lladdr, override);
}

/**
 * `ndisc_recv_rs` on routers and `ndisc_router_discovery`, as far as they go here: nobody advertises or configures
 * anything, but where the sender is, is learnt.
 */
export function receiveRouterMessage(stack: Stack, arrival: Arrival6): undefined {
  const { device, packet, source } = arrival;
  const start = IPV6.headerLength;
  const isSolicitation = packet[start] === ICMPV6_TYPE.ROUTER_SOLICITATION;
  const optionsAt = start + (isSolicitation ? SOLICITATION_LENGTH : ADVERTISEMENT_LENGTH);
  const lladdr = linkLayerAddress(arrival, ND_OPTION.SOURCE_LINK_LAYER_ADDRESS, optionsAt);
  const isHeard = isSolicitation ? device.forwarding && !isZero(source, 0, 16) : isLinkLocal6(source);
  if (
    !isHeard ||
    lladdr === undefined ||
    packet[IPV6.at.hopLimit] !== HOP_LIMIT ||
    packet[start + ICMPV6.at.code] !== 0
  ) {
    return stack.tell(device, 'ignores a router’s solicitation or advertisement');
  }
  stack.tell(device, `learns that ${ipv6ToText(source)} is at ${macToText(lladdr)}`);
  stack.neighbours.learn(device.ifindex, source, lladdr, true);
}

interface AdvertisementFlags {
  readonly solicited?: boolean;
  readonly override?: boolean;
}

/** `ndisc_send_na`. */
function advertise(
  stack: Stack,
  device: ScenarioDevice,
  to: Uint8Array,
  target: Uint8Array,
  flags: AdvertisementFlags,
  withLinkLayerAddress: boolean,
): undefined {
  stack.tell(device, `answers that it has ${ipv6ToText(target)}`);
  const option = withLinkLayerAddress ? ND_OPTION.TARGET_LINK_LAYER_ADDRESS : undefined;
  const packet = build.frame(
    build.ipv6({ source: ipv6ToText(target), destination: ipv6ToText(to), hopLimit: HOP_LIMIT }),
    message({ ...flags, router: device.forwarding }, target, option, device),
  );
  // No route is asked: it goes out where the question came in (`icmp6_dst_alloc`).
  const departure = { packet, mark: 0, freeIdentifications: 0 };
  if (isMulticast6(to, 0)) stack.transmit(device, groupMac(to), ETHERTYPE.IPV6, departure);
  else stack.transmitTo(device, to, departure);
}

/** An advertisement, or without flags a solicitation. */
function message(
  flags: (AdvertisementFlags & { readonly router: boolean }) | undefined,
  target: Uint8Array,
  option: 1 | 2 | undefined,
  device: ScenarioDevice,
): build.LayerStack {
  const options = option === undefined ? [] : [linkLayerAddressOption(option, macToText(device.mac))];
  const body = { target: ipv6ToText(target), options };
  return flags === undefined
    ? build.icmpv6({
        type: ICMPV6_TYPE.NEIGHBOUR_SOLICITATION,
        body: { kind: 'neighbourSolicitation', ...body },
      })
    : build.icmpv6({
        type: ICMPV6_TYPE.NEIGHBOUR_ADVERTISEMENT,
        body: { kind: 'neighbourAdvertisement', ...flags, ...body },
      });
}

/** The target, where the message is what RFC 4861 §7.1 demands. */
function targetOf(stack: Stack, { device, packet }: Arrival6): Uint8Array | undefined {
  const start = IPV6.headerLength;
  const target = packet.subarray(start + ICMPV6.at.target, start + ICMPV6.at.target + 16);
  const isValid =
    packet[IPV6.at.hopLimit] === HOP_LIMIT &&
    packet[start + ICMPV6.at.code] === 0 &&
    packet.length - start >= FIXED_LENGTH &&
    !isMulticast6(target, 0) &&
    NEIGHBOUR_OPTIONS.decode(packet, start + FIXED_LENGTH, packet.length).every((one) => one.type !== 'rest');
  if (isValid) return target;
  stack.tell(device, 'gets a neighbour discovery message that breaks RFC 4861 §7.1: dropped');
  return undefined;
}

function linkLayerAddress(
  { packet }: Arrival6,
  type: number,
  optionsAt: number = IPV6.headerLength + FIXED_LENGTH,
): Uint8Array | undefined {
  const options = NEIGHBOUR_OPTIONS.decode(packet, optionsAt, packet.length);
  const found = options.find((option) => option.type === type && 'data' in option);
  return found !== undefined && 'data' in found && found.data.length === 6 ? found.data : undefined;
}
