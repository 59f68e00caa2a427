/**
 * The routing tables of a world: the routes that it states, and what the kernel adds for its devices' addresses.
 *
 * A route is taken where `ip route add` takes it, and refused where that is refused: a world that runs here runs in
 * the kernel, too.
 */
import {
  addressFromText,
  addressToText,
  inPrefix,
  isMulticast6,
  type Prefix,
  prefixFromText,
} from '../packet/addresses.ts';
import { equal, isZero } from '../packet/bytes.ts';
import type { Device, Route, World } from './world.ts';

/** What Linux gives a veth that nobody asked. */
const DEFAULT_MTU = 1500;
/** `IPV6_MIN_MTU`: a device with less has no IPv6 (net/ipv6/addrconf.c, `ipv6_add_dev`). */
const IPV6_MIN_MTU = 1280;
/** The largest MTU that a route can have (net/ipv4/metrics.c, `ip_metrics_convert`). */
const MAX_ROUTE_MTU = 65_535 - 15;

/** Metrics where none is given: IPv4 0; IPv6 `IP6_RT_PRIO_USER`, and `IP6_RT_PRIO_ADDRCONF` for connected ones. */
const METRIC4 = 0;
const METRIC6_USER = 1024;
const METRIC6_CONNECTED = 256;

const LOOPBACK: Device = { ifindex: 1, name: 'lo', mac: new Uint8Array(6), mtu: 65_536 };

export interface RouteEntry {
  readonly prefix: Prefix;
  /** What nobody forwards: the host's own addresses, and broadcast or anycast ones. */
  readonly type: NonNullable<Route['type']> | 'local' | 'broadcast';
  readonly metric: number;
  readonly ifindex: number;
  readonly gateway: Uint8Array | undefined;
  /** A locked MTU in bytes. */
  readonly mtu: number | undefined;
}

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
   * @throws {RangeError} when the kernel would refuse a route or an address: a route that is there already, a
   *   device that is not there, a gateway that no device reaches
   */
  constructor(world: World) {
    const devices = world.devices ?? [];
    this.devices = new Map([LOOPBACK, ...devices].map((device) => [device.ifindex, device]));
    const table4 = new Table4();
    const table6 = new Table6();
    for (const device of devices) {
      const taken: Prefix[] = [];
      for (const text of device.addresses ?? []) {
        const address = prefixFromText(text);
        if (taken.some((other) => isSameAddress(other, address))) {
          throw new RangeError(`device ${device.name}: the address ${text} is there already`);
        }
        if (address.address.length === 4) table4.addAddress(device, address, taken);
        else table6.addAddress(device, address);
        taken.push(address);
      }
    }
    for (const route of world.routes ?? []) {
      const prefix = prefixFromText(route.to);
      (prefix.address.length === 4 ? table4 : table6).addRoute(route, prefix, this.devices);
    }
    this.#ipv4 = inOrder(table4.entries);
    this.#local6 = inOrder(table6.local);
    this.#main6 = inOrder(table6.main);
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

/** The device's MTU in bytes. */
export function mtuOf(device: Device): number {
  return device.mtu ?? DEFAULT_MTU;
}

/** Has the device IPv6 at all? One whose MTU is too small has not. */
export function hasIpv6(device: Device): boolean {
  return mtuOf(device) >= IPV6_MIN_MTU;
}

class Table4 {
  /** Of tables local and main, in the order in which they came to be. */
  readonly entries: RouteEntry[] = [
    own('127.0.0.1', 'local', LOOPBACK),
    own('127.0.0.0/8', 'local', LOOPBACK),
    own('127.255.255.255', 'broadcast', LOOPBACK),
  ];

  /**
   * What an IPv4 address brings along (net/ipv4/fib_frontend.c, `fib_add_ifaddr`): itself, its network, and the
   * network's broadcast address. The lowest address of a network is an ordinary one since Linux 5.14.
   * @param earlier the addresses that the device has already
   */
  addAddress(device: Device, { address, length }: Prefix, earlier: readonly Prefix[]): void {
    const network = masked(address, length);
    // Another address in a network that the device is in is a secondary one: only the first brings the network.
    const primary = earlier.find((other) => isSamePrefix(other, { address: network, length }));
    if (primary !== undefined && !this.#isOwn(primary.address)) return;
    this.entries.push(connected(device, { address, length: 32 }, 'local', METRIC4));
    // `ipv4_is_zeronet`: 0.0.0.0/8 is no network.
    if (primary !== undefined || length === 32 || network[0] === 0) return;
    // The address is these routes' preferred source: refused where a network's broadcast address came first.
    if (!this.#isOwn(address)) return;
    this.entries.push(connected(device, { address: network, length }, 'unicast', METRIC4));
    if (length >= 31) return;
    const broadcast = network.map((byte, index) => byte | hostBits(index, length));
    this.entries.push(connected(device, { address: broadcast, length: 32 }, 'broadcast', METRIC4));
  }

  /** `fib_valid_prefsrc`. */
  #isOwn(address: Uint8Array): boolean {
    return longestMatch(inOrder(this.entries), address)?.type === 'local';
  }

  /** net/ipv4/fib_semantics.c, `fib_create_info`, and net/ipv4/fib_trie.c, `fib_table_insert`. */
  addRoute(route: Route, prefix: Prefix, devices: ReadonlyMap<number, Device>): void {
    if (!equal(prefix.address, 0, masked(prefix.address, prefix.length), 0, 4)) {
      throw refused(route, 'its destination has bits behind the prefix');
    }
    const metric = route.metric ?? METRIC4;
    const isThere = this.entries.some((entry) => isMain(entry) && isSameRoute(entry, prefix, metric));
    if (isThere) throw refused(route, 'there is one with the same metric already');
    this.entries.push(entryOf(route, prefix, metric, this.#ifindex(route, devices)));
  }

  #ifindex(route: Route, devices: ReadonlyMap<number, Device>): number {
    if (isReject(route)) {
      if (route.via !== undefined || route.ifindex !== undefined) {
        throw refused(route, 'one that rejects has neither gateway nor device');
      }
      return LOOPBACK.ifindex;
    }
    if (route.ifindex !== undefined) requireDevice(route, devices);
    if (route.via !== undefined) return this.#gatewayIfindex(route, route.via);
    if (route.ifindex === undefined) throw refused(route, 'no device reaches its gateway, for it has none');
    return route.ifindex;
  }

  /**
   * `fib_check_nh_v4_gw`: looks among what needs no gateway itself (a narrower scope), on the named device if there
   * is one. What it finds must be a network or an address of the host's own; routes that reject have no scope.
   */
  #gatewayIfindex(route: Route, via: string): number {
    const gateway = addressOf(route, via, 4);
    const direct = this.entries.filter(
      ({ type, gateway: further, ifindex }) =>
        (type === 'local' || type === 'broadcast' || (type === 'unicast' && further === undefined)) &&
        (route.ifindex === undefined || route.ifindex === ifindex),
    );
    const found = longestMatch(inOrder(direct), gateway);
    if (found === undefined) throw refused(route, 'no device reaches its gateway');
    if (found.type === 'broadcast') throw refused(route, 'its gateway is a broadcast address');
    return found.ifindex;
  }
}

class Table6 {
  readonly local: RouteEntry[] = [own('::1', 'local', LOOPBACK)];
  readonly main: RouteEntry[] = [];
  /** Addresses of devices, anycast ones not included. */
  readonly #addresses: { readonly address: Uint8Array; readonly ifindex: number }[] = [
    { address: addressFromText('::1'), ifindex: LOOPBACK.ifindex },
  ];

  /**
   * What an IPv6 address brings along (net/ipv6/addrconf.c): itself, its network, and on a forwarding device the
   * subnet-router anycast address, but not in networks of /127 and beyond (RFC 6164).
   */
  addAddress(device: Device, { address, length }: Prefix): void {
    if (!hasIpv6(device)) throw new RangeError(`device ${device.name}: an MTU below 1280 leaves no IPv6`);
    const network = masked(address, length);
    this.#addresses.push({ address, ifindex: device.ifindex });
    this.local.push(connected(device, { address, length: 128 }, 'local', 0));
    if (device.forwarding === true && length < 127 && !isZero(network, 0, 16)) {
      this.local.push(connected(device, { address: network, length: 128 }, 'local', 0));
    }
    this.main.push(connected(device, { address: network, length }, 'unicast', METRIC6_CONNECTED));
  }

  /** net/ipv6/route.c, `fib6_nh_init`, and net/ipv6/ip6_fib.c, `fib6_add_rt2node`. */
  addRoute(route: Route, prefix: Prefix, devices: ReadonlyMap<number, Device>): void {
    const network = { address: masked(prefix.address, prefix.length), length: prefix.length };
    // "if (cfg->fc_metric == 0) cfg->fc_metric = IP6_RT_PRIO_USER"
    const metric = route.metric || METRIC6_USER;
    const ifindex = this.#ifindex(route, devices);
    if (this.main.some((entry) => isSameRoute(entry, network, metric))) {
      throw refused(route, 'there is one with the same metric already');
    }
    this.main.push(entryOf(route, network, metric, ifindex));
  }

  #ifindex(route: Route, devices: ReadonlyMap<number, Device>): number {
    if (route.ifindex !== undefined && !hasIpv6(requireDevice(route, devices))) {
      throw refused(route, `its device ${route.ifindex} has no IPv6, for its MTU is below 1280`);
    }
    if (isReject(route)) return LOOPBACK.ifindex;
    if (route.via !== undefined) return this.#gatewayIfindex(route, route.via);
    if (route.ifindex === undefined) throw refused(route, 'no device reaches its gateway, for it has none');
    return route.ifindex;
  }

  /** `ip6_validate_gw`. */
  #gatewayIfindex(route: Route, via: string): number {
    const gateway = addressOf(route, via, 16);
    if (isMulticast6(gateway, 0) || isZero(gateway, 0, 16)) {
      throw refused(route, 'its gateway is no unicast address');
    }
    const ifindex = isLinkLocal6(gateway) ? route.ifindex : this.#reachedBy(gateway, route.ifindex);
    if (ifindex === undefined || ifindex === LOOPBACK.ifindex) {
      throw refused(route, 'no device reaches its gateway');
    }
    if (this.#isOwn(gateway, ifindex)) throw refused(route, 'its gateway is an address of the host’s own');
    return ifindex;
  }

  /**
   * `ip6_route_check_nh`: the best route, on the named device if there is one, must be direct; table main is asked
   * first, then all of them.
   */
  #reachedBy(gateway: Uint8Array, ifindex: number | undefined): number | undefined {
    const fits = (entry: RouteEntry): boolean => ifindex === undefined || entry.ifindex === ifindex;
    const best = longestMatch(inOrder(this.main.filter(fits)), gateway);
    const isDirect = best?.type === 'unicast' && best.gateway === undefined;
    if (isDirect && best.ifindex !== LOOPBACK.ifindex) return best.ifindex;
    return longestMatch(inOrder(this.local.filter(fits)), gateway)?.ifindex;
  }

  /** Link-local addresses belong to their device alone. */
  #isOwn(gateway: Uint8Array, ifindex: number): boolean {
    return this.#addresses.some(
      (own) => equal(own.address, 0, gateway, 0, 16) && (!isLinkLocal6(gateway) || own.ifindex === ifindex),
    );
  }
}

/** fe80::/10 (RFC 4291 §2.5.6). */
export function isLinkLocal6(address: Uint8Array): boolean {
  return address[0] === 0xfe && (address[1]! & 0xc0) === 0x80;
}

function own(to: string, type: RouteEntry['type'], device: Device): RouteEntry {
  return connected(device, prefixFromText(to), type, 0);
}

function connected(device: Device, prefix: Prefix, type: RouteEntry['type'], metric: number): RouteEntry {
  return { prefix, type, metric, ifindex: device.ifindex, gateway: undefined, mtu: undefined };
}

function entryOf(route: Route, prefix: Prefix, metric: number, ifindex: number): RouteEntry {
  const { type = 'unicast', via, mtu = 0 } = route;
  return {
    prefix,
    type,
    metric,
    ifindex,
    gateway: via === undefined ? undefined : addressFromText(via),
    // 0 is none.
    mtu: mtu === 0 ? undefined : Math.min(mtu, MAX_ROUTE_MTU),
  };
}

function isReject({ type }: Route): boolean {
  return type !== undefined && type !== 'unicast';
}

/** Is it in table main? What an address brings along beside its network is in table local. */
function isMain({ type }: RouteEntry): boolean {
  return type !== 'local' && type !== 'broadcast';
}

function isSameRoute(entry: RouteEntry, { address, length }: Prefix, metric: number): boolean {
  return (
    entry.metric === metric &&
    entry.prefix.length === length &&
    equal(entry.prefix.address, 0, address, 0, address.length)
  );
}

/** Do an address with its prefix length and a network without host bits name the same network? */
function isSamePrefix(address: Prefix, network: Prefix): boolean {
  return (
    address.length === network.length &&
    address.address.length === network.address.length &&
    inPrefix(address.address, 0, network)
  );
}

/** IPv4 takes an address twice, in networks of different sizes (net/ipv4/devinet.c, `__inet_insert_ifa`). */
function isSameAddress(a: Prefix, b: Prefix): boolean {
  const { length } = a.address;
  if (length !== b.address.length || (length === 4 && a.length !== b.length)) return false;
  return equal(a.address, 0, b.address, 0, length);
}

function requireDevice(route: Route, devices: ReadonlyMap<number, Device>): Device {
  const device = devices.get(route.ifindex!);
  if (device === undefined) throw refused(route, `there is no device ${route.ifindex}`);
  return device;
}

function addressOf(route: Route, via: string, length: number): Uint8Array {
  const address = addressFromText(via);
  if (address.length === length) return address;
  throw refused(route, `its gateway ${addressToText(address)} is of another family`);
}

function refused(route: Route, why: string): RangeError {
  return new RangeError(`route ${route.to}: ${why}`);
}

function masked(address: Uint8Array, length: number): Uint8Array {
  return address.map((byte, index) => byte & ~hostBits(index, length));
}

/** The bits of byte `index` that lie behind a prefix. */
function hostBits(index: number, length: number): number {
  return 0xff >> Math.min(8, Math.max(0, length - index * 8));
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
