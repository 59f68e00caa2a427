/** Worlds in which `bpf_check_mtu` answers otherwise: devices whose MTU is another, or that are not there. */
import { ETHERNET_HEADER } from '../sim/ebpf/packet-area.ts';
import { devicesInMaps, withDefaultDevices } from '../sim/runtime/default-world.ts';
import { ENODEV } from '../sim/runtime/errno.ts';
import { BPF_MTU_CHK_RET_FRAG_NEEDED } from '../sim/runtime/fib.ts';
import type { MapDefinition } from '../sim/runtime/maps.ts';
import { LOOPBACK } from '../sim/runtime/route-entry.ts';
import type { World } from '../sim/runtime/world.ts';

/** What the call answers. */
export const FITS = 0n;
export const TOO_LONG: bigint = BigInt(BPF_MTU_CHK_RET_FRAG_NEEDED);
export const NO_DEVICE: bigint = BigInt(-ENODEV);

/** The least that an IPv4 device has (RFC 791), and that the kernel takes for one. */
const LEAST_MTU = 68;
const MOST_MTU = 65_535;

/** The shortest frame that can be too long for a device. */
export const SHORTEST_TOO_LONG: number = LEAST_MTU + ETHERNET_HEADER + 1;

/** The largest MTU for which a frame of `length` bytes is too long; undefined: there is none. */
export function mtuBelow(length: number): number | undefined {
  return length < SHORTEST_TOO_LONG ? undefined : Math.min(length - ETHERNET_HEADER - 1, MOST_MTU);
}

/** Is a frame of `length` bytes short enough for an MTU? */
export function fits(length: number, mtu: number): boolean {
  return length <= mtu + ETHERNET_HEADER;
}

/** The least MTU, if any, with which a frame of `length` bytes fits, and not less than what devices mostly have. */
export function mtuFor(length: number): number | undefined {
  const mtu = Math.max(1500, length - ETHERNET_HEADER);
  return mtu > MOST_MTU ? undefined : mtu;
}

/** The same world with this MTU of a device; undefined: there is no such device, or its MTU is the kernel's business. */
export function withMtu(
  world: World,
  maps: readonly MapDefinition[],
  ifindex: number,
  mtu: number,
): World | undefined {
  if (ifindex === LOOPBACK.ifindex || mtu < LEAST_MTU || mtu > MOST_MTU) return undefined;
  const { devices = [] } = withDefaultDevices(world, maps);
  if (!devices.some((device) => device.ifindex === ifindex)) return undefined;
  return {
    ...world,
    devices: devices.map((device) => (device.ifindex === ifindex ? { ...device, mtu } : device)),
  };
}

/**
 * The same world without this device, for packets that come by another; undefined: there is none already, or something in the world
 * needs it.
 */
export function withoutDevice(
  world: World,
  maps: readonly MapDefinition[],
  ifindex: number,
): World | undefined {
  const { devices = [] } = withDefaultDevices(world, maps);
  const left = devices.filter((device) => device.ifindex !== ifindex);
  // A world that states no devices has some.
  if (left.length === devices.length || left.length === 0 || isNeeded(world, maps, ifindex)) return undefined;
  return { ...world, devices: left };
}

/** Does a route, a neighbour or the entry of a device map name the device? A kernel has none of them without it. */
function isNeeded(world: World, maps: readonly MapDefinition[], ifindex: number): boolean {
  const { routes = [], neighbours = [] } = world;
  const isNamed = [...routes, ...neighbours].some((one) => 'ifindex' in one && one.ifindex === ifindex);
  return isNamed || devicesInMaps(world, maps).includes(ifindex);
}
