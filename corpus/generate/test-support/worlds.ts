/**
 * Random worlds: devices, addresses, routing tables, neighbours and a map of devices, so that `bpf_fib_lookup` has
 * something to decide.
 *
 * Everything in a world is drawn around a few anchors, addresses that prefixes of every length are cut from: so
 * routes overlap, gateways lie in networks that are there, and two devices meet in one network. World i depends on
 * the seed and i alone. A world is plain data; what shrinks worlds (`verify/shrink.ts`) leaves out its parts.
 */
import {
  addressFromText,
  addressToText,
  firstAddress,
  lastAddress,
  type Prefix,
  prefixFromText,
} from '../../../sim/packet/addresses.ts';
import { writeU32le } from '../../../sim/packet/bytes.ts';
import { RoutingTables } from '../../../sim/runtime/routing-tables.ts';
import type { Device, MapEntry, Neighbour, Route, World } from '../../../sim/runtime/world.ts';
import { Random, type Seed } from '../random.ts';

export interface WorldOptions {
  /** The name of a DEVMAP_HASH, keyed by ifindex, that holds some of the devices; default: none is filled. */
  readonly deviceMap?: string;
  /**
   * Routes as they are drawn, among them such as the kernel refuses (a gateway that nobody reaches, a route that is
   * there already). Default: only such as a world can have.
   */
  readonly wild?: boolean;
}

const IFINDEXES: readonly number[] = [2, 3, 7, 11, 12, 100, 255, 256, 4096, 65_536];
const LOOPBACK = 1;

/** `undefined`: what the kernel gives. Below 1280 a device has no IPv6. */
const MTUS: readonly (number | undefined)[] = [
  undefined,
  undefined,
  1500,
  1400,
  1280,
  1281,
  1279,
  576,
  68,
  3506,
  9000,
  65_535,
];
const ROUTE_MTUS: readonly number[] = [0, 68, 576, 1279, 1280, 1290, 1400, 1500, 9000, 65_520, 65_535];
const METRICS: readonly number[] = [0, 1, 10, 20, 255, 256, 257, 1024, 1025];

const NETWORK_LENGTHS4: readonly number[] = [8, 16, 20, 24, 24, 24, 25, 29, 30, 31, 31, 32];
const NETWORK_LENGTHS6: readonly number[] = [32, 48, 56, 64, 64, 64, 96, 112, 126, 127, 127, 128];
const ROUTE_LENGTHS4: readonly number[] = [
  0, 1, 4, 7, 8, 9, 12, 15, 16, 20, 23, 24, 24, 25, 28, 30, 31, 32, 32,
];
const ROUTE_LENGTHS6: readonly number[] = [
  0, 3, 7, 8, 16, 32, 33, 48, 56, 63, 64, 64, 65, 112, 126, 127, 128, 128,
];

/** Private, documentation, carrier-grade, and ordinary addresses. */
const ANCHORS4: readonly string[] = [
  '10.11.1.1',
  '10.11.2.1',
  '172.16.0.1',
  '192.0.2.1',
  '100.64.3.128',
  '9.9.9.9',
];
const ANCHORS6: readonly string[] = [
  'fc00:dead:cafe:1::1',
  'fc00:dead:cafe:2::1',
  '2001:db8::1',
  'fd12:3456:789a:ff00::80',
  '2001:db8:ffff:ffff:ffff:ffff:ffff:fff1',
  'fec0::1',
];
/** Destinations of routes and gateways that mean something by themselves. */
const SPECIAL4: readonly string[] = [
  '224.0.0.1',
  '255.255.255.255',
  '127.0.0.1',
  '127.255.255.255',
  '240.0.0.1',
];
const SPECIAL6: readonly string[] = ['ff02::1', '::1', 'fe80::1', '::ffff:10.11.1.1', '::10.11.1.1'];

const REJECTS: readonly NonNullable<Route['type']>[] = ['blackhole', 'unreachable', 'prohibit'];

/** World `index` of a run. */
export function generateWorld(seed: Seed, index: number, options: WorldOptions = {}): World {
  const random = new Random();
  random.start(seed, index);
  const draw = new WorldDraw(random);
  const devices = draw.devices();
  const neighbours = draw.neighbours(devices);
  const routes = options.wild === true ? draw.routes(devices) : sound(devices, draw.routes(devices));
  const { deviceMap } = options;
  return {
    devices,
    routes,
    neighbours,
    ...(deviceMap === undefined ? {} : { maps: { [deviceMap]: draw.ports(devices) } }),
  };
}

/** The routes that the kernel takes, one after the other. */
function sound(devices: readonly Device[], drawn: readonly Route[]): Route[] {
  const routes: Route[] = [];
  for (const route of drawn) if (isTaken({ devices, routes: [...routes, route] })) routes.push(route);
  return routes;
}

function isTaken(world: World): boolean {
  try {
    new RoutingTables(world);
    return true;
  } catch (error) {
    if (error instanceof RangeError) return false;
    throw error;
  }
}

class WorldDraw {
  readonly #random: Random;
  readonly #anchors4: readonly Uint8Array[];
  readonly #anchors6: readonly Uint8Array[];

  constructor(random: Random) {
    this.#random = random;
    this.#anchors4 = this.#some(ANCHORS4, 3).map(addressFromText);
    this.#anchors6 = this.#some(ANCHORS6, 3).map(addressFromText);
  }

  devices(): Device[] {
    const ifindexes = this.#some(IFINDEXES, 1 + this.#random.below(4));
    return ifindexes.map((ifindex, position) => {
      const mtu = this.#one(MTUS);
      return {
        ifindex,
        name: `net${position}`,
        mac: this.#mac(),
        addresses: this.#addresses((mtu ?? 1500) >= 1280),
        ...(mtu === undefined ? {} : { mtu }),
        ...(this.#random.chance(200) ? { forwarding: true } : {}),
      };
    });
  }

  /** No address twice: a device takes each once. */
  #addresses(ipv6: boolean): string[] {
    const texts = new Map<string, string>();
    const add = (address: Uint8Array, length: number): void => {
      const text = addressToText(address);
      if (!texts.has(text)) texts.set(text, `${text}/${length}`);
    };
    for (let count = this.#random.below(3); count > 0; count--) {
      add(this.#near(this.#one(this.#anchors4)), this.#one(NETWORK_LENGTHS4));
    }
    if (!ipv6) return [...texts.values()];
    for (let count = this.#random.below(3); count > 0; count--) {
      add(this.#near(this.#one(this.#anchors6)), this.#one(NETWORK_LENGTHS6));
    }
    if (this.#random.chance(16)) add(addressFromText('fe80::1'), 64);
    return [...texts.values()];
  }

  /** Hosts in the devices' networks; some have an entry twice, of which the second counts. */
  neighbours(devices: readonly Device[]): Neighbour[] {
    const neighbours: Neighbour[] = [];
    for (const device of devices) {
      const { ifindex } = device;
      const own = (device.addresses ?? []).map((text) => prefixFromText(text).address);
      const candidates = own.flatMap((address) => [
        this.#near(address),
        this.#near(address),
        this.#near(address),
      ]);
      if (this.#random.chance(100)) candidates.push(this.#near(this.#one(this.#anchors4)));
      if (own.some((address) => address.length === 16)) candidates.push(addressFromText('fe80::2'));
      for (const address of candidates) {
        if (this.#random.chance(64)) continue;
        neighbours.push({ ifindex, address: addressToText(address), mac: this.#mac() });
      }
    }
    return neighbours;
  }

  routes(devices: readonly Device[]): Route[] {
    const own = devices.flatMap((device) => (device.addresses ?? []).map(prefixFromText));
    return Array.from({ length: this.#random.below(16) }, () => this.#route(devices, own));
  }

  #route(devices: readonly Device[], own: readonly Prefix[]): Route {
    const random = this.#random;
    const isIpv4 = random.bits() < 0;
    const to = prefixText(
      random.chance(24) ? this.#special(isIpv4) : this.#near(this.#anchor(isIpv4)),
      this.#one(isIpv4 ? ROUTE_LENGTHS4 : ROUTE_LENGTHS6),
    );
    const more = {
      ...(random.chance(96) ? { metric: this.#one(METRICS) } : {}),
      ...(random.chance(64) ? { mtu: this.#one(ROUTE_MTUS) } : {}),
    };
    if (random.chance(56)) {
      const type = this.#one(REJECTS);
      // Rejecting routes have no device; some try.
      return { to, type, ...more, ...(random.chance(8) ? { ifindex: this.#one(devices).ifindex } : {}) };
    }
    const ifindex = random.chance(6) ? LOOPBACK : this.#one(devices).ifindex;
    if (random.chance(64)) return { to, ifindex, ...more };
    const via = addressToText(this.#gateway(isIpv4, own));
    return { to, via, ...more, ...(random.chance(80) || via.startsWith('fe80') ? { ifindex } : {}) };
  }

  /** A host in a network of ours, its borders included; an anchor's neighbour; something that is no gateway. */
  #gateway(isIpv4: boolean, own: readonly Prefix[]): Uint8Array {
    const random = this.#random;
    if (random.chance(16)) return this.#special(isIpv4);
    if (!isIpv4 && random.chance(32)) return addressFromText('fe80::2');
    const ours = own.filter(({ address }) => address.length === (isIpv4 ? 4 : 16));
    if (ours.length === 0 || random.chance(24)) return this.#near(this.#anchor(isIpv4));
    const prefix = this.#one(ours);
    if (random.chance(24)) return random.bits() < 0 ? firstAddress(prefix) : lastAddress(prefix);
    return this.#near(prefix.address);
  }

  /** Some devices under their own ifindex, now and then one under another's. */
  ports(devices: readonly Device[]): MapEntry[] {
    return devices
      .filter(() => this.#random.chance(200))
      .map(({ ifindex }) => ({
        key: u32(ifindex),
        value: u32(this.#random.chance(32) ? this.#one(devices).ifindex : ifindex),
      }));
  }

  #anchor(isIpv4: boolean): Uint8Array {
    return this.#one(isIpv4 ? this.#anchors4 : this.#anchors6);
  }

  #special(isIpv4: boolean): Uint8Array {
    return addressFromText(this.#one(isIpv4 ? SPECIAL4 : SPECIAL6));
  }

  /**
   * The address or one of the seven that differ from it in its last three bits; at times one farther
   * away, with the first byte the same: no device takes multicast and loopback addresses.
   */
  #near(address: Uint8Array): Uint8Array {
    const near = address.slice();
    const last = near.length - 1;
    near[last]! ^= this.#random.below(8);
    if (this.#random.chance(32)) near[last - 1 - this.#random.below(last - 1)]! ^= 1 << this.#random.below(8);
    return near;
  }

  #mac(): Uint8Array {
    const mac = new Uint8Array(6);
    this.#random.fill(mac, 1, 6);
    mac[0] = 2;
    return mac;
  }

  #one<T>(list: readonly T[]): T {
    return list[this.#random.below(list.length)]!;
  }

  /** `count` different elements, in random order. */
  #some<T>(list: readonly T[], count: number): T[] {
    const rest = [...list];
    return Array.from({ length: count }, () => rest.splice(this.#random.below(rest.length), 1)[0]!);
  }
}

/** The prefix with this address in it, in text. */
function prefixText(address: Uint8Array, length: number): string {
  return `${addressToText(firstAddress({ address, length }))}/${length}`;
}

function u32(value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  writeU32le(bytes, 0, value);
  return bytes;
}
