import { describe, expect, it } from 'vitest';
import { BPF_MAP_TYPE, type MapType } from '../runtime/maps.ts';
import { helperName, LAST_HELPER } from './helper-names.ts';
import { HELPERS } from './helpers/index.ts';
import { KERNEL_FUNCTIONS } from './helpers/kernel-functions.ts';
import {
  SLEEPING_HELPERS,
  UNSUPPORTED_FUNCTIONS,
  UNSUPPORTED_HELPERS,
  UNSUPPORTED_MAP_TYPES,
} from './helpers/unsupported.ts';
import { supportsMapType } from './maps/create-map.ts';
import { helperPage } from './test-support/helper-page.ts';

describe('docs/helpers.md', () => {
  it('is what the registers say (write it anew with -u)', async () => {
    await expect(helperPage()).toMatchFileSnapshot('../../docs/helpers.md');
  });

  it('has every number from 1 to 211 exactly once, with its name', () => {
    const found = [...helperPage().matchAll(/(\d+)(?: \| | )`(bpf_\w+)`/g)].map(([, number, name]) => [
      Number(number),
      name,
    ]);
    found.sort(([a], [b]) => Number(a) - Number(b));
    expect(found).toEqual(
      Array.from({ length: LAST_HELPER }, (_, index) => [index + 1, helperName(index + 1)]),
    );
  });
});

describe('what the machine lacks', () => {
  it('is not in the registers: remove the line of what has been added', () => {
    expect(UNSUPPORTED_HELPERS.filter(({ number }) => HELPERS.has(number))).toEqual([]);
    expect(
      UNSUPPORTED_FUNCTIONS.flatMap(({ names }) => names).filter((name) => KERNEL_FUNCTIONS.has(name)),
    ).toEqual([]);
    expect(Object.keys(UNSUPPORTED_MAP_TYPES).filter((type) => supportsMapType(type as MapType))).toEqual([]);
    expect(SLEEPING_HELPERS.filter((number) => HELPERS.has(number))).toEqual([]);
  });

  it('is told of every type of map', () => {
    const types = (Object.keys(BPF_MAP_TYPE) as MapType[]).filter((type) => type !== 'UNSPEC');
    const untold = types.filter(
      (type) => !supportsMapType(type) && UNSUPPORTED_MAP_TYPES[type] === undefined,
    );
    expect(untold).toEqual([]);
  });

  it('has every helper and function once, with a reason', () => {
    const numbers = UNSUPPORTED_HELPERS.map(({ number }) => number);
    expect(numbers).toEqual([...new Set(numbers)].sort((a, b) => a - b));
    const names = UNSUPPORTED_FUNCTIONS.flatMap((one) => one.names);
    expect(names).toHaveLength(new Set(names).size);
    for (const { because } of [...UNSUPPORTED_HELPERS, ...UNSUPPORTED_FUNCTIONS])
      expect(because).toMatch(/^\S.{4,}[^.]$/);
  });
});
