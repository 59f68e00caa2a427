import { describe, expect, it } from 'vitest';
import type { Program } from '../../sim/runtime/program.ts';
import { plainName, toldApart } from './told-apart.ts';

function names(...paths: readonly string[]): string[] {
  const programs = paths.map((text) => {
    const [objectPath, name = objectPath!.split('/').at(-1)!] = text.split(' ');
    return { name, objectPath } as unknown as Program;
  });
  return toldApart(programs).map(({ name }) => name);
}

describe('programs that are called alike', () => {
  it('are named by as much of their paths as tells them apart', () => {
    expect(names('a/x.o', 'b/x.o')).toEqual(['a/x.o', 'b/x.o']);
    expect(names('v/1/a/x.o', 'v/2/a/x.o', 'v/2/b/x.o')).toEqual(['1/a/x.o', '2/a/x.o', 'b/x.o']);
    expect(names('a/x.o x.o:f', 'b/x.o x.o:f')).toEqual(['a/x.o:f', 'b/x.o:f']);
    expect(names('x.o', 'b/x.o')).toEqual(['x.o', 'b/x.o']);
    expect(names('/opt/a/x.o', 'a/x.o')).toEqual(['opt/a/x.o', 'a/x.o']);
  });

  it('keep their names where nothing has to tell them apart', () => {
    expect(names('a/x.o', 'b/y.o')).toEqual(['x.o', 'y.o']);
    expect(names('a/x.o x.o:f', 'a/x.o x.o:g', 'b/x.o x.o:h')).toEqual(['x.o:f', 'x.o:g', 'x.o:h']);
    expect(names('a/x.o', './a/x.o')).toEqual(['x.o', 'x.o']);
    const model = { name: 'mine', objectPath: 'a/x.o', definition: {} } as unknown as Program;
    expect(toldApart([model, { ...model, objectPath: 'b/x.o' }])).toMatchObject([model, { name: 'mine' }]);
  });

  it('have the same plain name in every run', () => {
    expect(plainName({ name: 'a/x.o:f' } as Program)).toBe('x.o:f');
    expect(plainName({ name: 'x.o' } as Program)).toBe('x.o');
  });
});
