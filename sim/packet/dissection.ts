/**
 * How a protocol shows itself to people: its header as a list of named fields, each with its range of bytes, and
 * what follows it. Trees and differences are made of these; hot paths use views and layers instead.
 */
import { ipv4ToText, ipv6ToText, macToText } from './addresses.ts';
import { readU16, readU24, readU32, toHex } from './bytes.ts';
import { type DecodeError, describeError } from './decoding.ts';

export interface TreeNode {
  /** What paths are made of: `checksum` in `icmp.checksum`. Siblings' names differ. */
  readonly name: string;
  /** What people read: `Header Checksum`. */
  readonly label: string;
  /** The bytes that it was read from. */
  readonly offset: number;
  readonly length: number;
  /** The value in text, with the name of a number behind it: `6 (TCP)`. A layer: its summary. */
  readonly text: string;
  /** The bits of the word that hold the value, drawn: `.... 0101`. */
  readonly bits?: string;
  /** What a reader should know: `should be 0x1234`. */
  readonly note?: string;
  readonly children: readonly TreeNode[];
}

/** One protocol's part of a packet. */
export interface Dissection {
  /** One line: addresses, ports, type. */
  readonly summary: string;
  /** Bytes of the header, as far as they are there. */
  readonly length: number;
  readonly fields: readonly TreeNode[];
  /** Why nothing further can be told. */
  readonly problem?: DecodeError;
  /** What follows, by the name of its protocol; absent at the end of what is known. */
  readonly next?: Follower;
}

export interface Follower {
  readonly protocol: string;
  readonly offset: number;
  readonly end: number;
  readonly context?: Context;
}

/** What the layer below knows and the layer above needs. */
export interface Context {
  /** The pseudo-header's sum for an upper layer of so many bytes; absent where it cannot be known. */
  readonly pseudoHeader?: (protocol: number, length: number) => number;
  /** Why the upper layer's checksum cannot be judged: a fragment, or bytes missing. */
  readonly unverifiable?: string;
}

export type Dissect = (bytes: Uint8Array, offset: number, end: number, context: Context) => Dissection;

/** One row of a header's table. */
export interface Field {
  readonly name: string;
  readonly label: string;
  /** Bytes from the start of the header. */
  readonly at: number;
  /** Bytes: of the number, of the address, or of the word that holds the bits. */
  readonly size: number;
  /** For a bit field: how far its lowest bit is from the word's lowest, and how many bits it has. */
  readonly shift?: number;
  readonly bits?: number;
  readonly as?: 'decimal' | 'hex' | 'mac' | 'ipv4' | 'ipv6' | 'bytes';
  /** The name of a value. */
  readonly names?: (value: number) => string | undefined;
}

/** The fields that lie wholly before `end`. */
export function readFields(
  fields: readonly Field[],
  bytes: Uint8Array,
  offset: number,
  end: number,
  notes: Readonly<Record<string, string | undefined>> = {},
): TreeNode[] {
  const nodes: TreeNode[] = [];
  for (const field of fields) {
    if (offset + field.at + field.size > end) continue;
    nodes.push(readField(field, bytes, offset + field.at, notes[field.name]));
  }
  return nodes;
}

function readField(field: Field, bytes: Uint8Array, at: number, note: string | undefined): TreeNode {
  const node = { name: field.name, label: field.label, offset: at, length: field.size, children: [] };
  const noted = note === undefined ? {} : { note };
  switch (field.as) {
    case 'mac':
      return { ...node, ...noted, text: macToText(bytes, at) };
    case 'ipv4':
      return { ...node, ...noted, text: ipv4ToText(bytes, at) };
    case 'ipv6':
      return { ...node, ...noted, text: ipv6ToText(bytes, at) };
    case 'bytes':
      return { ...node, ...noted, text: toHex(bytes, at, field.size) };
    default:
  }
  const word = readWord(bytes, at, field.size);
  const width = field.bits ?? field.size * 8;
  const shift = field.shift ?? 0;
  const value = Math.floor(word / 2 ** shift) % 2 ** width;
  const digits =
    field.as === 'hex' ? `0x${value.toString(16).padStart(Math.ceil(width / 4), '0')}` : String(value);
  const name = field.names?.(value);
  return {
    ...node,
    ...noted,
    text: name === undefined ? digits : `${digits} (${name})`,
    ...(field.bits === undefined ? {} : { bits: drawBits(word, field.size * 8, shift, width) }),
  };
}

function readWord(bytes: Uint8Array, at: number, size: number): number {
  switch (size) {
    case 1:
      return bytes[at]!;
    case 2:
      return readU16(bytes, at);
    case 3:
      return readU24(bytes, at);
    case 4:
      return readU32(bytes, at);
    default:
      throw new RangeError(`a field of ${size} bytes is no number`);
  }
}

/** `.... 0101`: the bits of a field, dots for the rest of its word. */
function drawBits(word: number, size: number, shift: number, width: number): string {
  const binary = word.toString(2).padStart(size, '0');
  let drawn = '';
  for (let index = 0; index < size; index++) {
    if (index > 0 && index % 4 === 0) drawn += ' ';
    const bit = size - 1 - index;
    drawn += bit >= shift && bit < shift + width ? binary[index]! : '.';
  }
  return drawn;
}

/** A node over bytes that have no table: payload, padding, what could not be decoded. */
export function bytesNode(
  name: string,
  label: string,
  bytes: Uint8Array,
  offset: number,
  length: number,
  note?: string,
): TreeNode {
  const shown = toHex(bytes, offset, Math.min(length, 16)) + (length > 16 ? '…' : '');
  const text = `${length} ${length === 1 ? 'byte' : 'bytes'}${length > 0 ? `: ${shown}` : ''}`;
  return { name, label, offset, length, text, children: [], ...(note === undefined ? {} : { note }) };
}

/** A dissection that ended in an error, with the fields that were still there. */
export function failed(
  fields: readonly Field[],
  bytes: Uint8Array,
  offset: number,
  end: number,
  problem: DecodeError,
): Dissection {
  return {
    summary: describeError(problem),
    length: Math.max(0, end - offset),
    fields: readFields(fields, bytes, offset, end),
    problem,
  };
}

/** What to say of a checksum: nothing where it is right. `total` is the sum over the message with the field in it. */
export function checksumNote(total: number, field: number): string | undefined {
  if (total === 0xffff) return 'correct';
  // Taking the field out again gives what it should have been.
  const without = (total + (~field & 0xffff)) % 0xffff;
  return `should be 0x${(~without & 0xffff).toString(16).padStart(4, '0')}`;
}
