/**
 * The sections of instructions: functions in them, and relocations applied to them. What is called where comes
 * later, when programs are put together (`link.ts`).
 */
import type { Btf } from '../btf.ts';
import {
  BPF_PSEUDO_BTF_ID,
  BPF_PSEUDO_CALL,
  BPF_PSEUDO_FUNC,
  BPF_PSEUDO_KFUNC_CALL,
  BPF_PSEUDO_MAP_FD,
  BPF_PSEUDO_MAP_VALUE,
  CALL,
  decodeInstructions,
  INSTRUCTION_SIZE,
  type Instructions,
  LDDW,
} from '../instruction.ts';
import { ObjectError } from '../object-error.ts';
import type { BtfExt, LineInfo } from './btf-ext.ts';
import { poison } from './core-patch.ts';
import type { CoreResolver } from './core-relocation.ts';
import {
  type ElfFile,
  type ElfRelocation,
  type ElfSection,
  type ElfSymbol,
  R_BPF_64_32,
  R_BPF_64_64,
  SHF_EXECINSTR,
  SHN_UNDEF,
  SHT_PROGBITS,
  STB_LOCAL,
  STT_FUNC,
  STT_SECTION,
} from './elf.ts';
import type { Extern } from './externs.ts';
import type { MapPlaces } from './map-definitions.ts';

export interface CodeFunction {
  readonly name: string;
  readonly section: CodeSection;
  /** First slot in the section. */
  readonly start: number;
  /** Slots. */
  readonly count: number;
  /** Static: not visible outside of its source file. */
  readonly isStatic: boolean;
  /** BTF id of the FUNC. */
  readonly typeId: number | undefined;
}

export interface CodeSection {
  readonly section: ElfSection;
  readonly instructions: Instructions;
  /** In order of their start. */
  readonly functions: readonly CodeFunction[];
  /** For a relocated local call or function address: the slot in `.text` that it means; else -1. */
  readonly targets: Int32Array;
  readonly lines: readonly LineInfo[];
  /** Slots that relocation had to poison, and why. */
  readonly poisoned: Map<number, string>;
  /** Slots that refer to something the kernel lacks and that a program cannot do without, and what it is. */
  readonly missing: Map<number, string>;
}

/** What relocations of instructions can refer to. */
export interface Surroundings {
  readonly elf: ElfFile;
  readonly text: number | undefined;
  readonly places: MapPlaces;
  /** Numbers of the maps that data sections became, and their sizes, by index of the section. */
  readonly dataMaps: ReadonlyMap<number, { readonly map: number; readonly size: number }>;
  /** Where legacy definitions lie: static maps there are named by section and offset. */
  readonly mapSections: ReadonlySet<number>;
  readonly externs: ReadonlyMap<number, Extern>;
  /** Number of the map `.kconfig`. */
  readonly kconfigMap: number | undefined;
}

/** libbpf's numbers for calls of weak kernel functions that are not there (`POISON_CALL_KFUNC_BASE`). */
const POISON_CALL_KFUNC_BASE = 2_002_000_000;

/** Does the section hold instructions? */
export function isCodeSection(section: ElfSection): boolean {
  return section.type === SHT_PROGBITS && (section.flags & SHF_EXECINSTR) !== 0 && section.size > 0;
}

/** Decodes one section of instructions and finds its functions. */
export function readCode(
  elf: ElfFile,
  section: ElfSection,
  btf: Btf | undefined,
  ext: BtfExt | undefined,
): CodeSection {
  const { data, name } = section;
  if (data.length % INSTRUCTION_SIZE !== 0) {
    throw new ObjectError(data.where, 'instructions of 8 bytes', `${data.length} bytes`);
  }
  const instructions = decodeInstructions(data.bytes);
  const types = new Map(ext?.functions.get(name)?.map((info) => [info.instruction, info.typeId]));
  const functions: CodeFunction[] = [];
  const code: CodeSection = {
    section,
    instructions,
    functions,
    targets: new Int32Array(instructions.count).fill(-1),
    lines: ext?.lines.get(name) ?? [],
    poisoned: new Map(),
    missing: new Map(),
  };
  for (const symbol of elf.symbolsBySection.get(section.index) ?? []) {
    if (symbol.type !== STT_FUNC) continue;
    const where = `function ${symbol.name} (${data.where})`;
    const whole = symbol.value % INSTRUCTION_SIZE === 0 && symbol.size % INSTRUCTION_SIZE === 0;
    if (!whole || symbol.size === 0 || symbol.value + symbol.size > data.length) {
      throw new ObjectError(
        where,
        'whole instructions inside of the section',
        `${symbol.size} bytes at ${symbol.value}`,
      );
    }
    if (symbol.name === '') throw new ObjectError(where, 'a function with a name', 'none');
    const start = symbol.value / INSTRUCTION_SIZE;
    const type = types.get(start);
    const typeId = type !== undefined && btf !== undefined && type < btf.count ? type : undefined;
    const count = symbol.size / INSTRUCTION_SIZE;
    functions.push({
      name: symbol.name,
      section: code,
      start,
      count,
      isStatic: symbol.binding === STB_LOCAL,
      typeId,
    });
  }
  functions.sort((a, b) => a.start - b.start);
  for (const [index, each] of functions.entries()) {
    const next = functions[index + 1];
    if (next !== undefined && next.start < each.start + each.count) {
      throw new ObjectError(data.where, 'functions that do not overlap', `${each.name} and ${next.name}`);
    }
  }
  return code;
}

/** The function that begins at that slot of the section. */
export function functionAt(code: CodeSection, slot: number): CodeFunction | undefined {
  let low = 0;
  let high = code.functions.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (code.functions[middle]!.start < slot) low = middle + 1;
    else high = middle;
  }
  const found = code.functions[low];
  return found?.start === slot ? found : undefined;
}

/** Applies the ELF relocations of a code section (libbpf, `bpf_program__record_reloc` and `bpf_object__relocate_data`). */
export function relocateCode(
  code: CodeSection,
  relocations: readonly ElfRelocation[],
  around: Surroundings,
): void {
  const done = new Set<number>();
  for (const relocation of relocations) {
    const { offset, type, symbol } = relocation;
    const where = `${code.section.data.where} +0x${offset.toString(16)}`;
    const index = offset / INSTRUCTION_SIZE;
    if (!Number.isInteger(index) || index >= code.instructions.count) {
      throw new ObjectError(where, 'an instruction to relocate', 'none there');
    }
    if (type !== R_BPF_64_64 && type !== R_BPF_64_32) {
      throw new ObjectError(where, 'a relocation R_BPF_64_64 or R_BPF_64_32', `type ${type}`);
    }
    if (done.has(index)) throw new ObjectError(where, 'one relocation of the instruction', 'two');
    done.add(index);
    const opcode = code.instructions.opcode[index]!;
    if (opcode === CALL) relocateCall(code, index, symbol, around, where);
    else if (opcode === LDDW && index + 1 < code.instructions.count)
      relocateLoad(code, index, symbol, around, where);
    else
      throw new ObjectError(where, 'a call or a 16-byte load to relocate', `opcode 0x${opcode.toString(16)}`);
  }
}

function relocateCall(
  code: CodeSection,
  index: number,
  symbol: ElfSymbol,
  around: Surroundings,
  where: string,
): void {
  const { instructions } = code;
  const extern = around.externs.get(symbol.index);
  if (extern !== undefined) {
    if (extern.missing !== undefined) code.missing.set(index, extern.missing);
    if (extern.is !== 'kfunc')
      throw new ObjectError(where, 'a kernel function to call', `the variable ${extern.name}`);
    instructions.src[index] = BPF_PSEUDO_KFUNC_CALL;
    instructions.offset[index] = 0;
    instructions.imm[index] = extern.index;
    if (!extern.present) {
      poison(instructions, index, POISON_CALL_KFUNC_BASE + extern.index);
      code.poisoned.set(index, `the kernel function ${extern.name} does not exist`);
    }
    return;
  }
  if (instructions.src[index] !== BPF_PSEUDO_CALL) {
    throw new ObjectError(where, 'a local call (src 1)', `src ${instructions.src[index]}`);
  }
  if (!isSubprogram(symbol, around)) {
    throw new ObjectError(where, 'a call of a function in .text', describe(symbol, around));
  }
  // Global functions: the symbol says where, imm is -1. Static ones: the section's symbol, and imm says where.
  code.targets[index] = symbolSlot(symbol, where) + instructions.imm[index]! + 1;
}

function relocateLoad(
  code: CodeSection,
  index: number,
  symbol: ElfSymbol,
  around: Surroundings,
  where: string,
): void {
  const { instructions } = code;
  const load = (src: number, first: number, second: number): void => {
    instructions.src[index] = src;
    instructions.imm[index] = first;
    instructions.imm[index + 1] = second;
  };
  const addend = instructions.imm[index]!;
  const extern = around.externs.get(symbol.index);
  if (extern !== undefined) {
    if (extern.missing !== undefined) code.missing.set(index, extern.missing);
    if (extern.is === 'kconfig') load(BPF_PSEUDO_MAP_VALUE, around.kconfigMap!, extern.offset + addend);
    // libbpf takes no notice of an offset.
    else if (extern.is === 'variable') load(BPF_PSEUDO_BTF_ID, extern.index, 0);
    else if (extern.is === 'ksym') {
      const address = extern.address + BigInt(addend);
      load(0, Number(BigInt.asIntN(32, address)), Number(BigInt.asIntN(32, address >> 32n)));
    }
    // The address of a kernel function serves one purpose: is it there (`bpf_ksym_exists`)?
    else load(0, extern.present ? 1 : 0, 0);
    return;
  }
  if (isSubprogram(symbol, around)) {
    if (addend % INSTRUCTION_SIZE !== 0)
      throw new ObjectError(where, 'the address of a function', `.text +${addend}`);
    code.targets[index] = symbolSlot(symbol, where) + addend / INSTRUCTION_SIZE;
    load(BPF_PSEUDO_FUNC, 0, 0);
    return;
  }
  const data = around.dataMaps.get(symbol.section);
  if (data !== undefined) {
    const offset = symbol.value + addend;
    // As the kernel: the address must point into the value (`array_map_direct_value_addr`).
    if (offset < 0 || offset >= data.size) {
      throw new ObjectError(
        where,
        `an offset inside the ${data.size} bytes of ${describe(symbol, around)}`,
        `${offset}`,
      );
    }
    load(BPF_PSEUDO_MAP_VALUE, data.map, offset);
    return;
  }
  const map = around.mapSections.has(symbol.section)
    ? around.places.at(symbol.section, symbol.value + (symbol.type === STT_SECTION ? addend : 0))
    : undefined;
  if (map === undefined) {
    throw new ObjectError(where, 'a map, a variable or a function in .text', describe(symbol, around));
  }
  load(BPF_PSEUDO_MAP_FD, map, 0);
}

function isSubprogram(symbol: ElfSymbol, around: Surroundings): boolean {
  const isText = around.text !== undefined && symbol.section === around.text;
  return isText && (symbol.type === STT_FUNC || symbol.type === STT_SECTION);
}

function symbolSlot(symbol: ElfSymbol, where: string): number {
  if (symbol.value % INSTRUCTION_SIZE !== 0 || symbol.value > 2 ** 31) {
    throw new ObjectError(where, 'a function that begins at an instruction', `offset ${symbol.value}`);
  }
  return symbol.value / INSTRUCTION_SIZE;
}

function describe(symbol: ElfSymbol, around: Surroundings): string {
  if (symbol.section === SHN_UNDEF) return `the undefined symbol ${symbol.name || symbol.index}`;
  const section = around.elf.sections[symbol.section]?.name ?? `${symbol.section}`;
  return symbol.name === '' ? `section ${section}` : `${symbol.name} in section ${section}`;
}

/** Applies CO-RE relocations to a code section. */
export function relocateTypes(code: CodeSection, ext: BtfExt, resolver: CoreResolver): void {
  for (const relocation of ext.relocations.get(code.section.name) ?? []) {
    const { instruction } = relocation;
    const where = `CO-RE relocation of instruction ${instruction} in ${code.section.name}`;
    const opcode = code.instructions.opcode[instruction];
    if (opcode === undefined || (opcode === LDDW && instruction + 1 >= code.instructions.count)) {
      throw new ObjectError(where, `an instruction below ${code.instructions.count}`, `${instruction}`);
    }
    const reason = resolver.apply(relocation, code.instructions, instruction, where);
    if (reason !== undefined) code.poisoned.set(instruction, reason);
  }
}
