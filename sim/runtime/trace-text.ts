/**
 * Lines that programs print, as text. They are bytes to the kernel: what `%s` and `%c` put into one may be any. Text in UTF-8
 * is read as such, so that it equals what a model prints; any other line has its bytes beyond ASCII written as `\xe4`.
 */
const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** @param bytes without the newline at the end */
export function traceText(bytes: Uint8Array): string {
  try {
    return UTF8.decode(bytes);
  } catch {
    return Array.from(bytes, (byte) =>
      byte < 0x80 ? String.fromCharCode(byte) : `\\x${byte.toString(16)}`,
    ).join('');
  }
}

/** The same of a line with a character for each byte. */
export function traceTextOf(characters: string): string {
  if (!/[\x80-\xff]/.test(characters)) return characters;
  return traceText(Uint8Array.from(characters, (character) => character.charCodeAt(0)));
}
