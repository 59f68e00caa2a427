/** What CO-RE relocations ask of a type, a field or an enumerator (libbpf, src/relo_core.c: `bpf_core_calc_relo`). */
import { BTF_KIND, type Btf } from '../btf.ts';
import { ObjectError } from '../object-error.ts';
import type { CoreSpec } from './core-spec.ts';

/** `enum bpf_core_relo_kind` (include/uapi/linux/bpf.h). */
export const BPF_CORE_FIELD_BYTE_OFFSET = 0;
export const BPF_CORE_FIELD_BYTE_SIZE = 1;
export const BPF_CORE_FIELD_EXISTS = 2;
export const BPF_CORE_FIELD_SIGNED = 3;
export const BPF_CORE_FIELD_LSHIFT_U64 = 4;
export const BPF_CORE_FIELD_RSHIFT_U64 = 5;
export const BPF_CORE_TYPE_ID_LOCAL = 6;
export const BPF_CORE_TYPE_ID_TARGET = 7;
export const BPF_CORE_TYPE_EXISTS = 8;
export const BPF_CORE_TYPE_SIZE = 9;
export const BPF_CORE_ENUMVAL_EXISTS = 10;
export const BPF_CORE_ENUMVAL_VALUE = 11;
export const BPF_CORE_TYPE_MATCHES = 12;

/** One side's answer to a relocation. */
export interface CoreValue {
  readonly value: bigint;
  /** For BYTE_OFFSET: the field's bytes and type, to adjust the width of a load or store. */
  readonly field?: { readonly size: number; readonly typeId: number };
  /** May the compiler's own value in the instruction be trusted to equal the local one? */
  readonly certain: boolean;
}

/** What a relocation asks of one side; undefined: it cannot be answered. An absent spec: nothing matched. */
export function answerOf(kind: number, spec: CoreSpec | undefined, where: string): CoreValue | undefined {
  const found = BigInt(spec === undefined ? 0 : 1);
  switch (kind) {
    case BPF_CORE_FIELD_EXISTS:
    case BPF_CORE_ENUMVAL_EXISTS:
    case BPF_CORE_TYPE_EXISTS:
    case BPF_CORE_TYPE_MATCHES:
      return { value: found, certain: true };
    case BPF_CORE_TYPE_ID_LOCAL:
    case BPF_CORE_TYPE_ID_TARGET:
      return { value: BigInt(spec?.rootType ?? 0), certain: false };
    case BPF_CORE_TYPE_SIZE:
      return { value: BigInt(spec === undefined ? 0 : spec.btf.sizeOf(spec.rootType)), certain: true };
    case BPF_CORE_ENUMVAL_VALUE: {
      const step = spec?.steps[0];
      if (spec === undefined || step === undefined) return undefined;
      return { value: spec.btf.enumerator(step.typeId, step.index)!.value, certain: true };
    }
    default:
      return spec === undefined ? undefined : fieldValue(kind, spec, where);
  }
}

/** `bpf_core_calc_field_relo`. */
function fieldValue(kind: number, spec: CoreSpec, where: string): CoreValue | undefined {
  const { btf, bitOffset } = spec;
  const last = spec.steps.at(-1)!;
  if (last.name === undefined) {
    const size = btf.sizeOf(last.typeId);
    if (kind === BPF_CORE_FIELD_BYTE_OFFSET) {
      return {
        value: BigInt(Math.floor(bitOffset / 8)),
        field: { size, typeId: last.typeId },
        certain: true,
      };
    }
    if (kind === BPF_CORE_FIELD_BYTE_SIZE) return { value: BigInt(size), certain: true };
    throw new ObjectError(where, 'offset or size of an array element', `CO-RE relocation kind ${kind}`);
  }
  const member = btf.member(last.typeId, last.index)!;
  const typeId = btf.resolve(member.typeId);
  const isBitfield = member.bitfieldSize > 0;
  const field = isBitfield
    ? bitfieldPlace(btf.sizeOf(typeId), bitOffset, member.bitfieldSize, where)
    : { size: btf.sizeOf(typeId), offset: bitOffset / 8 };
  const bits = isBitfield ? member.bitfieldSize : field.size * 8;
  switch (kind) {
    case BPF_CORE_FIELD_BYTE_OFFSET:
      return {
        value: BigInt(Math.floor(field.offset)),
        ...(isBitfield ? {} : { field: { size: field.size, typeId } }),
        certain: !isBitfield,
      };
    case BPF_CORE_FIELD_BYTE_SIZE:
      return { value: BigInt(field.size), certain: !isBitfield };
    case BPF_CORE_FIELD_SIGNED:
      return { value: isSigned(btf, typeId) ? 1n : 0n, certain: true };
    case BPF_CORE_FIELD_LSHIFT_U64:
      return { value: BigInt(Math.floor(64 - (bitOffset + bits - field.offset * 8))), certain: !isBitfield };
    case BPF_CORE_FIELD_RSHIFT_U64:
      return { value: BigInt(64 - bits), certain: true };
    default:
      return undefined;
  }
}

/** The smallest aligned load that covers a bit field. */
function bitfieldPlace(
  typeSize: number,
  bitOffset: number,
  bits: number,
  where: string,
): { size: number; offset: number } {
  if (typeSize < 1) throw new ObjectError(where, 'a bit field in a number', 'one in nothing');
  let size = typeSize;
  const aligned = (): number => Math.floor(bitOffset / 8 / size) * size;
  while (bitOffset + bits - aligned() * 8 > size * 8) {
    if (size >= 8)
      throw new ObjectError(where, 'a bit field inside of 64 bits', `one of ${bits} bits at ${bitOffset}`);
    size *= 2;
  }
  return { size, offset: aligned() };
}

function isSigned(btf: Btf, typeId: number): boolean {
  const kind = btf.kind(typeId);
  if (kind === BTF_KIND.ENUM || kind === BTF_KIND.ENUM64) return btf.kindFlag(typeId);
  return kind === BTF_KIND.INT && btf.int(typeId).signed;
}

export function isTypeBased(kind: number): boolean {
  return (kind >= BPF_CORE_TYPE_ID_LOCAL && kind <= BPF_CORE_TYPE_SIZE) || kind === BPF_CORE_TYPE_MATCHES;
}

export function isEnumeratorBased(kind: number): boolean {
  return kind === BPF_CORE_ENUMVAL_EXISTS || kind === BPF_CORE_ENUMVAL_VALUE;
}
