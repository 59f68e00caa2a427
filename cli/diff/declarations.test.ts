import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { type WrittenData, writeElf } from '../../sim/ebpf/test-support/write-elf.ts';
import type { Build } from './builds.ts';
import { changedDeclarations } from './declarations.ts';

function build(name: string): Build {
  const object = readFileSync(new URL(`../../bpf/built/${name}.o`, import.meta.url));
  return {
    label: name,
    programs: [{ program: { name, entries: [], object }, worlds: [], hints: undefined }],
  };
}

it('names what two builds declare differently of a map', () => {
  expect(changedDeclarations(build('proto_count'), build('proto_count_hash'))).toEqual([
    'map rxcnt: type PERCPU_ARRAY → HASH',
  ]);
});

it('names variables that have another size', () => {
  const withVariables = (data: WrittenData): Build => ({
    label: 'a',
    programs: [
      {
        program: { name: 'a', entries: [], object: writeElf({ main: 'r0 = 2\nexit' }, [], data) },
        worlds: [],
        hints: undefined,
      },
    ],
  });
  const before = withVariables({ '.data': { seen: [0, 0, 0, 0], same: [1, 0] } });
  const after = withVariables({ '.data': { seen: [0, 0, 0, 0, 0, 0, 0, 0], same: [2, 0], more: [1] } });
  expect(changedDeclarations(before, after)).toEqual(['variable seen: 4 → 8 bytes']);
});

it('is silent of maps that only one has, and of those that are declared alike', () => {
  expect(changedDeclarations(build('router'), build('icmp_drop'))).toEqual([]);
  expect(changedDeclarations(build('proto_count'), build('proto_count'))).toEqual([]);
});

it('names another license', () => {
  const licensed = (license: string): Build => ({
    label: 'a',
    programs: [
      {
        program: { name: 'a', entries: [], object: writeElf({ main: 'r0 = 2\nexit' }, [], {}, { license }) },
        worlds: [],
        hints: undefined,
      },
    ],
  });
  expect(changedDeclarations(licensed('GPL'), licensed('Dual MIT/GPL'))).toEqual([
    'license: "GPL" → "Dual MIT/GPL"',
  ]);
  expect(changedDeclarations(licensed('GPL'), licensed('GPL'))).toEqual([]);
});
