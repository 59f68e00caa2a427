/**
 * Text from outside, made fit to be shown: names in objects, captures, saved cases, scenarios, trace lines, arguments.
 *
 * A terminal obeys control characters (`ESC ]0;…` renames the window, `ESC [2J` clears it), and bidirectional controls
 * show a name in another order than it has. Both become visible: `\x1b`, `\u202e`. Backslashes stay as they are: the
 * result is for people, not for decoding.
 */

/** Controls (C0, DEL, C1), format characters (bidi, zero width, tags), line separators, lone surrogates. */
const HIDDEN = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu;
/** The same without what `JSON.stringify` escapes by itself, and without the newlines of its layout. */
const HIDDEN_IN_JSON = /[\u007f-\u009f\p{Cf}\p{Zl}\p{Zp}]/gu;

/** One line: newlines are made visible, too. Tabs stay. */
export function visibleLine(text: string): string {
  return text.replace(HIDDEN, (char) => (char === '\t' ? char : escapeOf(char)));
}

/** Several lines: newlines and tabs stay; `\r\n` is a newline. */
export function visibleLines(text: string): string {
  return text
    .replaceAll('\r\n', '\n')
    .replace(HIDDEN, (char) => (char === '\t' || char === '\n' ? char : escapeOf(char)));
}

/** `JSON.stringify` whose output a terminal can take: the same document, every hidden character as `\u202e`. */
export function visibleJson(document: unknown, indent?: number): string {
  return JSON.stringify(document, null, indent).replace(HIDDEN_IN_JSON, (char) =>
    // One escape for each UTF-16 code unit, as JSON has it (RFC 8259 §7).
    Array.from({ length: char.length }, (_, index) => `\\u${hex(char.charCodeAt(index), 4)}`).join(''),
  );
}

function escapeOf(char: string): string {
  if (char === '\n') return '\\n';
  if (char === '\r') return '\\r';
  const code = char.codePointAt(0)!;
  if (code <= 0xff) return `\\x${hex(code, 2)}`;
  return code <= 0xffff ? `\\u${hex(code, 4)}` : `\\u{${hex(code, 1)}}`;
}

function hex(value: number, digits: number): string {
  return value.toString(16).padStart(digits, '0');
}
