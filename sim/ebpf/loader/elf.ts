/**
 * ELF64 relocatable objects for eBPF (System V gABI chapter 4), every offset checked. The machine and the kernel's side
 * read objects with this reader alone; it takes what libbpf takes (`tools/lib/bpf/libbpf.c`: `bpf_object__elf_init`,
 * `bpf_object__elf_collect`; and libelf below it), which `kernel-tests/elf-reader.test.ts` compares case by case.
 */
import { ObjectError } from '../object-error.ts';
import { Reader } from './reader.ts';

export const SHT_PROGBITS = 1;
export const SHT_SYMTAB = 2;
export const SHT_STRTAB = 3;
export const SHT_RELA = 4;
export const SHT_NOBITS = 8;
export const SHT_REL = 9;
/** LLVM's table of symbols whose address matters: for linkers. */
const SHT_LLVM_ADDRSIG = 0x6fff_4c03;
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
  /**
   * Index of the section it lies in, SHN_UNDEF for an extern, from 0xff00 on for special ones. There need be no such
   * section: libbpf minds only where something refers to the symbol.
   */
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
const EV_CURRENT = 1;

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
  if (!magic) throw new ObjectError('ELF header +0x0', 'the magic 7f 45 4c 46', beginOf(bytes));
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
  // libelf knows one version, and does not look at the second place that names it (e_version).
  if (bytes[6] !== EV_CURRENT) throw new ObjectError('ELF header +0x6', 'ELF version 1', `${bytes[6]}`);
  const type = file.u16(16, 'e_type');
  if (type !== ET_REL) {
    const found = OTHER_TYPES.get(type) ?? `e_type ${type}`;
    throw new ObjectError('ELF header +0x10', 'a relocatable object (ET_REL)', found);
  }
  const machine = file.u16(18, 'e_machine');
  // Old compilers left the machine out; libbpf takes such objects too.
  if (machine !== EM_BPF && machine !== EM_NONE) {
    const name = MACHINES.get(machine);
    const found = name === undefined ? `machine ${machine}` : `code for ${name}`;
    throw new ObjectError('ELF header +0x12', 'code for eBPF (EM_BPF, clang -target bpf)', found);
  }
}

/** What else ELF files are (`e_type`). */
const OTHER_TYPES: ReadonlyMap<number, string> = new Map([
  [2, 'an executable (ET_EXEC)'],
  [3, 'an executable or a shared library (ET_DYN)'],
  [4, 'a core dump (ET_CORE)'],
]);

/** What files that are taken for objects begin with, and what they are. */
const OTHER_FILES: readonly (readonly [begin: string, what: string])[] = [
  [
    '42 43 c0 de',
    'LLVM bitcode: compile without -emit-llvm, or make an object of it with llc -march=bpf -filetype=obj',
  ],
  ['0a 0d 0d 0a', 'a pcapng capture'],
  ['d4 c3 b2 a1', 'a pcap capture'],
  ['a1 b2 c3 d4', 'a pcap capture'],
  ['4d 3c b2 a1', 'a pcap capture'],
  ['a1 b2 3c 4d', 'a pcap capture'],
  ['73 6e 6f 6f', 'a snoop capture'],
  ['1f 8b', 'a file compressed with gzip'],
  ['28 b5 2f fd', 'a file compressed with zstd'],
  ['21 3c 61 72', 'an archive of objects (ar): name one object of it'],
];

const TEXT = 'a text file: name the compiled object, or a C source, whose name ends in .c';

function isText(bytes: Uint8Array): boolean {
  const start = bytes.subarray(0, 512);
  return (
    start.length > 0 && start.every((byte) => (byte >= 0x20 ? byte !== 0x7f : byte >= 0x09 && byte <= 0x0d))
  );
}

/** The first bytes, and what they are the begin of, where that is known. */
function beginOf(bytes: Uint8Array): string {
  const begin = firstBytes(bytes);
  const what =
    OTHER_FILES.find(([start]) => begin.startsWith(start))?.[1] ?? (isText(bytes) ? TEXT : undefined);
  return what === undefined ? begin : `${begin}, ${what}`;
}

function firstBytes(bytes: Uint8Array): string {
  if (bytes.length === 0) return 'an empty file';
  return [...bytes.subarray(0, 4)].map((byte) => byte.toString(16).padStart(2, '0')).join(' ');
}

function readSections(file: Reader): ElfSection[] {
  const start = file.u64(40, 'e_shoff');
  if (start === 0) throw new ObjectError('ELF header +0x28', 'a section table', 'none');
  // e_shentsize is not looked at: libelf takes section headers for what they are in a 64-bit file.
  // More than 0xfeff sections: their number and the name table's index stand in section 0.
  const count = file.u16(60, 'e_shnum') || file.u64(start + 32, 'number of sections');
  const declaredNames = file.u16(62, 'e_shstrndx');
  const nameIndex = declaredNames === 0xffff ? file.u32(start + 40, 'index of section names') : declaredNames;
  const table = file.slice(start, count * SECTION_HEADER_SIZE, 'section table', `${count} section headers`);
  if (nameIndex >= count) {
    throw new ObjectError('ELF header +0x3e', `a section index below ${count}`, `${nameIndex}`);
  }
  const names = contentsOf(file, table, nameIndex, 'section names');

  let stored = 0;
  const sections: ElfSection[] = [];
  for (let index = 0; index < count; index++) {
    const at = index * SECTION_HEADER_SIZE;
    const type = table.u32(at + 4, 'sh_type');
    const name = index === 0 ? '' : names.name(table.u32(at, 'sh_name'), 'a section name');
    const size = table.u64(at + 32, 'sh_size');
    const where = `section ${index} (${name})`;
    const isHollow = isIgnored(type, name, size) && !isInside(file, table, index);
    const data = isHollow
      ? new Reader(file.bytes.subarray(0, 0), where)
      : contentsOf(file, table, index, where);
    stored += data.length;
    // Sections that share bytes make a small file cost a lot of memory; compilers make none.
    if (stored > file.length)
      throw new ObjectError(data.where, 'sections that do not overlap', 'overlapping ones');
    checkEntries(where, type, table.u64(at + 56, 'sh_entsize'), size);
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
  for (const { type, name, info, size, data } of sections) {
    if (type === SHT_REL && !isIgnored(type, name, size) && info >= count) {
      throw new ObjectError(data.where, `a section index below ${count} as its sh_info`, `${info}`);
    }
  }
  return sections;
}

/** Sections that libbpf passes over without a look at their contents (`ignore_elf_section`). */
function isIgnored(type: number, name: string, size: number): boolean {
  if (type === SHT_STRTAB || type === SHT_LLVM_ADDRSIG) return true;
  if (type === SHT_PROGBITS && size === 0 && name === '.text') return true;
  const target = name.startsWith('.rel') ? name.slice('.rel'.length) : name;
  if (target.startsWith('.debug_')) return true;
  return target !== name && (target === '.BTF' || target === '.BTF.ext');
}

/** Entries of a size of their own, or a part of one at the end: libelf does not give such sections out. */
function checkEntries(where: string, type: number, entrySize: number, size: number): void {
  const right = type === SHT_SYMTAB ? SYMBOL_SIZE : type === SHT_REL ? RELOCATION_SIZE : undefined;
  if (right === undefined) return;
  const what = type === SHT_SYMTAB ? 'symbols' : 'relocations';
  if (entrySize !== right)
    throw new ObjectError(where, `${what} of ${right} bytes`, `${entrySize} (sh_entsize)`);
  if (size % right !== 0) throw new ObjectError(where, `${what} of ${right} bytes`, `${size} bytes`);
}

function isInside(file: Reader, table: Reader, index: number): boolean {
  const at = index * SECTION_HEADER_SIZE;
  return table.u64(at + 24, 'sh_offset') + table.u64(at + 32, 'sh_size') <= file.length;
}

function contentsOf(file: Reader, table: Reader, index: number, where: string): Reader {
  const at = index * SECTION_HEADER_SIZE;
  const type = table.u32(at + 4, 'sh_type');
  if (index === 0 || type === SHT_NOBITS) return new Reader(file.bytes.subarray(0, 0), where);
  const offset = table.u64(at + 24, 'sh_offset');
  const size = table.u64(at + 32, 'sh_size');
  if (!isInside(file, table, index)) {
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
  if (table === undefined)
    throw new ObjectError('ELF file', 'a symbol table (strip with llvm-strip -g, which keeps it)', 'none');
  if (tables.length > 1) throw new ObjectError('ELF file', 'one symbol table', `${tables.length}`);
  const { data } = table;
  const strings = sections[table.link];
  if (strings === undefined || strings.type !== SHT_STRTAB) {
    throw new ObjectError(data.where, 'a string table as its sh_link', `section ${table.link}`);
  }
  const symbols: ElfSymbol[] = [];
  for (let at = 0; at < data.length; at += SYMBOL_SIZE) {
    const info = data.u8(at + 4, 'st_info');
    const section = data.u16(at + 6, 'st_shndx');
    const type = info & 0x0f;
    const nameOffset = data.u32(at, 'st_name');
    // Only functions and variables are asked for their names; others may have a place in the strings that is none.
    const isNamed = type === STT_FUNC || type === STT_OBJECT || nameOffset < strings.data.length;
    symbols.push({
      index: symbols.length,
      name: nameOffset === 0 || !isNamed ? '' : strings.data.name(nameOffset, 'a symbol name'),
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
