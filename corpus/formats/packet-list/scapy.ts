/** Python for Scapy: a list of `Ether(bytes.fromhex("…"))`; read, too: `Ether(b"\x02…")`. */
import { toHex } from '../../../sim/packet/bytes.ts';
import { InputError } from '../../../sim/runtime/input-error.ts';
import type { ListedPacket, PacketListFormat } from './listed-packet.ts';
import { bytesOfHex, checked, commentText, lineAt } from './text-bytes.ts';

function write(packets: readonly ListedPacket[]): string {
  const rows = packets.map(({ packet, description }) => {
    const comment = description === undefined ? '' : `    # ${commentText(description)}\n`;
    return `${comment}    Ether(bytes.fromhex("${toHex(packet)}")),\n`;
  });
  return `from scapy.layers.l2 import Ether\n\npackets = [\n${rows.join('')}]\n`;
}

/** A comment, bytes, another string, what may build a packet from layers, a bracket. */
const PARTS =
  /#([^\n]*)|\bbytes\.fromhex\(\s*(["'])([0-9a-fA-F\s]*)\2\s*\)|\bb(["'])((?:\\.|(?!\4)[^\\\n])*)\4|"""[\s\S]*?"""|\x27{3}[\s\S]*?\x27{3}|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'|\b(Ether\(\s*(?:\)|\w+\s*=))|[()[\]{}]/g;

/** Bytes by themselves, in lists of them, and directly inside `Ether(…)`: all else is Scapy's to evaluate. */
function read(text: string): ListedPacket[] {
  const packets: ListedPacket[] = [];
  let description: string | undefined;
  /** Where each bracket opens that is not closed yet. */
  const open: number[] = [];
  /** Behind the last literal. */
  let end = -1;
  for (const part of text.matchAll(PARTS)) {
    const [whole, comment, , digits, , literal, layers] = part;
    if (comment !== undefined) {
      description = comment.trim() || undefined;
    } else if (digits !== undefined || literal !== undefined) {
      const place = lineAt(text, part.index);
      const packet = digits === undefined ? bytesOfLiteral(literal!) : bytesOfHex(digits, place);
      const isGoingOn = end >= 0 && continues(text.slice(end, part.index), open.length > 0);
      end = part.index + whole.length;
      if (!isGoingOn && !mayBegin(text, part.index, open)) throw ofLayers(place);
      if (!mayEnd(text, end)) throw ofLayers(place);
      if (isGoingOn) {
        const before = packets.pop()!;
        packets.push({ ...before, packet: checked(Uint8Array.of(...before.packet, ...packet), place) });
        continue;
      }
      packets.push({ packet: checked(packet, place), ...(description === undefined ? {} : { description }) });
      description = undefined;
    } else if (layers !== undefined) throw ofLayers(lineAt(text, part.index));
    else if ('([{'.includes(whole)) open.push(part.index);
    else if (')]}'.includes(whole)) open.pop();
  }
  return packets;
}

function ofLayers(place: string): InputError {
  return new InputError(
    `${place}: an expression that builds a packet is Scapy’s to evaluate: have it write a capture, wrpcap("packets.pcap", packets)`,
  );
}

/** Python puts literals together that follow one another. */
function continues(between: string, isInBrackets: boolean): boolean {
  return between !== '' && (isInBrackets ? /^\s*$/ : /^(?:[ \t]|\\\n)*$/).test(between);
}

/** Characters around a literal that are looked at. */
const NEAR = 200;

/** May a packet begin here: as the value of a name, in lists, or directly inside `Ether(`? */
function mayBegin(text: string, at: number, open: readonly number[]): boolean {
  const before = text.slice(Math.max(0, at - NEAR), at);
  if (/\bEther\(\s*$/.test(before)) return true;
  const isInCall = open.some(
    (bracket) =>
      text[bracket] === '(' && /[\w)\]]\s*$/.test(text.slice(Math.max(0, bracket - NEAR), bracket)),
  );
  return !isInCall && /(?:^|\n|[=,[({:;])\s*$/.test(before) && !/[=!<>]=\s*$/.test(before);
}

/** Does nothing follow that makes another packet of it? */
function mayEnd(text: string, at: number): boolean {
  return /^(?:[ \t]*\))*[ \t]*(?:$|[\n\r,\]}#;\\]|b["'])/.test(text.slice(at, at + NEAR));
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
