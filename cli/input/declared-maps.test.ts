import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { packageFile } from '../../kernel/package-file.ts';
import type { BpfMap } from '../../sim/ebpf/bpf-object.ts';
import { BPF_MAP_TYPE, type MapDefinition } from '../../sim/runtime/maps.ts';
import type { World } from '../../sim/runtime/world.ts';
import { writeModule } from '../test-support/user-modules.ts';
import { mapProblem, otherMaps, worldProblem } from './declared-maps.ts';
import { resolvePrograms } from './program-source.ts';

const MAP: MapDefinition = { name: 'buckets', type: 'HASH', keySize: 4, valueSize: 16, maxEntries: 1024 };

function ofObject(map: Partial<MapDefinition> = {}): BpfMap {
  const whole = { ...MAP, ...map };
  return {
    ...whole,
    typeNumber: BPF_MAP_TYPE[whole.type],
    mapFlags: 0,
    inner: undefined,
    initial: [],
    keyType: undefined,
    valueType: undefined,
    global: undefined,
  } as unknown as BpfMap;
}

const problem = (declared: Partial<MapDefinition>, own: readonly BpfMap[] = [ofObject()]) =>
  mapProblem([{ ...MAP, ...declared }], own, 'limiter.o');

it('takes a map as the object has it, whatever else the object has', () => {
  expect(problem({})).toBeUndefined();
  expect(problem({}, [ofObject({ name: 'other' }), ofObject()])).toBeUndefined();
  expect(mapProblem([], [ofObject()], 'limiter.o')).toBeUndefined();
});

it('says which map the object does not have, and what it has', () => {
  expect(problem({ name: 'bucket' })).toBe(
    'maps[0].name: limiter.o has no map “bucket”; did you mean “buckets”?',
  );
  expect(problem({ name: 'flows' })).toBe('maps[0].name: limiter.o has no map “flows”; it has buckets');
  expect(problem({ name: 'flows' }, [])).toBe(
    'maps[0].name: limiter.o has no map “flows”; it has none at all',
  );
});

it.each<[Partial<MapDefinition>, string]>([
  [{ type: 'LRU_HASH' }, 'LRU_HASH with keySize 4 and valueSize 16'],
  [{ type: 'PERCPU_HASH' }, 'PERCPU_HASH with keySize 4 and valueSize 16'],
  [{ keySize: 8 }, 'HASH with keySize 8 and valueSize 16'],
  [{ valueSize: 12 }, 'HASH with keySize 4 and valueSize 12'],
])('shows both declarations where they differ: %j', (declared, text) => {
  const has = 'HASH with keySize 4 and valueSize 16';
  expect(problem(declared)).toBe(`maps[0]: “buckets” is ${text} here, and ${has} in limiter.o`);
});

it('says which maps another object has as another kind, or with other sizes', () => {
  const other = (own: Partial<MapDefinition>) => otherMaps([MAP], [ofObject(own)], 'mine.o');
  const model = 'HASH with keySize 4 and valueSize 16 in the model';
  expect(other({ type: 'LRU_HASH' })).toEqual([
    `map “buckets” is LRU_HASH with keySize 4 and valueSize 16 in mine.o, and ${model}`,
  ]);
  expect(other({ valueSize: 8 })).toHaveLength(1);
  expect(other({})).toEqual([]);
  expect(other({ maxEntries: 7 })).toEqual([]);
  // A map that it lacks is one that nobody compares: the report says so.
  expect(other({ name: 'flows', type: 'ARRAY' })).toEqual([]);
});

describe('of a world', () => {
  const filled: World = { maps: { buckets: [] } };
  const variables = new Map([['rate', { offset: 0, size: 4, typeId: 0 }]]);
  const data = {
    ...ofObject({ name: '.rodata' }),
    global: { bytes: new Uint8Array(4), readOnly: true, variables },
  };
  const ofWorld = (world: World, own: readonly BpfMap[] = [ofObject(), data], maps = [MAP]) =>
    worldProblem(
      {
        maps,
        worlds: [
          { name: 'empty', world: {} },
          { name: 'filled', world },
        ],
      },
      own,
      'mine.o',
    );

  it('takes what object and definition have, and the inner maps that user space makes', () => {
    expect(ofWorld(filled)).toBeUndefined();
    expect(ofWorld({ globals: { rate: new Uint8Array(4) } })).toBeUndefined();
    expect(ofWorld({}, [])).toBeUndefined();
    const outer: MapDefinition = { ...MAP, name: 'outer', holds: [{ key: 0, map: 'inner' }] };
    const inner: MapDefinition = { ...MAP, name: 'inner' };
    expect(ofWorld({ maps: { inner: [] } }, [ofObject({ name: 'outer' })], [outer, inner])).toBeUndefined();
  });

  it('names the map or variable that is not there, and those that are', () => {
    expect(ofWorld(filled, [ofObject({ name: 'hits' })])).toBe(
      'worlds[1].world.maps: mine.o has no map “buckets”; it has hits',
    );
    expect(ofWorld(filled, [ofObject()], [])).toBe(
      'worlds[1].world.maps: “buckets” is none of the definition’s maps: list it there',
    );
    expect(ofWorld({ globals: { rates: new Uint8Array(4) } })).toBe(
      'worlds[1].world.globals: mine.o has no variable “rates”; did you mean “rate”?',
    );
  });

  it('is asked of an object that takes the place of another, too, before anything runs', async () => {
    const other = `${packageFile('bpf/built/xdp_pass.o')}:xdp_pass`;
    await expect(resolvePrograms(['proto_count'], other)).rejects.toThrow(
      'the model of proto_count: worlds[1].world.maps: xdp_pass.o has no map “rxcnt”; it has none at all',
    );
  });
});

it('leaves the number of entries to loaders', () => {
  expect(problem({ maxEntries: 7 })).toBeUndefined();
  expect(problem({}, [ofObject({ maxEntries: 0 })])).toBeUndefined();
});

it('asks no sizes of what has no values', () => {
  const ring = { type: 'RINGBUF', keySize: 0, valueSize: 0 } as const;
  expect(problem({ ...ring, valueSize: 16 }, [ofObject(ring)])).toBeUndefined();
  const calls = { type: 'PROG_ARRAY', keySize: 4, valueSize: 4 } as const;
  expect(problem({ ...calls, valueSize: 0 }, [ofObject(calls)])).toBeUndefined();
  expect(problem({ ...calls, keySize: 8 }, [ofObject(calls)])).toMatch(/PROG_ARRAY with keySize 8/);
});

it('takes maps inside a map of maps that user space makes', () => {
  const outer: MapDefinition = { ...MAP, name: 'outer', type: 'HASH_OF_MAPS', valueSize: 4 };
  const own = [ofObject({ ...outer, valueSize: 0 })];
  const declared = [{ ...outer, holds: [{ key: 1, map: 'buckets' }] }, MAP];
  expect(mapProblem(declared, own, 'limiter.o')).toBeUndefined();
  expect(mapProblem([outer, MAP], own, 'limiter.o')).toMatch(/^maps\[1\]\.name: limiter\.o has no map/);
});

it('is asked of the object that a module names, and of none that takes the place of another', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'xdpsim-maps-'));
  try {
    const module = writeModule(folder, 'lacks', { maps: JSON.stringify([MAP]) });
    await expect(resolvePrograms([module])).rejects.toThrow(
      'lacks.model.mjs: maps[0].name: xdp_pass.o has no map “buckets”; it has none at all',
    );
    const other = `${packageFile('bpf/built/xdp_pass.o')}:xdp_pass`;
    await expect(resolvePrograms(['icmp_drop'], other)).resolves.toHaveLength(1);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
