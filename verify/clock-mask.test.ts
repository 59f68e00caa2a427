/** What is masked, on an engine of the kernel's kind with a clock of its own. */
import { expect, it } from 'vitest';
import type { Engine, Session } from '../sim/engines/engine.ts';
import type { OutcomeBatch } from '../sim/engines/outcome-batch.ts';
import type { PacketBatch } from '../sim/packet/packet-batch.ts';
import { snapshotOf } from '../sim/runtime/map-snapshot.ts';
import type { MapDefinition } from '../sim/runtime/maps.ts';
import type { Program } from '../sim/runtime/program.ts';
import type { World } from '../sim/runtime/world.ts';
import { verify } from './run.ts';

const DEFINITION: MapDefinition = { name: 'log', type: 'ARRAY', keySize: 4, valueSize: 16, maxEntries: 1 };
const PROGRAM: Program = {
  name: 'clocked',
  entries: [{ function: 'main', hook: 'xdp' }],
  object: new Uint8Array(1),
};

/** Writes the time into bytes 6 to 13 of each frame, and into the first half of the map; drops what chance says. */
interface Behaviour {
  readonly time: (world: World, packet: number) => bigint;
  readonly drops?: (world: World, packet: number) => boolean;
  /** What it writes into the second half of the map. */
  readonly count?: number;
  /** What it adds to byte 0 of each frame. */
  readonly first?: number;
}

function engineOf(name: 'wasm' | 'testrun', behaviour: Behaviour): Engine {
  return {
    name,
    observes: {
      action: 'exact',
      packet: 'always',
      metadata: true,
      redirect: false,
      maps: true,
      trace: false,
      skb: false,
      tstamp: false,
    },
    availability: () => ({ available: true }),
    refuses: () => undefined,
    open: async (_, world) => sessionOf(name, behaviour, world),
  };
}

function sessionOf(name: string, behaviour: Behaviour, world: World): Session {
  let time = 0n;
  return {
    ...(name === 'testrun' ? { pinning: { pinned: [], live: ['bpf_ktime_get_ns'] } } : {}),
    async run(input: PacketBatch, output: OutcomeBatch) {
      output.clear();
      for (let packet = 0; packet < input.count; packet++) {
        const length = input.length[packet]!;
        const at = output.reserve(length);
        output.bytes.set(input.bytes.subarray(input.offset[packet]!, input.offset[packet]! + length), at);
        time = BigInt.asUintN(64, behaviour.time(world, packet));
        new DataView(output.bytes.buffer, output.bytes.byteOffset).setBigUint64(at + 6, time, true);
        output.bytes[at]! += behaviour.first ?? 0;
        output.commit(behaviour.drops?.(world, packet) === true ? 1 : 2, length);
      }
    },
    maps() {
      const value = new Uint8Array(16);
      const view = new DataView(value.buffer);
      view.setBigUint64(0, time, true);
      view.setUint32(8, behaviour.count ?? 5, true);
      return [snapshotOf(DEFINITION, [{ key: new Uint8Array(4), value }])];
    },
    async reset() {},
    async close() {},
  };
}

const machineTime = (world: World, packet: number): bigint =>
  (world.time ?? 0n) + BigInt(packet) * (world.tick ?? 0n);
const machineDrops = (world: World, packet: number): boolean =>
  ((world.randomSeed ?? 0) * 31 + packet * 7) % 100 === 0;

let now = 4_428_866_965_385n;
const kernel: Behaviour = {
  time: () => {
    now += 1_234_567n;
    return now;
  },
};

function compare(machine: Behaviour, real: Behaviour) {
  return verify({
    program: PROGRAM,
    engines: [engineOf('wasm', machine), engineOf('testrun', real)],
    seed: 'mask',
    runs: 600,
    batchSize: 300,
    shrink: false,
    source: {
      fill(batch, _seed, _first, count) {
        for (let packet = 0; packet < count; packet++) batch.push({ packet: new Uint8Array(60) });
      },
    },
  });
}

it('takes bytes of packets and of map values that hold the time out of the comparison, and names them', async () => {
  const report = await compare({ time: machineTime }, kernel);
  expect(report.divergences).toEqual([]);
  expect(report.notCompared).toContainEqual({
    what: 'bytes and fields of packets: their value depends on bpf_ktime_get_ns',
    engine: 'testrun',
    packets: 600,
  });
  expect(report.notCompared).toContainEqual({
    what: 'map log: bytes 0-7 of its values: depends on bpf_ktime_get_ns',
    engine: 'testrun',
  });
});

it('finds what differs beside the time, in packets and in maps', async () => {
  const bytes = await compare({ time: machineTime }, { ...kernel, first: 1 });
  expect(bytes.divergences.map(({ part }) => part)).toEqual(['packet']);
  const maps = await compare({ time: machineTime }, { ...kernel, count: 6 });
  expect(maps.divergences.map(({ part }) => part)).toEqual(['map']);
});

it('leaves out packets whose action is chance, also where it fell on others in the kernel', async () => {
  const report = await compare(
    { time: machineTime, drops: machineDrops },
    { ...kernel, drops: (_, packet) => packet % 97 === 3 },
  );
  expect(report.divergences).toEqual([]);
  const left = report.notCompared.find(({ what }) => what.startsWith('outcomes'))!;
  expect(left.packets).toBeGreaterThan(0);
  expect(left.packets).toBeLessThan(300);
});

it('finds an action that no chance leads to', async () => {
  const report = await compare({ time: machineTime }, { ...kernel, drops: (_, packet) => packet === 11 });
  expect(report.divergences.map(({ part }) => part)).toEqual(['action']);
});

it('takes out what the kernel’s own variables decide', async () => {
  const machine: Behaviour = { time: ({ kernelFill = 0 }) => BigInt(kernelFill) * 0x0101_0101_0101_0101n };
  const report = await compare(machine, { time: () => 0x1234_5678_9abc_def0n });
  expect(report.divergences).toEqual([]);
  expect(report.notCompared).not.toEqual([]);
  // Nothing but they: what does not move with them is compared.
  const other = await compare({ ...machine, first: 1 }, { time: () => 0x1234_5678_9abc_def0n });
  expect(other.divergences).not.toEqual([]);
});
