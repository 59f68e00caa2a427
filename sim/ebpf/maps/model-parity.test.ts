/** The maps of models, held against the machine's: the same answers to the same operations, and the same contents. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createModelMap } from '../../runtime/create-model-map.ts';
import { indexKey } from '../../runtime/map-snapshot.ts';
import type { MapType } from '../../runtime/maps.ts';
import type { BpfMap } from '../bpf-object.ts';
import { LinearMemory } from '../memory.ts';
import { testMap } from '../test-support/assemble.ts';
import { createMap } from './create-map.ts';
import { RingBufferMap } from './ring-buffer-map.ts';

const FLAGS = fc.constantFrom(0, 0, 0, 1, 2, 3);

interface Step {
  readonly what: 'update' | 'delete' | 'lookup' | 'write' | 'push' | 'pop' | 'peek';
  readonly key: Uint8Array;
  readonly value: number;
  readonly flags: number;
}

const KEYED = ['update', 'update', 'delete', 'lookup', 'write'] as const;
const KEYLESS = ['push', 'push', 'pop', 'peek'] as const;

function steps(keys: fc.Arbitrary<Uint8Array>, what: readonly Step['what'][]): fc.Arbitrary<Step[]> {
  const step = fc.record({ what: fc.constantFrom(...what), key: keys, value: fc.nat(3), flags: FLAGS });
  return fc.array(step, { maxLength: 80 });
}

const numbers = fc.nat(9).map(indexKey);
const pairs = fc.tuple(fc.nat(2), fc.nat(3)).map(([a, b]) => Uint8Array.of(a, 0, b, 7, 1, 2));
const prefixes = fc
  .tuple(fc.nat(33), fc.constantFrom(0, 10, 128), fc.constantFrom(0, 1, 255))
  .map(([length, a, b]) => Uint8Array.of(length, 0, 0, 0, a, b, a, b));

/** One map of each side; keys and values go to the machine by way of its memory. */
function answers(source: BpfMap, script: readonly Step[]): readonly [machine: unknown[], model: unknown[]] {
  const memory = new LinearMemory();
  const map = createMap(memory, source, 0);
  const at = memory.allocate(1024);
  const valueAt = at + 512;
  const model = createModelMap(map.definition);
  const machineSaid: unknown[] = [];
  const modelSaid: unknown[] = [];
  const bytes = (address: number): number[] | undefined =>
    address === 0 ? undefined : [...memory.read(address, source.valueSize)];
  for (const { what, key, value, flags } of script) {
    const content = new Uint8Array(source.valueSize).fill(value);
    memory.u8.set(key, at);
    memory.u8.set(content, valueAt);
    const list = (one: Uint8Array | undefined): number[] | undefined => (one === undefined ? one : [...one]);
    switch (what) {
      case 'update':
        machineSaid.push(map.update(at, valueAt, flags));
        modelSaid.push(model.update(key, content, flags));
        break;
      case 'delete':
        machineSaid.push(map.delete(at));
        modelSaid.push(model.delete(key));
        break;
      case 'lookup':
        machineSaid.push(bytes(map.lookup(at)));
        modelSaid.push(list(model.lookup(key)));
        break;
      case 'write': {
        // In place, as a program does through the pointer that a lookup gives.
        const slot = map.lookup(at);
        if (slot !== 0) memory.u8[slot + 1] = value;
        const entry = model.lookup(key);
        if (entry !== undefined) entry[1] = value;
        break;
      }
      case 'push':
        machineSaid.push(map.push(valueAt, flags));
        modelSaid.push(model.push(content, flags));
        break;
      default:
        machineSaid.push(map[what](valueAt) === 0 ? bytes(valueAt) : undefined);
        modelSaid.push(list(model[what]()));
    }
  }
  machineSaid.push(map.snapshot()?.list());
  modelSaid.push(model.snapshot()?.list());
  return [machineSaid, modelSaid];
}

const KINDS: readonly (readonly [MapType, number, number, fc.Arbitrary<Uint8Array>])[] = [
  ['ARRAY', 4, 8, numbers],
  ['PERCPU_ARRAY', 4, 8, numbers],
  ['HASH', 6, 8, pairs],
  ['PERCPU_HASH', 4, 8, numbers],
  ['LRU_HASH', 6, 8, pairs],
  ['LRU_PERCPU_HASH', 4, 8, numbers],
  ['LPM_TRIE', 8, 8, prefixes],
  ['DEVMAP', 4, 4, numbers],
  ['DEVMAP_HASH', 4, 8, numbers],
  ['CPUMAP', 4, 4, numbers],
  ['XSKMAP', 4, 4, numbers],
  ['PROG_ARRAY', 4, 4, numbers],
  ['QUEUE', 0, 8, fc.constant(new Uint8Array(0))],
  ['STACK', 0, 8, fc.constant(new Uint8Array(0))],
];

describe('a map of a model', () => {
  for (const [type, keySize, valueSize, keys] of KINDS) {
    it(`${type} answers as the machine's`, () => {
      const source = testMap('m', type, {
        keySize,
        valueSize,
        maxEntries: 5,
        mapFlags: type === 'LPM_TRIE' ? 1 : 0,
      });
      // What these hold is written by user space only, and a slot that holds 0 is an empty one.
      const readOnly = ['DEVMAP', 'DEVMAP_HASH', 'CPUMAP', 'XSKMAP', 'PROG_ARRAY'].includes(type);
      const what = keySize === 0 ? KEYLESS : readOnly ? KEYED.slice(0, 4) : KEYED;
      fc.assert(
        fc.property(steps(keys, what), (script) => {
          const [machine, model] = answers(source, script);
          expect(model).toEqual(machine);
        }),
      );
    });
  }

  it('RINGBUF has room for as many samples as the machine’s', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(900), { maxLength: 40 }), (sizes) => {
        const memory = new LinearMemory();
        const ring = createMap(
          memory,
          testMap('m', 'RINGBUF', { keySize: 0, valueSize: 0, maxEntries: 4096 }),
          0,
        );
        if (!(ring instanceof RingBufferMap)) throw new Error('not a ring');
        const from = memory.allocate(1024);
        const model = createModelMap(ring.definition);
        for (const size of sizes) expect(model.output(new Uint8Array(size))).toBe(ring.output(from, size));
      }),
    );
  });

  it('of maps holds other maps of the program, and is one with them', () => {
    const inner = createModelMap({ name: 'inner', type: 'HASH', keySize: 4, valueSize: 4, maxEntries: 4 });
    const named = (name: string): typeof inner | undefined => (name === 'inner' ? inner : undefined);
    const slots = { keySize: 4, valueSize: 4, maxEntries: 4, holds: [{ key: 2, map: 'inner' }] };
    for (const type of ['ARRAY_OF_MAPS', 'HASH_OF_MAPS'] as const) {
      const outer = createModelMap({ name: 'outer', type, ...slots }, named);
      expect(outer.inner(2)).toBe(inner);
      expect(outer.inner(indexKey(2))).toBe(inner);
      expect(outer.inner(1)).toBeUndefined();
      expect(outer.snapshot()).toBeUndefined();
    }
    const missing = {
      name: 'outer',
      type: 'ARRAY_OF_MAPS',
      ...slots,
      holds: [{ key: 0, map: 'x' }],
    } as const;
    expect(() => createModelMap(missing, named)).toThrow('holds a map x that is not there');
  });

  it('costs of an array of millions of entries what was asked for', () => {
    const map = createModelMap({
      name: 'm',
      type: 'ARRAY',
      keySize: 4,
      valueSize: 8,
      maxEntries: 33_000_000,
    });
    map.lookupIndex(32_999_999)![0] = 1;
    expect(map.lookupIndex(33_000_000)).toBeUndefined();
    expect(map.snapshot()!.count).toBe(1);
  });
});
