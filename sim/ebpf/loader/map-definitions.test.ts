import { expect, it } from 'vitest';
import type { ElfSection } from './elf.ts';
import { readBtfMaps } from './map-definitions.ts';

it('says how to get the BTF that maps are defined in, of compilers that write other debug information with -g', () => {
  const section = { name: '.maps', data: { where: 'section .maps' } } as unknown as ElfSection;
  expect(() => readBtfMaps(section, undefined)).toThrow(
    'section .maps: expected its variables in BTF, found none (compile with -g, GCC with -gbtf)',
  );
});
