import { expect, it } from 'vitest';
import { testMap } from '../../sim/ebpf/test-support/assemble.ts';
import { writeElf } from '../../sim/ebpf/test-support/write-elf.ts';
import type { Program } from '../../sim/runtime/program.ts';
import { withMaxEntries } from './max-entries.ts';

const TEXT = `r0 = 2
  exit`;

it('takes no section of variables for a map whose size may be chosen', () => {
  const object = writeElf({ main: TEXT }, [], { '.bss': { seen: [0, 0, 0, 0, 0, 0, 0, 0] } });
  const program: Program = { name: 'p', entries: [{ function: 'main', hook: 'xdp' }], object };
  expect(() => withMaxEntries([program], ['.bss=2'])).toThrow('no such map; available: none');
});

it('gives each of several programs the sizes of its own maps, which the command that repeats a finding names', () => {
  const entries = [{ function: 'main', hook: 'xdp' }] as const;
  const programs = ['a', 'b', 'c'].map((name): Program => {
    const maps = name === 'c' ? [] : [testMap(name, 'HASH'), testMap('both', 'HASH')];
    return { name, entries, object: writeElf({ main: TEXT }, maps), commandLine: [`${name}.o`] };
  });
  const sized = withMaxEntries(programs, ['a=1', 'both=2']);
  expect(sized.map((one) => [one.maxEntries, one.commandLine?.join(' ')])).toEqual([
    [{ a: 1, both: 2 }, 'a.o --max-entries a=1 --max-entries both=2'],
    [{ both: 2 }, 'b.o --max-entries both=2'],
    [undefined, 'c.o'],
  ]);
});
