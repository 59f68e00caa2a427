/** What decoding yields: a value, or an error that is data. Decoding never throws, whatever the bytes are. */

/** The bytes end before the header does. */
export interface LengthError {
  readonly kind: 'length';
  /** The protocol: `ipv4`. */
  readonly layer: string;
  /** Where its header starts. */
  readonly offset: number;
  /** Bytes needed and present from there. */
  readonly needed: number;
  readonly available: number;
  /** The length field that promised more than there is; absent where the fixed header itself is cut off. */
  readonly field?: string;
}

/** A field has a value that the header cannot have. */
export interface ValueError {
  readonly kind: 'value';
  readonly layer: string;
  readonly offset: number;
  readonly field: string;
  readonly got: number;
  /** What it should be: "at least 5". */
  readonly expected: string;
}

export type DecodeError = LengthError | ValueError;

export type Decoded<T> =
  /** `length`: bytes that the header takes, options included. */
  | { readonly ok: true; readonly value: T; readonly length: number }
  | { readonly ok: false; readonly error: DecodeError };

export function decoded<T>(value: T, length: number): Decoded<T> {
  return { ok: true, value, length };
}

export function tooShort(
  layer: string,
  offset: number,
  needed: number,
  available: number,
  field?: string,
): { readonly ok: false; readonly error: LengthError } {
  const error = { kind: 'length', layer, offset, needed, available: Math.max(0, available) } as const;
  return { ok: false, error: field === undefined ? error : { ...error, field } };
}

export function wrongValue(
  layer: string,
  offset: number,
  field: string,
  got: number,
  expected: string,
): { readonly ok: false; readonly error: ValueError } {
  return { ok: false, error: { kind: 'value', layer, offset, field, got, expected } };
}

/** One line for a person: "ipv4 at byte 14: ihl promises 24 bytes, 20 are there". */
export function describeError(error: DecodeError): string {
  const place = `${error.layer} at byte ${error.offset}`;
  if (error.kind === 'value') return `${place}: ${error.field} is ${error.got}, expected ${error.expected}`;
  const says = error.field === undefined ? 'needs' : `${error.field} promises`;
  return `${place}: ${says} ${bytesText(error.needed)}, ${error.available} ${areThere(error.available)}`;
}

/** "1 byte", "2 bytes". */
export function bytesText(count: number): string {
  return `${count} ${count === 1 ? 'byte' : 'bytes'}`;
}

/** What is said of so many of them. */
export function areThere(count: number): string {
  return count === 1 ? 'is there' : 'are there';
}
