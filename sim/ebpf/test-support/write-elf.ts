/**
 * Programs that are given as text, as an ELF object: for what takes files only, as whole runs of commands do. Maps are written
 * as they were before BTF (`struct bpf_map_def`), each program has a section of its own, what it calls lies in `.text`, and
 * there is no debug information.
 */
import type { BpfMap } from '../bpf-object.ts';
import { functionStarts } from '../check-instructions.ts';
import { CALL, type Instructions, LDDW } from '../instruction.ts';
import {
  R_BPF_64_32,
  R_BPF_64_64,
  SHF_ALLOC,
  SHF_EXECINSTR,
  SHT_NOBITS,
  SHT_PROGBITS,
  SHT_REL,
  SHT_STRTAB,
  SHT_SYMTAB,
  STT_FUNC,
  STT_OBJECT,
} from '../loader/elf.ts';
import { assemble } from './assemble.ts';

/** Sections of variables by name, `.data` say: what each variable starts with. */
export type WrittenData = Readonly<Record<string, Readonly<Record<string, readonly number[]>>>>;

/** What the file says of how its programs are loaded. */
export interface WrittenLoading {
  /** The section of each program; default: XDP's. */
  readonly section?: string;
  readonly license?: string;
}

const GLOBAL = 1 << 4;
const DEFINITION_SIZE = 20;
const EM_BPF = 247;

interface Section {
  readonly name: string;
  readonly type: number;
  readonly flags: number;
  readonly bytes: Uint8Array;
  /** Bytes of a section that takes none in the file. */
  readonly size?: number;
  readonly info?: number;
  readonly entrySize?: number;
}

/** Numbers one after the other, each of so many bytes, little-endian. */
function packed(...fields: readonly (readonly [size: number, value: number])[]): number[] {
  return fields.flatMap(([size, value]) =>
    Array.from({ length: size }, (_, at) => Math.floor(value / 256 ** at) % 256),
  );
}

/** Texts that are referred to by where they begin. */
class Strings {
  readonly bytes: number[] = [0];

  add(text: string): number {
    const at = this.bytes.length;
    this.bytes.push(...new TextEncoder().encode(text), 0);
    return at;
  }
}

/**
 * @param programs text by function, see `assemble`; `map[.data]+4` is an address in a section of variables. What a program
 *   calls stands behind it; that of one program only.
 * @returns the file's bytes
 */
export function writeElf(
  programs: Readonly<Record<string, string>>,
  maps: readonly BpfMap[] = [],
  data: WrittenData = {},
  loading: WrittenLoading = {},
): Uint8Array {
  const { section: of, license = 'GPL' } = loading;
  const sections: Section[] = [{ name: '', type: 0, flags: 0, bytes: new Uint8Array(0) }];
  const strings = new Strings();
  const symbols: number[] = [...new Uint8Array(24)];
  const symbol = (name: string, type: number, section: number, value: number, size: number): number => {
    const info = GLOBAL | type;
    const fields = packed([4, strings.add(name)], [1, info], [1, 0], [2, section], [8, value], [8, size]);
    return symbols.push(...fields) / 24 - 1;
  };
  const add = (section: Section): number => sections.push(section) - 1;

  const definitions = maps.flatMap((map) =>
    [map.typeNumber, map.keySize, map.valueSize, map.maxEntries, map.mapFlags].flatMap((word) =>
      packed([4, word]),
    ),
  );
  /** Of each map and section of variables: the symbol that stands for its first byte. */
  const places: number[] = [];
  if (maps.length > 0) {
    const section = add(contents('maps', SHF_ALLOC, definitions));
    for (const [index, { name }] of maps.entries())
      places.push(symbol(name, STT_OBJECT, section, index * DEFINITION_SIZE, DEFINITION_SIZE));
  }
  for (const [name, variables] of Object.entries(data)) {
    const bytes = Object.values(variables).flat();
    // Zeros that the file leaves out.
    const isHollow = name.startsWith('.bss');
    const hollow = { ...contents(name, SHF_ALLOC, []), type: SHT_NOBITS, size: bytes.length };
    const section = add(isHollow ? hollow : contents(name, SHF_ALLOC, bytes));
    let at = 0;
    const symbolsOfData = Object.entries(variables).map(([variable, { length }]) => {
      at += length;
      return symbol(variable, STT_OBJECT, section, at - length, length);
    });
    places.push(symbolsOfData[0]!);
  }
  const names = [...maps.map(({ name }) => name), ...Object.keys(data)];
  const relocations = (section: string, info: number, rows: readonly Relocation[]): void => {
    const bytes = rows.flatMap(({ slot, type, symbol: at }) => packed([8, slot * 8], [4, type], [4, at]));
    if (bytes.length > 0)
      add({ ...contents(`.rel${section}`, 0, bytes), type: SHT_REL, info, entrySize: 16 });
  };
  for (const [name, text] of Object.entries(programs)) {
    const [main, ...called] = partsOf(text, names);
    const code = main!.code;
    const own = of ?? `xdp/${name}`;
    const section = add(contents(own, SHF_ALLOC | SHF_EXECINSTR, code));
    symbol(name, STT_FUNC, section, 0, code.length);
    const behind = called.flatMap((part) => part.code);
    const place = called.length === 0 ? 0 : add(contents('.text', SHF_ALLOC | SHF_EXECINSTR, behind));
    const functions = called.map(({ start, code: { length } }) =>
      symbol(`${name}_${start}`, STT_FUNC, place, 8 * (start - called[0]!.start), length),
    );
    const rowsOf = ({ relocated }: Part, from: number): Relocation[] =>
      relocated.map(({ slot, to }) => {
        if ('map' in to) return { slot: from + slot, type: R_BPF_64_64, symbol: places[to.map]! };
        const index = called.findIndex(({ start }) => start === to.function);
        return { slot: from + slot, type: R_BPF_64_32, symbol: functions[index]! };
      });
    relocations(own, section, rowsOf(main!, 0));
    const rows = called.flatMap((part) => rowsOf(part, part.start - called[0]!.start));
    relocations('.text', place, rows);
  }
  add(contents('license', SHF_ALLOC, [...new TextEncoder().encode(license), 0]));
  const table = add({ ...contents('.symtab', 0, symbols), type: SHT_SYMTAB, info: 1, entrySize: 24 });
  const texts = add({ ...contents('.strtab', 0, []), type: SHT_STRTAB });
  return joined(sections, strings, table, texts);
}

function contents(name: string, flags: number, bytes: readonly number[]): Section {
  return { name, type: SHT_PROGBITS, flags, bytes: Uint8Array.from(bytes) };
}

/** What stands for an instruction's number until the file is loaded. */
interface Relocation {
  readonly slot: number;
  readonly type: number;
  readonly symbol: number;
}

/** A function as it lies in a file: what loads a map's address or calls another function does not know it yet. */
interface Part {
  /** Its first slot in the text. */
  readonly start: number;
  readonly code: number[];
  /** Slots of the function, and which map is meant, or which function by its first slot. */
  readonly relocated: readonly {
    readonly slot: number;
    readonly to: { map: number } | { function: number };
  }[];
}

/** The functions of a text, the program itself first. */
function partsOf(text: string, names: readonly string[]): Part[] {
  const instructions = assemble(text, names);
  const starts = functionStarts(instructions);
  return starts.map((start, index) => written(instructions, start, starts[index + 1] ?? instructions.count));
}

function written(instructions: Instructions, start: number, end: number): Part {
  const { opcode, dst, src, offset, imm } = instructions;
  const relocated: Part['relocated'][number][] = [];
  const code: number[] = [];
  for (let slot = start; slot < end; slot++) {
    const isMap = opcode[slot] === LDDW && (src[slot] === 1 || src[slot] === 2);
    const isLocal = opcode[slot] === CALL && src[slot] === 1;
    if (isMap) relocated.push({ slot: slot - start, to: { map: imm[slot]! } });
    if (isLocal) relocated.push({ slot: slot - start, to: { function: slot + imm[slot]! + 1 } });
    // An offset into variables stands where the address will.
    const number = isMap ? (src[slot] === 2 ? imm[slot + 1]! : 0) : isLocal ? -1 : imm[slot]!;
    const registers = (isMap ? 0 : src[slot]! << 4) | dst[slot]!;
    const isBehindMap =
      !isMap && !isLocal && relocated.at(-1)?.slot === slot - start - 1 && opcode[slot] === 0;
    code.push(
      ...packed([1, opcode[slot]!], [1, registers], [2, offset[slot]! & 0xffff]),
      ...packed([4, isBehindMap ? 0 : number >>> 0]),
    );
  }
  return { start, code, relocated };
}

/** The header, the sections' contents, and their table. */
function joined(sections: readonly Section[], strings: Strings, table: number, texts: number): Uint8Array {
  const named = sections.map(({ name }) => (name === '' ? 0 : strings.add(name)));
  const body: number[] = [];
  const headers: number[] = [];
  for (const [index, section] of sections.entries()) {
    const bytes = index === texts ? Uint8Array.from(strings.bytes) : section.bytes;
    while (body.length % 8 !== 0) body.push(0);
    const isLinked = section.type === SHT_SYMTAB || section.type === SHT_REL;
    const link = section.type === SHT_SYMTAB ? texts : isLinked ? table : 0;
    headers.push(
      ...packed([4, named[index]!], [4, section.type], [8, section.flags], [8, 0], [8, 64 + body.length]),
      ...packed(
        [8, section.size ?? bytes.length],
        [4, link],
        [4, section.info ?? 0],
        [8, 8],
        [8, section.entrySize ?? 0],
      ),
    );
    body.push(...bytes);
  }
  while (body.length % 8 !== 0) body.push(0);
  const header = [
    ...[0x7f, 0x45, 0x4c, 0x46, 2, 1, 1, ...new Uint8Array(9)],
    ...packed([2, 1], [2, EM_BPF], [4, 1], [8, 0], [8, 0], [8, 64 + body.length], [4, 0]),
    ...packed([2, 64], [2, 0], [2, 0], [2, 64], [2, sections.length], [2, texts]),
  ];
  return Uint8Array.from([...header, ...body, ...headers]);
}
