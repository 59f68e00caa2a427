/** Which variables user space may give values, in objects whose symbols alone tell of them (`clang` without `-g`). */
import { describe, expect, it } from 'vitest';
import { linkedObject } from '../linked-object.ts';
import { type WrittenData, writeElf } from '../test-support/write-elf.ts';
import { isFillable, isSettable, mayBeLoaders } from './settable-data.ts';

/** Of each variable: is it settable, only perhaps the loader's, fillable, or the program's own? */
function judged(text: string, data: WrittenData): Record<string, string> {
  const object = linkedObject(writeElf({ main: text }, [], data));
  const judgements: Record<string, string> = {};
  for (const map of object.maps) {
    for (const [name, { offset, size }] of map.global?.variables ?? []) {
      const last = offset + size - 1;
      if (isSettable(object, map, offset)) judgements[name] = 'settable';
      else if (mayBeLoaders(object, map, offset)) judgements[name] = 'perhaps the loader’s';
      else judgements[name] = isFillable(object, map, offset) ? 'fillable' : 'its own';
      expect(isSettable(object, map, last)).toBe(isSettable(object, map, offset));
    }
  }
  return judgements;
}

const NUMBER = [7, 0, 0, 0];
const TABLE = [1, 2, 3, 4, 5, 6, 7, 8];
const ZEROS = [0, 0, 0, 0, 0, 0, 0, 0];

describe('read-only variables without a type', () => {
  it.each<[what: string, code: string, bytes: number[], expected: string]>([
    ['a number that is loaded whole', 'r0 = *(u32 *)(r1 + 4)', NUMBER, 'settable'],
    [
      'a number that is put aside first',
      'r0 = *(u32 *)(r1 + 4)\n *(u64 *)(r10 - 8) = r0',
      NUMBER,
      'settable',
    ],
    ['a part that is compared', 'r1 += 6\n r0 = *(u16 *)(r1 + 0)', TABLE, 'settable'],
    ['a part that is signed', 'r0 = *(s16 *)(r1 + 8)', TABLE, 'settable'],
    [
      'parts that are copied',
      'r2 = *(u32 *)(r1 + 4)\n *(u32 *)(r10 - 8) = r2\n r2 = *(u32 *)(r1 + 8)\n *(u32 *)(r10 - 4) = r2',
      TABLE,
      'perhaps the loader’s',
    ],
    ['a table with an index', 'r1 += r6\n r0 = *(u8 *)(r1 + 4)', TABLE, 'its own'],
    ['a table with an index in front', 'r6 += r1\n r0 = *(u8 *)(r6 + 4)', TABLE, 'its own'],
    ['zeros with an index', 'r1 += r6\n r0 = *(u8 *)(r1 + 4)', ZEROS, 'settable'],
    [
      'a table that a loop goes through',
      'again:\n r0 = *(u8 *)(r1 + 4)\n r1 += 1\n if r0 < 8 goto again',
      TABLE,
      'its own',
    ],
    ['zeros whose address is passed', 'r2 = r10\n r2 += -8\n r3 = r1\n r3 += 4', ZEROS, 'its own'],
    ['another place', 'r0 = *(u32 *)(r1 + 0)', NUMBER, 'its own'],
    ['a pointer that was cut', 'w1 = w1\n r0 = *(u32 *)(r1 + 4)', NUMBER, 'its own'],
  ])('%s: %s', (_, code, bytes, expected) => {
    const text = `r6 = 0\n r1 = map[.rodata]\n ${code}\n r0 = 2\n exit`;
    const { asked } = judged(text, { '.rodata': { first: [9, 9, 9, 9], asked: bytes } });
    expect(asked).toBe(expected);
  });

  it('are known behind a branch that nothing else leads to', () => {
    const text = `
      r1 = map[.rodata]
      r0 = *(u32 *)(r1 + 0)
      if r0 == 0 goto out
      r0 = *(u32 *)(r1 + 4)
      out:
      r0 = 2
      exit`;
    const expected = { first: 'settable', second: 'settable' };
    expect(judged(text, { '.rodata': { first: NUMBER, second: NUMBER } })).toEqual(expected);
  });

  it.each(['.rodata.cst8', '.rodata.str1.1'])('are none in %s', (section) => {
    const text = `r1 = map[${section}]\n r0 = *(u64 *)(r1 + 0)\n r0 = 2\n exit`;
    expect(judged(text, { [section]: { merged: TABLE } })).toEqual({ merged: 'its own' });
  });
});

describe('writable variables without a type', () => {
  it('are user space’s to fill where they hold zeros, or are one number', () => {
    const text = `
      r1 = map[.data]
      r0 = *(u32 *)(r1 + 0)
      r2 = *(u16 *)(r1 + 4)
      r1 = map[.bss]
      r2 = *(u8 *)(r1 + 3)
      r0 = 2
      exit`;
    const data = { '.data': { limit: NUMBER, table: TABLE, unused: NUMBER }, '.bss': { filled: ZEROS } };
    expect(judged(text, data)).toEqual({
      limit: 'fillable',
      table: 'its own',
      unused: 'its own',
      filled: 'fillable',
    });
  });
});
