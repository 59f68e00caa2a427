/** Which of its own addresses a stack sends from. */
import { inPrefix, type Prefix, prefixFromText } from '../../packet/addresses.ts';
import { equal } from '../../packet/bytes.ts';
import type { RouteEntry } from '../../runtime/fib-lookup.ts';
import type { ScenarioDevice } from '../scenario.ts';

/**
 * The source address for a destination behind a route: 4 or 16 bytes as the destination has, or undefined where
 * the stack has none.
 *
 * IPv4 (net/ipv4/fib_semantics.c, `fib_info_update_nhc_saddr`): a connected route's own address; else the device's
 * address in the gateway's network; else the device's first; else anybody's. IPv6 (RFC 6724 §5, as far as it goes
 * here): of the device's addresses of the destination's scope the one that has most leading bits in common.
 */
export function sourceFor(
  devices: readonly ScenarioDevice[],
  route: RouteEntry,
  destination: Uint8Array,
): Uint8Array | undefined {
  const egress = devices.filter((device) => device.ifindex === route.ifindex);
  const others = devices.filter((device) => device.ifindex !== route.ifindex);
  const isIpv4 = destination.length === 4;
  return isIpv4
    ? (source4(egress, route) ?? addressesOf(others, 4)[0]?.address)
    : (source6(egress, destination) ?? source6(others, destination));
}

/** The addresses of some devices, of one family. */
export function addressesOf(devices: readonly ScenarioDevice[], bytes: 4 | 16): Prefix[] {
  return devices
    .flatMap((device) => device.addresses.map(prefixFromText))
    .filter((prefix) => prefix.address.length === bytes);
}

function source4(egress: readonly ScenarioDevice[], route: RouteEntry): Uint8Array | undefined {
  const own = addressesOf(egress, 4);
  const reached = route.gateway ?? route.prefix.address;
  return (own.find((prefix) => inPrefix(reached, 0, prefix)) ?? own[0])?.address;
}

/** Of the devices' IPv6 addresses the one to send from to a destination; undefined where none is of its scope. */
export function source6(devices: readonly ScenarioDevice[], destination: Uint8Array): Uint8Array | undefined {
  let best: Uint8Array | undefined;
  for (const { address } of addressesOf(devices, 16)) {
    if (equal(address, 0, destination, 0, 16)) return address;
    if (isLinkLocal6(address) !== isLinkLocal6(destination)) continue;
    if (best === undefined || commonBits(address, destination) > commonBits(best, destination))
      best = address;
  }
  return best;
}

/** fe80::/10, and the multicast groups of that scope (RFC 4291 §2.5.6, §2.7). */
export function isLinkLocal6(address: Uint8Array): boolean {
  if (address[0] === 0xff) return (address[1]! & 0x0f) === 2;
  return address[0] === 0xfe && (address[1]! & 0xc0) === 0x80;
}

function commonBits(a: Uint8Array, b: Uint8Array): number {
  for (let index = 0; index < a.length; index++) {
    const difference = a[index]! ^ b[index]!;
    if (difference !== 0) return index * 8 + Math.clz32(difference) - 24;
  }
  return a.length * 8;
}
