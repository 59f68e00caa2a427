/** The IPv6 routes of a world: tables local and main. */
import { addressFromText, firstAddress, isMulticast6, type Prefix } from '../packet/addresses.ts';
import { equal, isZero } from '../packet/bytes.ts';
import {
  addressOf,
  connected,
  entryOf,
  inOrder,
  isReject,
  isSameRoute,
  LOOPBACK,
  longestMatch,
  mtuOf,
  own,
  type RouteEntry,
  refused,
  requireDevice,
} from './route-entry.ts';
import type { Device, Route } from './world.ts';

/** `IPV6_MIN_MTU`: a device with less has no IPv6 (net/ipv6/addrconf.c, `ipv6_add_dev`). */
const IPV6_MIN_MTU = 1280;
/** Where none is given, `IP6_RT_PRIO_USER`; and of connected networks, `IP6_RT_PRIO_ADDRCONF`. */
const METRIC6_USER = 1024;
const METRIC6_CONNECTED = 256;

/** Filled address by address, then route by route, in the order in which the kernel gets them. */
export class Table6 {
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
    const network = firstAddress({ address, length });
    this.#addresses.push({ address, ifindex: device.ifindex });
    this.local.push(connected(device, { address, length: 128 }, 'local', 0));
    if (device.forwarding === true && length < 127 && !isZero(network, 0, 16)) {
      this.local.push(connected(device, { address: network, length: 128 }, 'local', 0));
    }
    this.main.push(connected(device, { address: network, length }, 'unicast', METRIC6_CONNECTED));
  }

  /** net/ipv6/route.c, `fib6_nh_init`, and net/ipv6/ip6_fib.c, `fib6_add_rt2node`. */
  addRoute(route: Route, prefix: Prefix, devices: ReadonlyMap<number, Device>): void {
    const network = { address: firstAddress(prefix), length: prefix.length };
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

/** Has the device IPv6 at all? One whose MTU is too small has not. */
export function hasIpv6(device: Device): boolean {
  return mtuOf(device) >= IPV6_MIN_MTU;
}

/** fe80::/10 (RFC 4291 §2.5.6). */
export function isLinkLocal6(address: Uint8Array): boolean {
  return address[0] === 0xfe && (address[1]! & 0xc0) === 0x80;
}
