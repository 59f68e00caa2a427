/**
 * `bpf_fib_lookup` over a world's devices, routes and neighbours: what net/core/filter.c (`bpf_ipv4_fib_lookup`,
 * `bpf_ipv6_fib_lookup`) answers with flags 0, where the routing tables hold what the world states and what the
 * kernel adds by itself.
 */
import { addressFromText, inPrefix, isMulticast6, type Prefix, prefixFromText } from '../packet/addresses.ts';
import { copy, equal, isZero } from '../packet/bytes.ts';
import { EAFNOSUPPORT, ENODEV } from './errno.ts';
import {
  AF_INET,
  AF_INET6,
  BPF_FIB_LKUP_RET_BLACKHOLE,
  BPF_FIB_LKUP_RET_FRAG_NEEDED,
  BPF_FIB_LKUP_RET_FWD_DISABLED,
  BPF_FIB_LKUP_RET_NO_NEIGH,
  BPF_FIB_LKUP_RET_NOT_FWDED,
  BPF_FIB_LKUP_RET_PROHIBIT,
  BPF_FIB_LKUP_RET_SUCCESS,
  BPF_FIB_LKUP_RET_UNREACHABLE,
  type FibLookup,
} from './fib.ts';
import type { Device, Route, World } from './world.ts';

export interface Fib {
  /** Fills the out parameters; returns BPF_FIB_LKUP_RET_* or a negative errno. */
  lookup(parameters: FibLookup): number;
}

const DEFAULT_MTU = 1500;
/** `IPV6_MIN_MTU`: a device's smaller MTU does not count (net/ipv6/route.c, `ip6_mtu_from_fib6`). */
const IPV6_MIN_MTU = 1280;
/** `IP_MAX_MTU` and `IP6_MAX_MTU`. */
const IP_MAX_MTU = 0xffff;
const IP6_MAX_MTU = 0xffff + 40;

/** Metrics where none is given: IPv4 0; IPv6 `IP6_RT_PRIO_USER`, and `IP6_RT_PRIO_ADDRCONF` for connected ones. */
const METRIC6_USER = 1024;
const METRIC6_CONNECTED = 256;

interface RouteEntry {
  readonly prefix: Prefix;
  /** What nobody forwards: the host's own addresses, and broadcast or anycast ones. */
  readonly type: NonNullable<Route['type']> | 'local' | 'broadcast';
  readonly metric: number;
  readonly ifindex: number;
  readonly gateway: Uint8Array | undefined;
  /** A locked MTU in bytes. */
  readonly mtu: number | undefined;
}

/**
 * @throws {SyntaxError} when an address or a prefix is none
 * @throws {RangeError} when a route names a device that is not there, or its gateway no device reaches
 */
export function createFib(world: World): Fib {
  return new WorldFib(world);
}

/** The routing tables: what a world states, and what the kernel adds for the addresses of its devices. */
export class RoutingTables {
  /** By ifindex; the loopback device is among them. */
  readonly devices: ReadonlyMap<number, Device>;
  /** One table for IPv4: the kernel merges local and main as long as nobody adds rules (net/ipv4/fib_frontend.c). */
  readonly #ipv4: readonly RouteEntry[];
  /** IPv6 asks the local table first, and main only where that has nothing (net/ipv6/fib6_rules.c). */
  readonly #local6: readonly RouteEntry[];
  readonly #main6: readonly RouteEntry[];

  /**
   * @throws {SyntaxError} when an address or a prefix is none
   * @throws {RangeError} when a route names a device that is not there, or its gateway no device reaches
   */
  constructor(world: World) {
    const devices = world.devices ?? [];
    const loopback: Device = { ifindex: 1, name: 'lo', mac: new Uint8Array(6), mtu: 65536 };
    this.devices = new Map([loopback, ...devices].map((device) => [device.ifindex, device]));
    const own4: RouteEntry[] = [entry('127.0.0.0/8', 'local', 1), entry('127.0.0.1', 'local', 1)];
    const own6: RouteEntry[] = [];
    const connected6: RouteEntry[] = [];
    for (const device of devices) {
      for (const text of device.addresses ?? []) {
        const address = prefixFromText(text);
        if (address.address.length === 4) own4.push(...connected4(device, address));
        else addConnected6(device, address, own6, connected6);
      }
    }
    const routes4: RouteEntry[] = [];
    const routes6: RouteEntry[] = [];
    for (const route of world.routes ?? []) {
      const isIpv4 = prefixFromText(route.to).address.length === 4;
      const table = isIpv4 ? routes4 : routes6;
      const earlier = [...(isIpv4 ? own4 : connected6), ...table];
      table.push(routeEntry(route, isIpv4 ? 0 : METRIC6_USER, earlier, this.devices));
    }
    this.#ipv4 = inOrder([...own4, ...routes4]);
    this.#local6 = inOrder(own6);
    this.#main6 = inOrder([...connected6, ...routes6]);
  }

  /** The route to an IPv4 destination (4 bytes). */
  find4(destination: Uint8Array): RouteEntry | undefined {
    return longestMatch(this.#ipv4, destination);
  }

  /**
   * The route to an IPv6 destination (16 bytes).
   * @param ifindex of the device that the packet came in by, preferred among equal routes; 0 for none
   */
  find6(destination: Uint8Array, ifindex: number): RouteEntry | undefined {
    return (
      longestMatch(this.#local6, destination) ??
      towards(this.#main6, longestMatch(this.#main6, destination), ifindex)
    );
  }
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
    switch (parameters.family) {
      case AF_INET:
        return this.#lookup4(parameters);
      case AF_INET6:
        return this.#lookup6(parameters);
      default:
        return -EAFNOSUPPORT;
    }
  }

  #lookup4(parameters: FibLookup): number {
    const ingress = this.#tables.devices.get(parameters.ifindex);
    if (ingress === undefined) return -ENODEV;
    if (ingress.forwarding !== true) return BPF_FIB_LKUP_RET_FWD_DISABLED;
    return this.#forward(parameters, this.#tables.find4(parameters.destination), IP_MAX_MTU, 0);
  }

  #lookup6(parameters: FibLookup): number {
    const { source, destination } = parameters;
    // "link local addresses are never forwarded": asked before the device is even looked for.
    if (needsStrict(destination) || needsStrict(source)) return BPF_FIB_LKUP_RET_NOT_FWDED;
    const ingress = this.#tables.devices.get(parameters.ifindex);
    if (ingress === undefined) return -ENODEV;
    if (ingress.forwarding !== true) return BPF_FIB_LKUP_RET_FWD_DISABLED;
    const found = this.#tables.find6(destination, parameters.ifindex);
    return this.#forward(parameters, found, IP6_MAX_MTU, IPV6_MIN_MTU);
  }

  #forward(parameters: FibLookup, found: RouteEntry | undefined, maxMtu: number, minMtu: number): number {
    switch (found?.type) {
      case 'unicast':
        break;
      case 'blackhole':
        return BPF_FIB_LKUP_RET_BLACKHOLE;
      case 'unreachable':
        return BPF_FIB_LKUP_RET_UNREACHABLE;
      case 'prohibit':
        return BPF_FIB_LKUP_RET_PROHIBIT;
      default:
        return BPF_FIB_LKUP_RET_NOT_FWDED;
    }
    const device = this.#tables.devices.get(found.ifindex)!;
    const mtu = found.mtu ?? Math.min(Math.max(device.mtu ?? DEFAULT_MTU, minMtu), maxMtu);
    if (parameters.totalLength > mtu) {
      parameters.mtu = mtu;
      return BPF_FIB_LKUP_RET_FRAG_NEEDED;
    }
    parameters.ifindex = device.ifindex;
    const nextHop = found.gateway ?? parameters.destination;
    const mac = this.#neighbour(device.ifindex, nextHop, found.prefix.address.length);
    if (mac === undefined) return BPF_FIB_LKUP_RET_NO_NEIGH;
    copy(mac, 0, parameters.destinationMac, 0, 6);
    copy(device.mac, 0, parameters.sourceMac, 0, 6);
    return BPF_FIB_LKUP_RET_SUCCESS;
  }

  #neighbour(ifindex: number, address: Uint8Array, length: number): Uint8Array | undefined {
    if (this.#neighbours.length !== (this.#world.neighbours?.length ?? 0)) this.#meetNeighbours();
    for (const neighbour of this.#neighbours) {
      if (neighbour.ifindex !== ifindex || neighbour.address.length !== length) continue;
      if (equal(neighbour.address, 0, address, 0, length)) return neighbour.mac;
    }
    return undefined;
  }
}

/** `rt6_need_strict`: multicast, link-local and loopback addresses. */
function needsStrict(address: Uint8Array): boolean {
  if (isMulticast6(address, 0)) return true;
  if (address[0] === 0xfe && (address[1]! & 0xc0) === 0x80) return true;
  return isZero(address, 0, 15) && address[15] === 1;
}

function entry(to: string, type: RouteEntry['type'], ifindex: number): RouteEntry {
  return { prefix: prefixFromText(to), type, metric: 0, ifindex, gateway: undefined, mtu: undefined };
}

/**
 * What an IPv4 address brings along (net/ipv4/fib_frontend.c, `fib_add_ifaddr`): itself, its network, and the
 * network's broadcast address. The lowest address of a network is an ordinary one since Linux 5.14.
 */
function connected4(device: Device, { address, length }: Prefix): RouteEntry[] {
  const common = { metric: 0, ifindex: device.ifindex, gateway: undefined, mtu: undefined };
  const entries: RouteEntry[] = [{ ...common, prefix: { address, length: 32 }, type: 'local' }];
  const network = masked(address, length);
  if (length === 32 || isZero(network, 0, 4)) return entries;
  entries.push({ ...common, prefix: { address: network, length }, type: 'unicast' });
  if (length < 31) {
    const broadcast = network.map(
      (byte, index) => byte | (0xff >> Math.min(8, Math.max(0, length - index * 8))),
    );
    entries.push({ ...common, prefix: { address: broadcast, length: 32 }, type: 'broadcast' });
  }
  return entries;
}

/**
 * What an IPv6 address brings along (net/ipv6/addrconf.c): itself, its network, and on a forwarding device the
 * subnet-router anycast address, but not in networks of /127 and beyond (RFC 6164).
 */
function addConnected6(
  device: Device,
  { address, length }: Prefix,
  local: RouteEntry[],
  main: RouteEntry[],
): void {
  const common = { metric: 0, ifindex: device.ifindex, gateway: undefined, mtu: undefined };
  const network = masked(address, length);
  local.push({ ...common, prefix: { address, length: 128 }, type: 'local' });
  if (device.forwarding === true && length < 127) {
    local.push({ ...common, prefix: { address: network, length: 128 }, type: 'local' });
  }
  if (length < 128) {
    main.push({
      ...common,
      prefix: { address: network, length },
      type: 'unicast',
      metric: METRIC6_CONNECTED,
    });
  }
}

function masked(address: Uint8Array, length: number): Uint8Array {
  return address.map((byte, index) => byte & ~(0xff >> Math.min(8, Math.max(0, length - index * 8))));
}

function routeEntry(
  route: Route,
  defaultMetric: number,
  earlier: readonly RouteEntry[],
  devices: ReadonlyMap<number, Device>,
): RouteEntry {
  const prefix = prefixFromText(route.to);
  const type = route.type ?? 'unicast';
  const gateway = route.via === undefined ? undefined : addressFromText(route.via);
  let ifindex = route.ifindex ?? 1;
  if (type === 'unicast' && route.ifindex === undefined) {
    const reached = gateway === undefined ? undefined : gatewayRoute(earlier, gateway);
    if (reached === undefined) throw new RangeError(`route ${route.to}: no device reaches its gateway`);
    ifindex = reached.ifindex;
  }
  if (!devices.has(ifindex)) throw new RangeError(`route ${route.to}: there is no device ${ifindex}`);
  return { prefix, type, metric: route.metric ?? defaultMetric, ifindex, gateway, mtu: route.mtu };
}

/**
 * The route that tells a gateway's device: one without a gateway of its own. IPv4 looks among those alone, the
 * host's own addresses included (net/ipv4/fib_semantics.c, `fib_check_nh_v4_gw`); IPv6 takes the best route and
 * wants it to be one (net/ipv6/route.c, `ip6_route_check_nh`).
 */
function gatewayRoute(earlier: readonly RouteEntry[], gateway: Uint8Array): RouteEntry | undefined {
  if (gateway.length === 4) {
    const direct = earlier.filter(
      ({ type, gateway: further }) => type === 'local' || (type === 'unicast' && !further),
    );
    return longestMatch(inOrder(direct), gateway);
  }
  const best = longestMatch(inOrder(earlier), gateway);
  return best?.type === 'unicast' && best.gateway === undefined ? best : undefined;
}

/** Longest prefixes first; among equal ones the lowest metric, then the first. */
function inOrder(entries: readonly RouteEntry[]): readonly RouteEntry[] {
  return [...entries].sort((a, b) => b.prefix.length - a.prefix.length || a.metric - b.metric);
}

function longestMatch(entries: readonly RouteEntry[], address: Uint8Array): RouteEntry | undefined {
  for (const candidate of entries) {
    if (inPrefix(address, 0, candidate.prefix)) return candidate;
  }
  return undefined;
}

/**
 * Of IPv6 routes that are equal in prefix and metric (the connected ones of two devices in one network), the one
 * through the device of ingress (net/ipv6/route.c, `rt6_score_route`).
 */
function towards(
  entries: readonly RouteEntry[],
  found: RouteEntry | undefined,
  ifindex: number,
): RouteEntry | undefined {
  if (found === undefined || found.ifindex === ifindex) return found;
  const { prefix, metric } = found;
  const preferred = entries.find(
    (other) =>
      other.ifindex === ifindex &&
      other.metric === metric &&
      other.prefix.length === prefix.length &&
      inPrefix(other.prefix.address, 0, prefix),
  );
  return preferred ?? found;
}
