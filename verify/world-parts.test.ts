import { describe, expect, it } from 'vitest';
import type { World } from '../sim/runtime/world.ts';
import { worldKey } from './world-key.ts';
import { partsOfWorld, worldOfParts } from './world-parts.ts';

const entry = (key: number) => ({ key: Uint8Array.of(key), value: Uint8Array.of(key) });
const mac = new Uint8Array(6);

const WORLD = {
  devices: [
    { ifindex: 7, name: 'a', mac, mtu: 1500 },
    { ifindex: 8, name: 'b', mac, mtu: 1500 },
  ],
  routes: [{ to: '10.0.0.0/8', ifindex: 7 }],
  neighbours: [{ address: '10.0.0.1', ifindex: 7, mac }],
  sockets: [{ protocol: 'tcp' }],
  maps: { m: [entry(1), entry(2)], n: [entry(3)] },
  slots: { s: [{ key: Uint8Array.of(0), name: 'f' }] },
  globals: { g: Uint8Array.of(1), h: Uint8Array.of(2) },
  time: 1n,
  tick: 2n,
  randomSeed: 3,
  hashSeed: 4,
  stackFill: 5,
  kernelFill: 6,
  cpu: 0,
} as unknown as World;

describe('the parts of a world', () => {
  it('are everything in it, what depends on others behind them', () => {
    expect(partsOfWorld(WORLD)).toEqual([
      { of: 'devices', index: 0 },
      { of: 'devices', index: 1 },
      { of: 'neighbours', index: 0 },
      { of: 'routes', index: 0 },
      { of: 'sockets', index: 0 },
      { of: 'maps', name: 'm', index: 0 },
      { of: 'maps', name: 'm', index: 1 },
      { of: 'maps', name: 'n', index: 0 },
      { of: 'slots', name: 's', index: 0 },
      { of: 'globals', name: 'g' },
      { of: 'globals', name: 'h' },
      ...['time', 'tick', 'randomSeed', 'hashSeed', 'stackFill', 'kernelFill', 'cpu'].map((of) => ({ of })),
    ]);
    expect(partsOfWorld({})).toEqual([]);
  });

  it('make the world, all together, and nothing where there are none', () => {
    expect(worldOfParts(WORLD, partsOfWorld(WORLD))).toEqual(WORLD);
    expect(worldOfParts(WORLD, [])).toEqual({});
  });

  it('can be left out one by one, and kept alone', () => {
    const parts = partsOfWorld(WORLD);
    for (const part of parts) {
      const rest = parts.filter((one) => one !== part);
      expect(partsOfWorld(worldOfParts(WORLD, rest))).toHaveLength(rest.length);
      const alone = worldOfParts(WORLD, [part]);
      expect(partsOfWorld(alone)).toHaveLength(1);
      expect(Object.keys(alone)).toEqual([part.of]);
    }
    expect(worldOfParts(WORLD, [{ of: 'maps', name: 'm', index: 1 }])).toEqual({ maps: { m: [entry(2)] } });
    expect(worldOfParts(WORLD, [{ of: 'devices', index: 1 }]).devices).toEqual([WORLD.devices![1]]);
    // Parts of what the world does not have make nothing.
    expect(worldOfParts({}, parts)).toEqual({});
  });
});

describe('a world’s key', () => {
  it('is the same for worlds that say the same, and another for others', () => {
    expect(worldKey({ time: 1n })).toBe(worldKey({ time: 1n }));
    expect(worldKey({ time: 1n })).not.toBe(worldKey({ time: 2n }));
    expect(worldKey({ maps: { m: [entry(1)] } })).not.toBe(worldKey({ maps: { m: [entry(2)] } }));
    expect(worldKey({ maps: { m: [entry(1)] } })).toBe(worldKey({ maps: { m: [entry(1)] } }));
  });

  it('knows long maps by the list that they are', () => {
    const long = (size: number) => Array.from({ length: size }, (_, index) => entry(index & 0xff));
    const list = long(1024);
    expect(worldKey({ maps: { m: list } })).toBe(worldKey({ maps: { ...{ m: list } } }));
    expect(worldKey({ maps: { m: list } })).not.toBe(worldKey({ maps: { m: long(1024) } }));
    expect(worldKey({ maps: { m: list } })).not.toBe(worldKey({ maps: { n: list } }));
    expect(worldKey({ maps: { m: long(1023) } })).toBe(worldKey({ maps: { m: long(1023) } }));
  });
});
