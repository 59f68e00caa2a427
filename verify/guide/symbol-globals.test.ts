/** Constants of the loader, and variables that user space fills, where only symbols tell of them (`clang` without `-g`). */
import { expect, it } from 'vitest';
import { writeElf } from '../../sim/ebpf/test-support/write-elf.ts';
import { guide } from './guide.ts';

const OUT = 'r0 = 2\nexit\nother:\nr0 = 1\nexit';

function guided(text: string) {
  const object = writeElf({ main: `r6 = *(u32 *)(r1 + 12)\n${text}\n${OUT}` }, [], {
    '.rodata': { enabled: [0, 0, 0, 0], table: [1, 2, 3, 4] },
    '.bss': { mode: [0, 0, 0, 0] },
  });
  const program = { name: 'p', entries: [{ function: 'main', hook: 'xdp' as const }], object };
  return guide(program, { seed: 'symbols', effort: 200_000 });
}

it.each([
  ['a constant', 'enabled', 'r1 = map[.rodata]\nr1 = *(u32 *)(r1 + 0)\nif r1 == 7 goto other', [7, 0, 0, 0]],
  ['a variable', 'mode', 'r1 = map[.bss]\nr1 = *(u32 *)(r1 + 0)\nif r1 == 9 goto other', [9, 0, 0, 0]],
])('gives %s the value that it is compared with', (_, name, text, value) => {
  const { branches, cases, missing } = guided(text);
  expect([branches, missing]).toEqual([{ reached: 2, total: 2 }, []]);
  expect(cases.map(({ world }) => [...(world.globals?.[name] ?? [])])).toContainEqual(value);
});

it('leaves a table as it is', () => {
  const { branches, cases } = guided(
    'r6 &= 3\nr1 = map[.rodata]\nr1 += r6\nr1 = *(u8 *)(r1 + 4)\nif r1 == 77 goto other',
  );
  expect(branches).toEqual({ reached: 1, total: 2 });
  expect(cases.every(({ world }) => world.globals === undefined)).toBe(true);
});
