/**
 * A world file in all engines: maps by their types, programs and maps in slots, globals of every section, devices. What
 * machines, test runs and live traffic make of it is the same, and is what the file says.
 */
import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { createEngine } from '../cli/engines.ts';
import { packageFile } from '../kernel/package-file.ts';
import { loadObject } from '../sim/ebpf/object.ts';
import { bindWorld } from '../sim/ebpf/world-file/bind.ts';
import { worldFileShape } from '../sim/ebpf/world-file/shape.ts';
import { OutcomeBatch } from '../sim/engines/outcome-batch.ts';
import type { EngineName } from '../sim/engines/register.ts';
import { ethernet } from '../sim/packet/build.ts';
import { toHex } from '../sim/packet/bytes.ts';
import { PacketBatch } from '../sim/packet/packet-batch.ts';
import { actionName } from '../sim/runtime/actions.ts';
import { parseJsonc } from '../sim/runtime/jsonc.ts';
import type { Program } from '../sim/runtime/program.ts';
import { parse } from '../sim/runtime/schema.ts';
import type { World } from '../sim/runtime/world.ts';
import { describeKernel } from './test-support/require-kernel.ts';

const object = new Uint8Array(readFileSync(packageFile('sim/ebpf/test-support/world-file.o')));
const PROGRAM: Program = {
  name: 'world_file',
  object,
  objectPath: 'world-file.o',
  entries: [{ function: 'enter', hook: 'xdp' }],
  maxEntries: { sized: 8 },
};

const FILE = `{
  "devices": [{ "name": "eth0" }, { "name": "eth1", "addresses": ["10.0.1.1/24"] }],
  "maps": {
    "flows": [{
      "key": { "saddr": "10.0.0.1", "port": 80, "proto": "IPPROTO_UDP" },
      "value": { "verdict": "VERDICT_DENY", "v4": "192.0.2.1", "low": 3, "high": 1000 },
    }],
    "networks": { "10.0.0.2/32": 2, "10.0.0.3": 3 },
    "ports": { "2": "eth1" },
    // Filled from outside: the object says nothing about them.
    "steps": { "1": "answer", "2": "forward", "3": "answer" },
    "tenants": { "443": "inner_two", "444": "inner_one" },
    "inner_two": { "0": "XDP_TX" },
    "inner_one": { "0": "XDP_DROP" },
    "tickets": [{ "value": 77 }, { "value": 78 }],
    "sized": { "77": 1 },
  },
  "globals": { "gateway": "10.0.0.1", "budget": 1000, "self": "fc00::9" },
}`;

function worldOf(text: string): World {
  return bindWorld(parse(worldFileShape, parseJsonc(text)), loadObject(object)).world;
}

function packets(...list: readonly (readonly [source: string, port: number])[]): PacketBatch {
  const batch = new PacketBatch(list.length);
  for (const [source, destinationPort] of list) {
    const packet = ethernet()
      .ipv4({ source, destination: '10.9.9.9' })
      .udp({ sourcePort: 999, destinationPort })
      .payload(Uint8Array.of(1, 2, 3, 4))
      .bytes();
    batch.push({ packet });
  }
  return batch;
}

interface Ran {
  readonly actions: readonly string[];
  /** The values of the maps' entries, by map and key, as hexadecimal digits. */
  readonly maps: Readonly<Record<string, string>>;
}

async function ran(engine: EngineName, world: World, batch: PacketBatch): Promise<Ran> {
  const session = await createEngine(engine).open(PROGRAM, world);
  try {
    const output = new OutcomeBatch(batch.count);
    // Once more after a reset: what the world says is there again.
    for (let round = 0; round < 2; round++) {
      if (round > 0) await session.reset();
      await session.run(batch, output);
    }
    const entries = session
      .maps()
      .flatMap((map) =>
        Array.from(map.list(), ({ key, value }) => [`${map.definition.name} ${toHex(key)}`, toHex(value)]),
      );
    const actions = Array.from({ length: batch.count }, (_, at) => actionName('xdp', output.action[at]!));
    return { actions, maps: Object.fromEntries(entries) };
  } finally {
    await session.close();
  }
}

const BATCH = packets(
  ['10.0.0.1', 80],
  ['10.0.0.2', 80],
  ['10.0.0.3', 80],
  // The second ticket is not the one that is known.
  ['10.0.0.3', 80],
  ['10.0.0.4', 443],
  ['10.0.0.4', 444],
  ['10.0.0.5', 1],
);
const ACTIONS = ['XDP_DROP', 'XDP_REDIRECT', 'XDP_TX', 'XDP_ABORTED', 'XDP_TX', 'XDP_DROP', 'XDP_PASS'];

it.each(['vm', 'wasm'] as const)('is what %s runs in', async (engine) => {
  expect((await ran(engine, worldOf(FILE), BATCH)).actions).toEqual(ACTIONS);
});

describeKernel('a world file in the kernel', ['root', 'testrun'], () => {
  it('is what test runs run in, packet by packet and map by map', async () => {
    const world = worldOf(FILE);
    const kernel = await ran('testrun', world, BATCH);
    expect(kernel.actions).toEqual(ACTIONS);
    // The kernel does not show what is frozen.
    const { '.rodata 00000000': _, ...machine } = (await ran('vm', world, BATCH)).maps;
    expect(kernel.maps).toEqual(machine);
  });

  it('puts other programs into slots, and other values into variables', async () => {
    const world = worldOf(`{
      "maps": { "steps": { "1": "forward" }, "ports": { "2": "dev3" } },
      "globals": { "mode": 7, "budget": 5, "seen": 40 },
    }`);
    for (const engine of ['vm', 'wasm', 'testrun'] as const) {
      const { actions, maps } = await ran(engine, world, packets(['10.0.0.1', 80], ['10.0.0.1', 81]));
      expect(actions, engine).toEqual(['XDP_REDIRECT', 'XDP_REDIRECT']);
      expect(maps['.data 00000000'], engine).toBe('0300000000000000');
      expect(maps['.bss 00000000']!.slice(0, 8), engine).toBe('2a000000');
    }
  });

  it('makes maps for slots of which it says what they hold, and takes those that it names', async () => {
    const text = `{
      "maps": {
        "tenants": { "443": { "0": "XDP_TX" }, "444": [{ "key": 0, "value": "XDP_DROP" }], "445": "tenants/0" },
      },
    }`;
    const batch = packets(...[443, 444, 445, 446].map((port) => ['10.0.0.4', port] as const));
    for (const engine of ['vm', 'wasm', 'testrun', 'veth'] as const) {
      const { actions, maps } = await ran(engine, worldOf(text), batch);
      // On the wire, what is aborted is gone, too.
      const aborted = engine === 'veth' ? 'XDP_DROP' : 'XDP_ABORTED';
      expect(actions, engine).toEqual(['XDP_TX', 'XDP_DROP', aborted, 'XDP_PASS']);
      const made = Object.entries(maps).filter(([name]) => name.includes('/'));
      expect(made, engine).toEqual([
        ['tenants/0 00000000', '00000000'],
        ['tenants/1 00000000', '03000000'],
        ['tenants/2 00000000', '01000000'],
      ]);
    }
  });

  it('is refused where a slot cannot be filled, with the reason', async () => {
    const slots = { steps: [{ key: new Uint8Array(4), name: 'nothing' }] };
    for (const engine of ['vm', 'wasm', 'testrun'] as const) {
      await expect(ran(engine, { slots }, BATCH), engine).rejects.toThrow(/steps.*nothing/);
    }
  });
});

describeKernel('a world file on live traffic', ['root', 'frames'], () => {
  it('is what programs on veth run in', async () => {
    const { actions } = await ran('veth', worldOf(FILE), BATCH);
    // What is dropped and what is aborted look alike on a wire.
    const onWire = (list: readonly string[]): string[] =>
      list.map((action) => (action === 'XDP_ABORTED' ? 'XDP_DROP' : action));
    expect(onWire(actions)).toEqual(onWire(ACTIONS));
  });
});
