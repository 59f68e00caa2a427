/** What the kernel refuses of what guidance has made up is left out, and nothing else. */
import { expect, it } from 'vitest';
import { type Engine, EngineError } from '../../sim/engines/engine.ts';
import { createWasmEngine } from '../../sim/engines/wasm.ts';
import { programByName } from '../../sim/programs/index.ts';
import type { World } from '../../sim/runtime/world.ts';
import type { Guidance } from './guide.ts';
import { withPossibleWorlds } from './possible-worlds.ts';

const program = { ...programByName('xdp_pass')!, object: new Uint8Array(0) };
const byte = (value: number): Uint8Array => Uint8Array.of(value);
const entry = (key: number) => ({ key: byte(key), value: byte(0) });

/** Loads a world in which no global, and no map's key, is above 9; counts what it is asked. */
function upToNine(error = new EngineError('input', 'refused')): Engine & { asked: number } {
  return {
    ...createWasmEngine(),
    asked: 0,
    availability: () => ({ available: true }),
    async open(_, { globals = {}, maps = {} }) {
      this.asked++;
      const all = [
        ...Object.values(globals),
        ...Object.values(maps).flatMap((list) => list.map(({ key }) => key)),
      ];
      if (all.some(([value]) => value! > 9)) throw error;
      return { run: async () => {}, maps: () => [], reset: async () => {}, close: async () => {} };
    },
  };
}

async function possible(world: World, stated: World, kernel: Engine | undefined): Promise<World> {
  const guidance = { cases: [{ world, stimuli: [], reached: [] }] } as unknown as Guidance;
  const worlds = [{ name: 'stated', world: stated }];
  const { cases } = await withPossibleWorlds(guidance, { programs: [program], worlds, kernel });
  return cases[0]!.world;
}

it('keeps worlds that load, and those that are stated, which nobody asks about', async () => {
  const world = { globals: { a: byte(3) } };
  const kernel = upToNine();
  expect(await possible(world, {}, kernel)).toBe(world);
  expect(kernel.asked).toBe(1);
  const refused = { globals: { a: byte(30) } };
  expect(await possible(refused, refused, kernel)).toBe(refused);
  expect(kernel.asked).toBe(1);
});

it('leaves out the values, and the entries, with which the program does not load', async () => {
  const globals = { a: byte(1), b: byte(20), c: byte(3), d: byte(40) };
  const world = { cpu: 1, globals, maps: { flows: [entry(5), entry(50)] } };
  expect(await possible(world, {}, upToNine())).toEqual({
    ...{ cpu: 1, globals: { a: byte(1), c: byte(3) } },
    maps: { flows: [entry(5)] },
  });
});

it('keeps what is stated, and all of it where the stated world is refused itself', async () => {
  const world = { globals: { a: byte(7), b: byte(20) } };
  expect(await possible(world, { globals: { a: byte(7) } }, upToNine())).toEqual({ globals: { a: byte(7) } });
  const other = { globals: { a: byte(70), b: byte(20) } };
  expect(await possible(other, { globals: { a: byte(70) } }, upToNine())).toBe(other);
});

it('says which values had to be left out, each once, and with what error', async () => {
  const error = new EngineError('input', 'refused');
  const heard: string[] = [];
  const world = { globals: { a: byte(1), b: byte(20), d: byte(40) }, maps: { flows: [entry(50)] } };
  const guidance = {
    cases: [world, { globals: { b: byte(30) } }].map((one) => ({ world: one, stimuli: [], reached: [] })),
    stopping: { b: byte(99), e: byte(70), f: byte(2) },
  } as unknown as Guidance;
  await withPossibleWorlds(guidance, {
    ...{ programs: [program], worlds: [{ name: 'stated', world: {} }], kernel: upToNine(error) },
    onRefused: ({ variable, value, error: why }) => {
      expect(why).toBe(error);
      heard.push(`${variable} = ${value[0]}`);
    },
  });
  // What only the machine stops is none of them.
  expect(heard).toEqual(['b = 20', 'd = 40', 'e = 70']);
});

it('keeps everything where nobody can be asked, or the kernel lacks what the program needs', async () => {
  const world = { globals: { a: byte(30) } };
  expect(await possible(world, {}, undefined)).toBe(world);
  const lacking = new EngineError('input', 'unknown helper', { lacking: true });
  expect(await possible(world, {}, upToNine(lacking))).toBe(world);
  expect(await possible(world, {}, upToNine(new EngineError('environment', 'not root')))).toBe(world);
});

it('leaves out entries that this machine does not take, for what it lacks, too', async () => {
  const world = { maps: { cpus: [entry(5), entry(50)] } };
  const noCpu = new EngineError('environment', 'no CPU 50', { lacking: true, ofWorld: true });
  expect(await possible(world, {}, upToNine(noCpu))).toEqual({ maps: { cpus: [entry(5)] } });
});
