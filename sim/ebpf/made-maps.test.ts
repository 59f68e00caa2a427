/** Names of maps that user space makes, and what they are made after. */
import { describe, expect, it } from 'vitest';
import { madeName, mapNamed, namesOfMade, nextMade, templateOf, withMadeMaps } from './made-maps.ts';
import { testMap, testObject } from './test-support/assemble.ts';

const inner = testMap('tables.inner', 'HASH', { keySize: 2, valueSize: 16, maxEntries: 99 });
const object = testObject({ main: 'exit' }, [
  testMap('tables', 'HASH_OF_MAPS', { inner }),
  testMap('open', 'ARRAY_OF_MAPS'),
  testMap('plain', 'HASH'),
]);
const none: readonly [] = [];
const key = Uint8Array.of(1, 0, 0, 0);

describe('a map that user space makes', () => {
  it.each([
    ['tables/0', 'tables'],
    ['tables/99', 'tables'],
    ['a/b/7', 'a/b'],
    ['tables', undefined],
    ['tables/', undefined],
    ['tables/x', undefined],
    ['tables/00', undefined],
    ['/1', undefined],
  ])('%s is made after the template of %s', (name, outer) => {
    expect(templateOf(name)).toBe(outer);
  });

  it('is like the template, and has its own name', () => {
    expect(mapNamed(object.maps, madeName('tables', 3))).toEqual({ ...inner, name: 'tables/3' });
    expect(mapNamed(object.maps, 'plain')).toBe(object.maps[2]);
  });

  it.each(['plain/0', 'open/0', 'nothing/0', 'nothing'])('is none where there is no template: %s', (name) => {
    expect(mapNamed(object.maps, name)).toBeUndefined();
  });

  it('gets a size where the template leaves it to the loader', () => {
    const sizeless = testMap('t', 'ARRAY_OF_MAPS', { inner: testMap('t.inner', 'HASH', { maxEntries: 0 }) });
    expect(mapNamed([sizeless], 't/0')!.maxEntries).toBe(1024);
  });
});

describe('the maps that a world makes', () => {
  const world = {
    maps: { 'tables/10': none, plain: none, 'tables/2': none },
    slots: { tables: [{ key, name: 'tables/2' }], open: [{ key, name: 'plain' }] },
  };

  it('are those that slots hold, or that have contents, each once', () => {
    expect(namesOfMade(world)).toEqual(['tables/10', 'tables/2']);
    expect(namesOfMade({})).toEqual([]);
  });

  it('come behind the object’s own', () => {
    const more = withMadeMaps(object, world);
    expect(more.maps.map(({ name }) => name)).toEqual(['tables', 'open', 'plain', 'tables/10', 'tables/2']);
    expect(withMadeMaps(object, { maps: { plain: none } })).toBe(object);
    expect(withMadeMaps(object, { maps: { 'plain/0': none } })).toBe(object);
  });

  it('are one for each slot that is filled, up to sixteen', () => {
    const slots = Array.from({ length: 16 }, (_, number) => ({ name: madeName('tables', number) }));
    expect(nextMade('tables', [])).toBe('tables/0');
    expect(nextMade('tables', [{ name: 'tables/0' }, { name: 'plain' }])).toBe('tables/1');
    expect(nextMade('tables', slots.slice(1))).toBe('tables/0');
    expect(nextMade('tables', slots)).toBe('tables/0');
  });
});
