/**
 * `bpf_fib_lookup` over a world's devices, routes and neighbours: what net/core/filter.c (`bpf_ipv4_fib_lookup`,
 * `bpf_ipv6_fib_lookup`) answers, where the routing tables hold what the world states and what the
 * kernel adds by itself.
 */
import { addressFromText, isMulticast6 } from '../packet/addresses.ts';
import { copy, equal, isZero } from '../packet/bytes.ts';
import { EAFNOSUPPORT, ENODEV } from './errno.ts';
import {
  AF_INET,
  AF_INET6,
  BPF_FIB_LKUP_RET_FRAG_NEEDED,
  BPF_FIB_LKUP_RET_FWD_DISABLED,
  BPF_FIB_LKUP_RET_NO_NEIGH,
  BPF_FIB_LKUP_RET_NOT_FWDED,
  BPF_FIB_LKUP_RET_SUCCESS,
  type FibLookup,
  REJECTIONS,
} from './fib.ts';
import { LOOPBACK, mtuOf, type RouteEntry } from './route-entry.ts';
import { hasIpv6, isLinkLocal6 } from './route-table6.ts';
import { RoutingTables } from './routing-tables.ts';
import type { World } from './world.ts';

export type { RouteEntry } from './route-entry.ts';
export { RoutingTables } from './routing-tables.ts';

export interface Fib {
  /** As XDP programs ask: fills the out parameters; returns BPF_FIB_LKUP_RET_* or a negative errno. */
  lookup(parameters: FibLookup): number;
  /**
   * As TC programs ask: where they give no length, that of the frame (in bytes, Ethernet header included) has to fit
   * the device that it leaves by (`bpf_skb_fib_lookup`, `is_skb_forwardable`).
   */
  lookupOfSkb(parameters: FibLookup, frameLength: number): number;
}

/** `IP_MAX_MTU` and `IP6_MAX_MTU`: 65,536, the loopback device's, fits IPv6 alone, and no 16 bits of a result. */
const MAX_MTU = 0xffff;
const MAX_MTU6 = MAX_MTU + 40;

/** What a frame may have beyond its device's MTU: an Ethernet header with a tag. */
const LINK_HEADER = 14 + 4;

/**
 * @throws {SyntaxError} when an address or a prefix is none
 * @throws {RangeError} when the kernel would refuse a route or an address
 */
export function createFib(world: World): Fib {
  return new WorldFib(world);
}

interface KnownNeighbour {
  readonly ifindex: number;
  readonly address: Uint8Array;
  readonly mac: Uint8Array;
}

class WorldFib implements Fib {
  readonly #world: World;
  readonly #tables: RoutingTables;
  readonly #neighbours: KnownNeighbour[] = [];

  constructor(world: World) {
    this.#world = world;
    this.#tables = new RoutingTables(world);
    this.#meetNeighbours();
  }

  /** A simulated network learns neighbours while it runs: the world's list may grow, never change. */
  #meetNeighbours(): void {
    const all = this.#world.neighbours ?? [];
    for (const { ifindex, address, mac } of all.slice(this.#neighbours.length)) {
      this.#neighbours.push({ ifindex, address: addressFromText(address), mac });
    }
  }

  lookup(parameters: FibLookup): number {
    parameters.metric = -1;
    switch (parameters.family) {
      case AF_INET:
        return this.#lookup4(parameters);
      case AF_INET6:
        return this.#lookup6(parameters);
      default:
        return -EAFNOSUPPORT;
    }
  }

  lookupOfSkb(parameters: FibLookup, frameLength: number): number {
    const isLengthGiven = parameters.totalLength > 0;
    const result = this.lookup(parameters);
    if (isLengthGiven || result !== BPF_FIB_LKUP_RET_SUCCESS) return result;
    parameters.mtu = mtuOf(this.#tables.devices.get(parameters.ifindex)!);
    return frameLength > parameters.mtu + LINK_HEADER ? BPF_FIB_LKUP_RET_FRAG_NEEDED : result;
  }

  #lookup4(parameters: FibLookup): number {
    const ingress = this.#tables.devices.get(parameters.ifindex);
    if (ingress === undefined) return -ENODEV;
    if (ingress.forwarding !== true) return BPF_FIB_LKUP_RET_FWD_DISABLED;
    // Tables local and main are one: DIRECT makes no difference.
    const output = parameters.output === true ? parameters.ifindex : 0;
    return this.#forward(parameters, this.#tables.find4(parameters.destination, output));
  }

  #lookup6(parameters: FibLookup): number {
    const { source, destination } = parameters;
    // "link local addresses are never forwarded": asked before the device is even looked for.
    if (needsStrict(destination) || needsStrict(source)) return BPF_FIB_LKUP_RET_NOT_FWDED;
    const ingress = this.#tables.devices.get(parameters.ifindex);
    if (ingress === undefined) return -ENODEV;
    if (ingress.forwarding !== true || !hasIpv6(ingress)) return BPF_FIB_LKUP_RET_FWD_DISABLED;
    // Either way the device is preferred among equal routes, and no more than that.
    const { ifindex, direct } = parameters;
    return this.#forward(parameters, this.#tables.find6(destination, ifindex, direct));
  }

  #forward(parameters: FibLookup, found: RouteEntry | undefined): number {
    if (found === undefined) return BPF_FIB_LKUP_RET_NOT_FWDED;
    const { type } = found;
    if (type !== 'unicast')
      return type in REJECTIONS ? REJECTIONS[type as keyof typeof REJECTIONS] : BPF_FIB_LKUP_RET_NOT_FWDED;
    const device = this.#tables.devices.get(found.ifindex)!;
    const { length } = found.prefix.address;
    const mtu = found.mtu ?? Math.min(mtuOf(device), length === 4 ? MAX_MTU : MAX_MTU6);
    if (parameters.totalLength > mtu) {
      parameters.mtu = mtu;
      return BPF_FIB_LKUP_RET_FRAG_NEEDED;
    }
    parameters.ifindex = device.ifindex;
    parameters.metric = found.metric;
    if (found.gateway !== undefined) copy(found.gateway, 0, parameters.destination, 0, length);
    if (parameters.skipsNeighbour === true) {
      parameters.mtu = mtu;
      return BPF_FIB_LKUP_RET_SUCCESS;
    }
    const mac = this.#neighbour(device.ifindex, parameters.destination, length);
    if (mac === undefined) return BPF_FIB_LKUP_RET_NO_NEIGH;
    parameters.mtu = mtu;
    copy(mac, 0, parameters.destinationMac, 0, 6);
    copy(device.mac, 0, parameters.sourceMac, 0, 6);
    return BPF_FIB_LKUP_RET_SUCCESS;
  }

  #neighbour(ifindex: number, address: Uint8Array, length: number): Uint8Array | undefined {
    // ARP has no entries for the loopback device (include/net/arp.h, `__ipv4_neigh_lookup_noref`).
    if (ifindex === LOOPBACK.ifindex && length === 4) return undefined;
    if (this.#neighbours.length !== (this.#world.neighbours?.length ?? 0)) this.#meetNeighbours();
    // An entry for the same address takes the place of the one before.
    for (let index = this.#neighbours.length - 1; index >= 0; index--) {
      const neighbour = this.#neighbours[index]!;
      if (neighbour.ifindex !== ifindex || neighbour.address.length !== length) continue;
      if (equal(neighbour.address, 0, address, 0, length)) return neighbour.mac;
    }
    return undefined;
  }
}

/** `rt6_need_strict`: multicast, link-local and loopback addresses. */
function needsStrict(address: Uint8Array): boolean {
  if (isMulticast6(address, 0) || isLinkLocal6(address)) return true;
  return isZero(address, 0, 15) && address[15] === 1;
}
