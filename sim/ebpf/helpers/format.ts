/**
 * The kernel's printf for eBPF: `bpf_bprintf_prepare` (kernel/bpf/helpers.c) decides what is allowed,
 * lib/vsprintf.c how it looks.
 */
import { EINVAL, ENOSPC } from '../../runtime/errno.ts';
import type { Machine } from '../machine.ts';
import { PackedArguments } from './packed-arguments.ts';

/** One argument of 64 bits. */
export type FormatArgument = (index: number) => bigint;

const CONVERSION = /%([-+ 0]*)([1-9][0-9]*)?(l{0,2})([diuxXcs]|p(?:ks|us|[Kxs SB]|[iI][46])?|%)?/y;

/** What must not be followed by more letters or digits; and what may: blanks and punctuation (lib/ctype.c, which knows Latin-1). */
const ENDING: ReadonlySet<string> = new Set(['p', 's', 'pks', 'pus']);
const BEHIND = /^$|[\s!-/:-@[-`{-~\xa0-\xbf\xd7\xf7]/;

/** What has blanks in front of it where a number has zeros. */
const TEXTS: ReadonlySet<string> = new Set(['c', 's', 'ps', 'pS']);

/** What is printed as it stands, or one of the arguments. */
type Piece = string | Conversion;

interface Conversion {
  readonly type: string;
  readonly longs: number;
  readonly flags: string;
  readonly width: number | undefined;
}

/** Made text, or copied, before anything is printed: what is found at an address, and how wide it is to be is not looked at. */
const FOUND = /^p(?:[iI]|B|ks|us)/;

/**
 * @param format the text, without its final zero
 * @param count how many arguments there are
 * @returns undefined where the kernel answers -EINVAL
 */
function piecesOf(format: Uint8Array, count: number): Piece[] | undefined {
  let source = '';
  for (const byte of format) {
    // Text in UTF-8 passes, as in 6.18.44; releases without that correction refuse it.
    const isText = (byte >= 0x20 && byte !== 0x7f) || (byte >= 9 && byte <= 13);
    if (!isText) return undefined;
    source += String.fromCharCode(byte);
  }
  const pieces: Piece[] = [];
  let used = 0;
  for (let at = 0; at < source.length; ) {
    if (source[at] !== '%') {
      pieces.push(source[at++]!);
      continue;
    }
    if (source[at + 1] === '%') {
      pieces.push('%');
      at += 2;
      continue;
    }
    CONVERSION.lastIndex = at;
    const match = CONVERSION.exec(source);
    const type = match?.[4];
    if (match === null || type === undefined || type === '%' || used++ >= count) return undefined;
    let length = match[0].length;
    if (ENDING.has(type) && !BEHIND.test(source[at + length] ?? '')) return undefined;
    // `%p` followed by a blank: the blank is text.
    if (type === 'p ') length--;
    const width = match[2] === undefined ? undefined : Number(match[2]);
    pieces.push({ type: type === 'p ' ? 'p' : type, longs: match[3]!.length, flags: match[1]!, width });
    at += length;
  }
  return pieces;
}

/** Does the verifier take a format for so many arguments? */
export function isFormat(format: Uint8Array, count: number): boolean {
  return piecesOf(format, count) !== undefined;
}

/**
 * Prints as `bstr_printf` does.
 * @param format the text, without its final zero
 * @param count how many arguments there are
 * @param room bytes for the result; what it has no room for is returned all the same, but for texts found at addresses
 * @returns the text, or what the kernel answers instead: -EINVAL, or -ENOSPC for arguments that are too long together
 */
export function formatText(
  machine: Machine,
  format: Uint8Array,
  argument: FormatArgument,
  count: number,
  room: number,
): string | number {
  const pieces = piecesOf(format, count);
  if (pieces === undefined) return -EINVAL;
  const packed = new PackedArguments();
  const conversions = pieces.filter((piece) => typeof piece !== 'string');
  for (const [index, conversion] of conversions.entries())
    if (!pack(machine, packed, conversion, argument(index))) return -ENOSPC;
  packed.rewind();
  let text = '';
  for (const piece of pieces) {
    if (typeof piece === 'string') text += piece;
    // Behind the end, the kernel steps over such a text no more: the next argument is read from it.
    else if (!FOUND.test(piece.type)) text += convert(packed, piece);
    else if (text.length < room) text += packed.readText();
  }
  return text;
}

/** Packs an argument as `bpf_bprintf_prepare` does. @returns whether there was room */
function pack(
  machine: Machine,
  packed: PackedArguments,
  { type, longs }: Conversion,
  value: bigint,
): boolean {
  switch (type) {
    case 's':
    case 'pks':
      return packed.addText(stringAt(machine, Number(BigInt.asUintN(32, value))));
    case 'pus':
      // Of a user's memory there is none here.
      return packed.addText('');
    case 'c':
      return packed.addByte(Number(value & 0xffn));
    case 'pB':
      return packed.addMade(symbolOf(value));
    case 'pi4':
    case 'pI4':
    case 'pi6':
    case 'pI6':
      return (
        packed.left >= (type.endsWith('4') ? 4 : 16) && packed.addMade(addressText(machine, type, value))
      );
    default:
      return packed.addNumber(value, longs > 0 || type.startsWith('p'));
  }
}

function addressText(machine: Machine, type: string, address: bigint): string {
  if (type === 'pI6' || type === 'pi6')
    return hexWords(bytesAt(machine, address, 16)).join(type === 'pI6' ? ':' : '');
  // `ip4_string` with leading zeros: 010.002.000.004.
  const digits = type === 'pi4' ? 3 : 1;
  return bytesAt(machine, address, 4)
    .map((byte) => `${byte}`.padStart(digits, '0'))
    .join('.');
}

/** No address here has a symbol (`sprint_symbol`). */
function symbolOf(address: bigint): string {
  return `0x${BigInt.asUintN(64, address).toString(16)}`;
}

/** Takes the next argument and makes it text of the width that is asked for. */
function convert(packed: PackedArguments, { type, longs, flags, width }: Conversion): string {
  // Zeros are put before numbers alone.
  const padding = TEXTS.has(type) ? flags.replaceAll('0', '') : flags;
  const padded = (text: string): string => pad(text, padding, width ?? 0);
  if (type === 's') return padded(packed.readText());
  if (type === 'c') return padded(String.fromCharCode(packed.readByte()));
  if (type.startsWith('p')) {
    const address = packed.readNumber(true);
    if (type === 'ps' || type === 'pS') return padded(symbolOf(address));
    // %p, %pK, %px: an address, which no two machines share. Without a width, all of its digits (`pointer_string`).
    return padded(address.toString(16).padStart(width === undefined ? 16 : 0, '0'));
  }
  const number = packed.readNumber(longs > 0);
  if (type === 'x' || type === 'X') {
    const digits = number.toString(16);
    return padded(type === 'X' ? digits.toUpperCase() : digits);
  }
  if (type === 'u') return padded(number.toString());
  const signed = BigInt.asIntN(longs > 0 ? 64 : 32, number);
  const sign = signed >= 0n ? (flags.includes('+') ? '+' : flags.includes(' ') ? ' ' : '') : '';
  return padded(sign + signed.toString());
}

function pad(text: string, flags: string, width: number): string {
  if (flags.includes('-')) return text.padEnd(width);
  if (!flags.includes('0')) return text.padStart(width);
  const sign = /^[-+ ]/.test(text) ? text[0]! : '';
  return sign + text.slice(sign.length).padStart(width - sign.length, '0');
}

/** The string at an address, or '' where there is no such memory (as a faulting read gives). */
export function stringAt(machine: Machine, address: number): string {
  const { u8, end } = { u8: machine.memory.u8, end: machine.memory.end };
  let text = '';
  if (address < 0x1_0000) return text;
  for (let at = address; at < end && u8[at] !== 0 && text.length < 512; at++) {
    text += String.fromCharCode(u8[at]!);
  }
  return text;
}

function bytesAt(machine: Machine, address: bigint, length: number): number[] {
  const at = Number(BigInt.asUintN(32, address));
  const bytes = at < 0x1_0000 ? [] : [...machine.memory.u8.subarray(at, at + length)];
  while (bytes.length < length) bytes.push(0);
  return bytes;
}

function hexWords(bytes: readonly number[]): string[] {
  const words: string[] = [];
  for (let at = 0; at < 16; at += 2) {
    words.push(((bytes[at]! << 8) | bytes[at + 1]!).toString(16).padStart(4, '0'));
  }
  return words;
}

/** The format string at an address: up to its zero, which must lie within `size` bytes (undefined otherwise). */
export function formatAt(machine: Machine, address: number, size: number): Uint8Array | undefined {
  const end = machine.memory.u8.indexOf(0, address);
  return end < 0 || end >= address + size ? undefined : machine.memory.read(address, end - address);
}
