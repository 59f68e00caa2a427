import { expect, it } from 'vitest';
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
