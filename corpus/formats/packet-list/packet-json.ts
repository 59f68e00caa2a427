/** JSON: a list of packets, `{ "packet": "0200…", "description": "…" }`, or of digits alone; comments are welcome. */
import { toHex } from '../../../sim/packet/bytes.ts';
import { parseJsonc } from '../../../sim/runtime/jsonc.ts';
import {
  anyFields,
  text as anyText,
  choice,
  list,
  matching,
  optional,
  parse,
  type Schema,
  transformed,
} from '../../../sim/runtime/schema.ts';
import type { ListedPacket, PacketListFormat } from './listed-packet.ts';
import { bytesOfHex, commentText } from './text-bytes.ts';

interface Row {
  readonly packet: string;
  readonly description?: string;
}

const digits = matching(
  /^(0x)?[\s:]*([0-9a-fA-F][\s:]*[0-9a-fA-F][\s:]*)+$/,
  'an even number of hexadecimal digits',
);
const row: Schema<Row> = anyFields<Row>({ packet: digits, description: optional(anyText) });
const bare: Schema<Row> = transformed(digits, (packet): Row => ({ packet }));

export const packetListShape: Schema<readonly Row[]> = list(
  choice<Row>('a packet: hexadecimal digits, or an object with “packet”', [row, bare], (json) =>
    typeof json === 'string' ? bare : json !== null && typeof json === 'object' ? row : undefined,
  ),
);

function write(packets: readonly ListedPacket[]): string {
  const rows = packets.map(({ packet, description, expected }) => ({
    packet: toHex(packet),
    ...(description === undefined ? {} : { description: commentText(description) }),
    ...(expected === undefined
      ? {}
      : { expected: { action: expected.action, packet: toHex(expected.packet) } }),
  }));
  return `${JSON.stringify(rows, null, 2)}\n`;
}

function read(text: string): ListedPacket[] {
  return parse(packetListShape, parseJsonc(text), 'packets').map(({ packet, ...rest }, index) => ({
    packet: bytesOfHex(packet, `packets[${index}]`),
    ...rest,
  }));
}

export const PACKET_JSON: PacketListFormat = { endings: ['.json', '.jsonc'], label: 'JSON', write, read };
