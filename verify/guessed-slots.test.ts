import { describe, expect, it } from 'vitest';
import type { Program } from '../sim/runtime/program.ts';
import type { World } from '../sim/runtime/world.ts';
import { guessedSlots, guessText, testedApart, withoutGuesses } from './guessed-slots.ts';

const slot = (index: number, name: string, guessed?: true) => ({
  key: Uint8Array.of(index, index > 9 ? 1 : 0, 0, 0),
  name,
  ...(guessed === undefined ? {} : { guessed }),
});

describe('slots that a test has filled', () => {
  const world = {
    time: 1n,
    slots: { a: [slot(0, 'f', true), slot(1, 'g')], b: [slot(10, 'h', true)], c: [] },
  } as unknown as World;

  it('are told from those that the world has', () => {
    expect(guessedSlots(world)).toEqual([
      { map: 'a', index: 0, program: 'f' },
      { map: 'b', index: 266, program: 'h' },
    ]);
    expect(guessedSlots({})).toEqual([]);
    expect(withoutGuesses(world)).toEqual({ time: 1n, slots: { a: [slot(1, 'g')] } });
    expect(withoutGuesses({ slots: { b: [slot(10, 'h', true)] } } as unknown as World)).toEqual({});
  });

  it('are named', () => {
    expect(guessText({})).toBe('');
    expect(guessText({ slots: { a: [slot(1, 'g')] } } as unknown as World)).toBe('');
    expect(guessText(world)).toBe(' (with f in slot 0 of a, h in slot 266 of b, where the test put them)');
    const one = { slots: { a: [slot(0, 'f', true)] } } as unknown as World;
    expect(guessText(one)).toBe(' (with f in slot 0 of a, where the test put it)');
  });
});

describe('programs that are tested by themselves', () => {
  const object = Uint8Array.of(1);
  const program = (name: string, of: Uint8Array | undefined): Program => ({
    name,
    entries: [{ function: name, hook: 'xdp' }],
    ...(of === undefined ? {} : { object: of }),
  });

  it('are the others of the same object', () => {
    const own = program('own', object);
    const all = [own, program('f', object), program('g', Uint8Array.of(1)), program('h', undefined)];
    expect(testedApart(own, all)).toEqual(new Set(['f']));
    expect(testedApart(program('none', undefined), all)).toEqual(new Set());
  });
});
