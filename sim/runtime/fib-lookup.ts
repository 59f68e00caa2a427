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

interface Entry {
  readonly prefix: Prefix;
  /** What nobody forwards: the host's own addresses, and broadcast or anycast ones. */
  readonly type: NonNullable<Route['type']> | 'local' | 'broadcast';
  readonly metric: number;
  readonly ifindex: number;
  readonly gateway: Uint8Array | undefined;
  /** A locked MTU. */
  readonly mtu: number | undefined;
}

/**
 * @throws {SyntaxError} when an address or a prefix is none
 * @throws {RangeError} when a route names a device that is not there, or its gateway no device reaches
 */
export function createFib(world: World): Fib {
  return new WorldFib(world);
}

class WorldFib implements Fib {
  readonly #devices: ReadonlyMap<number, Device>;
  readonly #neighbours: readonly { ifindex: number; address: Uint8Array; mac: Uint8Array }[];
  /** One table for IPv4: the kernel merges local and main as long as nobody adds rules (net/ipv4/fib_frontend.c). */
  readonly #ipv4: readonly Entry[];
  /** IPv6 asks the local table first, and main only where that has nothing (net/ipv6/fib6_rules.c). */
  readonly #local6: readonly Entry[];
  readonly #main6: readonly Entry[];

  constructor(world: World) {
    const devices = world.devices ?? [];
    const loopback: Device = { ifindex: 1, name: 'lo', mac: new Uint8Array(6), mtu: 65536 };
    this.#devices = new Map([loopback, ...devices].map((device) => [device.ifindex, device]));
    this.#neighbours = (world.neighbours ?? []).map(({ ifindex, address, mac }) => ({
      ifindex,
      address: addressFromText(address),
      mac,
    }));
    const own4: Entry[] = [entry('127.0.0.0/8', 'local', 1), entry('127.0.0.1', 'local', 1)];
    const own6: Entry[] = [];
    const connected6: Entry[] = [];
    for (const device of devices) {
      for (const text of device.addresses ?? []) {
        const address = prefixFromText(text);
        if (address.address.length === 4) own4.push(...connected4(device, address));
        else addConnected6(device, address, own6, connected6);
      }
    }
    const routes4: Entry[] = [];
    const routes6: Entry[] = [];
    for (const route of world.routes ?? []) {
      const isIpv4 = prefixFromText(route.to).address.length === 4;
      const table = isIpv4 ? routes4 : routes6;
      const earlier = [...(isIpv4 ? own4 : connected6), ...table];
      table.push(routeEntry(route, isIpv4 ? 0 : METRIC6_USER, earlier, this.#devices));
    }
    this.#ipv4 = inOrder([...own4, ...routes4]);
    this.#local6 = inOrder(own6);
    this.#main6 = inOrder([...connected6, ...routes6]);
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
    const ingress = this.#devices.get(parameters.ifindex);
    if (ingress === undefined) return -ENODEV;
    if (ingress.forwarding !== true) return BPF_FIB_LKUP_RET_FWD_DISABLED;
    return this.#forward(parameters, longestMatch(this.#ipv4, parameters.destination), IP_MAX_MTU, 0);
  }

  #lookup6(parameters: FibLookup): number {
    const { source, destination } = parameters;
    // "link local addresses are never forwarded": asked before the device is even looked for.
    if (needsStrict(destination) || needsStrict(source)) return BPF_FIB_LKUP_RET_NOT_FWDED;
    const ingress = this.#devices.get(parameters.ifindex);
    if (ingress === undefined) return -ENODEV;
    if (ingress.forwarding !== true) return BPF_FIB_LKUP_RET_FWD_DISABLED;
    const found =
      longestMatch(this.#local6, destination) ??
      towards(this.#main6, longestMatch(this.#main6, destination), parameters.ifindex);
    return this.#forward(parameters, found, IP6_MAX_MTU, IPV6_MIN_MTU);
  }

  #forward(parameters: FibLookup, found: Entry | undefined, maxMtu: number, minMtu: number): number {
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
    const device = this.#devices.get(found.ifindex)!;
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

function entry(to: string, type: Entry['type'], ifindex: number): Entry {
  return { prefix: prefixFromText(to), type, metric: 0, ifindex, gateway: undefined, mtu: undefined };
}

/**
 * What an IPv4 address brings along (net/ipv4/fib_frontend.c, `fib_add_ifaddr`): itself, its network, and the
 * network's broadcast address. The lowest address of a network is an ordinary one since Linux 5.14.
 */
function connected4(device: Device, { address, length }: Prefix): Entry[] {
  const common = { metric: 0, ifindex: device.ifindex, gateway: undefined, mtu: undefined };
  const entries: Entry[] = [{ ...common, prefix: { address, length: 32 }, type: 'local' }];
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
function addConnected6(device: Device, { address, length }: Prefix, local: Entry[], main: Entry[]): void {
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
  earlier: readonly Entry[],
  devices: ReadonlyMap<number, Device>,
): Entry {
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
function gatewayRoute(earlier: readonly Entry[], gateway: Uint8Array): Entry | undefined {
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
function inOrder(entries: readonly Entry[]): readonly Entry[] {
  return [...entries].sort((a, b) => b.prefix.length - a.prefix.length || a.metric - b.metric);
}

function longestMatch(entries: readonly Entry[], address: Uint8Array): Entry | undefined {
  for (const candidate of entries) {
    if (inPrefix(address, 0, candidate.prefix)) return candidate;
  }
  return undefined;
}

/**
 * Of IPv6 routes that are equal in prefix and metric (the connected ones of two devices in one network), the one
 * through the device of ingress (net/ipv6/route.c, `rt6_score_route`).
 */
function towards(entries: readonly Entry[], found: Entry | undefined, ifindex: number): Entry | undefined {
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
