/** Contents of maps that are common: what they are, and that `diff` finds what they show. */
import { expect, it } from 'vitest';
import type { BpfMap } from '../../sim/ebpf/bpf-object.ts';
import { testMap } from '../../sim/ebpf/test-support/assemble.ts';
import { writeElf } from '../../sim/ebpf/test-support/write-elf.ts';
import { createWasmEngine } from '../../sim/engines/wasm.ts';
import type { Program } from '../../sim/runtime/program.ts';
import type { World } from '../../sim/runtime/world.ts';
import { diff } from './diff.ts';
import { everydayWorlds } from './everyday-worlds.ts';
import type { BuildPair } from './pair.ts';

const ROUTES = { ...testMap('routes', 'LPM_TRIE'), keySize: 8, valueSize: 4 };
const FLOWS = { ...testMap('flows', 'HASH'), keySize: 4, valueSize: 4, maxEntries: 5 };
/** r0 = the entry of 10.1.2.3, after the same key was deleted. */
const DELETED = `*(u32 *)(r10 - 8) = 32
  *(u32 *)(r10 - 4) = 0x0302010a
  r1 = map[routes]
  r2 = r10
  r2 += -8
  call bpf_map_delete_elem
  r1 = map[routes]
  r2 = r10
  r2 += -8
  call bpf_map_lookup_elem`;
/** Never run. */
const WALK = 'r1 = map[flows]\ncall bpf_for_each_map_elem\nr0 = 2\nexit';

const program = (text: string, map: BpfMap): Program => ({
  name: 'test',
  entries: [{ function: 'main', hook: 'xdp' }],
  object: writeElf({ main: text }, [map]),
});
const pairOf = (old: string, next: string, map: BpfMap): BuildPair => ({
  old: program(old, map),
  new: program(next, map),
});
const VALUE = Uint8Array.of(1, 0, 0, 0);
const HOST = { key: Uint8Array.of(32, 0, 0, 0, 10, 1, 2, 3), value: VALUE };
const NET = { key: Uint8Array.of(24, 0, 0, 0, 10, 1, 2, 0), value: VALUE };
const ALL = { key: new Uint8Array(8), value: new Uint8Array(4) };

const differing = async (pair: BuildPair): Promise<number> => {
  const [engine, seed] = [createWasmEngine(), '1'];
  const more = { sweeps: false, maxClasses: 5, shrinkSeconds: 0 };
  return (await diff({ pair, engine, seed, runs: 50, ...more })).classes.length;
};

it('are a shorter prefix in place of an entry, and beside it, and one that covers everything', () => {
  const pair = pairOf(DELETED, DELETED, ROUTES);
  expect(everydayWorlds(pair, { maps: { routes: [HOST] } })).toEqual([
    { maps: { routes: [NET] } },
    { maps: { routes: [HOST, NET] } },
  ]);
  expect(everydayWorlds(pair, {})).toEqual([{ maps: { routes: [ALL] } }]);
  expect(everydayWorlds(pair, { maps: { routes: [ALL] } })).toEqual([]);
});

it('are tables of a few entries, where something walks through them', () => {
  const walks = pairOf(WALK, WALK, FLOWS);
  const sizes = (world: World): number[] =>
    everydayWorlds(walks, world).map(({ maps }) => maps!.flows!.length);
  expect(sizes({})).toEqual([3, 4, 5]);
  const flows = [0, 1, 2, 3].map((first) => ({ key: Uint8Array.of(first, 0, 0, 0), value: VALUE }));
  const [full] = everydayWorlds(walks, { maps: { flows } });
  expect(new Set(full!.maps!.flows!.map(({ key }) => key.join())).size).toBe(5);
  expect(everydayWorlds(pairOf('r0 = 2\nexit', 'r0 = 2\nexit', FLOWS), {})).toEqual([]);
});

it('show what builds do differently in them, and nothing where they do the same', async () => {
  const after = (action: number): string =>
    `${DELETED}\nr1 = r0\nr0 = ${action}\nif r1 != 0 goto out\nr0 = 2\nout:\nexit`;
  expect(await differing(pairOf(after(1), after(3), ROUTES))).toBe(1);
  expect(await differing(pairOf(after(1), `r6 = 0\n${after(1)}`, ROUTES))).toBe(0);
});
