/** Which difference between the maps of two builds is reported: contents, variables, maps that one build lacks or has in another form. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { BpfMap } from '../../sim/ebpf/bpf-object.ts';
import { linkedObject } from '../../sim/ebpf/linked-object.ts';
import { type WrittenData, writeElf } from '../../sim/ebpf/test-support/write-elf.ts';
import { type MapSnapshot, snapshotOf } from '../../sim/runtime/map-snapshot.ts';
import type { Program } from '../../sim/runtime/program.ts';
import { builtIn } from '../test-support/changed-object.ts';
import { haveBoth, type MapState, pairMapDifference } from './map-pairs.ts';
import type { BuildPair } from './pair.ts';

const object = new Uint8Array(readFileSync(new URL('../check/recorded/counters.o', import.meta.url)));
const counters: Program = {
  name: 'counter_plain',
  entries: [{ function: 'counter_plain', hook: 'xdp' }],
  object,
};
const array = builtIn('proto_count').program;
const hash = builtIn('proto_count_hash').program;
const account = builtIn('account').program;
const filter = builtIn('port_filter').program;
const bare: Program = { name: 'bare', entries: [{ function: 'bare', hook: 'xdp' }] };

function mapOf({ object: bytes }: Program, name: string): BpfMap {
  return linkedObject(bytes!).maps.find((map) => map.name === name)!;
}

/** The map with entries of these values, by key. */
function held(program: Program, name: string, values: Readonly<Record<number, number>> = {}): MapSnapshot {
  const { keySize, valueSize } = mapOf(program, name);
  const sized = (size: number, value: number): Uint8Array => {
    const bytes = new Uint8Array(size);
    bytes[0] = value;
    return bytes;
  };
  return snapshotOf(
    mapOf(program, name),
    Object.entries(values).map(([key, value]) => ({
      key: sized(keySize, Number(key)),
      value: sized(valueSize, value),
    })),
  );
}

const state = (now: readonly MapSnapshot[], start: readonly MapSnapshot[] = []): MapState => ({ now, start });

describe('the maps of one build in two versions', () => {
  const same: BuildPair = { old: counters, new: counters };

  it('agree where their contents do', () => {
    const maps = ['.bss', 'counts', 'per_cpu', 'totals'].map((name) => held(counters, name, { 0: 1 }));
    expect(pairMapDifference(same, state(maps), state(maps))).toBeUndefined();
  });

  it('differ in an entry', () => {
    const found = pairMapDifference(
      same,
      state([held(counters, 'counts', { 1: 5, 6: 7 })]),
      state([held(counters, 'counts', { 1: 5, 6: 8 })]),
    );
    expect(found).toMatchObject({ is: 'entry', map: 'counts' });
    expect(found?.is === 'entry' && found.difference.key[0]).toBe(6);
  });

  it('are shown in order of name', () => {
    const found = pairMapDifference(
      same,
      state([held(counters, 'totals', { 0: 1 }), held(counters, 'counts', { 0: 1 })]),
      state([held(counters, 'totals', { 0: 2 }), held(counters, 'counts', { 0: 2 })]),
    );
    expect(found?.map).toBe('counts');
  });

  it('differ in a variable, of which an empty snapshot holds zeros', () => {
    const found = pairMapDifference(
      same,
      state([held(counters, '.bss')]),
      state([held(counters, '.bss', { 0: 3 })]),
    );
    expect(found).toEqual({
      is: 'variable',
      map: '.bss: seen',
      old: new Uint8Array(8),
      new: Uint8Array.of(3, 0, 0, 0, 0, 0, 0, 0),
      offsets: { old: 0, new: 0 },
    });
    expect(
      pairMapDifference(same, state([held(counters, '.bss')]), state([held(counters, '.bss', { 0: 0 })])),
    ).toBeUndefined();
  });

  it('are not compared where one of them could not be read', () => {
    expect(pairMapDifference(same, state([]), state([held(counters, 'counts', { 1: 1 })]))).toBeUndefined();
    expect(pairMapDifference(same, state([held(counters, 'counts', { 1: 1 })]), state([]))).toBeUndefined();
    expect(pairMapDifference(same, state([]), state([held(counters, '.bss', { 0: 1 })]))).toBeUndefined();
    expect(pairMapDifference(same, state([held(counters, '.bss', { 0: 1 })]), state([]))).toBeUndefined();
  });

  it('do not differ in constants: a build was given them', () => {
    const constants: BuildPair = { old: filter, new: filter };
    expect(
      pairMapDifference(
        constants,
        state([held(filter, '.rodata', { 0: 80 })]),
        state([held(filter, '.rodata', { 0: 81 })]),
      ),
    ).toBeUndefined();
  });
});

describe('maps that builds do not share', () => {
  const lacking: BuildPair = { old: array, new: account };
  const reformed: BuildPair = { old: array, new: hash };

  it('are variables, too: those that one alone has, and those of another size', () => {
    const build = (data: WrittenData): Program => ({
      ...bare,
      object: writeElf({ bare: 'r0 = 2\nexit' }, [], data),
    });
    const narrow = build({ '.data': { seen: [0, 0, 0, 0] } });
    const wide = build({ '.data': { seen: [0, 0, 0, 0, 0, 0, 0, 0] } });
    const none = build({ '.data': { other: [0, 0, 0, 0] } });
    const found = (old: Program, next: Program, [a, b]: readonly [number, number]): unknown =>
      pairMapDifference(
        { old, new: next },
        state([held(old, '.data', { 0: a })], [held(old, '.data', { 0: 0 })]),
        state([held(next, '.data', { 0: b })], [held(next, '.data', { 0: 0 })]),
      );
    const said = { what: 'variable', map: '.data: seen' } as const;
    expect(found(narrow, none, [1, 0])).toEqual({ is: 'only in', ...said, build: 'old' });
    expect(found(none, narrow, [0, 1])).toEqual({ is: 'only in', ...said, build: 'new' });
    expect(found(narrow, wide, [1, 1])).toEqual({ is: 'other form', ...said, build: 'old' });
    expect(found(narrow, wide, [0, 0])).toBeUndefined();
    expect(found(narrow, none, [0, 0])).toBeUndefined();
  });

  it('count where packets changed them', () => {
    expect(
      pairMapDifference(
        lacking,
        state([held(array, 'rxcnt', { 17: 1 })], [held(array, 'rxcnt')]),
        state([held(account, 'acc_map')], [held(account, 'acc_map')]),
      ),
    ).toEqual({ is: 'only in', what: 'map', map: 'rxcnt', build: 'old' });
    expect(
      pairMapDifference(
        lacking,
        state([held(array, 'rxcnt')], [held(array, 'rxcnt')]),
        state([held(account, 'acc_map', { 0: 1 })], [held(account, 'acc_map')]),
      ),
    ).toEqual({ is: 'only in', what: 'map', map: 'acc_map', build: 'new' });
  });

  it('do not count where nothing changed, or nobody saw it', () => {
    const full = held(array, 'rxcnt', { 17: 1 });
    expect(pairMapDifference(lacking, state([full], [full]), state([]))).toBeUndefined();
    expect(pairMapDifference(lacking, state([], [full]), state([]))).toBeUndefined();
  });

  it('count as changed where they were not there before', () => {
    expect(pairMapDifference(lacking, state([held(array, 'rxcnt')]), state([]))).toEqual({
      is: 'only in',
      what: 'map',
      map: 'rxcnt',
      build: 'old',
    });
  });

  it('have another form where one is an array and the other is not', () => {
    const still = held(array, 'rxcnt');
    expect(
      pairMapDifference(
        reformed,
        state([still], [still]),
        state([held(hash, 'rxcnt', { 17: 1 })], [held(hash, 'rxcnt')]),
      ),
    ).toEqual({ is: 'other form', what: 'map', map: 'rxcnt', build: 'new' });
    expect(
      pairMapDifference(
        reformed,
        state([held(array, 'rxcnt', { 17: 1 })], [still]),
        state([held(hash, 'rxcnt', { 17: 1 })], [held(hash, 'rxcnt')]),
      ),
    ).toEqual({ is: 'other form', what: 'map', map: 'rxcnt', build: 'old' });
  });

  it('of variables are not compared', () => {
    const pair: BuildPair = { old: counters, new: bare };
    expect(pairMapDifference(pair, state([held(counters, '.bss', { 0: 1 })]), state([]))).toBeUndefined();
  });
});

describe('one world for two builds', () => {
  it('needs every map in both, with one type and form', () => {
    expect(haveBoth({ old: counters, new: counters }, ['counts', 'totals'])).toBe(true);
    expect(haveBoth({ old: array, new: account }, [])).toBe(true);
    expect(haveBoth({ old: array, new: account }, ['rxcnt'])).toBe(false);
    expect(haveBoth({ old: account, new: array }, ['rxcnt'])).toBe(false);
    expect(haveBoth({ old: array, new: hash }, ['rxcnt'])).toBe(false);
    expect(haveBoth({ old: counters, new: counters }, ['counts', 'nothing'])).toBe(false);
    expect(haveBoth({ old: bare, new: bare }, ['counts'])).toBe(false);
  });
});
