import { describe, expect, it } from 'vitest';
import { addressFromText, inPrefix, prefixFromText } from '../../sim/packet/addresses.ts';
import { readU32le } from '../../sim/packet/bytes.ts';
import { PacketBatch } from '../../sim/packet/packet-batch.ts';
import { RoutingTables } from '../../sim/runtime/routing-tables.ts';
import type { World } from '../../sim/runtime/world.ts';
import { worldFromJson, worldToJson } from '../../sim/runtime/world-json.ts';
import { seedFromText } from './random.ts';
import { targetsOf, WorldPackets } from './test-support/world-packets.ts';
import { generateWorld } from './test-support/worlds.ts';

const seed = seedFromText('worlds');
const worlds = Array.from({ length: 300 }, (_, index) =>
  generateWorld(seed, index, { deviceMap: 'tx_port' }),
);
const routesOf = (some: readonly World[]): NonNullable<World['routes']> =>
  some.flatMap(({ routes = [] }) => routes);
const share = <T>(list: readonly T[], holds: (item: T) => boolean): number =>
  list.filter(holds).length / list.length;

describe('generated worlds', () => {
  it('are the same for the same seed and index, and differ otherwise', () => {
    expect(generateWorld(seed, 7, { deviceMap: 'tx_port' })).toEqual(worlds[7]);
    expect(generateWorld(seed, 8)).not.toEqual(generateWorld(seed, 9));
    expect(generateWorld(seedFromText('others'), 8)).not.toEqual(generateWorld(seed, 8));
  });

  it('are worlds that the kernel’s tables take, and travel as JSON', () => {
    for (const world of worlds) {
      expect(() => new RoutingTables(world)).not.toThrow();
      expect(worldFromJson(JSON.parse(JSON.stringify(worldToJson(world))))).toEqual(world);
    }
  });

  it('have routes that the kernel refuses only where wild ones are asked for', () => {
    const wild = Array.from({ length: 100 }, (_, index) => generateWorld(seed, index, { wild: true }));
    const isRefused = (world: World): boolean => {
      try {
        new RoutingTables(world);
        return false;
      } catch {
        return true;
      }
    };
    expect(share(wild, isRefused)).toBeGreaterThan(0.5);
    expect(share(wild, isRefused)).toBeLessThan(1);
  });

  it('have one to four devices of their own ifindex, some closed, some without IPv6', () => {
    const devices = worlds.flatMap(({ devices = [] }) => devices);
    for (const { devices = [] } of worlds) {
      expect(devices.length).toBeGreaterThanOrEqual(1);
      expect(devices.length).toBeLessThanOrEqual(4);
      expect(new Set(devices.map(({ ifindex }) => ifindex)).size).toBe(devices.length);
    }
    expect(share(devices, ({ forwarding }) => forwarding === true)).toBeGreaterThan(0.5);
    expect(share(devices, ({ forwarding }) => forwarding !== true)).toBeGreaterThan(0.1);
    expect(share(devices, ({ mtu }) => (mtu ?? 1500) < 1280)).toBeGreaterThan(0.1);
    const addresses = devices.flatMap((device) => device.addresses ?? []);
    for (const length of ['/31', '/32', '/127', '/128']) {
      expect(
        share(addresses, (address) => address.endsWith(length)),
        length,
      ).toBeGreaterThan(0.02);
    }
  });

  it('have routes of every type, direct and over gateways, with metrics and MTUs, default and overlapping', () => {
    const routes = routesOf(worlds);
    for (const type of ['blackhole', 'unreachable', 'prohibit'] as const) {
      expect(
        share(routes, (route) => route.type === type),
        type,
      ).toBeGreaterThan(0.05);
    }
    expect(share(routes, ({ via }) => via !== undefined)).toBeGreaterThan(0.15);
    expect(share(routes, ({ via, ifindex }) => via === undefined && ifindex !== undefined)).toBeGreaterThan(
      0.15,
    );
    expect(share(routes, ({ metric }) => metric !== undefined)).toBeGreaterThan(0.2);
    expect(share(routes, ({ mtu }) => mtu !== undefined)).toBeGreaterThan(0.15);
    for (const length of ['.0/0', '::/0', '/31', '/32', '/127', '/128']) {
      expect(
        share(routes, ({ to }) => to.endsWith(length)),
        length,
      ).toBeGreaterThan(0.01);
    }
    const overlap = worlds.filter(({ routes = [] }) =>
      routes.some((one) =>
        routes.some((other) => {
          const [inner, outer] = [prefixFromText(one.to), prefixFromText(other.to)];
          if (inner.address.length !== outer.address.length || inner.length <= outer.length) return false;
          return outer.length > 0 && inPrefix(inner.address, 0, outer);
        }),
      ),
    );
    expect(overlap.length / worlds.length).toBeGreaterThan(0.3);
  });

  it('have a map of some of their devices, now and then under another’s ifindex', () => {
    const entries = worlds.flatMap(({ maps }) => maps?.tx_port ?? []);
    const isCrossed = ({ key, value }: (typeof entries)[number]): boolean =>
      readU32le(key, 0) !== readU32le(value, 0);
    expect(share(entries, isCrossed)).toBeGreaterThan(0.01);
    expect(share(entries, isCrossed)).toBeLessThan(0.3);
    expect(share(worlds, ({ devices, maps }) => maps!.tx_port!.length < devices!.length)).toBeGreaterThan(
      0.1,
    );
  });
});

describe('packets for a world', () => {
  const world: World = {
    devices: [
      {
        ifindex: 9,
        name: 'nine',
        mac: new Uint8Array(6),
        addresses: ['10.0.0.1/30', 'fc00::1/126'],
        mtu: 1400,
      },
    ],
    routes: [{ to: '10.9.0.0/16', via: '10.0.0.2', mtu: 600 }],
  };

  it('aim at the borders of its prefixes and the lengths around its MTUs', () => {
    const { addresses4, addresses6, ifindexes, lengths } = targetsOf(world);
    const has = (address: string): boolean =>
      [...addresses4, ...addresses6].some((one) => one.join() === addressFromText(address).join());
    for (const address of ['10.0.0.1', '10.0.0.0', '10.0.0.3', '10.0.0.4', '9.255.255.255', '10.0.0.2']) {
      expect(has(address), address).toBe(true);
    }
    for (const address of ['10.8.255.255', '10.9.0.0', '10.9.255.255', '10.10.0.0', 'fc00::3', 'fc00::4']) {
      expect(has(address), address).toBe(true);
    }
    expect(has('fbff:ffff:ffff:ffff:ffff:ffff:ffff:ffff')).toBe(true);
    expect(ifindexes).toEqual([1, 9]);
    expect(lengths).toEqual(expect.arrayContaining([0, 599, 600, 601, 1399, 1400, 1401, 1279, 1280, 1281]));
  });

  it('are the same whether made at once or one by one', () => {
    const packets = new WorldPackets(world);
    const whole = new PacketBatch(50);
    packets.fill(whole, seed, 0, 50);
    const single = new PacketBatch(1);
    for (let index = 0; index < 50; index++) {
      single.clear();
      packets.fill(single, seed, index, 1);
      expect(single.stimulus(0)).toEqual(whole.stimulus(index));
    }
  });

  it('are IPv4 and IPv6 in equal parts, some about to expire, few cut', () => {
    const batch = new PacketBatch(4000);
    new WorldPackets(world).fill(batch, seed, 0, 4000);
    const packets = Array.from({ length: batch.count }, (_, index) => batch.stimulus(index).packet);
    expect(share(packets, (packet) => packet[12] === 0x08)).toBeCloseTo(0.5, 1);
    expect(share(packets, (packet) => packet[12] === 0x08 && packet[22]! < 2)).toBeGreaterThan(0.01);
    const isWhole = (packet: Uint8Array): boolean => packet.length === 42 || packet.length === 62;
    expect(share(packets, isWhole)).toBeGreaterThan(0.97);
    expect(share(packets, isWhole)).toBeLessThan(1);
  });
});
