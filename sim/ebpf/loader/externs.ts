/** What an object wants from the kernel by name: kernel functions, kernel variables, configuration. */

import type { KernelVariable } from '../bpf-object.ts';
import { BTF_KIND, BTF_LINKAGE_EXTERN, type Btf } from '../btf.ts';
import {
  isOlder,
  KERNEL_FUNCTIONS_SINCE,
  type KernelVersion,
  NEWEST_KERNEL,
  versionCode,
} from '../kernel-versions.ts';
import { KERNEL_VARIABLES } from '../memory.ts';
import { ObjectError } from '../object-error.ts';
import { type ElfFile, SHN_UNDEF, STB_WEAK } from './elf.ts';
import { type KernelFacts, writeConfig } from './kernel-facts.ts';

/** Bytes of a kernel variable whose structure the object declares without its fields: a page. */
const UNKNOWN_SIZE = 4096;
/** Bytes of one kernel variable; the kernel's own per-CPU variables together are smaller. */
const LARGEST_VARIABLE = 1 << 20;

/** Of what is declared without `__ksym`. */
const NOT_LINKED =
  'expected a definition, found none in this object: those of several files are linked first (bpftool gen object)';

const NO_KERNEL = 'no kernel to ask';

/** Bytes of all configuration values together. */
const LARGEST_KCONFIG = 65536;

export type Extern =
  /** A kernel function; `index` numbers it in `BpfObject.kfuncs`. */
  | (Named & { readonly is: 'kfunc'; readonly index: number; readonly present: boolean })
  /** A variable of the kernel with a type; `index` numbers it in `BpfObject.variables`. */
  | (Named & { readonly is: 'variable'; readonly index: number })
  /** An address in the kernel; a weak symbol that is not there has the address 0. */
  | (Named & { readonly is: 'ksym'; readonly address: bigint })
  /** A configuration value at this offset of the map `.kconfig`; a weak one that is not set is zero. */
  | (Named & { readonly is: 'kconfig'; readonly offset: number });

interface Named {
  readonly name: string;
  /** Why a program that needs it does not load; undefined where it does. */
  readonly missing: string | undefined;
}

export interface Externs {
  /** By index of the ELF symbol. */
  readonly bySymbol: ReadonlyMap<number, Extern>;
  readonly kfuncs: readonly string[];
  readonly variables: readonly KernelVariable[];
  /** What the map `.kconfig` holds. */
  readonly kconfig: Uint8Array;
}

/**
 * Looks at every undefined symbol. What is missing stops those programs only that refer to it.
 * @param present the kernel functions there are; undefined: all
 * @param facts what is known of the kernel, if anything
 * @param asKernel the kernel that the object is read for
 * @throws {ObjectError} for symbols that nothing declares, and for more configuration than there is room for
 */
export function resolveExterns(
  elf: ElfFile,
  btf: Btf | undefined,
  present: ReadonlySet<string> | undefined,
  facts: KernelFacts | undefined,
  asKernel: KernelVersion = NEWEST_KERNEL,
): Externs {
  const bySymbol = new Map<number, Extern>();
  const found = new Found({ present, facts, asKernel });
  const declared = btf === undefined ? new Map<string, number>() : declarations(btf);
  const sections = btf === undefined ? new Map<number, string>() : sectionsOfVariables(btf);
  for (const { name, index, binding } of elf.symbolsBySection.get(SHN_UNDEF) ?? []) {
    if (name === '') continue;
    const where = `extern ${name}`;
    const typeId = declared.get(name);
    if (btf === undefined || typeId === undefined) {
      throw new ObjectError(where, 'a definition, or a declaration in BTF', 'neither');
    }
    const isWeak = binding === STB_WEAK;
    const wanted: Wanted = { name, where, btf, typeId, isWeak, isOfKernel: sections.has(typeId) };
    if (btf.kind(typeId) === BTF_KIND.FUNC) bySymbol.set(index, found.kernelFunction(wanted));
    else if (sections.get(typeId) === '.kconfig') bySymbol.set(index, found.configuration(wanted));
    else bySymbol.set(index, found.kernelVariable(wanted));
  }
  const { kfuncs, variables, kconfig } = found;
  return { bySymbol, kfuncs, variables, kconfig };
}

/** An undefined symbol, with its declaration. */
interface Wanted {
  readonly name: string;
  /** For messages. */
  readonly where: string;
  readonly btf: Btf;
  readonly typeId: number;
  readonly isWeak: boolean;
  /** Does it say that it is the kernel's (`__ksym`, `__kconfig`)? */
  readonly isOfKernel: boolean;
}

interface Kernel {
  readonly present: ReadonlySet<string> | undefined;
  readonly facts: KernelFacts | undefined;
  readonly asKernel: KernelVersion;
}

/** What has been looked up for the symbols so far. */
class Found {
  readonly kfuncs: string[] = [];
  readonly variables: KernelVariable[] = [];
  readonly #kernel: Kernel;
  /** With room for all there may be; few objects have any. */
  #kconfig = new Uint8Array(0);
  #kconfigSize = 0;

  constructor(kernel: Kernel) {
    this.#kernel = kernel;
  }

  get kconfig(): Uint8Array {
    return this.#kconfig.slice(0, this.#kconfigSize);
  }

  kernelFunction({ name, where, isWeak, isOfKernel }: Wanted): Extern {
    const { present, facts, asKernel } = this.#kernel;
    const since = KERNEL_FUNCTIONS_SINCE.get(name) ?? asKernel;
    const isNewer = isOlder(asKernel, since);
    // Which way a program takes that asks for a weak one, the kernel at hand decides, which takes it the same way.
    const inKernel = isWeak && !isNewer ? facts?.hasFunction?.(name) : undefined;
    const isThere = (present === undefined || present.has(name)) && !isNewer && inKernel !== false;
    const problem = isNewer
      ? `Linux ${asKernel} has no kernel function ${name}: it came with Linux ${since}`
      : isOfKernel
        ? missingFunction(name)
        : `${where}: ${NOT_LINKED}`;
    const index = this.kfuncs.push(name) - 1;
    const mayLack = isWeak && inKernel !== true;
    return { is: 'kfunc', name, index, present: isThere, missing: isThere || mayLack ? undefined : problem };
  }

  configuration({ name, where, btf, typeId, isWeak }: Wanted): Extern {
    const { facts, asKernel } = this.#kernel;
    const size = btf.sizeOf(typeId);
    const offset = Math.ceil(this.#kconfigSize / 8) * 8;
    this.#kconfigSize = offset + size;
    if (this.#kconfigSize > LARGEST_KCONFIG) {
      const expected = `configuration of at most ${LARGEST_KCONFIG} bytes`;
      throw new ObjectError(where, expected, `${this.#kconfigSize}`);
    }
    if (this.#kconfig.length === 0) this.#kconfig = new Uint8Array(LARGEST_KCONFIG);
    const target = this.#kconfig.subarray(offset, offset + size);
    const problem = writeConfig(name, typeId, btf, facts ?? withoutKernel(asKernel), target);
    const isMissing = problem !== undefined && !(isWeak && problem !== 'of another type');
    const missing = isMissing
      ? `${where}: expected a value of the kernel’s configuration, found ${nothing(problem, facts)}`
      : undefined;
    return { is: 'kconfig', name, offset, missing };
  }

  kernelVariable(wanted: Wanted): Extern {
    const { name, where, btf, typeId, isWeak, isOfKernel } = wanted;
    const { facts } = this.#kernel;
    const isTyped = btf.resolve(btf.target(typeId)) !== 0;
    // What a variable holds the machine does not take from a kernel: without one to ask, it is there.
    if (isTyped && (facts?.variable(name) ?? !isWeak)) return this.#typedVariable(wanted);
    const address = isTyped ? undefined : facts?.symbol(name);
    const known = facts === undefined ? NO_KERNEL : (facts.unread?.('symbols') ?? 'none');
    const problem = isOfKernel ? `expected a variable of the kernel, found ${known}` : NOT_LINKED;
    const missing = address === undefined && !isWeak ? `${where}: ${problem}` : undefined;
    return { is: 'ksym', name, address: address ?? 0n, missing };
  }

  #typedVariable({ name, where, btf, typeId }: Wanted): Extern {
    const index = this.variables.push({ name, size: sizeOfVariable(btf, typeId, where) }) - 1;
    if (this.variables.length > KERNEL_VARIABLES)
      throw new ObjectError(where, `at most ${KERNEL_VARIABLES} variables of the kernel`, 'more');
    return { is: 'variable', name, index, missing: undefined };
  }
}

function sizeOfVariable(btf: Btf, typeId: number, where: string): number {
  const type = btf.resolve(btf.target(typeId));
  if (btf.kind(type) === BTF_KIND.FWD) return UNKNOWN_SIZE;
  const size = btf.sizeOf(type);
  if (size > LARGEST_VARIABLE)
    throw new ObjectError(where, `a variable of at most ${LARGEST_VARIABLE} bytes`, `${size}`);
  return size;
}

/** What a program's `missing` says of a kernel function. */
export function missingFunction(name: string): string {
  return `extern ${name}: expected a kernel function that is there, found none`;
}

/** Without a kernel to ask, programs see the version that the machine behaves like, and no configuration. */
function withoutKernel(asKernel: KernelVersion): KernelFacts {
  return {
    config: () => undefined,
    symbol: () => undefined,
    variable: () => undefined,
    unread: () => NO_KERNEL,
    version: versionCode(asKernel),
  };
}

function nothing(problem: 'not set' | 'of another type', facts: KernelFacts | undefined): string {
  if (problem === 'of another type') return 'one of another type';
  return facts === undefined ? NO_KERNEL : (facts.unread?.('config') ?? 'none');
}

/** BTF ids of what is declared extern, by name. */
function declarations(btf: Btf): Map<string, number> {
  const declared = new Map<string, number>();
  for (let id = 1; id < btf.count; id++) {
    const kind = btf.kind(id);
    if (kind !== BTF_KIND.FUNC && kind !== BTF_KIND.VAR) continue;
    if (btf.linkage(id) === BTF_LINKAGE_EXTERN) declared.set(btf.name(id), id);
  }
  return declared;
}

function sectionsOfVariables(btf: Btf): Map<number, string> {
  const sections = new Map<number, string>();
  for (const name of ['.kconfig', '.ksyms']) {
    const dataSection = btf.find(name, BTF_KIND.DATASEC);
    if (dataSection === undefined) continue;
    for (const variable of btf.variables(dataSection)) sections.set(variable.typeId, name);
  }
  return sections;
}
