import { expect, it } from 'vitest';
import { withDefaultDevices } from './default-world.ts';
import type { MapDefinition } from './maps.ts';
import type { World } from './world.ts';

const four = (value: number): Uint8Array => new Uint8Array(Uint32Array.of(value).buffer);
const ports: MapDefinition = { name: 'ports', type: 'DEVMAP', keySize: 4, valueSize: 4, maxEntries: 8 };
const counts: MapDefinition = { name: 'counts', type: 'HASH', keySize: 4, valueSize: 4, maxEntries: 8 };

function ifindexes(world: World): number[] {
  return (world.devices ?? []).map((device) => device.ifindex);
}

it('gives a world without devices the devices 2 to 8, each with a MAC of its own', () => {
  const world = withDefaultDevices({ time: 5n }, []);
  expect(ifindexes(world)).toEqual([2, 3, 4, 5, 6, 7, 8]);
  expect(world.time).toBe(5n);
  expect(new Set(world.devices!.map((device) => device.mac.join())).size).toBe(7);
  expect(world.devices!.every((device) => (device.mac[0]! & 3) === 2)).toBe(true);
});

it('treats an empty list like an absent one', () => {
  expect(ifindexes(withDefaultDevices({ devices: [] }, []))).toHaveLength(7);
});

it('leaves a world that states devices as it is', () => {
  const world: World = { devices: [{ ifindex: 9, name: 'a', mac: new Uint8Array(6) }] };
  expect(withDefaultDevices(world, [ports])).toBe(world);
});

it('adds the devices that entries of device maps lead to, and of no other map', () => {
  const entries = [77, 3, 0, 1].map((value, key) => ({ key: four(key), value: four(value) }));
  const world = { maps: { ports: entries, counts: [{ key: four(1), value: four(99) }] } };
  expect(ifindexes(withDefaultDevices(world, [ports, counts]))).toEqual([2, 3, 4, 5, 6, 7, 8, 77]);
});

it('adds no more than 64 devices for a map of thousands', () => {
  const entries = Array.from({ length: 1000 }, (_, key) => ({ key: four(key), value: four(key + 100) }));
  expect(ifindexes(withDefaultDevices({ maps: { ports: entries } }, [ports]))).toHaveLength(7 + 64);
});

it('adds devices whose number a device can have: from 2 to 2^31 − 1, by the first four bytes of a value', () => {
  const value = (ifindex: number, length = 8): Uint8Array => {
    const bytes = new Uint8Array(12);
    new DataView(bytes.buffer).setUint32(1, ifindex, true);
    return bytes.subarray(1, 1 + length);
  };
  const values = [
    value(0),
    value(1),
    value(9),
    value(9),
    value(0x0102_0304, 4),
    value(50, 3),
    value(0x7fff_ffff),
    value(0x8000_0000),
  ];
  const entries = values.map((one, key) => ({ key: four(key), value: one }));
  const hash: MapDefinition = { ...ports, type: 'DEVMAP_HASH', valueSize: 8 };
  const { devices } = withDefaultDevices({ maps: { ports: entries } }, [hash]);
  expect(devices!.map(({ ifindex }) => ifindex)).toEqual([2, 3, 4, 5, 6, 7, 8, 9, 0x0102_0304, 0x7fff_ffff]);
  expect(devices!.at(-2)).toEqual({
    ifindex: 0x0102_0304,
    name: 'dev16909060',
    mac: Uint8Array.of(2, 0, 1, 2, 3, 4),
    mtu: 1500,
  });
});
