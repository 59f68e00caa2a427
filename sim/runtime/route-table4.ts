/** The IPv4 routes of a world: tables local and main, which are one (net/ipv4/fib_frontend.c). */
import { firstAddress, inPrefix, lastAddress, type Prefix } from '../packet/addresses.ts';
import { equal } from '../packet/bytes.ts';
import {
  addressOf,
  connected,
  entryOf,
  inOrder,
  isReject,
  isSameRoute,
  LOOPBACK,
  longestMatch,
  own,
  type RouteEntry,
  refused,
  requireDevice,
} from './route-entry.ts';
import type { Device, Route } from './world.ts';

/** Where none is given. */
const METRIC4 = 0;

/** Filled address by address, then route by route, in the order in which the kernel gets them. */
export class Table4 {
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
    const network = firstAddress({ address, length });
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
    const broadcast = lastAddress({ address, length });
    this.entries.push(connected(device, { address: broadcast, length: 32 }, 'broadcast', METRIC4));
  }

  /** `fib_valid_prefsrc`. */
  #isOwn(address: Uint8Array): boolean {
    return longestMatch(inOrder(this.entries), address)?.type === 'local';
  }

  /** net/ipv4/fib_semantics.c, `fib_create_info`, and net/ipv4/fib_trie.c, `fib_table_insert`. */
  addRoute(route: Route, prefix: Prefix, devices: ReadonlyMap<number, Device>): void {
    if (!equal(prefix.address, 0, firstAddress(prefix), 0, 4)) {
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

/** Is it in table main? What an address brings along beside its network is in table local. */
function isMain({ type }: RouteEntry): boolean {
  return type !== 'local' && type !== 'broadcast';
}

/** Do an address with its prefix length and a network without host bits name the same network? */
function isSamePrefix(address: Prefix, network: Prefix): boolean {
  return (
    address.length === network.length &&
    address.address.length === network.address.length &&
    inPrefix(address.address, 0, network)
  );
}
