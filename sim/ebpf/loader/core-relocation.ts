/**
 * CO-RE: adapts instructions to the types of the kernel that they will run on
 * (libbpf, src/relo_core.c: `bpf_core_calc_relo_insn`, `bpf_core_patch_insn`).
 *
 * A relocation that cannot be met turns its instruction into a call that no kernel has, as libbpf does: only a
 * program that reaches it is refused.
 */
import { BTF_KIND, type Btf } from '../btf.ts';
import type { Instructions } from '../instruction.ts';
import { ObjectError } from '../object-error.ts';
import type { CoreRelocation } from './btf-ext.ts';
import {
  answerOf,
  BPF_CORE_TYPE_ID_LOCAL,
  BPF_CORE_TYPE_MATCHES,
  type CoreValue,
  isEnumeratorBased,
  isTypeBased,
} from './core-answer.ts';
import { patch, poison } from './core-patch.ts';
import {
  type CoreSpec,
  matchEnumerator,
  matchField,
  parseEnumeratorSpec,
  parseFieldSpec,
  typeSpec,
} from './core-spec.ts';
import { essentialName, kindsAreCompatible, typesAreCompatible, typesMatch } from './core-types.ts';
import { Work } from './work.ts';

/** Resolves relocations of one object; what it finds out about a type is kept for the next one. */
export class CoreResolver {
  readonly #local: Btf;
  readonly #target: Btf;
  readonly #candidates: Map<number, readonly number[]> = new Map();
  /** Flavoured names of the target by their essential name; built when first needed. */
  #flavours: Map<string, string[]> | undefined;
  readonly #work = new Work();

  /**
   * @param local the object's types
   * @param target the kernel's; undefined: the object's own, so that everything is as it was compiled, and
   *   types of another flavour (`___old`) do not exist; where the object has a type in such a flavour only, its layout is that
   */
  constructor(local: Btf, target: Btf | undefined) {
    this.#local = local;
    this.#target = target ?? local;
  }

  /**
   * Patches one instruction.
   * @returns undefined, or why the instruction was poisoned
   * @throws {ObjectError} when relocation and instruction do not fit together, or the kernel's types are ambiguous
   */
  apply(
    relocation: CoreRelocation,
    instructions: Instructions,
    index: number,
    where: string,
  ): string | undefined {
    const local = this.#localSpec(relocation, where);
    const before = answerOf(relocation.kind, local, where);
    if (before === undefined)
      throw new ObjectError(where, 'a known kind of CO-RE relocation', `${relocation.kind}`);
    const isOwn = relocation.kind === BPF_CORE_TYPE_ID_LOCAL;
    const target = isOwn ? before : this.#targetValue(relocation, local, where);
    const after = target ?? (this.#isOnlyFlavour(relocation, where) ? before : undefined);
    if (after === undefined) {
      poison(instructions, index);
      return `${describe(local)} is not in the kernel`;
    }
    return patch(instructions, index, before, after, this.#widthIsSafe(before, after), where);
  }

  /**
   * Without a kernel's types: does the object have the type in one flavour only (`bpf_ct_opts___local`)? Programs declare so what they
   * know of a type, and no header has the whole: its layout is as good as any.
   */
  #isOnlyFlavour({ typeId }: CoreRelocation, where: string): boolean {
    return this.#target === this.#local && this.#candidatesOf(typeId, where).length === 0;
  }

  #localSpec(relocation: CoreRelocation, where: string): CoreSpec {
    const { kind, typeId, access } = relocation;
    if (isTypeBased(kind)) return typeSpec(this.#local, typeId);
    if (isEnumeratorBased(kind)) return parseEnumeratorSpec(this.#local, typeId, access, where);
    return parseFieldSpec(this.#local, typeId, access, where);
  }

  #targetValue(relocation: CoreRelocation, local: CoreSpec, where: string): CoreValue | undefined {
    let chosen: { spec: CoreSpec; value: CoreValue | undefined } | undefined;
    for (const candidate of this.#candidatesOf(relocation.typeId, where)) {
      this.#work.spend(1, where);
      const spec = this.#match(relocation.kind, local, candidate, where);
      if (spec === undefined) continue;
      const value = answerOf(relocation.kind, spec, where);
      if (chosen === undefined) {
        chosen = { spec, value };
      } else if (chosen.spec.bitOffset !== spec.bitOffset || chosen.value?.value !== value?.value) {
        throw new ObjectError(where, `one answer for ${describe(local)}`, 'types of that name that differ');
      }
    }
    return chosen === undefined ? answerOf(relocation.kind, undefined, where) : chosen.value;
  }

  /** Types of the target with the same name (but for flavours) and kind. */
  #candidatesOf(typeId: number, where: string): readonly number[] {
    const known = this.#candidates.get(typeId);
    if (known !== undefined) return known;
    const name = essentialName(this.#local.name(typeId));
    if (name === '')
      throw new ObjectError(where, 'a type with a name', `an anonymous ${this.#local.kindName(typeId)}`);
    const kind = this.#local.kind(typeId);
    const found: number[] = [];
    for (const each of this.#flavoursOf(name)) {
      for (const id of this.#target.named(each)) {
        this.#work.spend(1, where);
        if (kindsAreCompatible(kind, this.#target.kind(id))) found.push(id);
      }
    }
    this.#candidates.set(typeId, found);
    return found;
  }

  #flavoursOf(name: string): readonly string[] {
    if (this.#target === this.#local) return [name];
    if (this.#flavours === undefined) {
      this.#flavours = new Map();
      for (const each of this.#target.names()) {
        if (!each.includes('___')) continue;
        const essential = essentialName(each);
        if (essential === each) continue;
        const list = this.#flavours.get(essential);
        if (list === undefined) this.#flavours.set(essential, [each]);
        else list.push(each);
      }
    }
    return [name, ...(this.#flavours.get(name) ?? [])];
  }

  #match(kind: number, local: CoreSpec, candidate: number, where: string): CoreSpec | undefined {
    if (isEnumeratorBased(kind)) return matchEnumerator(local, this.#target, candidate, this.#work, where);
    if (!isTypeBased(kind)) return matchField(local, this.#target, candidate, this.#work, where);
    const same = kind === BPF_CORE_TYPE_MATCHES ? typesMatch : typesAreCompatible;
    return same(this.#local, local.rootType, this.#target, candidate, this.#work)
      ? typeSpec(this.#target, candidate)
      : undefined;
  }

  /** A load may only change its width between pointers, or between unsigned integers. */
  #widthIsSafe(before: CoreValue, after: CoreValue): boolean {
    if (before.field === undefined || after.field === undefined || before.field.size === after.field.size)
      return true;
    const from = this.#local.resolve(before.field.typeId);
    const to = this.#target.resolve(after.field.typeId);
    const kinds = [this.#local.kind(from), this.#target.kind(to)];
    if (kinds.every((kind) => kind === BTF_KIND.PTR)) return true;
    if (!kinds.every((kind) => kind === BTF_KIND.INT)) return false;
    return !this.#local.int(from).signed && !this.#target.int(to).signed;
  }
}

function describe(spec: CoreSpec): string {
  const path = spec.steps.slice(spec.steps[0]?.name === undefined ? 1 : 0);
  const fields = path.map((step) => (step.name === undefined ? `[${step.index}]` : `.${step.name}`)).join('');
  return `${spec.btf.name(spec.rootType)}${fields}`;
}
