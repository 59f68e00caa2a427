/**
 * Options of pcapng blocks: code, length, value padded to four bytes
 * (draft-ietf-opsawg-pcapng §3.5).
 */
import type { ByteSink } from './byte-stream.ts';
import { CaptureError } from './capture-error.ts';

export const OPT_ENDOFOPT = 0;
export const OPT_COMMENT = 1;
/** `epb_flags` and `pack_flags`: of Enhanced and of obsolete Packet Blocks. */
export const PACKET_OPTION_FLAGS = 2;

/** The longest value: an option's length has 16 bits. */
export const MAX_OPTION_LENGTH = 65_535;

/**
 * Calls `visit` for each option in `bytes[start..end)` up to opt_endofopt, whose absence is allowed.
 * @param base offset in the file of `bytes[0]`
 * @throws {CaptureError} when an option reaches beyond `end`
 */
export function forEachOption(
  bytes: Uint8Array,
  start: number,
  end: number,
  littleEndian: boolean,
  base: number,
  visit: (code: number, at: number, length: number) => void,
): void {
  let at = start;
  while (at < end) {
    if (end - at < 4) {
      throw new CaptureError(
        base + at,
        'an option of at least 4 bytes',
        `${end - at} bytes left in the block`,
      );
    }
    const code = uint16(bytes, at, littleEndian);
    const length = uint16(bytes, at + 2, littleEndian);
    if (code === OPT_ENDOFOPT) return;
    if (length > end - at - 4) {
      throw new CaptureError(
        base + at,
        `option ${code} with a value of ${length} bytes`,
        `${end - at - 4} bytes left in the block`,
      );
    }
    visit(code, at + 4, length);
    at += 4 + padded(length);
  }
}

/** An option's value as text; bytes that are no UTF-8 become U+FFFD. */
export function optionText(bytes: Uint8Array, at: number, length: number): string {
  return DECODER.decode(bytes.subarray(at, at + length));
}

/** One option to be written. */
export interface Option {
  readonly code: number;
  readonly value: Uint8Array;
}

/**
 * @throws {RangeError} when the text takes more than 65 535 bytes
 */
export function textOption(code: number, text: string): Option {
  const value = ENCODER.encode(text);
  if (value.length > MAX_OPTION_LENGTH) {
    throw new RangeError(`a pcapng option holds ${MAX_OPTION_LENGTH} bytes, not ${value.length}`);
  }
  return { code, value };
}

/** How many bytes the options take, with their end. */
export function optionsSize(options: readonly Option[]): number {
  if (options.length === 0) return 0;
  return options.reduce((size, option) => size + 4 + padded(option.value.length), 4);
}

/** Writes options and their end into bytes of `sink` that are already taken. */
export function putOptions(
  sink: ByteSink,
  start: number,
  options: readonly Option[],
  littleEndian: boolean,
): void {
  let at = start;
  for (const { code, value } of options) {
    sink.view.setUint16(at, code, littleEndian);
    sink.view.setUint16(at + 2, value.length, littleEndian);
    sink.bytes.set(value, at + 4);
    at += 4 + padded(value.length);
  }
}

/** Rounded up to the next multiple of four. */
export function padded(length: number): number {
  return (length + 3) & ~3;
}

function uint16(bytes: Uint8Array, at: number, littleEndian: boolean): number {
  return littleEndian ? bytes[at]! | (bytes[at + 1]! << 8) : (bytes[at]! << 8) | bytes[at + 1]!;
}

const DECODER = new TextDecoder('utf-8', { ignoreBOM: true });
const ENCODER = new TextEncoder();
