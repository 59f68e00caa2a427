/** What may stand behind the fixed fields of a header: lists of options, or bytes. */
import { isZero } from '../bytes.ts';
import { bytesNode, type TreeNode } from '../dissection.ts';

/** @typeParam Name by which the header's value has it */
export interface Tail<Name extends string = string, V = unknown> {
  readonly name: Name;
  readonly preset: V;
  /** Lengths that a header can count are this many bytes more than multiples of 8. */
  readonly offset: number;
  /** Reads the bytes from `at` to `end`; never fails. */
  decode(bytes: Uint8Array, at: number, end: number): V;
  /** @throws {RangeError} when the value takes more room than a header can give */
  encode(value: V): Uint8Array;
  dissect(bytes: Uint8Array, at: number, end: number): TreeNode[];
}

/** One option of a list. */
export type Option =
  /** A type that stands alone, such as the padding of one byte. */
  | { readonly type: number }
  /** Everything with a length: `data` is what stands behind type and length. */
  | { readonly type: number; readonly data: Uint8Array }
  /** Bytes that are no options: an impossible length, or what stands behind the end of the list. */
  | { readonly type: 'rest'; readonly data: Uint8Array };

export interface OptionList {
  /** What people read in errors: `TCP`. */
  readonly of: string;
  /** Types of one byte. */
  readonly single: readonly number[];
  /** The type that ends the list. */
  readonly last?: number;
  /** Bytes that one unit of the length stands for. */
  readonly unit: number;
  /** Bytes that the length does not count: those of type and length themselves, or none. */
  readonly uncounted: number;
  readonly names: Readonly<Record<number, string>>;
  /** The number in text, for types without a name. */
  readonly unknown?: (type: number) => string;
  /** The data in text. */
  readonly show: (type: number, data: Uint8Array) => string;
  /** Bytes to fill up with behind a list of so many. */
  readonly pad: (length: number) => Uint8Array;
  /** Bytes beyond a multiple of 8 that the header's length leaves the list; 0 unless said. */
  readonly offset?: number;
  /** Bytes that the header's length can count. */
  readonly most: number;
}

/** Bytes of type and length. */
const HEAD = 2;

/** A list of type, length and data, as IPv4, TCP, IPv6 and neighbour discovery have them. */
export function optionList(list: OptionList): Tail<'options', readonly Option[]> {
  return {
    name: 'options',
    preset: [],
    offset: list.offset ?? 0,
    decode: (bytes, at, end) => decodeOptions(list, bytes, at, end),
    encode: (options) => encodeOptions(list, options),
    dissect: (bytes, at, end) => dissectOptions(list, bytes, at, end),
  };
}

/** The length of the option at `at` with type and length, or 0 where it is none. */
function optionLength(list: OptionList, bytes: Uint8Array, at: number, end: number): number {
  if (list.single.includes(bytes[at]!)) return 1;
  const length = at + 1 < end ? bytes[at + 1]! * list.unit + list.uncounted : 0;
  return length < HEAD || at + length > end ? 0 : length;
}

/** Reads the list; never fails: what is no option comes back as `rest`. */
export function decodeOptions(list: OptionList, bytes: Uint8Array, offset: number, end: number): Option[] {
  const options: Option[] = [];
  let at = offset;
  while (at < end) {
    const type = bytes[at]!;
    const length = optionLength(list, bytes, at, end);
    if (length === 0) {
      options.push({ type: 'rest', data: bytes.slice(at, end) });
      break;
    }
    options.push(list.single.includes(type) ? { type } : { type, data: bytes.slice(at + HEAD, at + length) });
    at += length;
    if (type !== list.last) continue;
    // Up to three zeros behind the end are the padding to a word (RFC 791 §3.1, RFC 9293 §3.1), anything else is kept.
    if (end - at > 3 || !isZero(bytes, at, end - at))
      options.push({ type: 'rest', data: bytes.slice(at, end) });
    break;
  }
  return options;
}

/** @throws {RangeError} when an option's length, or the list's, cannot be counted */
export function encodeOptions(list: OptionList, options: readonly Option[]): Uint8Array {
  const bytes: number[] = [];
  for (const option of options) {
    if (option.type === 'rest') {
      bytes.push(...option.data);
      continue;
    }
    bytes.push(option.type);
    if (!('data' in option)) continue;
    const counted = option.data.length + HEAD - list.uncounted;
    if (counted % list.unit !== 0 || counted / list.unit > 0xff) {
      throw new RangeError(
        `${list.of} option ${option.type} with ${option.data.length} bytes of data: its length counts units of ${list.unit} bytes, 255 at most`,
      );
    }
    bytes.push(counted / list.unit, ...option.data);
  }
  bytes.push(...list.pad(bytes.length));
  if (bytes.length > list.most) {
    throw new RangeError(`${list.of} options of ${bytes.length} bytes: at most ${list.most} fit`);
  }
  return Uint8Array.from(bytes);
}

/** One node an option; the padding behind the list is a node of its own. */
function dissectOptions(list: OptionList, bytes: Uint8Array, offset: number, end: number): TreeNode[] {
  const nodes: TreeNode[] = [];
  let at = offset;
  for (const option of decodeOptions(list, bytes, offset, end)) {
    const name = `option${nodes.length + 1}`;
    if (option.type === 'rest') {
      const label = isZero(bytes, at, end - at) ? 'Padding' : 'Malformed options';
      nodes.push(bytesNode(name, label, bytes, at, end - at));
      return nodes;
    }
    const unknown = list.unknown?.(option.type) ?? `type ${option.type}`;
    const length = 'data' in option ? option.data.length + HEAD : 1;
    nodes.push({
      name,
      label: `Option: ${list.names[option.type] ?? unknown}`,
      offset: at,
      length,
      text: 'data' in option ? list.show(option.type, option.data) : '',
      children: [],
    });
    at += length;
  }
  if (at < end) nodes.push(bytesNode('optionPadding', 'Padding', bytes, at, end - at));
  return nodes;
}

/** Zeros up to a multiple of `unit` bytes. */
export function zerosTo(unit: number): (length: number) => Uint8Array {
  return (length) => new Uint8Array((unit - (length % unit)) % unit);
}

/** Bytes up to the header's end. @param offset of their number from multiples of 8 */
export function bytesTail<Name extends string>(
  name: Name,
  label: string,
  offset: number = 0,
): Tail<Name, Uint8Array> {
  return {
    name,
    preset: new Uint8Array(offset),
    offset,
    decode: (bytes, at, end) => bytes.slice(at, end),
    encode: (value) => value,
    dissect: (bytes, at, end) => [bytesNode(name, label, bytes, at, end - at)],
  };
}
