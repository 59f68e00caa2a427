/**
 * Map keys and values as what they are: bytes and a BTF type become text or JSON.
 *
 * Both come from one tree, so that they cannot disagree.
 */
import { BTF_KIND, type Btf } from './btf.ts';
import { ObjectError } from './object-error.ts';

/** One value with its parts; numbers are exact. */
type Value =
  | { readonly is: 'number'; readonly value: bigint; readonly isAddress?: boolean }
  | { readonly is: 'name'; readonly name: string }
  | { readonly is: 'float'; readonly value: number }
  | { readonly is: 'bool'; readonly value: boolean }
  | { readonly is: 'text'; readonly text: string }
  | { readonly is: 'pointer'; readonly value: bigint }
  | { readonly is: 'bytes'; readonly bytes: Uint8Array }
  | { readonly is: 'list'; readonly items: readonly Value[] }
  | { readonly is: 'struct'; readonly members: readonly (readonly [name: string, value: Value])[] };

/** Values inside values; more would be a circle. */
export const MAX_VALUE_DEPTH = 32;
/** Parts of one value altogether: types may overlap, and a hostile blob grows by powers. */
const MAX_PARTS = 1 << 20;

const decoder = new TextDecoder();

/** Types that hold a number in network order (include/uapi/linux/types.h). */
export const BIG_ENDIAN_TYPES: ReadonlySet<string> = new Set([
  '__be16',
  '__be32',
  '__be64',
  'be16',
  'be32',
  'be64',
  // A checksum, as it lies in a packet.
  '__sum16',
]);

/**
 * A value as text, much as a C initialiser: `{ .rx_packets = 5, .rx_bytes = 490 }`.
 *
 * Enums show their names, `char` arrays text in quotes, `__be16`/`__be32`/`__be64` the number in host order,
 * pointers hexadecimal. Bytes beyond the type are not shown.
 * @throws {ObjectError} when the bytes are fewer than the type's size, or the type is malformed
 */
export function formatValue(btf: Btf, typeId: number, bytes: Uint8Array): string {
  return toText(readValue(btf, typeId, bytes));
}

/**
 * A value as what `JSON.stringify` takes: structs become objects, arrays arrays, enums their names; whole numbers
 * beyond 2^53 and pointers become strings, so that no digit is lost.
 * @param options `addresses`: a `__be32` becomes an IPv4 address in text, as world files take it
 * @throws {ObjectError} as `formatValue`
 */
export function toJson(
  btf: Btf,
  typeId: number,
  bytes: Uint8Array,
  { addresses = false }: { readonly addresses?: boolean } = {},
): unknown {
  return toPlain(readValue(btf, typeId, bytes), addresses);
}

function readValue(btf: Btf, typeId: number, bytes: Uint8Array): Value {
  const size = btf.sizeOf(typeId);
  if (size > bytes.length) {
    throw new ObjectError(
      `value of BTF type ${typeId} (${btf.name(typeId)})`,
      `${size} bytes`,
      `${bytes.length}`,
    );
  }
  return new ValueReader(btf, bytes).read(typeId, 0, 0, false, 0);
}

class ValueReader {
  readonly #btf: Btf;
  readonly #bytes: Uint8Array;
  #parts = 0;

  constructor(btf: Btf, bytes: Uint8Array) {
    this.#btf = btf;
    this.#bytes = bytes;
  }

  /**
   * @param bitOffset where the value begins
   * @param bitfieldSize bits; 0: as many as the type says
   * @param bigEndian a typedef on the way here said so
   */
  read(typeId: number, bitOffset: number, bitfieldSize: number, bigEndian: boolean, depth: number): Value {
    const btf = this.#btf;
    if (depth > MAX_VALUE_DEPTH) {
      throw new ObjectError(
        `BTF type ${typeId}`,
        `at most ${MAX_VALUE_DEPTH} values inside each other`,
        'more, or a circle',
      );
    }
    if (++this.#parts > MAX_PARTS) {
      throw new ObjectError(`BTF type ${typeId}`, `a value of at most ${MAX_PARTS} parts`, 'more');
    }
    let id = btf.resolve(typeId, false);
    let swapped = bigEndian;
    for (let steps = 0; btf.kind(id) === BTF_KIND.TYPEDEF; steps++) {
      if (steps > MAX_VALUE_DEPTH)
        throw new ObjectError(`BTF type ${typeId}`, 'a chain of typedefs', 'a circle');
      swapped ||= BIG_ENDIAN_TYPES.has(btf.name(id));
      id = btf.resolve(btf.target(id), false);
    }
    const size = btf.sizeOf(id);
    switch (btf.kind(id)) {
      case BTF_KIND.INT:
        return this.#int(id, bitOffset, bitfieldSize, swapped);
      case BTF_KIND.ENUM:
      case BTF_KIND.ENUM64:
        return this.#enum(id, bitOffset, bitfieldSize || size * 8);
      case BTF_KIND.PTR:
        return { is: 'pointer', value: this.#bits(bitOffset, 64, false) };
      case BTF_KIND.FLOAT:
        return this.#float(bitOffset, size);
      case BTF_KIND.ARRAY:
        return this.#array(id, bitOffset, size, swapped, depth);
      case BTF_KIND.STRUCT:
      case BTF_KIND.UNION: {
        const members = btf.members(id).map((member) => {
          const at = bitOffset + member.bitOffset;
          return [member.name, this.read(member.typeId, at, member.bitfieldSize, false, depth + 1)] as const;
        });
        return { is: 'struct', members };
      }
      case BTF_KIND.DATASEC: {
        const members = btf.variables(id).map((variable) => {
          const type = btf.target(variable.typeId);
          return [
            btf.name(variable.typeId),
            this.read(type, bitOffset + variable.offset * 8, 0, false, depth + 1),
          ] as const;
        });
        return { is: 'struct', members };
      }
      case BTF_KIND.VAR:
        return this.read(btf.target(id), bitOffset, 0, false, depth + 1);
      default:
        throw new ObjectError(`BTF type ${id}`, 'a type that has values', btf.kindName(id));
    }
  }

  #int(id: number, bitOffset: number, bitfieldSize: number, bigEndian: boolean): Value {
    const int = this.#btf.int(id);
    // In the old encoding the type itself says which of its bits are the field.
    const bits = bitfieldSize || int.bits;
    let value = this.#bits(bitOffset + int.bitOffset, bits, int.signed);
    const isNetwork = bigEndian && bits === int.size * 8;
    if (isNetwork) value = swapBytes(value, int.size);
    if (int.bool) return { is: 'bool', value: value !== 0n };
    return isNetwork && int.size === 4 ? { is: 'number', value, isAddress: true } : { is: 'number', value };
  }

  #enum(id: number, bitOffset: number, bits: number): Value {
    const value = this.#bits(bitOffset, bits, this.#btf.kindFlag(id));
    // Old compilers left the sign out and wrote negative values all the same.
    const wrapped = BigInt.asUintN(bits, value);
    for (const enumerator of this.#btf.enumerators(id)) {
      if (BigInt.asUintN(bits, enumerator.value) === wrapped) return { is: 'name', name: enumerator.name };
    }
    return { is: 'number', value };
  }

  #float(bitOffset: number, size: number): Value {
    const at = Math.floor(bitOffset / 8);
    this.#require(at, size);
    const view = new DataView(this.#bytes.buffer, this.#bytes.byteOffset + at, size);
    if (size === 4) return { is: 'float', value: view.getFloat32(0, true) };
    if (size === 8) return { is: 'float', value: view.getFloat64(0, true) };
    return { is: 'bytes', bytes: this.#bytes.slice(at, at + size) };
  }

  #array(id: number, bitOffset: number, size: number, bigEndian: boolean, depth: number): Value {
    const { elementType, count } = this.#btf.array(id);
    const at = Math.floor(bitOffset / 8);
    this.#require(at, size);
    if (size === 0) return { is: 'list', items: [] };
    const text =
      size === count && this.#isChar(elementType) ? asText(this.#bytes.subarray(at, at + size)) : undefined;
    if (text !== undefined) return { is: 'text', text };
    const stride = (size / count) * 8;
    const items: Value[] = [];
    for (let index = 0; index < count; index++) {
      const item = this.read(elementType, bitOffset + index * stride, 0, bigEndian, depth + 1);
      // Four words are an IPv6 address, if anything.
      items.push(count === 4 && item.is === 'number' ? { is: 'number', value: item.value } : item);
    }
    return { is: 'list', items };
  }

  #isChar(id: number): boolean {
    const element = this.#btf.resolve(id);
    return this.#btf.kind(element) === BTF_KIND.INT && this.#btf.name(element) === 'char';
  }

  /** `count` bits (at most 128) from `bitOffset` on, least significant first. */
  #bits(bitOffset: number, count: number, signed: boolean): bigint {
    const first = Math.floor(bitOffset / 8);
    const last = Math.ceil((bitOffset + count) / 8);
    this.#require(first, last - first);
    let value = 0n;
    for (let at = last - 1; at >= first; at--) value = (value << 8n) | BigInt(this.#bytes[at]!);
    value >>= BigInt(bitOffset % 8);
    return signed ? BigInt.asIntN(count, value) : BigInt.asUintN(count, value);
  }

  #require(at: number, size: number): void {
    if (at + size <= this.#bytes.length) return;
    throw new ObjectError(`value +0x${at.toString(16)}`, `${size} bytes`, `the end at ${this.#bytes.length}`);
  }
}

function swapBytes(value: bigint, size: number): bigint {
  let rest = BigInt.asUintN(size * 8, value);
  let swapped = 0n;
  for (let index = 0; index < size; index++) {
    swapped = (swapped << 8n) | (rest & 0xffn);
    rest >>= 8n;
  }
  return swapped;
}

/** The text of a NUL-padded buffer; undefined for one that holds anything else. */
function asText(bytes: Uint8Array): string | undefined {
  let end = bytes.indexOf(0);
  if (end < 0) end = bytes.length;
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at]!;
    const printable = (byte >= 0x20 && byte < 0x7f) || byte === 0x09 || byte === 0x0a;
    if (at < end ? !printable : byte !== 0) return undefined;
  }
  return decoder.decode(bytes.subarray(0, end));
}

function toText(value: Value): string {
  switch (value.is) {
    case 'number':
    case 'bool':
    case 'float':
      return String(value.value);
    case 'name':
      return value.name;
    case 'text':
      return JSON.stringify(value.text);
    case 'pointer':
      return `0x${value.value.toString(16)}`;
    case 'bytes':
      return hex(value.bytes);
    case 'list':
      return `[${value.items.map(toText).join(', ')}]`;
    case 'struct': {
      if (value.members.length === 0) return '{}';
      const members = value.members.map(([name, member]) =>
        name === '' ? toText(member) : `.${name} = ${toText(member)}`,
      );
      return `{ ${members.join(', ')} }`;
    }
  }
}

function toPlain(value: Value, addresses: boolean): unknown {
  switch (value.is) {
    case 'number': {
      if (addresses && value.isAddress === true) return addressText(value.value);
      const exact = value.value >= Number.MIN_SAFE_INTEGER && value.value <= Number.MAX_SAFE_INTEGER;
      return exact ? Number(value.value) : value.value.toString();
    }
    case 'float':
      // JSON has no NaN and no infinities.
      return Number.isFinite(value.value) ? value.value : String(value.value);
    case 'bool':
      return value.value;
    case 'list':
      return value.items.map((item) => toPlain(item, addresses));
    case 'text':
      return value.text;
    case 'struct': {
      // Members of an anonymous struct or union belong to the one around it, as in C.
      const entries = value.members.flatMap(([name, member]) => {
        const plain = toPlain(member, addresses);
        return name === '' && member.is === 'struct'
          ? Object.entries(plain as object)
          : [[name, plain] as const];
      });
      return Object.fromEntries(entries);
    }
    default:
      return toText(value);
  }
}

function addressText(value: bigint): string {
  return [24n, 16n, 8n, 0n].map((shift) => (value >> shift) & 0xffn).join('.');
}

function hex(bytes: Uint8Array): string {
  return `0x${[...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join('')}`;
}
