/**
 * When a type of the object and one of the kernel are the same to CO-RE (libbpf, src/relo_core.c:
 * `__bpf_core_types_are_compat`, `__bpf_core_types_match`).
 */
import { BTF_KIND, type Btf } from '../btf.ts';
import { ObjectError } from '../object-error.ts';
import { Work } from './work.ts';

/** Types inside types that are followed. */
const MAX_DEPTH = 32;

/** A name without its flavour: `sk_buff` for `sk_buff___old`. */
export function essentialName(name: string): string {
  // libbpf looks for the last `___` that has something in front of and behind it.
  for (let at = name.length - 5; at >= 0; at--) {
    if (name[at] !== '_' && name.startsWith('___', at + 1) && name[at + 4] !== '_')
      return name.slice(0, at + 1);
  }
  return name;
}

/** Are the names equal but for their flavours? */
export function namesMatch(local: string, target: string): boolean {
  return essentialName(local) === essentialName(target);
}

/** The same kind; the two kinds of enums count as one. */
export function kindsAreCompatible(local: number, target: number): boolean {
  return local === target || (isEnum(local) && isEnum(target));
}

function isEnum(kind: number): boolean {
  return kind === BTF_KIND.ENUM || kind === BTF_KIND.ENUM64;
}

/** `bpf_core_type_exists`: the kinds agree, through pointers, arrays and parameters; members do not matter. */
export function typesAreCompatible(
  localBtf: Btf,
  localType: number,
  btf: Btf,
  type: number,
  work: Work = new Work(),
): boolean {
  if (!kindsAreCompatible(localBtf.kind(localType), btf.kind(type))) return false;
  return new Comparison(localBtf, btf, work).compatible(localType, type, MAX_DEPTH);
}

/** `bpf_core_type_matches`: every member of the local type has its like in the target's. */
export function typesMatch(
  localBtf: Btf,
  localType: number,
  btf: Btf,
  type: number,
  work: Work = new Work(),
): boolean {
  return new Comparison(localBtf, btf, work).match(localType, type, false, MAX_DEPTH);
}

class Comparison {
  readonly #local: Btf;
  readonly #target: Btf;
  readonly #work: Work;

  constructor(local: Btf, target: Btf, work: Work) {
    this.#work = work;
    this.#local = local;
    this.#target = target;
  }

  compatible(localType: number, targetType: number, depth: number): boolean {
    this.#countDown(localType, depth);
    const localId = this.#local.resolve(localType);
    const targetId = this.#target.resolve(targetType);
    const kind = this.#local.kind(localId);
    if (!kindsAreCompatible(kind, this.#target.kind(targetId))) return false;
    switch (kind) {
      case BTF_KIND.VOID:
      case BTF_KIND.STRUCT:
      case BTF_KIND.UNION:
      case BTF_KIND.ENUM:
      case BTF_KIND.ENUM64:
      case BTF_KIND.FWD:
        return true;
      case BTF_KIND.INT:
        return this.#local.int(localId).bitOffset === 0 && this.#target.int(targetId).bitOffset === 0;
      case BTF_KIND.PTR:
        return this.compatible(this.#local.target(localId), this.#target.target(targetId), depth - 1);
      case BTF_KIND.ARRAY: {
        const localElement = this.#local.array(localId).elementType;
        return this.compatible(localElement, this.#target.array(targetId).elementType, depth - 1);
      }
      case BTF_KIND.FUNC_PROTO:
        return this.#prototypes(localId, targetId, (a, b) => this.compatible(a, b, depth - 1));
      default:
        return false;
    }
  }

  match(localType: number, targetType: number, behindPointer: boolean, depth: number): boolean {
    this.#countDown(localType, depth);
    const local = this.#local;
    const target = this.#target;
    const localId = local.resolve(localType);
    const targetId = target.resolve(targetType);
    if (!namesMatch(local.name(localId), target.name(targetId))) return false;
    const kind = local.kind(localId);
    const targetKind = target.kind(targetId);
    switch (kind) {
      case BTF_KIND.VOID:
        return targetKind === BTF_KIND.VOID;
      case BTF_KIND.FWD: {
        const isUnion = local.kindFlag(localId);
        if (targetKind === BTF_KIND.FWD) return isUnion === target.kindFlag(targetId);
        return behindPointer && targetKind === (isUnion ? BTF_KIND.UNION : BTF_KIND.STRUCT);
      }
      case BTF_KIND.ENUM:
      case BTF_KIND.ENUM64:
        return isEnum(targetKind) && this.#enumerators(localId, targetId);
      case BTF_KIND.STRUCT:
      case BTF_KIND.UNION:
        if (behindPointer) {
          if (targetKind === BTF_KIND.FWD) return target.kindFlag(targetId) === (kind === BTF_KIND.UNION);
          return targetKind === kind;
        }
        return targetKind === kind && this.#members(localId, targetId, depth);
      case BTF_KIND.INT: {
        if (targetKind !== kind) return false;
        const a = local.int(localId);
        const b = target.int(targetId);
        return a.size === b.size && a.signed === b.signed;
      }
      case BTF_KIND.PTR:
        return (
          targetKind === kind && this.match(local.target(localId), target.target(targetId), true, depth - 1)
        );
      case BTF_KIND.ARRAY: {
        if (targetKind !== kind) return false;
        const a = local.array(localId);
        const b = target.array(targetId);
        return a.count === b.count && this.match(a.elementType, b.elementType, behindPointer, depth - 1);
      }
      case BTF_KIND.FUNC_PROTO:
        return (
          targetKind === kind &&
          this.#prototypes(localId, targetId, (a, b) => this.match(a, b, false, depth - 1))
        );
      default:
        return false;
    }
  }

  #prototypes(localId: number, targetId: number, same: (a: number, b: number) => boolean): boolean {
    this.#work.spend(this.#local.vlen(localId) + this.#target.vlen(targetId), `BTF type ${localId}`);
    const localParameters = this.#local.parameters(localId);
    const parameters = this.#target.parameters(targetId);
    if (localParameters.length !== parameters.length) return false;
    for (const [index, parameter] of localParameters.entries()) {
      if (!same(parameter.typeId, parameters[index]!.typeId)) return false;
    }
    return same(this.#local.target(localId), this.#target.target(targetId));
  }

  #enumerators(localId: number, targetId: number): boolean {
    this.#work.spend(this.#local.vlen(localId) + this.#target.vlen(targetId), `BTF type ${localId}`);
    const names = new Set(this.#target.enumerators(targetId).map((each) => essentialName(each.name)));
    const wanted = this.#local.enumerators(localId);
    return (
      wanted.length <= this.#target.vlen(targetId) &&
      wanted.every((each) => names.has(essentialName(each.name)))
    );
  }

  #members(localId: number, targetId: number, depth: number): boolean {
    this.#work.spend(this.#local.vlen(localId) * this.#target.vlen(targetId), `BTF type ${localId}`);
    const candidates = this.#target.members(targetId);
    const wanted = this.#local.members(localId);
    if (wanted.length > candidates.length) return false;
    return wanted.every((member) => {
      const name = essentialName(member.name);
      return candidates.some(
        (candidate) =>
          essentialName(candidate.name) === name &&
          this.match(member.typeId, candidate.typeId, false, depth - 1),
      );
    });
  }

  #countDown(localType: number, depth: number): void {
    const where = `BTF type ${localType}`;
    if (depth <= 0) throw new ObjectError(where, `at most ${MAX_DEPTH} types inside each other`, 'more');
    this.#work.spend(1, where);
  }
}
