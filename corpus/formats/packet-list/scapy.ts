/** Python for Scapy: a list of `Ether(bytes.fromhex("…"))`; read, too: `Ether(b"\x02…")`. */
import { toHex } from '../../../sim/packet/bytes.ts';
import type { ListedPacket, PacketListFormat } from './listed-packet.ts';
import { bytesOfHex, checked, commentText, lineAt } from './text-bytes.ts';

function write(packets: readonly ListedPacket[]): string {
  const rows = packets.map(({ packet, description }) => {
    const comment = description === undefined ? '' : `    # ${commentText(description)}\n`;
    return `${comment}    Ether(bytes.fromhex("${toHex(packet)}")),\n`;
  });
  return `from scapy.layers.l2 import Ether\n\npackets = [\n${rows.join('')}]\n`;
}

/** Expressions that build packets from layers are Scapy's to evaluate: `wrpcap("packets.pcap", packets)`. */
function read(text: string): ListedPacket[] {
  const packets: ListedPacket[] = [];
  let description: string | undefined;
  const parts =
    /#([^\n]*)|bytes\.fromhex\(\s*(["'])([0-9a-fA-F\s]*)\2\s*\)|\bb(["'])((?:\\.|(?!\4)[^\\\n])*)\4/g;
  for (const part of text.matchAll(parts)) {
    const [, comment, , digits, , literal] = part;
    if (comment !== undefined) {
      description = comment.trim() || undefined;
      continue;
    }
    const place = lineAt(text, part.index);
    const packet =
      digits === undefined ? checked(bytesOfLiteral(literal ?? ''), place) : bytesOfHex(digits, place);
    packets.push({ packet, ...(description === undefined ? {} : { description }) });
    description = undefined;
  }
  return packets;
}

const ESCAPES: Readonly<Record<string, number>> = { n: 10, r: 13, t: 9, a: 7, b: 8, f: 12, v: 11, 0: 0 };

/** What Python prints of bytes: `\x02`, `\n`, `A`. */
function bytesOfLiteral(literal: string): Uint8Array {
  const bytes: number[] = [];
  for (const [, hex, escaped, plain] of literal.matchAll(/\\x([0-9a-fA-F]{2})|\\(.)|([^\\])/g)) {
    if (hex !== undefined) bytes.push(Number.parseInt(hex, 16));
    else if (escaped !== undefined) bytes.push(ESCAPES[escaped] ?? escaped.charCodeAt(0) & 0xff);
    else bytes.push((plain ?? '').charCodeAt(0) & 0xff);
  }
  return Uint8Array.from(bytes);
}

export const SCAPY: PacketListFormat = { endings: ['.py'], label: 'Scapy', write, read };
