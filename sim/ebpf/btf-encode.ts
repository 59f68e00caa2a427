/**
 * Map keys, values and globals as people write them, turned into bytes by their BTF types: the other direction of
 * `btf-value.ts`, whose JSON it takes.
 *
 * What is written for each type: docs/worlds.md. Byte order: a number is in the machine's order, and in network order
 * where the type is a `__be16`, `__be32` or `__be64`; addresses are bytes as they lie in a packet.
 */
import { nearestName } from '../runtime/nearest-name.ts';
import { ShapeError, shown } from '../runtime/shape-error.ts';
import { BTF_KIND, type Btf } from './btf.ts';
import { BIG_ENDIAN_TYPES, MAX_VALUE_DEPTH } from './btf-value.ts';
import { numberFromText, type ValueNames } from './number-text.ts';
import { ValueBits } from './value-bits.ts';
import {
  addressBytes,
  addressForm,
  isObject,
  listOfBytes,
  rawBytes,
  swapBytes,
  textBytes,
} from './value-forms.ts';

/** What is encoded: its type, where there is one, and how many bytes it has. */
export interface ValueType {
  readonly btf: Btf | undefined;
  /** Undefined: bytes without a type. */
  readonly typeId: number | undefined;
  readonly size: number;
}

/**
 * Returns the bytes of a value that is written as JSON.
 * @param place what messages call it: `maps.flows[0].key`
 * @throws {ShapeError} naming the place within the value, what was expected there and what was found
 * @throws {ObjectError} where the type itself is malformed
 */
export function encodeValue(
  type: ValueType,
  json: unknown,
  place: string,
  names: ValueNames = {},
): Uint8Array {
  const { btf, typeId, size } = type;
  const bits = new ValueBits(size);
  const encoder = new Encoder(btf, bits, names);
  if (btf === undefined || typeId === undefined) encoder.untyped(json, size, place);
  else encoder.value(typeId, { json, place }, { at: 0, bits: 0, big: false, depth: 0 }, size * 8);
  return bits.bytes;
}

interface Written {
  readonly json: unknown;
  readonly place: string;
}

interface Where {
  /** The bit that it starts at. */
  readonly at: number;
  /** Width of a bit field; 0: as wide as the type. */
  readonly bits: number;
  /** Has a typedef on the way here said that it is in network order? */
  readonly big: boolean;
  readonly depth: number;
}

class Encoder {
  readonly #btf: Btf | undefined;
  readonly #bits: ValueBits;
  readonly #names: ValueNames;

  constructor(btf: Btf | undefined, bits: ValueBits, names: ValueNames) {
    this.#btf = btf;
    this.#bits = bits;
    this.#names = names;
  }

  /** A value without a type: a number as wide as it is, an address of its size, or all of its bytes. */
  untyped(json: unknown, size: number, place: string): void {
    const raw = rawBytes(json, size, place) ?? addressBytes(json, size) ?? listOfBytes(json, size, place);
    if (raw !== undefined) this.#bits.set(0, raw, place);
    else if (size <= 8 && (typeof json === 'string' || isNumber(json))) {
      this.#number(json, size * 8, false, { at: 0, place, swap: 0 });
    } else {
      const words = `${size} bytes ({ "hex": "…" }, a list of bytes, an address of that size${size <= 8 ? ', a number' : ''})`;
      throw new ShapeError(place, `expected ${words}, got ${shown(json)}`);
    }
  }

  /** @param room bits that a whole value has, which may be more than its type says (flexible arrays) */
  value(typeId: number, { json, place }: Written, where: Where, room?: number): void {
    const btf = this.#btf!;
    if (where.depth > MAX_VALUE_DEPTH) throw new ShapeError(place, 'types are nested too deeply');
    let id = btf.resolve(typeId, false);
    let { big } = where;
    // `resolve` bounds each step, and circles of typedefs alone end here.
    for (let steps = 0; btf.kind(id) === BTF_KIND.TYPEDEF && steps <= MAX_VALUE_DEPTH; steps++) {
      big ||= BIG_ENDIAN_TYPES.has(btf.name(id));
      id = btf.resolve(btf.target(id), false);
    }
    const kind = btf.kind(id);
    const size = kind === BTF_KIND.VAR ? 0 : btf.sizeOf(id);
    const written = { json, place };
    if (where.bits === 0) {
      const raw = rawBytes(json, room === undefined ? size : room / 8, place);
      if (raw !== undefined) {
        this.#bits.set(where.at, raw, place);
        return;
      }
    }
    switch (kind) {
      case BTF_KIND.INT:
        this.#int(id, written, { ...where, big });
        break;
      case BTF_KIND.ENUM:
      case BTF_KIND.ENUM64:
        this.#enum(id, written, where, size);
        break;
      case BTF_KIND.PTR:
        this.#number(json, 64, false, { at: where.at, place, swap: 0 });
        break;
      case BTF_KIND.FLOAT:
        this.#float(written, where, size);
        break;
      case BTF_KIND.ARRAY:
        this.#array(id, written, { ...where, big }, size);
        break;
      case BTF_KIND.STRUCT:
      case BTF_KIND.UNION:
        this.#struct(id, written, where, size);
        break;
      default:
        throw new ShapeError(place, `a value of type ${btf.kindName(id)} cannot be written`);
    }
  }

  #int(id: number, { json, place }: Written, where: Where): void {
    const int = this.#btf!.int(id);
    const bits = where.bits || int.bits;
    const at = where.at + int.bitOffset;
    const isWhole = bits === int.size * 8;
    const address = isWhole ? addressBytes(json, int.size) : undefined;
    if (address !== undefined) {
      this.#bits.set(at, address, place);
      return;
    }
    if (int.char && typeof json === 'string' && /^'[\x20-\x7e]'$/.test(json)) {
      this.#bits.write(at, bits, BigInt(json.charCodeAt(1)), place);
      return;
    }
    this.#number(json, bits, int.signed, { at, place, swap: where.big && isWhole ? int.size : 0 });
  }

  /** @param swap bytes of a number in network order; 0: it is in the machine's */
  #number(
    json: unknown,
    bits: number,
    signed: boolean,
    { at, place, swap }: { at: number; place: string; swap: number },
  ): void {
    const number = this.#numberOf(json, bits, place);
    const value = typeof number === 'bigint' ? number : number.value;
    const most = 1n << BigInt(bits);
    // As C takes them: -1 is all ones also where the type has no sign.
    if (value >= most || value < -(most >> 1n)) {
      const kind = bits % 8 === 0 ? `${bits / 8} byte${bits === 8 ? '' : 's'}` : `${bits} bits`;
      throw new ShapeError(place, `${value} does not fit into ${kind}${signed ? ' (signed)' : ''}`);
    }
    const plain = BigInt.asUintN(bits, value);
    // "htons(80)" says itself how its bytes lie.
    const swapped = typeof number === 'bigint' ? swap > 0 : number.bytes > 0;
    if (typeof number !== 'bigint' && number.bytes * 8 !== bits) {
      throw new ShapeError(place, `${shown(json)} has ${number.bytes} bytes, expected ${bits / 8}`);
    }
    this.#bits.write(at, bits, swapped ? swapBytes(plain, bits / 8) : plain, place);
  }

  #numberOf(json: unknown, bits: number, place: string): bigint | { value: bigint; bytes: number } {
    if (typeof json === 'bigint') return json;
    if (typeof json === 'number' && Number.isSafeInteger(json)) return BigInt(json);
    if (typeof json === 'boolean') return json ? 1n : 0n;
    const found = typeof json === 'string' ? numberFromText(json, this.#btf, this.#names, bits) : undefined;
    if (found !== undefined) return found;
    const forms = ['a whole number'];
    if (bits === 32) forms.push('an IPv4 address', 'the name of a device');
    if (bits === 16 || bits === 32) forms.push(`“hton${bits === 16 ? 's' : 'l'}(…)”`);
    throw new ShapeError(place, `expected ${forms.join(', ')}, got ${shown(json)}`);
  }

  #enum(id: number, { json, place }: Written, where: Where, size: number): void {
    const btf = this.#btf!;
    const bits = where.bits || size * 8;
    if (typeof json !== 'string' || /^-?\d/.test(json)) {
      this.#number(json, bits, btf.kindFlag(id), { at: where.at, place, swap: 0 });
      return;
    }
    const all = btf.enumerators(id);
    let value = 0n;
    for (const name of json.split('|').map((part) => part.trim())) {
      const found = all.find((one) => one.name === name);
      if (found === undefined) {
        const known = all.map((one) => one.name);
        const near = nearestName(name, known);
        const hint =
          near === undefined ? `known are ${known.slice(0, 20).join(', ')}` : `did you mean “${near}”?`;
        throw new ShapeError(place, `enum ${btf.name(id)} has no ${shown(name)}; ${hint}`);
      }
      value |= found.value;
    }
    this.#bits.write(where.at, bits, BigInt.asUintN(bits, value), place);
  }

  #float({ json, place }: Written, { at }: Where, size: number): void {
    if (typeof json !== 'number' || (size !== 4 && size !== 8)) {
      throw new ShapeError(place, `expected a number, got ${shown(json)}`);
    }
    const bytes = new Uint8Array(size);
    const view = new DataView(bytes.buffer);
    if (size === 4) view.setFloat32(0, json, true);
    else view.setFloat64(0, json, true);
    this.#bits.set(at, bytes, place);
  }

  #array(id: number, { json, place }: Written, where: Where, size: number): void {
    const btf = this.#btf!;
    const { elementType, count } = btf.array(id);
    const element = btf.resolve(elementType);
    const isChar = btf.kind(element) === BTF_KIND.INT && btf.name(element) === 'char';
    if (typeof json === 'string') {
      const bytes = isChar ? textBytes(json, size, place) : addressBytes(json, size);
      if (bytes !== undefined) {
        this.#bits.set(where.at, bytes, place);
        return;
      }
    }
    const stride = count === 0 ? 0 : (size / count) * 8;
    const item = (index: number, value: unknown, itemPlace: string): void =>
      this.value(
        elementType,
        { json: value, place: itemPlace },
        { at: where.at + index * stride, bits: 0, big: where.big, depth: where.depth + 1 },
      );
    if (Array.isArray(json)) {
      if (json.length > count) {
        throw new ShapeError(place, `expected at most ${count} elements, got ${json.length}`);
      }
      json.forEach((value, index) => void item(index, value, `${place}[${index}]`));
    } else if (isObject(json)) {
      for (const [name, value] of Object.entries(json)) {
        const index = /^\d{1,9}$/.test(name) ? Number(name) : count;
        if (index >= count) {
          throw new ShapeError(place, `expected an index below ${count}, got ${shown(name)}`);
        }
        item(index, value, `${place}[${index}]`);
      }
    } else {
      const address = isChar ? 'text' : addressForm(size);
      const forms = [`a list of up to ${count} elements`, ...(address === undefined ? [] : [address])];
      throw new ShapeError(place, `expected ${forms.join(' or ')}, got ${shown(json)}`);
    }
  }

  #struct(id: number, { json, place }: Written, where: Where, size: number): void {
    const btf = this.#btf!;
    const isUnion = btf.kind(id) === BTF_KIND.UNION;
    if (isObject(json)) {
      const members = flatMembers(btf, id, 0, where.depth);
      for (const [name, value] of Object.entries(json)) {
        const member = members.find((one) => one.name === name);
        const at = place === '' ? name : `${place}.${name}`;
        if (member === undefined) {
          const known = members.map((one) => one.name);
          const near = nearestName(name, known);
          const hint = near === undefined ? `its members are ${known.join(', ')}` : `did you mean “${near}”?`;
          throw new ShapeError(at, `${typeText(btf, id)} has no such member; ${hint}`);
        }
        this.value(
          member.typeId,
          { json: value, place: at },
          { at: where.at + member.bitOffset, bits: member.bitfieldSize, big: false, depth: where.depth + 1 },
        );
      }
      return;
    }
    const address = addressBytes(json, size);
    if (address !== undefined) {
      this.#bits.set(where.at, address, place);
      return;
    }
    const members = btf.members(id);
    const [only, ...others] = members;
    const inner = { bits: 0, big: false, depth: where.depth + 1 };
    if (only !== undefined && others.length === 0) {
      const at = where.at + only.bitOffset;
      this.value(only.typeId, { json, place }, { ...inner, at, bits: only.bitfieldSize });
      return;
    }
    if (isUnion && !Array.isArray(json) && json !== null) {
      for (const member of members) {
        if (this.#fits(member, json)) {
          this.value(member.typeId, { json, place }, { ...inner, at: where.at, bits: member.bitfieldSize });
          return;
        }
      }
    }
    const form = addressForm(size);
    const words = `an object with members of ${typeText(btf, id)}${form === undefined ? '' : `, or ${form}`}`;
    throw new ShapeError(place, `expected ${words}, got ${shown(json)}`);
  }

  /** Can the member of a union be this? */
  #fits(member: { typeId: number; bitfieldSize: number }, json: unknown): boolean {
    const size = this.#btf!.sizeOf(member.typeId);
    const trial = new Encoder(this.#btf, new ValueBits(size), this.#names);
    try {
      const where = { at: 0, bits: member.bitfieldSize, big: false, depth: MAX_VALUE_DEPTH / 2 };
      trial.value(member.typeId, { json, place: '' }, where);
      return true;
    } catch (error) {
      if (error instanceof ShapeError) return false;
      throw error;
    }
  }
}

interface Member {
  readonly name: string;
  readonly typeId: number;
  readonly bitOffset: number;
  readonly bitfieldSize: number;
}

/** Members of a struct; those of an anonymous struct or union in it belong to it, as in C. */
export function flatMembers(btf: Btf, id: number, base: number, depth: number): Member[] {
  if (depth > MAX_VALUE_DEPTH) return [];
  return btf.members(id).flatMap((member) => {
    const at = base + member.bitOffset;
    if (member.name !== '') return [{ ...member, bitOffset: at }];
    const inner = btf.resolve(member.typeId);
    const kind = btf.kind(inner);
    // A nameless bit field is padding.
    if (kind !== BTF_KIND.STRUCT && kind !== BTF_KIND.UNION) return [];
    return flatMembers(btf, inner, at, depth + 1);
  });
}

function typeText(btf: Btf, id: number): string {
  const kind = btf.kind(id) === BTF_KIND.UNION ? 'union' : 'struct';
  return btf.name(id) === '' ? `the ${kind}` : `${kind} ${btf.name(id)}`;
}

function isNumber(json: unknown): json is number | bigint | boolean {
  return typeof json === 'number' || typeof json === 'bigint' || typeof json === 'boolean';
}
