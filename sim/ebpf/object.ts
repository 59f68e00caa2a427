/** Reads a compiled eBPF object, linked as libbpf links it but with names in the place of file descriptors. */

import type { BpfObject, BpfProgram, SourceLine } from './bpf-object.ts';
import { parseBtf } from './btf.ts';
import type { KernelVersion } from './kernel-versions.ts';
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
import { attachmentOf } from './loader/hook.ts';
import type { KernelFacts } from './loader/kernel-facts.ts';
import { linkProgram } from './loader/link.ts';
import { ObjectError } from './object-error.ts';

export type { KernelFacts } from './loader/kernel-facts.ts';
export { LackingError, ObjectError } from './object-error.ts';

export interface LoadOptions {
  /** The BTF blob against which CO-RE relocations are resolved: `/sys/kernel/btf/vmlinux` as it is. */
  readonly kernelBtf?: Uint8Array;
  /**
   * The kernel functions that the machine has. With it, weak ones that it lacks become 0 (`bpf_ksym_exists`) and
   * calls of them are poisoned, unless `kernel` has them: then programs that refer to them lack them. Without it, every kernel function is taken to exist.
   */
  readonly kfuncs?: ReadonlySet<string>;
  /** The kernel that the object is read for: kernel functions that came later are absent. Default: the newest. */
  readonly asKernel?: KernelVersion;
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
  const externs = resolveExterns(elf, btf, options.kfuncs, options.kernel, options.asKernel);
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
    variables: externs.variables,
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
