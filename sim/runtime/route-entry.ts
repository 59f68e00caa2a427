/** Routes as they stand in a table, and what both families do with them. */
import {
  addressFromText,
  addressToText,
  inPrefix,
  type Prefix,
  prefixFromText,
} from '../packet/addresses.ts';
import { equal } from '../packet/bytes.ts';
import { DEFAULT_MTU, type Device, type Route } from './world.ts';

/** The largest MTU that a route can have (net/ipv4/metrics.c, `ip_metrics_convert`). */
const MAX_ROUTE_MTU = 65_535 - 15;

export const LOOPBACK: Device = { ifindex: 1, name: 'lo', mac: new Uint8Array(6), mtu: 65_536 };

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

/** The device's MTU in bytes. */
export function mtuOf(device: Device): number {
  return device.mtu ?? DEFAULT_MTU;
}

/** A route that is there from the start. */
export function own(to: string, type: RouteEntry['type'], device: Device): RouteEntry {
  return connected(device, prefixFromText(to), type, 0);
}

/** A route that an address of the device brings along. */
export function connected(
  device: Device,
  prefix: Prefix,
  type: RouteEntry['type'],
  metric: number,
): RouteEntry {
  return { prefix, type, metric, ifindex: device.ifindex, gateway: undefined, mtu: undefined };
}

/** A stated route, once it is known by which device it leads. */
export function entryOf(route: Route, prefix: Prefix, metric: number, ifindex: number): RouteEntry {
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

/** Is it a route that leads nowhere? */
export function isReject({ type }: Route): boolean {
  return type !== undefined && type !== 'unicast';
}

/** Is it what the kernel takes for the same route (EEXIST)? */
export function isSameRoute(entry: RouteEntry, { address, length }: Prefix, metric: number): boolean {
  return (
    entry.metric === metric &&
    entry.prefix.length === length &&
    equal(entry.prefix.address, 0, address, 0, address.length)
  );
}

/** @throws {RangeError} when the route’s device is not there */
export function requireDevice(route: Route, devices: ReadonlyMap<number, Device>): Device {
  const device = devices.get(route.ifindex!);
  if (device === undefined) throw refused(route, `there is no device ${route.ifindex}`);
  return device;
}

/** A gateway’s address. @throws {RangeError} when it has not `length` bytes */
export function addressOf(route: Route, via: string, length: number): Uint8Array {
  const address = addressFromText(via);
  if (address.length === length) return address;
  throw refused(route, `its gateway ${addressToText(address)} is of another family`);
}

/** What `ip route add` would say. */
export function refused(route: Route, why: string): RangeError {
  return new RangeError(`route ${route.to}: ${why}`);
}

/** Longest prefixes first; among equal ones the lowest metric, then the first. */
export function inOrder(entries: readonly RouteEntry[]): readonly RouteEntry[] {
  return [...entries].sort((a, b) => b.prefix.length - a.prefix.length || a.metric - b.metric);
}

/** The first route for the address, in a list in order. */
export function longestMatch(entries: readonly RouteEntry[], address: Uint8Array): RouteEntry | undefined {
  for (const candidate of entries) {
    if (inPrefix(address, 0, candidate.prefix)) return candidate;
  }
  return undefined;
}
