/** Objects that tests write are read as they were meant. */
import { describe, expect, it } from 'vitest';
import { loadObject } from '../object.ts';
import { testMap, testObject } from './assemble.ts';
import { writeElf } from './write-elf.ts';

describe('an object that a test writes', () => {
  it('has the programs, maps and variables that it was given', () => {
    const maps = [testMap('flows', 'HASH'), testMap('ports', 'DEVMAP', { maxEntries: 9 })];
    const text = `r1 = map[ports]
      r2 = map[.data]+4
      r3 = 0x123456789 ll
      if r3 s> -5 goto out
      r3 = *(u16 *)(r10 - 8)
      out:
      r0 = 2
      exit`;
    const object = loadObject(
      writeElf({ first: 'r0 = 1\nexit', second: text }, maps, {
        '.data': { limit: [1, 2, 3, 4], most: [5, 6, 7, 8] },
        '.rodata': { fixed: [9] },
        '.bss': { count: [0, 0] },
      }),
    );
    expect(object.programs.map(({ function: name, hook }) => [name, hook])).toEqual([
      ['first', 'xdp'],
      ['second', 'xdp'],
    ]);
    const wanted = testObject({ second: text.replace('map[.data]', 'map[data]') }, [
      ...maps,
      testMap('data', 'ARRAY'),
    ]);
    expect(object.programs[1]!.instructions).toEqual(wanted.programs[0]!.instructions);
    expect(object.maps.slice(0, 2)).toEqual(maps);
    const [data, fixed, zeros] = object.maps.slice(2).map(({ name, global }) => ({ name, ...global }));
    expect(data).toMatchObject({
      name: '.data',
      readOnly: false,
      bytes: Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8),
    });
    expect(data!.variables!.get('most')).toMatchObject({ offset: 4, size: 4 });
    expect(fixed).toMatchObject({ name: '.rodata', readOnly: true, bytes: Uint8Array.of(9) });
    expect(zeros).toMatchObject({ name: '.bss', readOnly: false, bytes: new Uint8Array(2) });
  });

  it('has the functions that its programs call, and what these call', () => {
    const text = `r1 = 4
      call twice
      call once
      exit
      twice:
      r1 += r1
      r2 = map[flows]
      call once
      exit
      once:
      r0 = r1
      exit`;
    const maps = [testMap('flows', 'HASH')];
    const [program] = loadObject(writeElf({ main: text }, maps)).programs;
    const [wanted] = testObject({ main: text }, maps).programs;
    expect(program!.instructions).toEqual(wanted!.instructions);
    expect(program!.subprograms.map(({ start, count }) => [start, count])).toEqual([
      [0, 4],
      [4, 5],
      [9, 2],
    ]);
  });
});
