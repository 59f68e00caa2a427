/** What an object wants from the kernel by name: kernel functions, kernel variables, configuration. */
import { BTF_KIND, BTF_LINKAGE_EXTERN, type Btf } from '../btf.ts';
import { ObjectError } from '../object-error.ts';
import { type ElfFile, SHN_UNDEF, STB_WEAK } from './elf.ts';

/** Bytes of all configuration values together. */
const LARGEST_KCONFIG = 65536;

export type Extern =
  /** A kernel function; `index` numbers it in `BpfObject.kfuncs`. */
  | { readonly is: 'kfunc'; readonly name: string; readonly index: number; readonly present: boolean }
  /** A weak kernel variable that is not there: its address is 0. */
  | { readonly is: 'ksym'; readonly name: string }
  /** A weak configuration value that is not there: zero, at this offset of the map `.kconfig`. */
  | { readonly is: 'kconfig'; readonly name: string; readonly offset: number };

export interface Externs {
  /** By index of the ELF symbol. */
  readonly bySymbol: ReadonlyMap<number, Extern>;
  readonly kfuncs: readonly string[];
  /** Bytes that the weak configuration values take. */
  readonly kconfigSize: number;
}

/**
 * Looks at every undefined symbol.
 * @param present the kernel functions there are; undefined: all
 * @throws {ObjectError} naming the first one that the object cannot do without
 */
export function resolveExterns(
  elf: ElfFile,
  btf: Btf | undefined,
  present: ReadonlySet<string> | undefined,
): Externs {
  const bySymbol = new Map<number, Extern>();
  const kfuncs: string[] = [];
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
      const there = present === undefined || present.has(name);
      if (!there && !weak)
        throw new ObjectError(where, 'a kernel function that is there', 'none of that name');
      bySymbol.set(symbol.index, { is: 'kfunc', name, index: kfuncs.length, present: there });
      kfuncs.push(name);
    } else if (sections.get(typeId) === '.kconfig') {
      if (!weak)
        throw new ObjectError(where, 'no kernel configuration (__kconfig), or a weak one', 'a strong one');
      const size = btf.sizeOf(typeId);
      const offset = Math.ceil(kconfigSize / 8) * 8;
      bySymbol.set(symbol.index, { is: 'kconfig', name, offset });
      kconfigSize = offset + size;
      if (kconfigSize > LARGEST_KCONFIG) {
        throw new ObjectError(where, `configuration of at most ${LARGEST_KCONFIG} bytes`, `${kconfigSize}`);
      }
    } else {
      if (!weak) throw new ObjectError(where, 'no kernel variable (__ksym), or a weak one', 'a strong one');
      bySymbol.set(symbol.index, { is: 'ksym', name });
    }
  }
  return { bySymbol, kfuncs, kconfigSize };
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
