/**
 * The way to a field, through two BTFs: read in the object's types, found again in the kernel's
 * (libbpf, src/relo_core.c: `bpf_core_parse_spec`, `bpf_core_spec_match`).
 */
import { BTF_KIND, type Btf } from '../btf.ts';
import { ObjectError } from '../object-error.ts';
import { essentialName, kindsAreCompatible, namesMatch } from './core-types.ts';
import type { Work } from './work.ts';

/** Steps of one access, anonymous structs included (`BPF_CORE_SPEC_MAX_LEN`). */
const MAX_STEPS = 64;

/** One step: into a member or to an enumerator by name, or to an array element by index. */
export interface CoreStep {
  /** The type stepped into: a struct, union or enum; for array elements the element's. */
  readonly typeId: number;
  /** Index of the member, enumerator or element. */
  readonly index: number;
  /** Undefined for array elements. */
  readonly name: string | undefined;
}

export interface CoreSpec {
  readonly btf: Btf;
  readonly rootType: number;
  readonly steps: readonly CoreStep[];
  /** Bits from the begin of the root type. */
  readonly bitOffset: number;
}

/** A type-based relocation's spec: no steps. */
export function typeSpec(btf: Btf, typeId: number): CoreSpec {
  return { btf, rootType: typeId, steps: [], bitOffset: 0 };
}

/** `0:3`, the enumerator 3. */
export function parseEnumeratorSpec(btf: Btf, typeId: number, access: string, where: string): CoreSpec {
  const [index = 0, ...rest] = parseAccess(access, where);
  const id = btf.resolve(typeId);
  const kind = btf.kind(id);
  if (kind !== BTF_KIND.ENUM && kind !== BTF_KIND.ENUM64)
    throw new ObjectError(where, 'an enum', btf.kindName(id));
  const enumerator = rest.length === 0 ? btf.enumerator(id, index) : undefined;
  if (enumerator === undefined) throw new ObjectError(where, 'one of its enumerators', access);
  return { btf, rootType: typeId, steps: [{ typeId: id, index, name: enumerator.name }], bitOffset: 0 };
}

/** `0:1:2`: element 0 of the pointer to the root type, its member 1, and in that member 2. */
export function parseFieldSpec(btf: Btf, typeId: number, access: string, where: string): CoreSpec {
  const path = parseAccess(access, where);
  let id = btf.resolve(typeId);
  const steps: CoreStep[] = [{ typeId: id, index: path[0]!, name: undefined }];
  let bitOffset = path[0]! * btf.sizeOf(id) * 8;
  for (const index of path.slice(1)) {
    id = btf.resolve(id);
    const kind = btf.kind(id);
    if (kind === BTF_KIND.STRUCT || kind === BTF_KIND.UNION) {
      const member = btf.member(id, index);
      if (member === undefined)
        throw new ObjectError(where, `a member below ${btf.vlen(id)}`, `${index} in ${access}`);
      bitOffset += member.bitOffset;
      if (member.name !== '') steps.push({ typeId: id, index, name: member.name });
      id = member.typeId;
    } else if (kind === BTF_KIND.ARRAY) {
      const { count, elementType } = btf.array(id);
      if (index >= count && !isFlexibleArray(btf, steps.at(-1)!, count)) {
        throw new ObjectError(where, `an element below ${count}`, `${index} in ${access}`);
      }
      id = btf.resolve(elementType);
      steps.push({ typeId: id, index, name: undefined });
      bitOffset += index * btf.sizeOf(id) * 8;
    } else {
      throw new ObjectError(where, 'a struct, union or array', `${btf.kindName(id)} in ${access}`);
    }
  }
  return { btf, rootType: typeId, steps, bitOffset };
}

function parseAccess(access: string, where: string): number[] {
  const parts = access.split(':', MAX_STEPS + 1);
  if (parts.length > MAX_STEPS || !parts.every((part) => /^\d{1,9}$/.test(part))) {
    throw new ObjectError(
      where,
      `up to ${MAX_STEPS} indices with colons between`,
      JSON.stringify(access.slice(0, 40)),
    );
  }
  return parts.map(Number);
}

/** An array of length 0 at the end of a struct may be longer than it says. */
function isFlexibleArray(btf: Btf, holder: CoreStep, count: number): boolean {
  if (holder.name === undefined || count > 0) return false;
  return holder.index === btf.vlen(holder.typeId) - 1;
}

/** Where the local spec leads in the target, from the candidate root type on; undefined: nowhere. */
export function matchEnumerator(
  local: CoreSpec,
  btf: Btf,
  typeId: number,
  work: Work,
  where: string,
): CoreSpec | undefined {
  const id = btf.resolve(typeId);
  const kind = btf.kind(id);
  if (kind !== BTF_KIND.ENUM && kind !== BTF_KIND.ENUM64) return undefined;
  work.spend(btf.vlen(id), where);
  const wanted = essentialName(local.steps[0]!.name ?? '');
  const index = btf.enumerators(id).findIndex((enumerator) => essentialName(enumerator.name) === wanted);
  if (index < 0) return undefined;
  return { btf, rootType: typeId, steps: [{ typeId: id, index, name: wanted }], bitOffset: 0 };
}

/** The same for fields: members are found by name, also inside of anonymous structs and unions. */
export function matchField(
  local: CoreSpec,
  btf: Btf,
  typeId: number,
  work: Work,
  where: string,
): CoreSpec | undefined {
  const steps: CoreStep[] = [];
  let bitOffset = 0;
  let id = typeId;
  for (const [position, step] of local.steps.entries()) {
    if (step.name !== undefined) {
      const localMember = local.btf.member(step.typeId, step.index)!;
      const found = findMember(btf, id, step.name, 0, work, where);
      if (found === undefined) return undefined;
      if (!fieldsAreCompatible(local.btf, localMember.typeId, btf, found.memberType)) return undefined;
      steps.push({ typeId: found.typeId, index: found.index, name: step.name });
      bitOffset += found.bitOffset;
      id = found.memberType;
      continue;
    }
    id = btf.resolve(id);
    // The first index counts in whole root types: no array stands before it.
    if (position > 0) {
      if (btf.kind(id) !== BTF_KIND.ARRAY) return undefined;
      const { count, elementType } = btf.array(id);
      if (step.index >= count && !isFlexibleArray(btf, steps.at(-1)!, count)) return undefined;
      id = btf.resolve(elementType);
    }
    steps.push({ typeId: id, index: step.index, name: undefined });
    bitOffset += step.index * btf.sizeOf(id) * 8;
  }
  return { btf, rootType: typeId, steps, bitOffset };
}

interface FoundMember {
  readonly typeId: number;
  readonly index: number;
  readonly memberType: number;
  readonly bitOffset: number;
}

function findMember(
  btf: Btf,
  typeId: number,
  name: string,
  depth: number,
  work: Work,
  where: string,
): FoundMember | undefined {
  if (depth > MAX_STEPS)
    throw new ObjectError(where, `at most ${MAX_STEPS} structs inside each other`, 'more');
  const id = btf.resolve(typeId);
  const kind = btf.kind(id);
  if (kind !== BTF_KIND.STRUCT && kind !== BTF_KIND.UNION) return undefined;
  work.spend(1 + btf.vlen(id), where);
  for (const [index, member] of btf.members(id).entries()) {
    if (member.name === name) {
      return { typeId: id, index, memberType: member.typeId, bitOffset: member.bitOffset };
    }
    if (member.name !== '') continue;
    const inside = findMember(btf, member.typeId, name, depth + 1, work, where);
    if (inside !== undefined) return { ...inside, bitOffset: member.bitOffset + inside.bitOffset };
  }
  return undefined;
}

/** May the target's field stand for the local one (`bpf_core_fields_are_compat`)? */
function fieldsAreCompatible(localBtf: Btf, localType: number, btf: Btf, type: number): boolean {
  let localId = localBtf.resolve(localType);
  let id = btf.resolve(type);
  for (let depth = 0; depth < MAX_STEPS; depth++) {
    const kind = localBtf.kind(localId);
    const composite = (each: number): boolean => each === BTF_KIND.STRUCT || each === BTF_KIND.UNION;
    if (composite(kind) && composite(btf.kind(id))) return true;
    if (!kindsAreCompatible(kind, btf.kind(id))) return false;
    switch (kind) {
      case BTF_KIND.PTR:
      case BTF_KIND.FLOAT:
        return true;
      case BTF_KIND.FWD:
      case BTF_KIND.ENUM:
      case BTF_KIND.ENUM64: {
        const localName = localBtf.name(localId);
        const name = btf.name(id);
        return localName === '' || name === '' || namesMatch(localName, name);
      }
      case BTF_KIND.INT:
        return localBtf.int(localId).bitOffset === 0 && btf.int(id).bitOffset === 0;
      case BTF_KIND.ARRAY:
        localId = localBtf.resolve(localBtf.array(localId).elementType);
        id = btf.resolve(btf.array(id).elementType);
        break;
      default:
        return false;
    }
  }
  return false;
}
