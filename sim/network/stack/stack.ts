/**
 * A namespace's network stack, as far as it is deterministic: it answers ARP, neighbour discovery and pings,
 * refuses what nobody listens to, and forwards by its routes, as Linux does with its defaults.
 *
 * It has no sockets and no clock. What it does not do it says: fragmenting and reassembling, IPv4 options, IPv6
 * extension headers, ICMP timestamps, redirects, VLAN devices, the loopback device.
 */
import { firstAddress, prefixFromText } from '../../packet/addresses.ts';
import { equal, equalWhole, readU16, toHex } from '../../packet/bytes.ts';
import { ETHERNET } from '../../packet/ethernet.ts';
import { ETHERTYPE, etherTypeName, IPPROTO, isTag } from '../../packet/numbers.ts';
import { VLAN } from '../../packet/vlan.ts';
import { RoutingTables } from '../../runtime/fib-lookup.ts';
import type { ScenarioDevice, ScenarioNamespace } from '../scenario.ts';
import { receiveArp, solicitByArp } from './arp.ts';
import { receive4, send4 } from './ipv4.ts';
import { receive6, send6 } from './ipv6.ts';
import { solicitByDiscovery } from './neighbour-discovery.ts';
import { Neighbours } from './neighbours.ts';
import { addressesOf, isLinkLocal6 } from './source-address.ts';

/** A frame on its way, with what the kernel keeps beside the bytes. */
export interface Frame {
  readonly bytes: Uint8Array;
  /** `skb->mark`. */
  readonly mark: number;
  /** See `Hop`. */
  readonly freeIdentifications: number;
}

/** What a stack needs of the network around it. */
export interface StackSurroundings {
  /** Hands a frame to a device, for TC egress first. */
  transmit(device: ScenarioDevice, frame: Frame): void;
  /** Says in words what becomes of a packet. */
  tell(device: ScenarioDevice | undefined, text: string): void;
}

/** A packet below the Ethernet header, and how it got here. */
export interface Arrival {
  readonly device: ScenarioDevice;
  /** The IP packet, without padding. */
  readonly packet: Uint8Array;
  /** Was the frame for this device alone (PACKET_HOST), not for a group? */
  readonly toHost: boolean;
  readonly mark: number;
  readonly freeIdentifications: number;
}

/** An IP packet on its way out. */
export interface Departure {
  readonly packet: Uint8Array;
  readonly mark: number;
  readonly freeIdentifications: number;
}

export class Stack {
  readonly namespace: ScenarioNamespace;
  readonly tables: RoutingTables;
  readonly neighbours: Neighbours;
  readonly #surroundings: StackSurroundings;
  readonly #routeErrors = new Map<string, number>();

  constructor(namespace: ScenarioNamespace, surroundings: StackSurroundings) {
    this.namespace = namespace;
    this.tables = new RoutingTables(namespace);
    this.neighbours = new Neighbours(namespace.neighbours);
    this.#surroundings = surroundings;
  }

  /** A frame that has come in by a device and through its programs. */
  receive(device: ScenarioDevice, frame: Frame): undefined {
    const { mark, freeIdentifications } = frame;
    const bytes = withoutPriorityTags(frame.bytes);
    const isGroup = (bytes[ETHERNET.at.destination]! & 1) !== 0;
    const toHost = equal(bytes, ETHERNET.at.destination, device.mac, 0, 6);
    const etherType = readU16(bytes, ETHERNET.at.etherType);
    if (isTag(etherType)) return this.tell(device, 'has no VLAN device: dropped');
    if (!isGroup && !toHost) return this.tell(device, 'is not the frame’s destination MAC: dropped');
    const packet = bytes.subarray(ETHERNET.headerLength);
    const arrival = { device, packet, toHost, mark, freeIdentifications };
    switch (etherType) {
      case ETHERTYPE.ARP:
        return receiveArp(this, arrival);
      case ETHERTYPE.IPV4:
        return receive4(this, arrival);
      case ETHERTYPE.IPV6:
        return receive6(this, arrival);
      default: {
        const name = etherTypeName(etherType) ?? `0x${etherType.toString(16).padStart(4, '0')}`;
        return this.tell(device, `knows nothing of EtherType ${name}: dropped`);
      }
    }
  }

  /** A packet that a process sends with its own IP header. */
  send(packet: Uint8Array): undefined {
    const departure = { packet, mark: 0, freeIdentifications: 0 };
    if (packet[0]! >> 4 === 4) send4(this, departure);
    else send6(this, departure);
  }

  tell(device: ScenarioDevice | undefined, text: string): undefined {
    this.#surroundings.tell(device, text);
  }

  /** Sends a frame out of a device, with its own MAC as source. */
  transmit(
    device: ScenarioDevice,
    destinationMac: Uint8Array,
    etherType: number,
    departure: Departure,
  ): undefined {
    const bytes = new Uint8Array(ETHERNET.headerLength + departure.packet.length);
    bytes.set(destinationMac, ETHERNET.at.destination);
    bytes.set(device.mac, ETHERNET.at.source);
    bytes[ETHERNET.at.etherType] = etherType >> 8;
    bytes[ETHERNET.at.etherType + 1] = etherType & 0xff;
    bytes.set(departure.packet, ETHERNET.headerLength);
    const { mark, freeIdentifications } = departure;
    this.#surroundings.transmit(device, { bytes, mark, freeIdentifications });
  }

  /** Sends a packet to a neighbour on a device, which is asked for its MAC first if need be. */
  transmitTo(device: ScenarioDevice, nextHop: Uint8Array, departure: Departure): undefined {
    const isIpv4 = nextHop.length === 4;
    const etherType = isIpv4 ? ETHERTYPE.IPV4 : ETHERTYPE.IPV6;
    const mac = this.neighbours.mac(device.ifindex, nextHop);
    if (mac !== undefined) {
      this.transmit(device, mac, etherType, departure);
      return;
    }
    const send = (found: Uint8Array): undefined => this.transmit(device, found, etherType, departure);
    if (!this.neighbours.wait(device.ifindex, nextHop, send)) return;
    const source = sourceOf(departure.packet, isIpv4);
    if (isIpv4) solicitByArp(this, device, nextHop, source);
    else solicitByDiscovery(this, device, nextHop, source);
  }

  /** @returns how many errors about routes IPv4 has had for this sender, the present one included */
  countRouteError(source: Uint8Array): number {
    const sender = toHex(source);
    const count = (this.#routeErrors.get(sender) ?? 0) + 1;
    this.#routeErrors.set(sender, count);
    return count;
  }

  deviceOf(ifindex: number): ScenarioDevice | undefined {
    return this.namespace.devices.find((device) => device.ifindex === ifindex);
  }

  /** Is it the address of one of the namespace's devices, or of the one that is given? */
  owns(address: Uint8Array, device?: ScenarioDevice): boolean {
    const devices = device === undefined ? this.namespace.devices : [device];
    return devices.some((one) =>
      one.addresses.some((text) => {
        const own = prefixFromText(text).address;
        return equalWhole(own, address);
      }),
    );
  }

  /**
   * Is it the subnet-router anycast address of a network that one of the devices, or the given one, forwards for
   * (net/ipv6/anycast.c, `ipv6_chk_acast_addr`)? Link-local ones are the given device's only.
   */
  ownsAnycast(address: Uint8Array, device: ScenarioDevice): boolean {
    const devices = isLinkLocal6(address) ? [device] : this.namespace.devices;
    const forwarding = devices.filter((one) => one.forwarding);
    return addressesOf(forwarding, 16).some(
      (prefix) => prefix.length < 127 && equal(firstAddress(prefix), 0, address, 0, 16),
    );
  }
}

function sourceOf(packet: Uint8Array, isIpv4: boolean): Uint8Array {
  return isIpv4 ? packet.subarray(12, 16) : packet.subarray(8, 24);
}

/** A tag with identifier 0 says a priority only: whoever has no VLAN devices takes it off (`check_vlan_id`). */
function withoutPriorityTags(bytes: Uint8Array): Uint8Array {
  const behind = ETHERNET.headerLength + VLAN.headerLength;
  if (bytes.length < behind + 2 || !isTag(readU16(bytes, ETHERNET.at.etherType))) return bytes;
  const { id } = VLAN.view().at(bytes, ETHERNET.headerLength);
  if (id !== 0) return bytes;
  const untagged = new Uint8Array(bytes.length - VLAN.headerLength);
  untagged.set(bytes.subarray(0, ETHERNET.at.etherType), 0);
  untagged.set(bytes.subarray(ETHERNET.at.etherType + VLAN.headerLength), ETHERNET.at.etherType);
  return withoutPriorityTags(untagged);
}

/** Does Linux have, or may it have, a handler for this protocol beside TCP, UDP and ICMP? Then no error is sent. */
export function hasHandler(protocol: number): boolean {
  return HANDLED.includes(protocol);
}

const PIM = 103;
const L2TP = 115;
const HANDLED: readonly number[] = [
  IPPROTO.IGMP,
  IPPROTO.IPIP,
  IPPROTO.DCCP,
  IPPROTO.IPV6,
  IPPROTO.GRE,
  IPPROTO.ESP,
  IPPROTO.AH,
  PIM,
  L2TP,
  IPPROTO.SCTP,
  IPPROTO.UDPLITE,
];
