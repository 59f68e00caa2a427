/** The one ELF reader takes what libbpf takes, and nothing else: changed headers, tables and contents, one at a time. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { SOURCE_ROOT } from '../bpf/compile.ts';
import { requireBpfElf } from '../kernel/libbpf/check-elf.ts';
import { OBJECT_OPEN_OPTS } from '../kernel/libbpf/layouts.ts';
import { requireLibbpf } from '../kernel/libbpf/libbpf.ts';
import { readElf } from '../sim/ebpf/loader/elf.ts';
import { loadObject } from '../sim/ebpf/object.ts';
import { EngineError } from '../sim/engines/engine.ts';
import { describeKernel } from './test-support/require-kernel.ts';

const ORIGINAL = new Uint8Array(readFileSync(join(SOURCE_ROOT, 'bpf/built/icmp_echo.o')));
const view = new DataView(ORIGINAL.buffer, ORIGINAL.byteOffset);

/** Elf64_Ehdr, Elf64_Shdr and Elf64_Sym (elf(5)): offsets in bytes. */
const EHDR = {
  class: 4,
  data: 5,
  version: 6,
  abi: 7,
  type: 16,
  machine: 18,
  version2: 20,
  entry: 24,
  shoff: 40,
};
const EHDR_END = { flags: 48, ehsize: 52, shentsize: 58, shnum: 60, shstrndx: 62, size: 64 };
const SHDR = { name: 0, type: 4, offset: 24, size: 32, link: 40, info: 44, entsize: 56, all: 64 };
const SYM = { name: 0, shndx: 6, all: 24 };
const TYPE = { progbits: 1, symtab: 2, rela: 4, nobits: 8, rel: 9, addrsig: 0x6fff_4c03 };
const LARGE = 1 << 30;

const table = Number(view.getBigUint64(EHDR.shoff, true));
const count = view.getUint16(EHDR_END.shnum, true);
const names = view.getUint16(EHDR_END.shstrndx, true);
const types = Array.from({ length: count }, (_, index) =>
  view.getUint32(table + index * SHDR.all + SHDR.type, true),
);

const row = (index: number): number => table + index * SHDR.all;
const symtab = row(types.indexOf(TYPE.symtab));
const rel = row(types.indexOf(TYPE.rel));
const code = row(types.indexOf(TYPE.rel) - 1);
/** A section that nothing depends on once its name is gone: `.BTF.ext`. */
const spare = row(types.lastIndexOf(TYPE.progbits));
const symbols = Number(view.getBigUint64(symtab + SHDR.offset, true));
const sizeOf = (header: number): bigint => view.getBigUint64(header + SHDR.size, true);

/** Changes the bytes in place, or returns others. */
type Change = (to: DataView, bytes: Uint8Array) => unknown;
const u8 =
  (at: number, value: number): Change =>
  (to) =>
    to.setUint8(at, value);
const u16 =
  (at: number, value: number): Change =>
  (to) =>
    to.setUint16(at, value, true);
const u32 =
  (at: number, value: number): Change =>
  (to) =>
    to.setUint32(at, value, true);
const u64 =
  (at: number, value: bigint | number): Change =>
  (to) =>
    to.setBigUint64(at, BigInt(value), true);
const all =
  (...changes: readonly Change[]): Change =>
  (to, bytes) => {
    for (const change of changes) change(to, bytes);
  };
/** The section has no name that libbpf looks for. */
const unnamed = u32(spare + SHDR.name, 0);

const CASES: readonly (readonly [what: string, verdict: 'takes' | 'refuses', change: Change])[] = [
  ['an object as clang made it', 'takes', () => undefined],
  ['e_machine 0, as old compilers wrote', 'takes', u16(EHDR.machine, 0)],
  ['another machine', 'refuses', u16(EHDR.machine, 62)],
  ['no type', 'refuses', u16(EHDR.type, 0)],
  ['an executable', 'refuses', u16(EHDR.type, 2)],
  ['a shared library', 'refuses', u16(EHDR.type, 3)],
  ['32 bits', 'refuses', u8(EHDR.class, 1)],
  ['no class', 'refuses', u8(EHDR.class, 0)],
  ['big-endian', 'refuses', u8(EHDR.data, 2)],
  ['no byte order', 'refuses', u8(EHDR.data, 0)],
  ['version 0 in the identification', 'refuses', u8(EHDR.version, 0)],
  ['version 2 in the identification', 'refuses', u8(EHDR.version, 2)],
  ['version 0 in the header', 'takes', u32(EHDR.version2, 0)],
  ['another ABI', 'takes', u8(EHDR.abi, 3)],
  ['flags', 'takes', u32(EHDR_END.flags, 7)],
  ['an entry point', 'takes', u64(EHDR.entry, 8)],
  ['a wrong size of the header', 'takes', u16(EHDR_END.ehsize, 0)],
  ['no size of section headers', 'takes', u16(EHDR_END.shentsize, 0)],
  ['a wrong size of section headers', 'takes', u16(EHDR_END.shentsize, 40)],
  ['no sections', 'refuses', u16(EHDR_END.shnum, 0)],
  [
    'the number of sections in section 0',
    'takes',
    all(u16(EHDR_END.shnum, 0), u64(table + SHDR.size, count)),
  ],
  ['more sections than there are', 'refuses', u16(EHDR_END.shnum, count + 100)],
  ['section names beyond the sections', 'refuses', u16(EHDR_END.shstrndx, count + 3)],
  ['section names in section 0', 'refuses', u16(EHDR_END.shstrndx, 0)],
  [
    'the index of section names in section 0',
    'takes',
    all(u16(EHDR_END.shstrndx, 0xffff), u32(table + SHDR.link, names)),
  ],
  ['no section table', 'refuses', u64(EHDR.shoff, 0)],
  ['a section table beyond the end', 'refuses', u64(EHDR.shoff, 2 ** 40)],
  ['bytes behind the table', 'takes', (_, bytes) => grown(bytes, 9)],
  ['a truncated table', 'refuses', (_, bytes) => bytes.slice(0, -10)],
  ['an empty file', 'refuses', () => new Uint8Array(0)],
  ['half a header', 'refuses', (_, bytes) => bytes.slice(0, 40)],
  ['nothing but a header', 'refuses', (_, bytes) => bytes.slice(0, EHDR_END.size)],
  ['no symbol table', 'refuses', u32(symtab + SHDR.type, TYPE.progbits)],
  ['two symbol tables', 'refuses', u32(spare + SHDR.type, TYPE.symtab)],
  ['a symbol table without strings', 'refuses', u32(symtab + SHDR.link, 0)],
  ['strings beyond the sections', 'refuses', u32(symtab + SHDR.link, count + 5)],
  ['strings in a section of code', 'refuses', u32(symtab + SHDR.link, 2)],
  ['a part of a symbol', 'refuses', u64(symtab + SHDR.size, sizeOf(symtab) - 1n)],
  ['symbols of no size', 'refuses', u64(symtab + SHDR.entsize, 0)],
  ['symbols of another size', 'refuses', u64(symtab + SHDR.entsize, 16)],
  ['a label with a name beyond the strings', 'takes', u32(symbols + 2 * SYM.all + SYM.name, 0xff_ffff)],
  ['a label in a section beyond the others', 'takes', u16(symbols + 2 * SYM.all + SYM.shndx, count + 5)],
  ['relocations of no size', 'refuses', u64(rel + SHDR.entsize, 0)],
  ['a part of a relocation', 'refuses', u64(rel + SHDR.size, sizeOf(rel) - 1n)],
  ['relocations for a section beyond the others', 'refuses', u32(rel + SHDR.info, count + 5)],
  ['relocations for section 0', 'takes', u32(rel + SHDR.info, 0)],
  ['relocations that name no symbol table', 'takes', u32(rel + SHDR.link, 0)],
  ['code with a name beyond the names', 'refuses', u32(code + SHDR.name, 0xff_ffff)],
  ['any section with a name beyond the names', 'refuses', u32(spare + SHDR.name, 0xff_ffff)],
  ['contents beyond the end', 'refuses', u64(spare + SHDR.size, LARGE)],
  ['contents of an unnamed section beyond the end', 'refuses', all(unnamed, u64(spare + SHDR.size, LARGE))],
  [
    'contents beyond the end of a section that libbpf ignores',
    'takes',
    all(unnamed, u32(spare + SHDR.type, TYPE.addrsig), u64(spare + SHDR.size, LARGE)),
  ],
  [
    'a large section without contents that holds no variables',
    'takes',
    all(unnamed, u32(spare + SHDR.type, TYPE.nobits), u64(spare + SHDR.size, LARGE)),
  ],
  ['section 0 at another place', 'takes', u64(table + SHDR.offset, 2 ** 40)],
];

function grown(bytes: Uint8Array, more: number): Uint8Array {
  const larger = new Uint8Array(bytes.length + more);
  larger.set(bytes);
  return larger;
}

function changed(change: Change): Uint8Array {
  const bytes = ORIGINAL.slice();
  const result = change(new DataView(bytes.buffer), bytes);
  return result instanceof Uint8Array ? result : bytes;
}

function verdictOf(attempt: () => void): 'takes' | 'refuses' {
  try {
    attempt();
    return 'takes';
  } catch {
    return 'refuses';
  }
}

it.each(CASES)('machine and kernel side judge alike: %s (%s)', (_, verdict, change) => {
  const bytes = changed(change);
  expect(verdictOf(() => readElf(bytes))).toBe(verdict);
  expect(verdictOf(() => loadObject(bytes))).toBe(verdict);
  if (verdict === 'takes') return expect(() => requireBpfElf(bytes, 'x.o')).not.toThrow();
  expect(() => requireBpfElf(bytes, 'x.o')).toThrow(EngineError);
  expect(() => requireBpfElf(bytes, 'x.o')).toThrow(/^x\.o: .*: expected .*, found /);
});

describeKernel('libbpf', ['libbpf'], () => {
  it.each(CASES)('judges so: %s (%s)', (_, verdict, change) => {
    const { bpf } = requireLibbpf();
    const bytes = changed(change);
    const options = new Uint8Array(OBJECT_OPEN_OPTS.size);
    new DataView(options.buffer).setBigUint64(OBJECT_OPEN_OPTS.sz, BigInt(OBJECT_OPEN_OPTS.size), true);
    const handle = bpf.bpf_object__open_mem(bytes, bytes.length, options);
    if (handle !== 0) bpf.bpf_object__close(handle);
    expect(handle === 0 ? 'refuses' : 'takes').toBe(verdict);
  });
});
