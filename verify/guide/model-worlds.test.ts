import { expect, it } from 'vitest';
import type { Program, ProgramDefinition } from '../../sim/runtime/program.ts';
import type { World } from '../../sim/runtime/world.ts';
import { inWorldsOfModel } from './model-worlds.ts';

const definition = { maps: [{ name: 'hits', type: 'ARRAY', keySize: 4, valueSize: 8, maxEntries: 1 }] };
const program: Program = { name: 'p', entries: [] };
const modelled: Program = { ...program, definition: definition as unknown as ProgramDefinition };
const worldsOf = (of: Program, ...worlds: readonly World[]): readonly World[] =>
  inWorldsOfModel(
    of,
    worlds.map((world) => ({ world })),
  ).map(({ world }) => world);

it('leaves out what the model’s definition does not list, and nothing else', () => {
  const listed: World = { maps: { hits: [] }, time: 5n };
  expect(worldsOf(modelled, listed)[0]).toBe(listed);
  expect(worldsOf(modelled, { ...listed, maps: { hits: [], flows: [] } })).toEqual([listed]);
  expect(worldsOf(modelled, { maps: { flows: [] }, time: 5n })).toEqual([{ time: 5n }]);
});

it('keeps the same world the same for all of its cases', () => {
  const shared: World = { maps: { flows: [] } };
  const [one, other] = worldsOf(modelled, shared, shared);
  expect(one).toBe(other);
});

it('keeps everything where there is no model', () => {
  const filled: World = { maps: { flows: [] } };
  expect(worldsOf(program, filled)[0]).toBe(filled);
});
