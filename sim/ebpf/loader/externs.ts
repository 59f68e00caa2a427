/** What an object wants from the kernel by name: kernel functions, kernel variables, configuration. */

import { BTF_KIND, BTF_LINKAGE_EXTERN, type Btf } from '../btf.ts';
import { isOlder, KERNEL_FUNCTIONS_SINCE, type KernelVersion, NEWEST_KERNEL } from '../kernel-versions.ts';
import { ObjectError } from '../object-error.ts';
import { type ElfFile, SHN_UNDEF, STB_WEAK } from './elf.ts';
import { type KernelFacts, writeConfig } from './kernel-facts.ts';

/** Bytes of all configuration values together. */
const LARGEST_KCONFIG = 65536;

export type Extern =
  /** A kernel function; `index` numbers it in `BpfObject.kfuncs`. */
  | (Named & { readonly is: 'kfunc'; readonly index: number; readonly present: boolean })
  /** A kernel variable; a weak one that is not there has the address 0. */
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
  const kfuncs: string[] = [];
  const kconfig = new Uint8Array(LARGEST_KCONFIG);
  let kconfigSize = 0;
  const declared = btf === undefined ? new Map<string, number>() : declarations(btf);
  const sections = btf === undefined ? new Map<number, string>() : sectionsOfVariables(btf);
  for (const symbol of elf.symbolsBySection.get(SHN_UNDEF) ?? []) {
    const { name } = symbol;
    if (name === '') continue;
    const where = `extern ${name}`;
    const typeId = declared.get(name);
    if (btf === undefined || typeId === undefined) {
      throw new ObjectError(where, 'a definition, or a declaration in BTF', 'neither');
    }
    const weak = symbol.binding === STB_WEAK;
    if (btf.kind(typeId) === BTF_KIND.FUNC) {
      const since = KERNEL_FUNCTIONS_SINCE.get(name) ?? asKernel;
      const isNewer = isOlder(asKernel, since);
      const there = (present === undefined || present.has(name)) && !isNewer;
      const problem = isNewer
        ? `Linux ${asKernel} has no kernel function ${name}: it came with Linux ${since}`
        : missingFunction(name);
      const missing = there || weak ? undefined : problem;
      bySymbol.set(symbol.index, { is: 'kfunc', name, index: kfuncs.length, present: there, missing });
      kfuncs.push(name);
    } else if (sections.get(typeId) === '.kconfig') {
      const size = btf.sizeOf(typeId);
      const offset = Math.ceil(kconfigSize / 8) * 8;
      kconfigSize = offset + size;
      if (kconfigSize > LARGEST_KCONFIG) {
        throw new ObjectError(where, `configuration of at most ${LARGEST_KCONFIG} bytes`, `${kconfigSize}`);
      }
      const problem =
        facts === undefined
          ? 'no kernel to ask'
          : writeConfig(name, typeId, btf, facts, kconfig.subarray(offset, offset + size));
      const isMissing = problem !== undefined && !(weak && problem !== 'of another type');
      const missing = isMissing
        ? `${where}: expected a value of the kernel’s configuration, found ${nothing(problem)}`
        : undefined;
      bySymbol.set(symbol.index, { is: 'kconfig', name, offset, missing });
    } else {
      const address = facts?.symbol(name);
      const known = facts === undefined ? 'no kernel to ask' : 'none';
      const missing =
        address === undefined && !weak
          ? `${where}: expected a variable of the kernel, found ${known}`
          : undefined;
      bySymbol.set(symbol.index, { is: 'ksym', name, address: address ?? 0n, missing });
    }
  }
  return { bySymbol, kfuncs, kconfig: kconfig.slice(0, kconfigSize) };
}

/** What a program's `missing` says of a kernel function. */
export function missingFunction(name: string): string {
  return `extern ${name}: expected a kernel function that is there, found none`;
}

function nothing(problem: string): string {
  return problem === 'of another type' ? 'one of another type' : problem === 'not set' ? 'none' : problem;
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
