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
