/** Where variables are that only the symbols name. */
import { expect, it } from 'vitest';
import { writeElf } from '../test-support/write-elf.ts';
import { symbolVariables } from './data-sections.ts';
import { readElf } from './elf.ts';

it('finds the variables of all data sections, and of two of the same name the first', () => {
  const elf = writeElf({ main: 'r0 = 2\n exit' }, [], {
    '.rodata': { enabled: [0, 0, 0, 0], port: [80, 0] },
    '.bss': { port: [0], count: [0, 0, 0, 0, 0, 0, 0, 0] },
    '.data.own': { limit: [5] },
    notes: { text: [1] },
  });
  expect([...symbolVariables(readElf(elf))]).toEqual([
    ['enabled', { section: '.rodata', offset: 0, size: 4 }],
    ['port', { section: '.rodata', offset: 4, size: 2 }],
    ['count', { section: '.bss', offset: 1, size: 8 }],
    ['limit', { section: '.data.own', offset: 0, size: 1 }],
  ]);
});
