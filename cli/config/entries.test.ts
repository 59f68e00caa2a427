import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { withEntries } from './entries.ts';
import { programOf } from './load.ts';

const scratch = realpathSync(mkdtempSync(join(tmpdir(), 'xdpsim-entries-')));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));
mkdirSync(join(scratch, 'a'));
mkdirSync(join(scratch, 'b'));
for (const name of ['a/x.o', 'b/x.o']) writeFileSync(join(scratch, name), '');
symlinkSync('a/x.o', join(scratch, 'link.o'));
const at = (name: string): string => join(scratch, name);
const loaded = { path: at('xdpsim.config.json') };

/** Which entries hold for what: `name = object of the entry`. */
function held(name: string, objects: readonly string[], functions: readonly string[] = ['f']): string[] {
  const configured = objects.map((object) => ({ object }));
  const near = (text: string): string => text.replaceAll(`${scratch}/`, '');
  return withEntries(name, loaded, configured, () => functions).map(
    ({ names, own }) => `${names.map(near).join('+')} = ${own?.object ?? 'none'}`,
  );
}

describe('an entry of the configuration', () => {
  it('holds for its file, and for its function where both name one', () => {
    expect(held(at('a/x.o'), ['a/x.o'])).toEqual(['a/x.o = a/x.o']);
    expect(held(at('a/x.o:f'), ['a/x.o'])).toEqual(['a/x.o:f = a/x.o']);
    expect(held(at('a/x.o'), ['a/x.o:f'])).toEqual(['a/x.o = a/x.o:f']);
    expect(held(at('a/x.o:f'), ['a/x.o:g', 'a/x.o', 'a/x.o:f'])).toEqual(['a/x.o:f = a/x.o:f']);
    expect(held(at('a/x.o:f'), ['a/x.o:g'])).toEqual(['a/x.o:f = none']);
    expect(held(at('a/x.o'), ['b/x.o', 'b/x.o:f'])).toEqual(['a/x.o = none']);
  });

  it('is found whatever path leads to the file', () => {
    expect(held(at('link.o'), ['a/x.o'])).toEqual(['link.o = a/x.o']);
    expect(held(at('link.o:f'), ['b/../a/x.o:f'])).toEqual(['link.o:f = b/../a/x.o:f']);
    expect(held(at('a/x.o'), ['link.o'])).toEqual(['a/x.o = link.o']);
    expect(held(at('b/x.o'), ['link.o'])).toEqual(['b/x.o = none']);
  });

  it('of one function leaves the others of the object to the entry of the file', () => {
    const three = ['f', 'g', 'h'];
    expect(held(at('a/x.o'), ['a/x.o:g'], three)).toEqual(['a/x.o:f+a/x.o:h = none', 'a/x.o:g = a/x.o:g']);
    expect(held(at('a/x.o'), ['a/x.o', 'a/x.o:f'], three)).toEqual([
      'a/x.o:f = a/x.o:f',
      'a/x.o:g+a/x.o:h = a/x.o',
    ]);
    const parts = withEntries(at('a/x.o'), loaded, [{ object: 'a/x.o:g' }], () => three);
    expect(parts.map(({ asked }) => asked)).toEqual([[at('a/x.o')], []]);
  });

  it('of a built-in program is no file', () => {
    expect(held('icmp_echo', ['icmp_echo', 'icmp_drop'])).toEqual(['icmp_echo = icmp_echo']);
    expect(held('icmp_echo', ['icmp_drop'])).toEqual(['icmp_echo = none']);
  });
});

it('names the folder itself in full: from here it has no name', () => {
  const loaded = { path: resolve('xdpsim.config.json') };
  expect(programOf(loaded, '.')).toBe(resolve('.'));
  expect(programOf(loaded, './my.o')).toBe('my.o');
});
