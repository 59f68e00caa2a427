/** Bytes in texts. */
import { fromHex } from '../../../sim/packet/bytes.ts';
import { InputError } from '../../../sim/runtime/input-error.ts';
import { MAX_PACKET } from './listed-packet.ts';

/** Bytes in base64. */
export function base64Of(bytes: Uint8Array): string {
  let text = '';
  for (const byte of bytes) text += String.fromCharCode(byte);
  return btoa(text);
}

/** `line 3`, from 1, of the character at this place. */
export function lineAt(text: string, at: number): string {
  return `line ${text.slice(0, at).split('\n').length}`;
}

/** @throws {InputError} for what is no even number of hexadecimal digits, and for nothing */
export function bytesOfHex(digits: string, place: string): Uint8Array {
  const plain = digits.replaceAll(/[\s:]/g, '').replace(/^0x/i, '');
  const bad = /[^0-9a-fA-F]/.exec(plain);
  if (bad !== null) throw new InputError(`${place}: “${bad[0]}” is not a hexadecimal digit`);
  if (plain.length % 2 !== 0)
    throw new InputError(`${place}: an odd number of hexadecimal digits (${plain.length})`);
  return checked(fromHex(plain), place);
}

/** @throws {InputError} for what is not base64 */
export function bytesOfBase64(text: string, place: string): Uint8Array {
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(text) || text.length % 4 !== 0) {
    throw new InputError(`${place}: expected a packet in base64`);
  }
  return checked(
    Uint8Array.from(atob(text), (char) => char.charCodeAt(0)),
    place,
  );
}

export function checked(bytes: Uint8Array, place: string): Uint8Array {
  if (bytes.length === 0) throw new InputError(`${place}: expected a packet, found no bytes`);
  if (bytes.length > MAX_PACKET) {
    throw new InputError(`${place}: expected a packet of at most ${MAX_PACKET} bytes, found ${bytes.length}`);
  }
  return bytes;
}

/** Text that ends no comment and no line. */
export function commentText(text: string): string {
  return text
    .replaceAll(/[\p{Cc}\u2028\u2029]+/gu, ' ')
    .replaceAll('*/', '* /')
    .trim();
}

/** As a string literal of C, Python, JavaScript and JSON. */
export function quoted(text: string): string {
  return JSON.stringify(commentText(text)).replaceAll(
    /[\u007f-\uffff]/g,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}
