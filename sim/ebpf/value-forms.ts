/** The ways to write bytes that do not depend on a type: digits, lists, addresses, prefixes, text. */
import {
  addressFromText,
  ipv4FromText,
  ipv6FromText,
  macFromText,
  prefixFromText,
} from '../packet/addresses.ts';
import { ShapeError, shown } from '../runtime/shape-error.ts';

/** `{ "hex": "0a000001" }`: all bytes, as they lie in memory. */
export function rawBytes(json: unknown, size: number, place: string): Uint8Array | undefined {
  if (!isObject(json) || Object.keys(json).length !== 1 || typeof json.hex !== 'string') return undefined;
  const digits = json.hex.replaceAll(/[\s:]/g, '');
  if (!/^([0-9a-fA-F]{2})*$/.test(digits)) {
    throw new ShapeError(
      `${place}.hex`,
      `expected an even number of hexadecimal digits, got ${shown(json.hex)}`,
    );
  }
  if (digits.length !== 2 * size) {
    throw new ShapeError(`${place}.hex`, `expected ${size} bytes, got ${digits.length / 2}`);
  }
  return Uint8Array.from({ length: size }, (_, at) => Number.parseInt(digits.slice(2 * at, 2 * at + 2), 16));
}

/** `[10, "0x00", 0, 1]`; undefined for what is no list. */
export function listOfBytes(json: unknown, size: number, place: string): Uint8Array | undefined {
  if (!Array.isArray(json)) return undefined;
  if (json.length !== size) throw new ShapeError(place, `expected ${size} bytes, got ${json.length}`);
  return Uint8Array.from(json, (item: unknown, at) => {
    const byte = typeof item === 'string' && /^0x[0-9a-f]{1,2}$/i.test(item) ? Number(item) : item;
    if (typeof byte === 'number' && Number.isInteger(byte) && byte >= 0 && byte <= 255) return byte;
    throw new ShapeError(`${place}[${at}]`, `expected a byte, got ${shown(item)}`);
  });
}

/** The bytes of an IPv4, IPv6 or MAC address, where the text is one and the size is its. */
export function addressBytes(json: unknown, size: number): Uint8Array | undefined {
  if (typeof json !== 'string') return undefined;
  const reader =
    size === 4 ? ipv4FromText : size === 16 ? ipv6FromText : size === 6 ? macFromText : undefined;
  try {
    return reader?.(json);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

/** What addresses of a size are called in messages. */
export function addressForm(size: number): string | undefined {
  return new Map([
    [4, 'an IPv4 address'],
    [6, 'a MAC address'],
    [16, 'an IPv6 address'],
  ]).get(size);
}

/** Text in an array of characters, with zeros behind it. */
export function textBytes(text: string, size: number, place: string): Uint8Array {
  const encoded = new TextEncoder().encode(text);
  if (encoded.length > size) {
    throw new ShapeError(place, `expected text of at most ${size} bytes, got ${encoded.length}`);
  }
  const bytes = new Uint8Array(size);
  bytes.set(encoded);
  return bytes;
}

/** A number with its bytes the other way round. */
export function swapBytes(value: bigint, size: number): bigint {
  let rest = value;
  let swapped = 0n;
  for (let byte = 0; byte < size; byte++) {
    swapped = (swapped << 8n) | (rest & 0xffn);
    rest >>= 8n;
  }
  return swapped;
}

/**
 * Returns the key of a longest-prefix-match map that is written as "10.0.0.0/8" or "fc00::1": the length of the prefix,
 * then the address (include/uapi/linux/bpf.h, `struct bpf_lpm_trie_key`). Undefined for what is no text.
 * @param size bytes of the key
 */
export function encodePrefix(json: unknown, size: number, place: string): Uint8Array | undefined {
  if (typeof json !== 'string') return undefined;
  const { address, length } = prefixOf(json, place);
  if (address.length !== size - 4) {
    const family = address.length === 4 ? 'an IPv4' : 'an IPv6';
    throw new ShapeError(
      place,
      `${family} prefix takes a key of ${4 + address.length} bytes, this map’s has ${size}`,
    );
  }
  const key = new Uint8Array(size);
  key[0] = length;
  key.set(address, 4);
  return key;
}

function prefixOf(text: string, place: string): { address: Uint8Array; length: number } {
  return read(text, place, 'an IPv4 or IPv6 prefix', () => {
    if (text.includes('/')) return prefixFromText(text);
    const address = addressFromText(text);
    return { address, length: 8 * address.length };
  });
}

/** What a reader of `sim/packet/addresses.ts` makes of a text. */
function read<T>(text: string, place: string, expected: string, reader: () => T): T {
  try {
    return reader();
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    throw new ShapeError(place, `expected ${expected}, got ${shown(text)}`);
  }
}

/** Is it an object in JSON's sense? */
export function isObject(json: unknown): json is Record<string, unknown> {
  return json !== null && typeof json === 'object' && !Array.isArray(json);
}
