/**
 * The kernel's printf for eBPF: `bpf_bprintf_prepare` (kernel/bpf/helpers.c) decides what is allowed,
 * lib/vsprintf.c how it looks.
 */
import type { Machine } from '../machine.ts';

/** One argument of 64 bits. */
export type FormatArgument = (index: number) => bigint;

const CONVERSION = /%([-+ 0]*)([1-9][0-9]*)?(l{0,2})([diuxXcs]|p(?:ks|us|[Kxs SB]|[iI][46])?|%)?/y;

/** What must not be followed by more letters or digits; and what may: blanks and punctuation (lib/ctype.c, which knows Latin-1). */
const ENDING: ReadonlySet<string> = new Set(['p', 's', 'pks', 'pus']);
const BEHIND = /^$|[\s!-/:-@[-`{-~\xa0-\xbf\xd7\xf7]/;

/** What has blanks in front of it where a number has zeros. */
const TEXTS: ReadonlySet<string> = new Set(['c', 's', 'pks', 'pus', 'ps', 'pS']);

/**
 * @param format the text, without its final zero
 * @param count how many arguments there are
 * @returns the text, or undefined where the kernel answers -EINVAL
 */
export function formatText(
  machine: Machine,
  format: Uint8Array,
  argument: FormatArgument,
  count: number,
): string | undefined {
  let source = '';
  for (const byte of format) {
    // Text in UTF-8 passes, as in 6.18.44; releases without that correction refuse it.
    const isText = (byte >= 0x20 && byte !== 0x7f) || (byte >= 9 && byte <= 13);
    if (!isText) return undefined;
    source += String.fromCharCode(byte);
  }
  let text = '';
  let used = 0;
  for (let at = 0; at < source.length; ) {
    if (source[at] !== '%') {
      text += source[at++];
      continue;
    }
    if (source[at + 1] === '%') {
      text += '%';
      at += 2;
      continue;
    }
    CONVERSION.lastIndex = at;
    const match = CONVERSION.exec(source);
    const type = match?.[4];
    if (match === null || type === undefined || type === '%' || used >= count) return undefined;
    let length = match[0].length;
    if (ENDING.has(type) && !BEHIND.test(source[at + length] ?? '')) return undefined;
    // `%p` followed by a blank: the blank is text.
    const kind = type === 'p ' ? 'p' : type;
    if (type === 'p ') length--;
    const value = argument(used++);
    const converted = convert(machine, kind, match[3]!.length, match[1]!, value, match[2] !== undefined);
    // Addresses of the Internet, and `%pB`, are made text before the width is looked at; zeros are put before numbers alone.
    const flags = TEXTS.has(kind) ? match[1]!.replaceAll('0', '') : match[1]!;
    text += /^p[iIB]/.test(kind) ? converted : pad(converted, flags, Number(match[2] ?? 0));
    at += length;
  }
  return text;
}

function convert(
  machine: Machine,
  type: string,
  longs: number,
  flags: string,
  value: bigint,
  hasWidth: boolean,
): string {
  switch (type) {
    case 'd':
    case 'i': {
      const number = BigInt.asIntN(longs > 0 ? 64 : 32, value);
      const sign = number >= 0n ? (flags.includes('+') ? '+' : flags.includes(' ') ? ' ' : '') : '';
      return sign + number.toString();
    }
    case 'u':
      return BigInt.asUintN(longs > 0 ? 64 : 32, value).toString();
    case 'x':
      return BigInt.asUintN(longs > 0 ? 64 : 32, value).toString(16);
    case 'X':
      return BigInt.asUintN(longs > 0 ? 64 : 32, value)
        .toString(16)
        .toUpperCase();
    case 'c':
      return String.fromCharCode(Number(value & 0xffn));
    case 's':
    case 'pks':
    case 'pus':
      return stringAt(machine, Number(BigInt.asUintN(32, value)));
    case 'pi4':
      // `ip4_string` with leading zeros: 010.002.000.004.
      return bytesAt(machine, value, 4)
        .map((byte) => `${byte}`.padStart(3, '0'))
        .join('.');
    case 'pI4':
      return bytesAt(machine, value, 4).join('.');
    case 'pi6':
      return hexWords(bytesAt(machine, value, 16)).join('');
    case 'pI6':
      return hexWords(bytesAt(machine, value, 16)).join(':');
    case 'ps':
    case 'pS':
    case 'pB':
      // No address here has a symbol (`sprint_symbol`).
      return `0x${BigInt.asUintN(64, value).toString(16)}`;
    default:
      // %p, %pK, %px: an address, which no two machines share.
      // Without a width, all of its digits (`pointer_string`).
      return BigInt.asUintN(64, value)
        .toString(16)
        .padStart(hasWidth ? 0 : 16, '0');
  }
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
