/** C: an array for each packet. */
import { InputError } from '../../../sim/runtime/input-error.ts';
import type { ListedPacket, PacketListFormat } from './listed-packet.ts';
import { checked, commentText, lineAt, quoted } from './text-bytes.ts';

const PER_LINE = 12;

function write(packets: readonly ListedPacket[]): string {
  const arrays = packets.map(({ packet, description }, index) => {
    const comment = description === undefined ? '' : `/* ${commentText(description)} */\n`;
    const lines: string[] = [];
    for (let at = 0; at < packet.length; at += PER_LINE) {
      const bytes = [...packet.subarray(at, at + PER_LINE)];
      lines.push(`\t${bytes.map((byte) => `0x${byte.toString(16).padStart(2, '0')}`).join(', ')},`);
    }
    return `${comment}static const unsigned char packet_${index + 1}[] = {\n${lines.join('\n')}\n};\n`;
  });
  const rows = packets.map(
    ({ description = '' }, index) =>
      `\t{ packet_${index + 1}, sizeof(packet_${index + 1}), ${quoted(description)} },`,
  );
  return [
    ...arrays,
    'static const struct {\n\tconst unsigned char *bytes;\n\tunsigned int length;\n\tconst char *description;\n} packets[] = {',
    ...rows,
    '};',
    '',
  ].join('\n');
}

/** A comment, a string or a character (what is in them is no code), or an initialiser of bytes. */
const PARTS =
  /\/\*([\s\S]*?)\*\/|\/\/([^\n]*)|"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)'|\{((?:[^{}"'/]|\/(?![*/]))*)\}/g;

/** Initialisers of bytes alone: `{ 0x02, 0, … }`. */
function read(text: string): ListedPacket[] {
  const packets: ListedPacket[] = [];
  let description: string | undefined;
  for (const part of text.matchAll(PARTS)) {
    const [, block, line, inside] = part;
    if (inside === undefined) {
      const comment = block ?? line;
      if (comment !== undefined) description = commentText(comment) || undefined;
      continue;
    }
    const items = inside
      .split(',')
      .map((item) => item.trim())
      .filter((item) => item !== '');
    if (items.length === 0 || !items.every((item) => /^(0[xX][0-9a-fA-F]+|\d+)$/.test(item))) continue;
    const place = lineAt(text, part.index);
    const bytes = items.map(Number);
    const wide = bytes.find((byte) => byte > 255);
    if (wide !== undefined) throw new InputError(`${place}: expected bytes, found ${wide}`);
    packets.push({
      packet: checked(Uint8Array.from(bytes), place),
      ...(description === undefined ? {} : { description }),
    });
    description = undefined;
  }
  return packets;
}

export const C_ARRAY: PacketListFormat = { endings: ['.c', '.h'], label: 'C arrays', write, read };
