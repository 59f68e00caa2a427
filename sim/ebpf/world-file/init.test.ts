import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { parseJsonc } from '../../runtime/jsonc.ts';
import { parse } from '../../runtime/schema.ts';
import { Machine } from '../machine.ts';
import { loadObject } from '../object.ts';
import { testMap, testObject } from '../test-support/assemble.ts';
import { withSlots } from '../world-slots.ts';
import { bindWorld } from './bind.ts';
import { initialWorldFile } from './init.ts';
import { worldFileShape } from './shape.ts';

const BUILT = new URL('../../../bpf/built/', import.meta.url);
const TEST_OBJECTS = new URL('../test-support/', import.meta.url);
const objects = [
  ...readdirSync(BUILT).map((name) => new URL(name, BUILT)),
  ...['world-file.o', 'linking.o', 'legacy-maps.o'].map((name) => new URL(name, TEST_OBJECTS)),
].filter(({ pathname }) => pathname.endsWith('.o'));

describe('the world file to start from', () => {
  it.each(objects.map((url) => [url.pathname.replace(/.*\//, ''), url]))(
    'of %s states nothing as it is',
    (_name, url) => {
      const object = loadObject(new Uint8Array(readFileSync(url)));
      const shape = parse(worldFileShape, parseJsonc(initialWorldFile(object, { name: 'it' })));
      expect(bindWorld(shape, object)).toEqual({
        world: shape.globals === undefined ? {} : { globals: {} },
        maxEntries: {},
        hints: {},
      });
    },
  );

  it.each(objects.map((url) => [url.pathname.replace(/.*\//, ''), url]))(
    'of %s has examples that are right',
    (_name, url) => {
      const object = loadObject(new Uint8Array(readFileSync(url)));
      const text = initialWorldFile(object, { name: 'it', plain: true });
      const { world, maxEntries } = bindWorld(parse(worldFileShape, parseJsonc(text)), object);
      const maps = object.maps.map((map) => ({ ...map, maxEntries: maxEntries[map.name] ?? map.maxEntries }));
      // The machine takes every entry and every slot.
      expect(() => new Machine(withSlots({ ...object, maps }, world), world)).not.toThrow();
      // The values of globals are those of the object.
      for (const map of object.maps) {
        for (const [variable, { offset, size }] of map.global?.variables ?? []) {
          const value = world.globals?.[variable];
          if (value !== undefined) expect(value).toEqual(map.global!.bytes.slice(offset, offset + size));
        }
      }
    },
  );

  it.each([
    ['HASH', { keySize: 4, valueSize: 4 }, '// "tables": { "0": { "0": { "hex": "00000000" } } },'],
    ['HASH', { keySize: 4, valueSize: 100 }, '// "tables": { "0": {} },'],
    ['RINGBUF', { keySize: 0, valueSize: 0 }, '// "tables": { "0": {} },'],
  ] as const)('shows a slot with a map that user space makes, where no map fits: %s', (type, sizes, line) => {
    const tables = testMap('tables', 'HASH_OF_MAPS', { inner: testMap('tables.inner', type, sizes) });
    const { maps, programs, btf } = testObject({ main: 'exit' }, [tables]);
    expect(initialWorldFile({ maps, programs, btf }, { name: 'it' })).toContain(line);
  });

  it('writes keys that are no names of properties in a list', () => {
    const inner = testMap('wide.inner', 'HASH', { keySize: 12, valueSize: 4 });
    const wide = testMap('wide', 'HASH_OF_MAPS', { keySize: 12, inner });
    const { maps, programs, btf } = testObject({ main: 'exit' }, [wide]);
    const text = initialWorldFile({ maps, programs, btf }, { name: 'it' });
    const key = `{ "hex": "${'00'.repeat(12)}" }`;
    expect(text).toContain(
      `// "wide": [{ "key": ${key}, "value": [ { "key": ${key}, "value": { "hex": "00000000" } } ] }],`,
    );
    expect(text).toContain('//   each slot holds a map: HASH, 4 entries at most');
    expect(text).toContain('//     key:   12 bytes');
  });

  it('names every map and variable with its type', () => {
    const object = loadObject(new Uint8Array(readFileSync(new URL('world-file.o', TEST_OBJECTS))));
    const text = initialWorldFile(object, { name: 'my.o' });
    expect(text).toContain('// What surrounds the programs of my.o.');
    expect(text).toContain('struct flow { __be32 saddr; __be16 port; __u8 proto; __u8 pad; }');
    expect(text).toContain('// "steps": { "0": "enter" },');
    expect(text).toContain('// "tenants": { "0": "inner_one" },');
    expect(text).toContain('// "budget": 100, // __u64, .data');
    expect(text).toContain('// "maxEntries": { "sized": 1024 },');
    for (const { name, global } of object.maps)
      if (global === undefined) expect(text).toContain(`// ${name}: `);
  });

  it('keeps names of a hostile object inside the comment', () => {
    const text = initialWorldFile(
      { maps: [], programs: [], btf: undefined },
      { name: 'a\n"time": "1h",\u2028b' },
    );
    expect(parseJsonc(text)).toEqual({});
  });
});
