/** Bytes for people, in the layout of `hexdump -C`. */

/** Bytes to point at, half-open: `from ≤ index < to`. */
export interface ByteRange {
  readonly from: number;
  readonly to: number;
}

export interface HexdumpOptions {
  readonly marked?: readonly ByteRange[];
  /**
   * How a marked byte looks, given its two digits or its character: for colour. Default: marked bytes get a line
   * of their own below, with `^^` under them.
   */
  readonly paint?: (text: string) => string;
  /**
   * Of packets with more lines than this, show the first half of so many, the last line, and the lines with marks and
   * around them; a line says how many bytes are left out between two. Default: show every line.
   */
  readonly maxLines?: number;
}

/**
 * ```
 * 00000000  02 00 00 00 00 02 02 00  00 00 00 01 08 00 45 00  |..............E.|
 *                                                       ^^
 * 00000010
 * ```
 * The last line is the length, as `hexdump -C` has it. Nothing for no bytes. No line is folded into `*`: every
 * byte of a packet is of interest, but for packets of kilobytes (`maxLines`).
 */
export function hexdump(bytes: Uint8Array, options: HexdumpOptions = {}): string {
  const { marked = [], paint } = options;
  const isMarked = (index: number): boolean => marked.some(({ from, to }) => index >= from && index < to);
  const lines: string[] = [];
  const shown = linesShown(bytes.length, options);
  let left = 0;
  for (let start = 0; start < bytes.length; start += 16) {
    if (!shown(start >>> 4)) {
      left += 16;
      continue;
    }
    if (left > 0) lines.push(`          … ${left} bytes left out`);
    left = 0;
    let digits = '';
    let characters = '';
    let marks = '';
    for (let column = 0; column < 16; column++) {
      const index = start + column;
      const gap = column === 7 ? '  ' : ' ';
      if (index >= bytes.length) {
        digits += `  ${gap}`;
        continue;
      }
      const byte = bytes[index]!;
      const hex = byte.toString(16).padStart(2, '0');
      const character = byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : '.';
      const mark = isMarked(index);
      digits += (mark && paint !== undefined ? paint(hex) : hex) + gap;
      characters += mark && paint !== undefined ? paint(character) : character;
      marks += (mark ? '^^' : '  ') + gap;
    }
    lines.push(`${hexOffset(start)}  ${digits} |${characters}|`);
    if (paint === undefined && marks.includes('^')) lines.push(`          ${marks.trimEnd()}`);
  }
  if (bytes.length > 0) lines.push(hexOffset(bytes.length));
  return lines.join('\n');
}

/** Which lines of 16 bytes are shown. */
function linesShown(
  length: number,
  { marked = [], maxLines = Number.POSITIVE_INFINITY }: HexdumpOptions,
): (line: number) => boolean {
  const count = Math.ceil(length / 16);
  if (count <= maxLines) return () => true;
  const head = Math.ceil(maxLines / 2);
  // Marks without end would show it all again.
  const near = new Set(
    marked
      .flatMap(({ from, to }) => [from >>> 4, (to - 1) >>> 4])
      .flatMap((line) => [line - 1, line, line + 1]),
  );
  const chosen = new Set([...near].sort((a, b) => a - b).slice(0, maxLines));
  return (line) => line < head || line === count - 1 || chosen.has(line);
}

function hexOffset(offset: number): string {
  return offset.toString(16).padStart(8, '0');
}
