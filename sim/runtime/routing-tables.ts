/**
 * The routing tables of a world: the routes that it states, and what the kernel adds for its devices' addresses.
 *
 * A route is taken where `ip route add` takes it, and refused where that is refused: a world that runs here runs in
 * the kernel, too.
 */

import { inPrefix, type Prefix, prefixFromText } from '../packet/addresses.ts';
import { equal } from '../packet/bytes.ts';
import { REJECTIONS } from './fib.ts';
import { inOrder, LOOPBACK, longestMatch, type RouteEntry } from './route-entry.ts';
import { Table4 } from './route-table4.ts';
import { Table6 } from './route-table6.ts';
import type { Device, World } from './world.ts';

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

  /**
   * The route to an IPv4 destination (4 bytes).
   * @param output of the device that the route has to lead out by; 0 for any. Routes that reject have none, and count
   *   (net/ipv4/fib_trie.c, `fib_lookup_good_nhc`)
   */
  find4(destination: Uint8Array, output: number = 0): RouteEntry | undefined {
    const entries =
      output === 0
        ? this.#ipv4
        : this.#ipv4.filter(({ type, ifindex }) => ifindex === output || type in REJECTIONS);
    return longestMatch(entries, destination);
  }

  /**
   * The route to an IPv6 destination (16 bytes).
   * @param ifindex of the device that the packet came in by, preferred among equal routes; 0 for none
   * @param direct whether table main is the only one that is asked
   */
  find6(destination: Uint8Array, ifindex: number, direct: boolean = false): RouteEntry | undefined {
    return (
      (direct ? undefined : longestMatch(this.#local6, destination)) ??
      towards(this.#main6, longestMatch(this.#main6, destination), ifindex)
    );
  }
}

/** IPv4 takes an address twice, in networks of different sizes (net/ipv4/devinet.c, `__inet_insert_ifa`). */
function isSameAddress(a: Prefix, b: Prefix): boolean {
  const { length } = a.address;
  if (length !== b.address.length || (length === 4 && a.length !== b.length)) return false;
  return equal(a.address, 0, b.address, 0, length);
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
