/**
 * What a compiled eBPF object is once it is linked.
 *
 * What an instruction refers to is an index into the arrays here: maps (`BPF_PSEUDO_MAP_FD`,
 * `BPF_PSEUDO_MAP_VALUE`), kernel functions (`BPF_PSEUDO_KFUNC_CALL`), kernel variables (`BPF_PSEUDO_BTF_ID`); what lies in the program itself
 * (`BPF_PSEUDO_CALL`, `BPF_PSEUDO_FUNC`) is a distance, exactly as the kernel takes it.
 */
import type { Hook } from '../runtime/actions.ts';
import type { MapType } from '../runtime/maps.ts';
import type { Btf } from './btf.ts';
import type { Instructions } from './instruction.ts';

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
  /** The variables of the kernel that programs refer to by type (`__ksym`), in the order in which instructions number them. */
  readonly variables: readonly KernelVariable[];
  readonly btf: Btf | undefined;
}

/** A variable of the kernel, of which each CPU has one of its own. What it holds only the kernel knows. */
export interface KernelVariable {
  readonly name: string;
  /** Bytes, as the object declares its type; a page where it declares a structure without its fields. */
  readonly size: number;
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

/** What kind of program a function is. */
export interface Attachment {
  /** Undefined for programs that are neither XDP nor TC. */
  readonly hook: Hook | undefined;
  /** The map that the program stands in, where only a redirect runs it. */
  readonly behindRedirect: 'devmap' | 'cpumap' | undefined;
  /** XDP: does it take frames in several buffers (`SEC("xdp.frags")`: libbpf loads it with BPF_F_XDP_HAS_FRAGS)? */
  readonly frags: boolean;
  /** The type of a program without a hook, where its section says it. */
  readonly otherType: string | undefined;
  /**
   * Is it taken for TC for its context, a `__sk_buff`, alone? Programs of other types have one, too, as those of sockets do;
   * an `xdp_md` is XDP's.
   */
  readonly isGuessed: boolean;
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
  /** What slots of a map of maps or of programs start with: initialisers of the object, and what a world adds. */
  readonly initial: readonly MapInitializer[];
  /** BTF ids of key and value, where the definition has them. */
  readonly keyType: number | undefined;
  readonly valueType: number | undefined;
  /** Set for maps that are a data section: an ARRAY of one entry with these contents. */
  readonly global: GlobalData | undefined;
}

export interface MapInitializer {
  /** The slot: a u32, or, as a world may state it, the bytes of a key. */
  readonly key: number | Uint8Array;
  /** Of the map or program. */
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
