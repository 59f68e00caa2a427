/** ELF64 relocatable objects for eBPF (System V gABI chapter 4), every offset checked. */
import { ObjectError } from '../object-error.ts';
import { Reader } from './reader.ts';

export const SHT_PROGBITS = 1;
export const SHT_SYMTAB = 2;
export const SHT_STRTAB = 3;
export const SHT_RELA = 4;
export const SHT_NOBITS = 8;
export const SHT_REL = 9;
export const SHF_ALLOC = 0x2;
export const SHF_EXECINSTR = 0x4;
export const STT_NOTYPE = 0;
export const STT_OBJECT = 1;
export const STT_FUNC = 2;
export const STT_SECTION = 3;
export const STB_LOCAL = 0;
export const STB_WEAK = 2;
export const SHN_UNDEF = 0;

// Relocations (llvm/BinaryFormat/ELFRelocs/BPF.def, Documentation/bpf/llvm_reloc.rst).
export const R_BPF_NONE = 0;
/** The constant of a 16-byte load. */
export const R_BPF_64_64 = 1;
/** A 64-bit number in data. */
export const R_BPF_64_ABS64 = 2;
export const R_BPF_64_ABS32 = 3;
/** A 32-bit number in .BTF and .BTF.ext. */
export const R_BPF_64_NODYLD32 = 4;
/** The imm of a call. */
export const R_BPF_64_32 = 10;

export interface ElfFile {
  readonly sections: readonly ElfSection[];
  readonly symbols: readonly ElfSymbol[];
  /** The same by the index of the section they lie in. */
  readonly symbolsBySection: ReadonlyMap<number, readonly ElfSymbol[]>;
}

export interface ElfSection {
  readonly index: number;
  readonly name: string;
  readonly type: number;
  readonly flags: number;
  /** Bytes, also of a section that takes none in the file. */
  readonly size: number;
  readonly link: number;
  readonly info: number;
  /** The contents; nothing for SHT_NOBITS. */
  readonly data: Reader;
}

export interface ElfSymbol {
  readonly index: number;
  readonly name: string;
  readonly type: number;
  readonly binding: number;
  /** Index of the section it lies in, SHN_UNDEF for an extern, from 0xff00 on for special ones. */
  readonly section: number;
  /** Bytes from the section's begin. */
  readonly value: number;
  readonly size: number;
}

export interface ElfRelocation {
  /** Bytes from the begin of the section that is relocated. */
  readonly offset: number;
  readonly type: number;
  readonly symbol: ElfSymbol;
}

const HEADER_SIZE = 64;
const SECTION_HEADER_SIZE = 64;
const SYMBOL_SIZE = 24;
const RELOCATION_SIZE = 16;
const EM_NONE = 0;
const EM_BPF = 247;
const ET_REL = 1;

/** What all sections without contents (`.bss`) may take together: a hostile file asks for everything there is. */
const LARGEST_ZEROED = 64 * 1024 * 1024;

const MACHINES: ReadonlyMap<number, string> = new Map([
  [2, 'SPARC'],
  [3, 'Intel 80386'],
  [8, 'MIPS'],
  [20, 'PowerPC'],
  [21, 'PowerPC64'],
  [22, 'S390'],
  [40, 'ARM'],
  [62, 'x86-64'],
  [183, 'AArch64'],
  [243, 'RISC-V'],
  [258, 'LoongArch'],
]);

/**
 * Reads headers, sections and symbols.
 * @throws {ObjectError} for everything that is not a little-endian ELF64 object for eBPF
 */
export function readElf(bytes: Uint8Array): ElfFile {
  const file = new Reader(bytes, 'ELF file');
  checkHeader(file);
  const sections = readSections(file);
  const symbols = readSymbols(sections);
  const symbolsBySection = new Map<number, ElfSymbol[]>();
  for (const symbol of symbols) {
    const there = symbolsBySection.get(symbol.section);
    if (there === undefined) symbolsBySection.set(symbol.section, [symbol]);
    else there.push(symbol);
  }
  return { sections, symbols, symbolsBySection };
}

function checkHeader(file: Reader): void {
  const { bytes } = file;
  const magic = bytes[0] === 0x7f && bytes[1] === 0x45 && bytes[2] === 0x4c && bytes[3] === 0x46;
  if (!magic) throw new ObjectError('ELF header +0x0', 'the magic 7f 45 4c 46', firstBytes(bytes));
  file.require(0, HEADER_SIZE, 'an ELF header');
  const elfClass = bytes[4];
  if (elfClass !== 2) {
    const found = elfClass === 1 ? 'a 32-bit object (ELFCLASS32)' : `class ${elfClass}`;
    throw new ObjectError('ELF header +0x4', 'a 64-bit object (ELFCLASS64)', found);
  }
  if (bytes[5] !== 1) {
    const found =
      bytes[5] === 2 ? 'a big-endian one (ELFDATA2MSB; compile with -target bpfel)' : `encoding ${bytes[5]}`;
    throw new ObjectError('ELF header +0x5', 'a little-endian object (ELFDATA2LSB)', found);
  }
  const type = file.u16(16, 'e_type');
  if (type !== ET_REL)
    throw new ObjectError('ELF header +0x10', 'a relocatable object (ET_REL)', `e_type ${type}`);
  const machine = file.u16(18, 'e_machine');
  // Old compilers left the machine out; libbpf takes such objects too.
  if (machine !== EM_BPF && machine !== EM_NONE) {
    const name = MACHINES.get(machine);
    const found = name === undefined ? `machine ${machine}` : `code for ${name}`;
    throw new ObjectError('ELF header +0x12', 'code for eBPF (EM_BPF, clang -target bpf)', found);
  }
}

function firstBytes(bytes: Uint8Array): string {
  if (bytes.length === 0) return 'an empty file';
  return [...bytes.subarray(0, 4)].map((byte) => byte.toString(16).padStart(2, '0')).join(' ');
}

function readSections(file: Reader): ElfSection[] {
  const start = file.u64(40, 'e_shoff');
  if (start === 0) throw new ObjectError('ELF header +0x28', 'a section table', 'none');
  const entrySize = file.u16(58, 'e_shentsize');
  if (entrySize !== SECTION_HEADER_SIZE) {
    throw new ObjectError(
      'ELF header +0x3a',
      `section headers of ${SECTION_HEADER_SIZE} bytes`,
      `${entrySize}`,
    );
  }
  // More than 0xfeff sections: their number and the name table's index stand in section 0.
  const count = file.u16(60, 'e_shnum') || file.u64(start + 32, 'number of sections');
  const declaredNames = file.u16(62, 'e_shstrndx');
  const nameIndex = declaredNames === 0xffff ? file.u32(start + 40, 'index of section names') : declaredNames;
  const table = file.slice(start, count * SECTION_HEADER_SIZE, 'section table', `${count} section headers`);
  if (nameIndex >= count) {
    throw new ObjectError('ELF header +0x3e', `a section index below ${count}`, `${nameIndex}`);
  }
  const names = contentsOf(file, table, nameIndex, 'section names');

  let zeroed = 0;
  let stored = 0;
  const sections: ElfSection[] = [];
  for (let index = 0; index < count; index++) {
    const at = index * SECTION_HEADER_SIZE;
    const type = table.u32(at + 4, 'sh_type');
    const name = index === 0 ? '' : names.name(table.u32(at, 'sh_name'), 'a section name');
    const size = table.u64(at + 32, 'sh_size');
    if (type === SHT_NOBITS) {
      zeroed += size;
      if (zeroed > LARGEST_ZEROED) {
        throw new ObjectError(
          `section ${index} (${name})`,
          `at most ${LARGEST_ZEROED} zeroed bytes`,
          `${zeroed}`,
        );
      }
    }
    const data = contentsOf(file, table, index, `section ${index} (${name})`);
    stored += data.length;
    // Sections that share bytes make a small file cost a lot of memory; compilers make none.
    if (stored > file.length)
      throw new ObjectError(data.where, 'sections that do not overlap', 'overlapping ones');
    sections.push({
      index,
      name,
      type,
      flags: table.u32(at + 8, 'sh_flags'),
      size: index === 0 ? 0 : size,
      link: table.u32(at + 40, 'sh_link'),
      info: table.u32(at + 44, 'sh_info'),
      data,
    });
  }
  return sections;
}

function contentsOf(file: Reader, table: Reader, index: number, where: string): Reader {
  const at = index * SECTION_HEADER_SIZE;
  const type = table.u32(at + 4, 'sh_type');
  if (index === 0 || type === SHT_NOBITS) return new Reader(file.bytes.subarray(0, 0), where);
  const offset = table.u64(at + 24, 'sh_offset');
  const size = table.u64(at + 32, 'sh_size');
  if (offset + size > file.length) {
    throw new ObjectError(
      where,
      `contents inside the file of ${file.length} bytes`,
      `${size} bytes at offset 0x${offset.toString(16)}`,
    );
  }
  return file.slice(offset, size, where, 'section contents');
}

function readSymbols(sections: readonly ElfSection[]): ElfSymbol[] {
  const tables = sections.filter((section) => section.type === SHT_SYMTAB);
  const table = tables[0];
  if (table === undefined) throw new ObjectError('ELF file', 'a symbol table', 'none');
  if (tables.length > 1) throw new ObjectError('ELF file', 'one symbol table', `${tables.length}`);
  const { data } = table;
  if (data.length % SYMBOL_SIZE !== 0) {
    throw new ObjectError(data.where, `symbols of ${SYMBOL_SIZE} bytes`, `${data.length} bytes`);
  }
  const strings = sections[table.link];
  if (strings === undefined || strings.type !== SHT_STRTAB) {
    throw new ObjectError(data.where, 'a string table as its sh_link', `section ${table.link}`);
  }
  const symbols: ElfSymbol[] = [];
  for (let at = 0; at < data.length; at += SYMBOL_SIZE) {
    const info = data.u8(at + 4, 'st_info');
    const section = data.u16(at + 6, 'st_shndx');
    const type = info & 0x0f;
    if (section < 0xff00 && section >= sections.length) {
      throw new ObjectError(
        `${data.where} +0x${(at + 6).toString(16)}`,
        `a section index below ${sections.length}`,
        `${section}`,
      );
    }
    const nameOffset = data.u32(at, 'st_name');
    symbols.push({
      index: symbols.length,
      name: nameOffset === 0 ? '' : strings.data.name(nameOffset, 'a symbol name'),
      type,
      binding: info >> 4,
      section,
      value: data.u64(at + 8, 'st_value'),
      size: data.u64(at + 16, 'st_size'),
    });
  }
  return symbols;
}

/** The relocations of one SHT_REL section. */
export function readRelocations(section: ElfSection, symbols: readonly ElfSymbol[]): ElfRelocation[] {
  const { data } = section;
  if (data.length % RELOCATION_SIZE !== 0) {
    throw new ObjectError(data.where, `relocations of ${RELOCATION_SIZE} bytes`, `${data.length} bytes`);
  }
  const relocations: ElfRelocation[] = [];
  for (let at = 0; at < data.length; at += RELOCATION_SIZE) {
    const index = data.u32(at + 12, 'symbol index');
    const symbol = symbols[index];
    if (symbol === undefined) {
      throw new ObjectError(
        `${data.where} +0x${(at + 12).toString(16)}`,
        `a symbol index below ${symbols.length}`,
        `${index}`,
      );
    }
    relocations.push({ offset: data.u64(at, 'r_offset'), type: data.u32(at + 8, 'r_type'), symbol });
  }
  return relocations;
}
