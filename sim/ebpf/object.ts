/**
 * A compiled eBPF object, linked as libbpf links it but with names in the place of file descriptors.
 *
 * What an instruction refers to is an index into the arrays here: maps (`BPF_PSEUDO_MAP_FD`,
 * `BPF_PSEUDO_MAP_VALUE`), kernel functions (`BPF_PSEUDO_KFUNC_CALL`); what lies in the program itself
 * (`BPF_PSEUDO_CALL`, `BPF_PSEUDO_FUNC`) is a distance, exactly as the kernel takes it.
 */
import type { MapType } from '../runtime/maps.ts';
import { type Btf, parseBtf } from './btf.ts';
import type { Instructions } from './instruction.ts';
import { readBtfExt } from './loader/btf-ext.ts';
import {
  type CodeFunction,
  type CodeSection,
  isCodeSection,
  readCode,
  relocateCode,
  relocateTypes,
  type Surroundings,
} from './loader/code.ts';
import { collectMaps, MAPS_SECTION } from './loader/collect-maps.ts';
import { CoreResolver } from './loader/core-relocation.ts';
import { placeVariables } from './loader/data-sections.ts';
import {
  type ElfFile,
  type ElfRelocation,
  type ElfSection,
  readElf,
  readRelocations,
  SHT_REL,
  SHT_RELA,
} from './loader/elf.ts';
import { resolveExterns } from './loader/externs.ts';
import { type Attachment, attachmentOf } from './loader/hook.ts';
import type { KernelFacts } from './loader/kernel-facts.ts';
import { linkProgram } from './loader/link.ts';
import { ObjectError } from './object-error.ts';

export type { KernelFacts } from './loader/kernel-facts.ts';
export { LackingError, ObjectError } from './object-error.ts';

export interface BpfObject {
  /** Text of section `license`; empty where there is none. */
  readonly license: string;
  /** The number in section `version`, where there is one. */
  readonly kernelVersion: number | undefined;
  readonly programs: readonly BpfProgram[];
  /** In the order in which instructions number them. Data sections (`.rodata`, `.bss`, …) are maps too. */
  readonly maps: readonly BpfMap[];
  /** Names of the kernel functions that programs call, in the order in which instructions number them. */
  readonly kfuncs: readonly string[];
  readonly btf: Btf | undefined;
}

export interface BpfProgram extends Attachment {
  /** The function's name, which is the program's. */
  readonly function: string;
  /** The ELF section it came from: `xdp`, `tc/ingress`. */
  readonly section: string;
  /** The program, then each subprogram that it reaches, as libbpf appends them. */
  readonly instructions: Instructions;
  /** Functions in order of their start; the first is the program itself, with start 0. */
  readonly subprograms: readonly Subprogram[];
  /** Line info in order of instructions; empty where the object carries none. `sourceAt` searches it. */
  readonly lineInfo: readonly SourceLine[];
  /**
   * Instructions that linking had to turn into a call that no kernel has, with the reason: CO-RE relocations that
   * cannot be met, calls of absent weak kernel functions. They are no fault as long as nothing reaches them.
   */
  readonly poisoned: ReadonlyMap<number, string>;
  /** What it refers to that the kernel lacks, one sentence each; a program with such does not load. */
  readonly missing: readonly string[];
}

export interface Subprogram {
  readonly name: string;
  /** First instruction, in slots from the program's begin. */
  readonly start: number;
  /** Length in slots. */
  readonly count: number;
  /** BTF id of the function (kind FUNC), where `.BTF.ext` names it. */
  readonly typeId: number | undefined;
}

/** From `instruction` on, up to the next row, the code comes from this place in the C source. */
export interface SourceLine {
  readonly instruction: number;
  readonly file: string;
  /** From 1. */
  readonly line: number;
  /** From 1; 0 where the compiler did not say. */
  readonly column: number;
  /** The line's text without surrounding blanks; empty where the object carries none. */
  readonly text: string;
}

export interface BpfMap {
  readonly name: string;
  readonly type: MapType;
  /** The number of the type (`enum bpf_map_type`). */
  readonly typeNumber: number;
  /** Bytes. */
  readonly keySize: number;
  /** Bytes. */
  readonly valueSize: number;
  /** As written: 0 for a perf event array means one entry per CPU. */
  readonly maxEntries: number;
  /** `BPF_F_*` of map creation. */
  readonly mapFlags: number;
  readonly mapExtra: bigint;
  readonly pinning: 'none' | 'by-name';
  /** The template of the maps inside an ARRAY_OF_MAPS or HASH_OF_MAPS. */
  readonly inner: BpfMap | undefined;
  /** Static initialisers of a map-in-map or prog array: slot (the u32 key) and the map's or program's name. */
  readonly initial: readonly MapInitializer[];
  /** BTF ids of key and value, where the definition has them. */
  readonly keyType: number | undefined;
  readonly valueType: number | undefined;
  /** Set for maps that are a data section: an ARRAY of one entry with these contents. */
  readonly global: GlobalData | undefined;
}

export interface MapInitializer {
  readonly key: number;
  readonly name: string;
}

export interface GlobalData {
  /** The single value, `valueSize` bytes: what a fresh load starts with. Changed by `setGlobal` only. */
  readonly bytes: Uint8Array;
  /** Frozen after loading, as `.rodata` is: programs cannot write it. */
  readonly readOnly: boolean;
  readonly variables: ReadonlyMap<string, GlobalVariable>;
}

export interface GlobalVariable {
  /** Bytes from the section's begin. */
  readonly offset: number;
  /** Bytes. */
  readonly size: number;
  /** BTF id of its type, where the object has BTF. */
  readonly typeId: number | undefined;
}

export interface LoadOptions {
  /** The BTF blob against which CO-RE relocations are resolved: `/sys/kernel/btf/vmlinux` as it is. */
  readonly kernelBtf?: Uint8Array;
  /**
   * The kernel functions that the machine has. With it, weak ones that it lacks become 0 (`bpf_ksym_exists`) and
   * calls of them are poisoned; without it, every kernel function is taken to exist.
   */
  readonly kfuncs?: ReadonlySet<string>;
  /** The kernel whose configuration and variables the object gets; without one, weak ones are absent. */
  readonly kernel?: KernelFacts | undefined;
}

/** Slots of all programs of one object together; a hostile one would let many programs share one large subprogram. */
const MAX_LINKED = 4 * 1024 * 1024;

/**
 * Reads an ELF object and links each of its programs. CO-RE relocations without `kernelBtf` are resolved against
 * the object's own types: everything stays as it was compiled, and types of another flavour (`___old`) are missing.
 * @throws {ObjectError} for every file that is not a usable eBPF object
 */
export function loadObject(bytes: Uint8Array, options: LoadOptions = {}): BpfObject {
  const elf = readElf(bytes);
  const section = (name: string): ElfSection | undefined =>
    elf.sections.find((each) => each.name === name && each.index !== 0);

  const btfSection = section('.BTF');
  const extSection = section('.BTF.ext');
  // A copy, since the linker completes it.
  const btf = btfSection === undefined ? undefined : parseBtf(btfSection.data.bytes.slice());
  if (btf !== undefined) placeVariables(elf, btf);
  const ext = btf && extSection ? readBtfExt(extSection.data.bytes, btf) : undefined;

  const relocations = relocationsBySection(elf);
  const externs = resolveExterns(elf, btf, options.kfuncs, options.kernel);
  const { maps, ...places } = collectMaps(elf, btf, relocations, externs);

  const codes = elf.sections.filter(isCodeSection).map((each) => readCode(elf, each, btf, ext));
  const text = codes.find((code) => code.section.name === '.text');
  const around: Surroundings = { elf, text: text?.section.index, externs: externs.bySymbol, ...places };
  // Reading the kernel's types takes longer than all the rest: only where something asks for them.
  const wantsTypes = btf !== undefined && ext !== undefined && ext.relocations.size > 0;
  const resolver = wantsTypes
    ? new CoreResolver(btf, options.kernelBtf && parseBtf(options.kernelBtf))
    : undefined;
  for (const code of codes) {
    relocateCode(code, relocations.get(code.section.index) ?? [], around);
    if (ext !== undefined && resolver !== undefined) relocateTypes(code, ext, resolver);
  }

  let linked = 0;
  const programs = mainFunctions(codes, text).map((main): BpfProgram => {
    const program = linkProgram(main, text);
    linked += program.instructions.count;
    if (linked > MAX_LINKED) {
      throw new ObjectError('ELF file', `programs of at most ${MAX_LINKED} instructions together`, 'more');
    }
    return {
      function: main.name,
      section: main.section.section.name,
      ...attachmentOf(main, btf),
      ...program,
    };
  });
  return {
    license: section('license')?.data.text(0, 'the license') ?? '',
    kernelVersion: section('version')?.data.u32(0, 'the version'),
    programs,
    maps,
    kfuncs: externs.kfuncs,
    btf,
  };
}

/** The functions that are programs: all outside of `.text`; where there are none, the global ones in it. */
function mainFunctions(codes: readonly CodeSection[], text: CodeSection | undefined): CodeFunction[] {
  const programs = codes.filter((code) => code !== text).flatMap((code) => code.functions);
  for (const program of programs) {
    if (program.isStatic)
      throw new ObjectError(`program ${program.name}`, 'a global function', 'a static one');
  }
  return programs.length > 0 ? programs : (text?.functions.filter((each) => !each.isStatic) ?? []);
}

function relocationsBySection(elf: ElfFile): Map<number, ElfRelocation[]> {
  const relocations = new Map<number, ElfRelocation[]>();
  for (const section of elf.sections) {
    const target = elf.sections[section.info];
    const wanted = target !== undefined && (isCodeSection(target) || target.name === MAPS_SECTION);
    if (section.type === SHT_RELA && wanted) {
      throw new ObjectError(section.data.where, 'relocations without addends (SHT_REL)', 'SHT_RELA');
    }
    // Like libbpf, relocations of data, of BTF and of debug information are passed over.
    if (section.type !== SHT_REL || !wanted) continue;
    const known = relocations.get(target.index) ?? [];
    relocations.set(target.index, known.concat(readRelocations(section, elf.symbols)));
  }
  return relocations;
}

/**
 * Sets a global variable before the object is loaded into a machine.
 * @throws {ObjectError} when the object has no such variable, or the length is not the variable's
 */
export function setGlobal(object: BpfObject, name: string, bytes: Uint8Array): void {
  for (const map of object.maps) {
    const variable = map.global?.variables.get(name);
    if (map.global === undefined || variable === undefined) continue;
    if (bytes.length !== variable.size) {
      throw new ObjectError(`global ${name}`, `${variable.size} bytes`, `${bytes.length}`);
    }
    map.global.bytes.set(bytes, variable.offset);
    return;
  }
  throw new ObjectError(`global ${name}`, 'a variable of that name', 'none in the object');
}

/** The C source of one instruction, or undefined where the object does not say. */
export function sourceAt(program: BpfProgram, instruction: number): SourceLine | undefined {
  const rows = program.lineInfo;
  let low = 0;
  let high = rows.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (rows[middle]!.instruction <= instruction) low = middle + 1;
    else high = middle;
  }
  return low > 0 ? rows[low - 1] : undefined;
}
