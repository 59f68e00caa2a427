import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
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

it('is silent of maps that only one has, and of those that are declared alike', () => {
  expect(changedDeclarations(build('router'), build('icmp_drop'))).toEqual([]);
  expect(changedDeclarations(build('proto_count'), build('proto_count'))).toEqual([]);
});
