/**
 * CO-RE: adapts instructions to the types of the kernel that they will run on
 * (libbpf, src/relo_core.c: `bpf_core_calc_relo_insn`, `bpf_core_patch_insn`).
 *
 * A relocation that cannot be met turns its instruction into a call that no kernel has, as libbpf does: only a
 * program that reaches it is refused.
 */
import { BTF_KIND, type Btf } from '../btf.ts';
import {
  BPF_ALU,
  BPF_ALU64,
  BPF_B,
  BPF_DW,
  BPF_H,
  BPF_LDX,
  BPF_ST,
  BPF_STX,
  BPF_W,
  BPF_X,
  CALL,
  CLASS_MASK,
  type Instructions,
  LDDW,
  SIZE_MASK,
  SOURCE_MASK,
} from '../instruction.ts';
import { ObjectError } from '../object-error.ts';
import type { CoreRelocation } from './btf-ext.ts';
import {
  type CoreSpec,
  matchEnumerator,
  matchField,
  parseEnumeratorSpec,
  parseFieldSpec,
  typeSpec,
} from './core-spec.ts';
import { essentialName, kindsAreCompatible, typesAreCompatible, typesMatch } from './core-types.ts';

/** `enum bpf_core_relo_kind` (include/uapi/linux/bpf.h). */
const BPF_CORE_FIELD_BYTE_OFFSET = 0;
const BPF_CORE_FIELD_BYTE_SIZE = 1;
const BPF_CORE_FIELD_EXISTS = 2;
const BPF_CORE_FIELD_SIGNED = 3;
const BPF_CORE_FIELD_LSHIFT_U64 = 4;
const BPF_CORE_FIELD_RSHIFT_U64 = 5;
const BPF_CORE_TYPE_ID_LOCAL = 6;
const BPF_CORE_TYPE_ID_TARGET = 7;
const BPF_CORE_TYPE_EXISTS = 8;
const BPF_CORE_TYPE_SIZE = 9;
const BPF_CORE_ENUMVAL_EXISTS = 10;
const BPF_CORE_ENUMVAL_VALUE = 11;
const BPF_CORE_TYPE_MATCHES = 12;

/** The helper number of poisoned instructions: 0xbad2310 reads "bad relo". */
export const POISONED_RELOCATION = 0xbad2310;

/** One side's answer to a relocation. */
interface CoreValue {
  readonly value: bigint;
  /** For BYTE_OFFSET: the field's bytes and type, to adjust the width of a load or store. */
  readonly field?: { readonly size: number; readonly typeId: number };
  /** May the compiler's own value in the instruction be trusted to equal the local one? */
  readonly certain: boolean;
}

/** Resolves relocations of one object; what it finds out about a type is kept for the next one. */
export class CoreResolver {
  readonly #local: Btf;
  readonly #target: Btf;
  readonly #candidates: Map<number, readonly number[]> = new Map();

  /**
   * @param local the object's types
   * @param target the kernel's; undefined: the object's own, so that everything is as it was compiled, and only
   *   types of another flavour (`___old`) are missing
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
    const after =
      relocation.kind === BPF_CORE_TYPE_ID_LOCAL ? before : this.#targetValue(relocation, local, where);
    if (after === undefined) {
      poison(instructions, index);
      return `${describe(local)} is not in the kernel`;
    }
    return patch(instructions, index, before, after, this.#widthIsSafe(before, after), where);
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
        if (kindsAreCompatible(kind, this.#target.kind(id))) found.push(id);
      }
    }
    this.#candidates.set(typeId, found);
    return found;
  }

  #flavours: Map<string, string[]> | undefined;

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
    if (isEnumeratorBased(kind)) return matchEnumerator(local, this.#target, candidate);
    if (!isTypeBased(kind)) return matchField(local, this.#target, candidate, where);
    const same = kind === BPF_CORE_TYPE_MATCHES ? typesMatch : typesAreCompatible;
    return same(this.#local, local.rootType, this.#target, candidate)
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

function isTypeBased(kind: number): boolean {
  return (kind >= BPF_CORE_TYPE_ID_LOCAL && kind <= BPF_CORE_TYPE_SIZE) || kind === BPF_CORE_TYPE_MATCHES;
}

function isEnumeratorBased(kind: number): boolean {
  return kind === BPF_CORE_ENUMVAL_EXISTS || kind === BPF_CORE_ENUMVAL_VALUE;
}

function describe(spec: CoreSpec): string {
  const path = spec.steps.slice(spec.steps[0]?.name === undefined ? 1 : 0);
  const fields = path.map((step) => (step.name === undefined ? `[${step.index}]` : `.${step.name}`)).join('');
  return `${spec.btf.name(spec.rootType)}${fields}`;
}

/** What a relocation asks of one side; undefined: it cannot be answered. An absent spec: nothing matched. */
function answerOf(kind: number, spec: CoreSpec | undefined, where: string): CoreValue | undefined {
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
      return { value: spec.btf.enumerators(step.typeId)[step.index]!.value, certain: true };
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
  const member = btf.members(last.typeId)[last.index]!;
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

/** Turns an instruction into the call of a helper that does not exist; of a 16-byte load, both slots. */
export function poison(
  instructions: Instructions,
  index: number,
  helper: number = POISONED_RELOCATION,
): void {
  const slots = instructions.opcode[index] === LDDW ? 2 : 1;
  for (let slot = index; slot < index + slots; slot++) {
    instructions.opcode[slot] = CALL;
    instructions.dst[slot] = 0;
    instructions.src[slot] = 0;
    instructions.offset[slot] = 0;
    instructions.imm[slot] = helper;
  }
}

/** `bpf_core_patch_insn`. */
function patch(
  instructions: Instructions,
  index: number,
  before: CoreValue,
  after: CoreValue,
  widthIsSafe: boolean,
  where: string,
): string | undefined {
  const opcode = instructions.opcode[index]!;
  const expect = (found: bigint, bits: number): void => {
    const expected = BigInt.asIntN(bits, before.value);
    if (before.certain && found !== expected) {
      throw new ObjectError(where, `an instruction with the value ${expected}`, `${found}`);
    }
  };
  switch (opcode & CLASS_MASK) {
    case BPF_ALU:
    case BPF_ALU64:
      if ((opcode & SOURCE_MASK) === BPF_X) break;
      expect(BigInt(instructions.imm[index]!), 32);
      instructions.imm[index] = Number(BigInt.asIntN(32, after.value));
      return undefined;
    case BPF_LDX:
    case BPF_ST:
    case BPF_STX:
      expect(BigInt(instructions.offset[index]!), 64);
      if (after.value > 0x7fffn) throw new ObjectError(where, 'an offset of at most 32767', `${after.value}`);
      if (!widthIsSafe) {
        poison(instructions, index);
        return 'the field has another width in the kernel, and is signed or no number';
      }
      instructions.offset[index] = Number(after.value);
      resize(instructions, index, before, after, where);
      return undefined;
    default:
      if (opcode !== LDDW || instructions.src[index] !== 0) break;
      expect((BigInt(instructions.imm[index + 1]!) << 32n) | BigInt(instructions.imm[index]! >>> 0), 64);
      instructions.imm[index] = Number(BigInt.asIntN(32, after.value));
      instructions.imm[index + 1] = Number(BigInt.asIntN(32, after.value >> 32n));
      return undefined;
  }
  throw new ObjectError(where, 'an instruction that CO-RE can change', `opcode 0x${opcode.toString(16)}`);
}

const SIZES: readonly (readonly [bytes: number, code: number])[] = [
  [1, BPF_B],
  [2, BPF_H],
  [4, BPF_W],
  [8, BPF_DW],
];

function resize(
  instructions: Instructions,
  index: number,
  before: CoreValue,
  after: CoreValue,
  where: string,
): void {
  if (before.field === undefined || after.field === undefined || before.field.size === after.field.size)
    return;
  const opcode = instructions.opcode[index]!;
  const width = SIZES.find(([, code]) => code === (opcode & SIZE_MASK))![0];
  if (width !== before.field.size)
    throw new ObjectError(where, `an access of ${before.field.size} bytes`, `${width}`);
  const size = SIZES.find(([bytes]) => bytes === after.field!.size);
  if (size === undefined)
    throw new ObjectError(where, 'a field of 1, 2, 4 or 8 bytes', `${after.field.size}`);
  instructions.opcode[index] = (opcode & ~SIZE_MASK) | size[1];
}
