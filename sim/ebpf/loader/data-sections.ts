/** Global variables: `.rodata`, `.data`, `.bss` and their kin become array maps of one entry, as libbpf makes them. */
import { BPF_MAP_TYPE } from '../../runtime/maps.ts';
import type { BpfMap, GlobalVariable } from '../bpf-object.ts';
import { BTF_KIND, BTF_LINKAGE_STATIC, type Btf } from '../btf.ts';
import {
  type ElfFile,
  type ElfSection,
  type ElfSymbol,
  SHT_NOBITS,
  SHT_PROGBITS,
  STT_OBJECT,
} from './elf.ts';

/** Programs cannot write it (include/uapi/linux/bpf.h). */
const BPF_F_RDONLY_PROG = 1 << 7;

/** Is the section one that holds variables? `.rodata.str1.1` and other names with a dot behind count too. */
export function isDataSection(section: ElfSection): boolean {
  const kin = (name: string): boolean => section.name === name || section.name.startsWith(`${name}.`);
  if (section.type === SHT_NOBITS) return kin('.bss');
  return section.type === SHT_PROGBITS && (kin('.data') || kin('.rodata'));
}

/** The map that a data section becomes; its variables by BTF, and by the ELF symbols where BTF is silent. */
export function dataMap(elf: ElfFile, section: ElfSection, btf: Btf | undefined): BpfMap {
  const bytes = new Uint8Array(section.size);
  bytes.set(section.data.bytes);
  const dataSection = btf?.find(section.name, BTF_KIND.DATASEC);
  return globalMap(
    section.name,
    bytes,
    section.name.startsWith('.rodata'),
    dataSection,
    variablesOf(elf, section, btf),
  );
}

/** An array of one entry with these contents. */
export function globalMap(
  name: string,
  bytes: Uint8Array,
  readOnly: boolean,
  valueType: number | undefined,
  variables: ReadonlyMap<string, GlobalVariable>,
): BpfMap {
  return {
    name,
    type: 'ARRAY',
    typeNumber: BPF_MAP_TYPE.ARRAY,
    keySize: 4,
    valueSize: bytes.length,
    maxEntries: 1,
    mapFlags: readOnly ? BPF_F_RDONLY_PROG : 0,
    mapExtra: 0n,
    pinning: 'none',
    inner: undefined,
    initial: [],
    keyType: undefined,
    valueType,
    global: { bytes, readOnly, variables },
  };
}

function variablesOf(elf: ElfFile, section: ElfSection, btf: Btf | undefined): Map<string, GlobalVariable> {
  const variables = new Map<string, GlobalVariable>();
  const add = (name: string, offset: number, size: number, typeId: number | undefined): void => {
    if (name !== '' && !variables.has(name) && offset + size <= section.size) {
      variables.set(name, { offset, size, typeId });
    }
  };
  const dataSection = btf?.find(section.name, BTF_KIND.DATASEC);
  if (btf !== undefined && dataSection !== undefined) {
    for (const { typeId, offset, size } of btf.variables(dataSection)) {
      if (btf.kind(typeId) === BTF_KIND.VAR) add(btf.name(typeId), offset, size, btf.target(typeId));
    }
  }
  for (const { name, value, size } of symbolsOf(elf, section)) add(name, value, size, undefined);
  return variables;
}

function symbolsOf(elf: ElfFile, section: ElfSection): ElfSymbol[] {
  const symbols = elf.symbolsBySection.get(section.index) ?? [];
  return symbols.filter(({ type, name }) => type === STT_OBJECT && name !== '');
}

/** Where a variable is. */
export interface VariablePlace {
  readonly section: string;
  /** Bytes from the section's begin. */
  readonly offset: number;
  readonly size: number;
}

/** The variables of all data sections as the symbols have them: of two of the same name the first, as `setGlobal` takes it. */
export function symbolVariables(elf: ElfFile): Map<string, VariablePlace> {
  const places = new Map<string, VariablePlace>();
  for (const section of elf.sections.filter(isDataSection)) {
    for (const { name, value, size } of symbolsOf(elf, section)) {
      if (places.has(name) || value + size > section.size) continue;
      places.set(name, { section: section.name, offset: value, size });
    }
  }
  return places;
}

/** Completes BTF's DATASECs with what only the symbols say: sizes, and offsets of variables that are not static. */
export function placeVariables(elf: ElfFile, btf: Btf): void {
  // The first section of a name: a second one is refused where it matters.
  const sections = new Map(elf.sections.toReversed().map((section) => [section.name, section]));
  for (const section of sections.values()) {
    const dataSection = section.name === '' ? undefined : btf.find(section.name, BTF_KIND.DATASEC);
    if (dataSection === undefined) continue;
    const values = new Map<string, number>();
    for (const symbol of elf.symbols) {
      if (symbol.section === section.index && symbol.type === STT_OBJECT)
        values.set(symbol.name, symbol.value);
    }
    btf.placeVariables(dataSection, section.size, (variable) => {
      if (btf.kind(variable) !== BTF_KIND.VAR || btf.linkage(variable) === BTF_LINKAGE_STATIC)
        return undefined;
      return values.get(btf.name(variable));
    });
  }
}
