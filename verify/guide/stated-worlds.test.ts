import { expect, it } from 'vitest';
import type { Program, ProgramDefinition } from '../../sim/runtime/program.ts';
import type { World } from '../../sim/runtime/world.ts';
import { StatedWorlds } from './stated-worlds.ts';

const program: Program = { name: 'any', entries: [] };
const value = Uint8Array.of(1);
const world: World = { globals: { limit: value }, slots: {} };
const worlds = (of: Program = program): StatedWorlds => new StatedWorlds(of, [{ name: 'only', world }]);

it('tells what a world states from an equal copy of it', () => {
  const own = { globals: { limit: value.slice(), other: value }, slots: {} };
  const stated = worlds();
  expect([world, own].map((one) => stated.isStated(one, 'limit'))).toEqual([true, false]);
  expect([world, own].map((one) => stated.hasOwnGlobals(one))).toEqual([false, true]);
  expect([world, own, {}].map((one) => stated.hasOwnSlots(one))).toEqual([false, true, false]);
  expect(stated.withStatedGlobals({ globals: { limit: value, other: value } })).toEqual({
    globals: { limit: value },
  });
  expect(stated.withStatedGlobals(own)).toEqual({ slots: {} });
});

it('notes the first value with which a variable stops a program, where no world states it', () => {
  const stated = worlds();
  for (const other of [7, 8]) stated.noteStopping({ globals: { limit: value, other: Uint8Array.of(other) } });
  expect(stated.stopping()).toEqual({ other: Uint8Array.of(7) });
});

it('leaves variables to user space that no run has written, unless there is a model', () => {
  const stated = worlds();
  stated.noteWritten(['count']);
  expect(['count', 'limit'].map((name) => stated.mayFill(name))).toEqual([false, true]);
  const definition = {} as ProgramDefinition;
  expect(worlds({ ...program, definition }).mayFill('limit')).toBe(false);
});
