/**
 * BTF: the types of an object or of the kernel (Documentation/bpf/btf.rst).
 *
 * The blob stays as it is; a type is read when it is asked for, so that the kernel's hundred thousand types cost
 * nothing but an index. Ids are checked at each use: a type that refers to itself is no trouble until somebody
 * follows it, and every follower here counts its steps.
 */

import { Reader } from './loader/reader.ts';
import { ObjectError } from './object-error.ts';

/** Kinds by the kernel's names (include/uapi/linux/btf.h, `BTF_KIND_*`). */
export const BTF_KIND = {
  VOID: 0,
  INT: 1,
  PTR: 2,
  ARRAY: 3,
  STRUCT: 4,
  UNION: 5,
  ENUM: 6,
  FWD: 7,
  TYPEDEF: 8,
  VOLATILE: 9,
  CONST: 10,
  RESTRICT: 11,
  FUNC: 12,
  FUNC_PROTO: 13,
  VAR: 14,
  DATASEC: 15,
  FLOAT: 16,
  DECL_TAG: 17,
  TYPE_TAG: 18,
  ENUM64: 19,
} as const;

const KIND_NAMES: readonly string[] = Object.keys(BTF_KIND);

/** Linkage of FUNC and VAR. */
export const BTF_LINKAGE_STATIC = 0;
export const BTF_LINKAGE_GLOBAL = 1;
export const BTF_LINKAGE_EXTERN = 2;

export interface BtfMember {
  /** Empty for an anonymous struct or union. */
  readonly name: string;
  readonly typeId: number;
  /** Bits from the begin of the struct. */
  readonly bitOffset: number;
  /** Bits; 0: not a bit field. */
  readonly bitfieldSize: number;
}

export interface BtfInt {
  /** Bytes. */
  readonly size: number;
  /** Bits in use. */
  readonly bits: number;
  /** Bits to skip: only in bit fields of the old encoding. */
  readonly bitOffset: number;
  readonly signed: boolean;
  readonly char: boolean;
  readonly bool: boolean;
}

export interface BtfArray {
  readonly elementType: number;
  readonly indexType: number;
  readonly count: number;
}

export interface BtfEnumerator {
  readonly name: string;
  readonly value: bigint;
}

/** One variable of a DATASEC. */
export interface BtfSectionVariable {
  readonly typeId: number;
  /** Bytes from the section's begin. */
  readonly offset: number;
  /** Bytes. */
  readonly size: number;
}

export interface BtfParameter {
  readonly name: string;
  readonly typeId: number;
}

const MAGIC = 0xeb9f;
const HEADER_SIZE = 24;
const TYPE_SIZE = 12;
/** Typedefs, modifiers and arrays on top of each other (kernel/bpf/btf.c, `MAX_RESOLVE_DEPTH`). */
const MAX_RESOLVE_DEPTH = 32;

const POINTER_SIZE = 8;
/** Elements of an array, over all of its dimensions. */
const LARGEST_ARRAY = 2 ** 32;

const COMPOSITE: readonly number[] = [BTF_KIND.STRUCT, BTF_KIND.UNION];
const ENUMS: readonly number[] = [BTF_KIND.ENUM, BTF_KIND.ENUM64];

/** Bytes behind a type's header, by kind: fixed ones, and those for each of its `vlen` parts. */
const FIXED_TAIL: readonly number[] = [0, 4, 0, 12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 0, 4, 0, 0];
const PART_SIZE: readonly number[] = [0, 0, 0, 0, 12, 12, 8, 0, 0, 0, 0, 0, 0, 8, 0, 12, 0, 0, 0, 12];

export class Btf {
  /** Number of types, with type 0, void. */
  readonly count: number;
  readonly #types: Reader;
  readonly #strings: Reader;
  /** Where each type begins in the type section. */
  readonly #offsets: Uint32Array;
  #byName: Map<string, number[]> | undefined;

  constructor(types: Reader, strings: Reader, offsets: Uint32Array) {
    this.#types = types;
    this.#strings = strings;
    this.#offsets = offsets;
    this.count = offsets.length;
  }

  /** One of `BTF_KIND`. */
  kind(id: number): number {
    return id === 0 ? BTF_KIND.VOID : (this.#info(id) >>> 24) & 0x1f;
  }

  /** The kind as `STRUCT`, for messages. */
  kindName(id: number): string {
    return KIND_NAMES[this.kind(id)] ?? 'UNKNOWN';
  }

  /** Empty for anonymous types; `void` for type 0. */
  name(id: number): string {
    return id === 0 ? 'void' : this.string(this.#types.u32(this.#at(id), 'name_off'));
  }

  /** How many members, enumerators, parameters or variables the type has; the linkage of a FUNC. */
  vlen(id: number): number {
    return id === 0 ? 0 : this.#info(id) & 0xffff;
  }

  /** FWD: a union; STRUCT, UNION: with bit fields; ENUM, ENUM64: signed. */
  kindFlag(id: number): boolean {
    return id !== 0 && this.#info(id) >>> 31 === 1;
  }

  /** What a PTR, TYPEDEF, modifier, FUNC, FUNC_PROTO, VAR or tag refers to. */
  target(id: number): number {
    return this.#types.u32(this.#at(id) + 8, 'type');
  }

  /** A line of source text by its offset; cut off where it is very long. */
  text(offset: number): string {
    return offset === 0 ? '' : this.#strings.text(offset, 'a line of source');
  }

  /** A string of the blob by its offset. */
  string(offset: number): string {
    return offset === 0 ? '' : this.#strings.name(offset, 'a BTF name');
  }

  int(id: number): BtfInt {
    const encoding = this.#types.u32(this.#tail(id, BTF_KIND.INT), 'INT encoding');
    const flags = (encoding >>> 24) & 0x0f;
    return {
      size: this.target(id),
      bits: encoding & 0xff,
      bitOffset: (encoding >>> 16) & 0xff,
      signed: (flags & 1) !== 0,
      char: (flags & 2) !== 0,
      bool: (flags & 4) !== 0,
    };
  }

  array(id: number): BtfArray {
    const at = this.#tail(id, BTF_KIND.ARRAY);
    return {
      elementType: this.#types.u32(at, 'element type'),
      indexType: this.#types.u32(at + 4, 'index type'),
      count: this.#types.u32(at + 8, 'number of elements'),
    };
  }

  /** Members of a STRUCT or UNION. */
  members(id: number): BtfMember[] {
    return this.#parts(id, COMPOSITE, (at) => this.#member(at, this.kindFlag(id)));
  }

  /** One of them, without reading the others; undefined beyond the last. */
  member(id: number, index: number): BtfMember | undefined {
    const kind = this.#requireKind(id, COMPOSITE);
    if (index >= this.vlen(id)) return undefined;
    return this.#member(this.#at(id) + TYPE_SIZE + index * PART_SIZE[kind]!, this.kindFlag(id));
  }

  #member(at: number, bitfields: boolean): BtfMember {
    const offset = this.#types.u32(at + 8, 'member offset');
    return {
      name: this.string(this.#types.u32(at, 'member name')),
      typeId: this.#types.u32(at + 4, 'member type'),
      bitOffset: bitfields ? offset & 0xff_ffff : offset,
      bitfieldSize: bitfields ? offset >>> 24 : 0,
    };
  }

  /** Enumerators of an ENUM or ENUM64; values are signed where the enum is. */
  enumerators(id: number): BtfEnumerator[] {
    return this.#parts(id, ENUMS, (at) => this.#enumerator(at, id));
  }

  /** One of them, without reading the others; undefined beyond the last. */
  enumerator(id: number, index: number): BtfEnumerator | undefined {
    const kind = this.#requireKind(id, ENUMS);
    if (index >= this.vlen(id)) return undefined;
    return this.#enumerator(this.#at(id) + TYPE_SIZE + index * PART_SIZE[kind]!, id);
  }

  #enumerator(at: number, id: number): BtfEnumerator {
    const wide = this.kind(id) === BTF_KIND.ENUM64;
    const low = BigInt(this.#types.u32(at + 4, 'enumerator'));
    const bits = wide ? (BigInt(this.#types.u32(at + 8, 'enumerator')) << 32n) | low : low;
    return {
      name: this.string(this.#types.u32(at, 'enumerator name')),
      value: this.kindFlag(id) ? BigInt.asIntN(wide ? 64 : 32, bits) : bits,
    };
  }

  /** Parameters of a FUNC_PROTO; `...` is the nameless one of type 0 at the end. */
  parameters(id: number): BtfParameter[] {
    return this.#parts(id, [BTF_KIND.FUNC_PROTO], (at) => ({
      name: this.string(this.#types.u32(at, 'parameter name')),
      typeId: this.#types.u32(at + 4, 'parameter type'),
    }));
  }

  /** Variables of a DATASEC. */
  variables(id: number): BtfSectionVariable[] {
    return this.#parts(id, [BTF_KIND.DATASEC], (at) => ({
      typeId: this.#types.u32(at, 'variable type'),
      offset: this.#types.u32(at + 4, 'variable offset'),
      size: this.#types.u32(at + 8, 'variable size'),
    }));
  }

  /**
   * Writes what only the linker knows into a DATASEC: its size, and the offsets of its variables. Compilers leave
   * both 0 where the ELF symbols say it (libbpf's `btf_fixup_datasec`).
   * @param place the offset of the variable of that BTF id; undefined: it stays
   */
  placeVariables(id: number, size: number, place: (variable: number) => number | undefined): void {
    const at = this.#tail(id, BTF_KIND.DATASEC);
    const { bytes } = this.#types;
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    view.setUint32(at - 4, size, true);
    for (const [index, variable] of this.variables(id).entries()) {
      const offset = place(variable.typeId);
      if (offset !== undefined) view.setUint32(at + index * 12 + 4, offset, true);
    }
  }

  /** Linkage of a FUNC or VAR: `BTF_LINKAGE_*`. */
  linkage(id: number): number {
    if (this.kind(id) === BTF_KIND.FUNC) return this.vlen(id);
    return this.#types.u32(this.#tail(id, BTF_KIND.VAR), 'linkage');
  }

  /** The type behind const, volatile, restrict and type tags, and (unless told otherwise) typedefs. */
  resolve(id: number, typedefsToo: boolean = true): number {
    let current = id;
    for (let depth = 0; depth <= MAX_RESOLVE_DEPTH; depth++) {
      const kind = this.kind(current);
      const modifier =
        kind === BTF_KIND.CONST ||
        kind === BTF_KIND.VOLATILE ||
        kind === BTF_KIND.RESTRICT ||
        kind === BTF_KIND.TYPE_TAG ||
        (typedefsToo && kind === BTF_KIND.TYPEDEF);
      if (!modifier) return current;
      current = this.target(current);
    }
    throw this.#tooDeep(id);
  }

  /**
   * The size of a type in bytes.
   * @throws {ObjectError} for types that have none: void, functions, forward declarations
   */
  sizeOf(id: number): number {
    let factor = 1;
    let current = id;
    for (let depth = 0; depth <= MAX_RESOLVE_DEPTH; depth++) {
      current = this.resolve(current);
      switch (this.kind(current)) {
        case BTF_KIND.INT:
        case BTF_KIND.STRUCT:
        case BTF_KIND.UNION:
        case BTF_KIND.ENUM:
        case BTF_KIND.ENUM64:
        case BTF_KIND.FLOAT:
        case BTF_KIND.DATASEC:
          return factor * this.target(current);
        case BTF_KIND.PTR:
          return factor * POINTER_SIZE;
        case BTF_KIND.VAR:
          current = this.target(current);
          break;
        case BTF_KIND.ARRAY: {
          const array = this.array(current);
          factor *= array.count;
          if (factor > LARGEST_ARRAY) {
            throw new ObjectError(
              `BTF type ${id}`,
              `arrays of at most ${LARGEST_ARRAY} elements`,
              `${factor}`,
            );
          }
          current = array.elementType;
          break;
        }
        default:
          throw new ObjectError(`BTF type ${id}`, 'a type that has a size', this.kindName(current));
      }
    }
    throw this.#tooDeep(id);
  }

  /** Ids of the types of that name, in order; the index is built at the first call. */
  named(name: string): readonly number[] {
    if (this.#byName === undefined) {
      this.#byName = new Map();
      for (let id = 1; id < this.count; id++) {
        const key = this.name(id);
        if (key === '') continue;
        const ids = this.#byName.get(key);
        if (ids === undefined) this.#byName.set(key, [id]);
        else ids.push(id);
      }
    }
    return this.#byName.get(name) ?? [];
  }

  /** The first type of that name and kind. */
  find(name: string, kind: number): number | undefined {
    return this.named(name).find((id) => this.kind(id) === kind);
  }

  /** Every name that a type bears. */
  names(): IterableIterator<string> {
    this.named('');
    return (this.#byName ?? new Map<string, number[]>()).keys();
  }

  #at(id: number): number {
    const at = id > 0 ? this.#offsets[id] : undefined;
    if (at === undefined) throw new ObjectError('BTF', `a type id from 1 to ${this.count - 1}`, `${id}`);
    return at;
  }

  #info(id: number): number {
    return this.#types.u32(this.#at(id) + 4, 'info');
  }

  #tail(id: number, kind: number): number {
    this.#requireKind(id, [kind]);
    return this.#at(id) + TYPE_SIZE;
  }

  #parts<Part>(id: number, kinds: readonly number[], read: (at: number) => Part): Part[] {
    const kind = this.#requireKind(id, kinds);
    const at = this.#at(id) + TYPE_SIZE;
    const size = PART_SIZE[kind]!;
    return Array.from({ length: this.vlen(id) }, (_, index) => read(at + index * size));
  }

  #requireKind(id: number, kinds: readonly number[]): number {
    const kind = this.kind(id);
    if (!kinds.includes(kind)) {
      const expected = kinds.map((each) => KIND_NAMES[each]).join(' or ');
      throw new ObjectError(`BTF type ${id}`, expected, this.kindName(id));
    }
    return kind;
  }

  #tooDeep(id: number): ObjectError {
    return new ObjectError(
      `BTF type ${id}`,
      `at most ${MAX_RESOLVE_DEPTH} types on top of each other`,
      'more, or a circle',
    );
  }
}

/**
 * Reads a BTF blob: the section `.BTF` of an object, or `/sys/kernel/btf/vmlinux`.
 * @throws {ObjectError} when header, types or strings do not fit together
 */
export function parseBtf(bytes: Uint8Array): Btf {
  const blob = new Reader(bytes, 'BTF');
  const magic = blob.u16(0, 'the magic');
  if (magic !== MAGIC) {
    const found = magic === 0x9feb ? 'a big-endian one' : `0x${magic.toString(16)}`;
    throw new ObjectError('BTF +0x0', 'the magic 0xeb9f', found);
  }
  const version = blob.u8(2, 'the version');
  if (version !== 1) throw new ObjectError('BTF +0x2', 'version 1', `${version}`);
  blob.require(0, HEADER_SIZE, 'a BTF header');
  const headerSize = blob.u32(4, 'hdr_len');
  if (headerSize < HEADER_SIZE)
    throw new ObjectError('BTF +0x4', `a header of ${HEADER_SIZE} bytes`, `${headerSize}`);
  const types = blob.slice(
    headerSize + blob.u32(8, 'type_off'),
    blob.u32(12, 'type_len'),
    'BTF types',
    'the types',
  );
  const strings = blob.slice(
    headerSize + blob.u32(16, 'str_off'),
    blob.u32(20, 'str_len'),
    'BTF strings',
    'the strings',
  );
  return new Btf(types, strings, findTypes(types));
}

/** Walks the type records once; afterwards every record is known to lie inside the section. */
function findTypes(types: Reader): Uint32Array {
  const { bytes } = types;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  // A record has at least twelve bytes. Id 0 is void and has no record.
  const offsets = new Uint32Array(Math.floor(bytes.length / TYPE_SIZE) + 1);
  let count = 1;
  for (let at = 0; at < bytes.length; ) {
    types.require(at, TYPE_SIZE, `type ${count}`);
    const info = view.getUint32(at + 4, true);
    const kind = (info >>> 24) & 0x1f;
    if (kind === 0 || kind >= FIXED_TAIL.length) {
      throw new ObjectError(
        `BTF types +0x${at.toString(16)}`,
        'a kind from 1 (INT) to 19 (ENUM64)',
        `${kind} in type ${count}`,
      );
    }
    const size = TYPE_SIZE + FIXED_TAIL[kind]! + PART_SIZE[kind]! * (info & 0xffff);
    types.require(at, size, `type ${count} (${KIND_NAMES[kind]})`);
    offsets[count++] = at;
    at += size;
  }
  return offsets.slice(0, count);
}
