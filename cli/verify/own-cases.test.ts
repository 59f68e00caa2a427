/** `--packets`: the user's packets run first, and those of batches are made of them. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { saveCase } from '../../corpus/cases/case.ts';
import { PacketGenerator } from '../../corpus/generate/generator.ts';
import { TEST_RUN_LIMITS } from '../../corpus/generate/packet-limits.ts';
import { seedFromText } from '../../corpus/generate/random.ts';
import { packageFile } from '../../kernel/package-file.ts';
import { createVmEngine } from '../../sim/engines/vm.ts';
import { createWasmEngine } from '../../sim/engines/wasm.ts';
import { ethernet } from '../../sim/packet/build.ts';
import { toHex } from '../../sim/packet/bytes.ts';
import { PacketBatch } from '../../sim/packet/packet-batch.ts';
import type { Program } from '../../sim/runtime/program.ts';
import { GuidedSource } from '../../verify/guide/guided-source.ts';
import { inSharedWorlds, sampled, withCases, withOwnPackets } from '../../verify/guide/own-packets.ts';
import { verify } from '../../verify/run.ts';
import { placePrograms, worldsIn } from '../input/world-options.ts';
import { ownCases } from './own-cases.ts';

const scratch = mkdtempSync(join(tmpdir(), 'xdpsim-own-'));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

/** Without the very address and port, nothing of this program's maps is ever met. */
const PACKET = ethernet()
  .ipv4({ source: '198.18.7.7', destination: '10.9.9.9' })
  .udp({ sourcePort: 999, destinationPort: 40_123 })
  .payload(Uint8Array.of(1, 2, 3, 4))
  .bytes();
const FILE = join(scratch, 'packets.hex');
writeFileSync(FILE, `# the flow\n${toHex(PACKET)}\n${'00'.repeat(20)}\n`);

const WORLD = join(scratch, 'world.jsonc');
writeFileSync(
  WORLD,
  `{ "maps": { "flows": [{
    "key": { "saddr": "198.18.7.7", "port": 40123, "proto": 17 },
    "value": { "verdict": "VERDICT_DENY", "low": 3, "high": 1000 },
  }] } }`,
);

const named: Program = {
  name: 'world_file',
  object: new Uint8Array(readFileSync(packageFile('sim/ebpf/test-support/world-file.o'))),
  entries: [{ function: 'enter', hook: 'xdp' }],
};
const [placed] = placePrograms([named], { world: WORLD, map: [], maxEntries: ['sized=8'], aim: [] });
const { program } = placed!;
const worlds = worldsIn(placed!);

describe('packets that the user brings', () => {
  it('are cases in every world, for every function', async () => {
    const two = [...worlds, { name: 'other', world: { time: 5n } }];
    const entries = [...program.entries, { function: 'answer', hook: 'xdp' as const }];
    const cases = await ownCases([FILE], { ...program, entries }, two);
    expect(
      cases.map(({ path, case: { world, stimuli } }) => [path, world, stimuli.map(({ entry = 0 }) => entry)]),
    ).toEqual(
      two.flatMap(({ world }) => [
        [FILE, world, [0, 0]],
        [FILE, world, [1, 1]],
      ]),
    );
    expect(cases[0]!.case.stimuli[0]!.packet).toEqual(PACKET);
  });

  it('meet the worlds of this program where they were saved for another, whose maps it does not have', async () => {
    const file = join(scratch, 'another.pcapng');
    const stimuli = [{ packet: PACKET }];
    await saveCase(file, { program: 'router', world: { maps: { tx_port: [] } }, stimuli });
    await saveCase(join(scratch, 'own.pcapng'), { program: 'mine', world: { maps: { flows: [] } }, stimuli });
    const cases = await ownCases([file, join(scratch, 'own.pcapng')], program, worlds);
    expect(cases.map(({ case: { world } }) => world)).toEqual([
      ...worlds.map(({ world }) => world),
      { maps: { flows: [] } },
    ]);
  });

  it('reach what no generated packet does, and are what packets of the run are made of', async () => {
    const cases = await ownCases([FILE], program, worlds);
    const options = {
      program,
      engines: [createVmEngine(), createWasmEngine()],
      seed: '1',
      runs: 2048,
      worlds,
    };
    const without = await verify(options);
    expect(without.actions.XDP_DROP).toBeUndefined();
    // Also where nothing is replayed: by the packets of the run alone.
    const guidance = withOwnPackets(program, undefined, cases[0]!.case.stimuli, worlds);
    const mixed = await verify({ ...options, guidance });
    expect(mixed.actions.XDP_DROP).toBeGreaterThan(50);
    expect(mixed.divergences).toEqual([]);
    const replayed = await verify({ ...options, cases, runs: 1 });
    expect(replayed.actions.XDP_DROP).toBe(1);
  });

  it('come as they are and changed, the same for the same seed', () => {
    const guidance = withOwnPackets(program, undefined, [{ packet: PACKET }], worlds);
    const fill = (): Uint8Array[] => {
      const source = new GuidedSource(new PacketGenerator({}, ['xdp']), program, guidance);
      const batch = new PacketBatch(1024);
      source.fill(batch, seedFromText('s'), 0, 1024, TEST_RUN_LIMITS, worlds[0]!.world);
      return Array.from({ length: batch.count }, (_, at) => batch.stimulus(at).packet);
    };
    const packets = fill();
    const same = packets.filter((packet) => toHex(packet) === toHex(PACKET)).length;
    const near = packets.filter((packet) => {
      const bytes =
        packet.length === PACKET.length ? packet.filter((byte, at) => byte !== PACKET[at]).length : 99;
      return bytes > 0 && bytes <= 8;
    }).length;
    expect(same).toBeGreaterThan(100);
    expect(near).toBeGreaterThan(100);
    expect(fill()).toEqual(packets);
  });

  it('may be packets of paths: the run makes packets of them, in the worlds that they take', async () => {
    const [first] = worlds;
    const again = { ...first!.world };
    const other = { ...first!.world, maps: {} };
    const cases = inSharedWorlds(
      [again, other, { ...other }].map((world) => ({ world, stimuli: [{ packet: PACKET }] })),
      worlds,
    );
    expect(cases.map(({ world }) => [first!.world, other].indexOf(world))).toEqual([0, 1, 1]);
    const guidance = withCases(program, undefined, cases.slice(0, 1));
    const engines = [createVmEngine(), createWasmEngine()];
    const mixed = await verify({ program, engines, seed: '1', runs: 2048, worlds, guidance });
    expect(mixed.actions.XDP_DROP).toBeGreaterThan(50);
  });

  it('are spread evenly where there are many', () => {
    const all = Array.from({ length: 1000 }, (_, at) => at);
    expect(sampled(all, 4)).toEqual([0, 250, 500, 750]);
    expect(sampled([1, 2], 4)).toEqual([1, 2]);
  });
});
