/**
 * What a world that states no devices has: enough for a program that sends frames to devices it expects to be there.
 * Every engine opens its sessions with this, so that a redirect fails, or does not, in all of them alike.
 */
import type { MapDefinition } from './maps.ts';
import { DEFAULT_MTU, type Device, type World } from './world.ts';

/** The first devices after the loopback device, as a machine with a few network cards numbers them. */
const DEFAULT_IFINDEXES: readonly number[] = [2, 3, 4, 5, 6, 7, 8];

/** The devices of a world that states none: `dev2` to `dev8`. */
export const DEFAULT_DEVICES: readonly Device[] = DEFAULT_IFINDEXES.map(defaultDevice);

/** How many more devices the entries of device maps may ask for. */
const MAX_NAMED = 64;
const MAX_IFINDEX = 0x7fff_ffff;

/**
 * Returns the world itself where it states devices. Otherwise the same world with devices 2 to 8, and with those that
 * the entries of its device maps lead to: all up, without addresses, not forwarding.
 * @param maps those that the program has: they say which of the world's maps hold devices
 */
export function withDefaultDevices(world: World, maps: readonly MapDefinition[]): World {
  if (world.devices !== undefined && world.devices.length > 0) return world;
  const named = devicesInMaps(world, maps).slice(0, MAX_NAMED);
  const ifindexes = [...new Set([...DEFAULT_IFINDEXES, ...named])].sort((a, b) => a - b);
  return { ...world, devices: ifindexes.map(defaultDevice) };
}

function defaultDevice(ifindex: number): Device {
  const mac = new Uint8Array(6);
  mac[0] = 0x02;
  new DataView(mac.buffer).setUint32(2, ifindex);
  return { ifindex, name: `dev${ifindex}`, mac, mtu: DEFAULT_MTU };
}

/** Devices that entries of device maps lead to. A value starts with the ifindex (`struct bpf_devmap_val`), in the machine's order. */
export function devicesInMaps(world: World, maps: readonly MapDefinition[]): number[] {
  const ifindexes: number[] = [];
  for (const { name, type } of maps) {
    if (type !== 'DEVMAP' && type !== 'DEVMAP_HASH') continue;
    for (const { value } of world.maps?.[name] ?? []) {
      if (value.length < 4) continue;
      const ifindex = new DataView(value.buffer, value.byteOffset, 4).getUint32(0, true);
      if (ifindex > 1 && ifindex <= MAX_IFINDEX) ifindexes.push(ifindex);
    }
  }
  return ifindexes;
}
