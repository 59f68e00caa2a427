/** Builds of which no packet can tell one from the other. */
import { expect, it } from 'vitest';
import { readElf, SHT_SYMTAB } from '../../sim/ebpf/loader/elf.ts';
import { writeElf } from '../../sim/ebpf/test-support/write-elf.ts';
import type { Program } from '../../sim/runtime/program.ts';
import { isIdentical } from './pairs.ts';

const SYMBOL_SIZE = 24;

function build(variables: Readonly<Record<string, readonly number[]>>): Uint8Array {
  return writeElf({ main: 'r0 = 2\n exit' }, [], { '.rodata': variables });
}

/** The same file with its first two symbols the other way round. */
function swapped(elf: Uint8Array): Uint8Array {
  const bytes = elf.slice();
  const table = readElf(bytes).sections.find(({ type }) => type === SHT_SYMTAB)!.data.bytes;
  const first = table.slice(SYMBOL_SIZE, 2 * SYMBOL_SIZE);
  table.copyWithin(SYMBOL_SIZE, 2 * SYMBOL_SIZE, 3 * SYMBOL_SIZE);
  table.set(first, 2 * SYMBOL_SIZE);
  return bytes;
}

const program = (object: Uint8Array): Program => ({
  name: 'p',
  object,
  entries: [{ function: 'main', hook: 'xdp' }],
});
const areIdentical = (one: Uint8Array, other: Uint8Array): boolean =>
  isIdentical({ old: program(one), new: program(other) });

it('are alike where the files name their variables in another order, and not where these have other places or contents', () => {
  const elf = build({ a: [1], b: [2] });
  expect(areIdentical(elf, swapped(elf))).toBe(true);
  expect(areIdentical(elf, build({ b: [1], a: [2] }))).toBe(false);
  expect(areIdentical(elf, build({ a: [1], b: [3] }))).toBe(false);
});
