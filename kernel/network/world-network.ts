/**
 * Makes a world's network real: its devices are ends of veth pairs in a namespace of their own ("inside"), with
 * the very ifindex, MAC, MTU and addresses that the world states; the other ends stand in a second namespace
 * ("outside"), so that nothing that happens there can change a route or take an ifindex.
 */
import { EngineError } from '../../sim/engines/engine.ts';
import type { Device, Neighbour, Route, World } from '../../sim/runtime/world.ts';
import { createNetns, type Netns } from './netns.ts';
import { closeSockets, openSockets } from './open-sockets.ts';
import { awaitOwnRoutes } from './own-routes.ts';
import { quietIpv6, turnOffIpv6 } from './quiet-ipv6.ts';
import { withRtnetlink } from './rtnetlink.ts';

/** What Linux gives a veth that nobody asked. */
const DEFAULT_MTU = 1500;
const IPV6_MIN_MTU = 1280;

const ROUTE_TYPES: readonly NonNullable<Route['type']>[] = [
  'unicast',
  'blackhole',
  'unreachable',
  'prohibit',
];

export interface WorldNetwork {
  /** The devices, the routes, the neighbours; and `lo`, which is up, so that the table of local routes is the usual one. */
  readonly inside: Netns;
  /** The devices' peers. Without addresses, IPv6 and ARP: its stack never sends anything. */
  readonly outside: Netns;
  readonly links: readonly Link[];
  /** Calls `fn` in the namespace of the devices: `bpf_fib_lookup` then uses the world's routes. */
  enter<T>(fn: () => T): T;
  /** Removes both namespaces with all that is in them. May be called more than once. */
  close(): void;
}

/** One device of the world and its peer, which has the same ifindex in its own namespace. */
export interface Link {
  readonly device: Device;
  /** The device's MTU in bytes, the peer's too. */
  readonly mtu: number;
  /** The peer's name. */
  readonly peer: string;
}

/**
 * Builds the network of `world`: some 20 ms, and a few more for each device.
 *
 * IPv6 is on where the world says something of it (an address, a route, a neighbour) or has a forwarding
 * device; such a device has no link-local address and announces nothing but the multicast groups it joins.
 * Without, IPv6 is off and the namespaces are silent.
 * @throws {EngineError} `environment` where the rights or `ip` are missing, `input` where `ip` refuses the
 *   world: two devices with one ifindex, a gateway that no device reaches
 */
export async function createWorldNetwork(world: World): Promise<WorldNetwork> {
  const inside = createNetns();
  let outside: Netns;
  try {
    outside = createNetns();
  } catch (error) {
    inside.close();
    throw error;
  }
  const sockets: number[] = [];
  const network: WorldNetwork = {
    inside,
    outside,
    links: (world.devices ?? []).map((device) => ({
      device,
      mtu: device.mtu ?? DEFAULT_MTU,
      peer: `peer${device.ifindex}`,
    })),
    enter: (fn) => inside.enter(fn),
    close: () => {
      closeSockets(sockets.splice(0));
      inside.close();
      outside.close();
    },
  };
  try {
    build(network, world, sockets);
  } catch (error) {
    network.close();
    throw asOfWorld(error);
  }
  return network;
}

/** @param sockets descriptors of the world's, to be added */
function build({ inside, outside, links }: WorldNetwork, world: World, sockets: number[]): void {
  turnOffIpv6(outside);
  checkTexts(world);
  // A new namespace inherits IPv4's settings from the host's, which may well be a router.
  inside.sysctl('ipv4/ip_forward', 0);
  const ipv6 = speaksIpv6(world);
  if (ipv6) quietIpv6(inside);
  else turnOffIpv6(inside);

  const devices = new Map<number, string>([[1, 'lo']]);
  const create = ['link set dev lo up'];
  const start: string[] = [];
  for (const { device, mtu, peer } of links) {
    checkDevice(device, devices);
    devices.set(device.ifindex, device.name);
    create.push(
      `link add name ${device.name} index ${device.ifindex} address ${macText(device.mac)} mtu ${mtu} ` +
        `type veth peer name ${peer} index ${device.ifindex} mtu ${mtu} netns ${outside.name}`,
      ...(ipv6 && mtu >= IPV6_MIN_MTU ? [`link set dev ${device.name} addrgenmode none`] : []),
    );
    start.push(`link set dev ${device.name} up`);
    for (const address of device.addresses ?? []) {
      // Duplicate address detection would send frames, and keep the address out of use for a second.
      start.push(`address add ${address} dev ${device.name}${address.includes(':') ? ' nodad' : ''}`);
    }
  }
  asInput(() => inside.ip(create));
  openInside(inside, world, devices, ipv6, sockets);
  for (const { device, mtu } of links) {
    if (device.forwarding !== true) continue;
    inside.sysctl(`ipv4/conf/${device.name}/forwarding`, 1);
    // Below its minimum MTU IPv6 does not come to a device at all (net/ipv6/addrconf.c, ipv6_add_dev).
    if (mtu >= IPV6_MIN_MTU) inside.sysctl(`ipv6/conf/${device.name}/forwarding`, 1);
  }
  withRtnetlink(outside, (peers) => {
    for (const { device } of links) peers.change(device.ifindex, { up: true, noArp: true });
  });
  asInput(() => inside.ip(start));
  awaitOwnRoutes(
    inside,
    links.flatMap(({ device }) => (device.addresses ?? []).map((address) => [address, device.name] as const)),
  );
  asInput(() =>
    inside.ip([
      ...(world.routes ?? []).map((route) => routeCommand(route, devices)),
      ...(world.neighbours ?? []).map((neighbour) => neighbourCommand(neighbour, devices)),
    ]),
  );
}

/**
 * Opens the world's sockets while there is nothing but the loopback device: what a connection knows of its way then is
 * always the same.
 */
function openInside(
  inside: Netns,
  { sockets = [] }: World,
  devices: ReadonlyMap<number, string>,
  ipv6: boolean,
  opened: number[],
): void {
  if (sockets.length === 0) return;
  const routes = ['0.0.0.0/0', ...(ipv6 ? ['::/0'] : [])];
  inside.ip(routes.map((route) => `route add ${route} dev lo`));
  opened.push(...inside.enter(() => openSockets(sockets, (ifindex) => devices.get(ifindex))));
  inside.ip(routes.map((route) => `route delete ${route} dev lo`));
}

/**
 * A world may come out of a file of unknown origin, and its texts go to `ip -batch`, which could be told to start
 * any program: so nothing passes here but what addresses and numbers are made of.
 */
function checkTexts(world: World): void {
  const addresses = [
    ...(world.devices ?? []).flatMap((device) => device.addresses ?? []),
    ...(world.routes ?? []).flatMap((route) => [route.to, ...(route.via === undefined ? [] : [route.via])]),
    ...(world.neighbours ?? []).map((neighbour) => neighbour.address),
  ];
  for (const address of addresses) {
    if (!/^[0-9a-fA-F:.]+(\/\d{1,3})?$/.test(address)) {
      throw new EngineError('input', `${JSON.stringify(address)} is not an IPv4 or IPv6 address`);
    }
  }
  const numbers = [
    ...(world.devices ?? []).flatMap((device) => [device.ifindex, device.mtu]),
    ...(world.routes ?? []).flatMap((route) => [route.ifindex, route.metric, route.mtu]),
  ];
  for (const number of numbers) {
    if (number !== undefined && !(Number.isSafeInteger(number) && number >= 0)) {
      throw new EngineError('input', `${JSON.stringify(number)} is not an ifindex, metric or MTU`);
    }
  }
  for (const { type } of world.routes ?? []) {
    if (type !== undefined && !ROUTE_TYPES.includes(type)) {
      throw new EngineError('input', `${JSON.stringify(type)} is not a type of route`);
    }
  }
}

function speaksIpv6(world: World): boolean {
  const texts = [
    ...(world.devices ?? []).flatMap((device) => device.addresses ?? []),
    ...(world.routes ?? []).map((route) => route.to),
    ...(world.neighbours ?? []).map((neighbour) => neighbour.address),
    // Of IPv6 those in brackets.
    ...(world.sockets ?? []).map(({ local }) => (local.startsWith('[') ? ':' : '')),
  ];
  return (
    texts.some((text) => text.includes(':')) || (world.devices ?? []).some((device) => device.forwarding)
  );
}

function checkDevice(device: Device, taken: ReadonlyMap<number, string>): void {
  const other = taken.get(device.ifindex);
  if (other !== undefined) {
    throw new EngineError('input', `devices ${other} and ${device.name} both have ifindex ${device.ifindex}`);
  }
  // IFNAMSIZ is 16 with the closing zero (net/core/dev.c, dev_valid_name, which allows still more characters).
  if (!/^[\w@][\w.@-]{0,14}$/.test(device.name)) {
    throw new EngineError('input', `"${device.name}" cannot be a device's name`);
  }
}

/** What `ip` is told to add a route. */
export function routeCommand(route: Route, devices: ReadonlyMap<number, string>): string {
  return [
    'route add',
    ...(route.type === undefined || route.type === 'unicast' ? [] : [route.type]),
    route.to,
    ...(route.via === undefined ? [] : ['via', route.via]),
    ...(route.ifindex === undefined ? [] : ['dev', deviceName(route.ifindex, devices, `route ${route.to}`)]),
    ...(route.metric === undefined ? [] : ['metric', String(route.metric)]),
    // Only a locked MTU counts for bpf_fib_lookup (net/ipv4/route.c, ip_mtu_from_fib_result).
    ...(route.mtu === undefined ? [] : ['mtu lock', String(route.mtu)]),
  ].join(' ');
}

function neighbourCommand(neighbour: Neighbour, devices: ReadonlyMap<number, string>): string {
  const device = deviceName(neighbour.ifindex, devices, `neighbour ${neighbour.address}`);
  return `neighbour replace ${neighbour.address} lladdr ${macText(neighbour.mac)} nud permanent dev ${device}`;
}

function deviceName(ifindex: number, devices: ReadonlyMap<number, string>, user: string): string {
  const name = devices.get(ifindex);
  if (name === undefined) throw new EngineError('input', `${user}: the world has no device ${ifindex}`);
  return name;
}

/** What `ip` refuses here comes from the world, not from the machine. */
function asInput(run: () => void): void {
  try {
    run();
  } catch (error) {
    if (!(error instanceof EngineError) || error.remedy !== undefined) throw error;
    throw new EngineError('input', `the world's network cannot be built: ${error.message}`, { cause: error });
  }
}

/** Nothing here depends on a program. */
function asOfWorld(error: unknown): unknown {
  if (!(error instanceof EngineError) || error.kind !== 'input') return error;
  return new EngineError('input', error.message, { cause: error.cause, ofWorld: true });
}

function macText(mac: Uint8Array): string {
  return Array.from(mac, (byte) => byte.toString(16).padStart(2, '0')).join(':');
}
