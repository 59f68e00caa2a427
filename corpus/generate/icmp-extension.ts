/** The extensions of ICMP messages (RFC 4884): behind the packet that an error quotes, and in extended echo requests (RFC 8335). */
import * as MUTATION from './mutation-bits.ts';
import type { PacketBuilder } from './packet-builder.ts';
import * as UNIFORM from './uniform.ts';

/** At least so much is quoted in front of them, zeros behind a shorter packet (RFC 4884 §3). */
const LEAST_QUOTED = 128;
/** The structure's header, and an object of 8 bytes. */
const SIZE = 12;

/** Version 2, and no checksum yet. */
const VERSION = 0x2000_0000;

/** A label of MPLS, as routers report it (RFC 4950 §3): the bottom of the stack, with a TTL of 1. */
const LABEL = { head: 0x0008_0101, rest: 0x101 };
/** An interface by its name (RFC 8335 §2.1); its length is written later. */
const INTERFACE = 0x0301;

/** Is an error given extensions, one in eight? @param bits random ones, which the packet itself is made of */
export function hasExtensions(builder: PacketBuilder, bits: number): boolean {
  return (bits & 0x70) === 0 && !builder.bare && builder.uniform === UNIFORM.none;
}

/**
 * Writes extensions behind what an error quotes: its first 128 bytes, all of it in whole words with zeros behind it. How many words that are is
 * stated at `lengthAt`, or not, as old routers have it (RFC 4884 §5.5).
 * @param word bytes that a unit of the length stands for: 4 in ICMP, 8 in ICMPv6
 */
export function writeExtensions(
  builder: PacketBuilder,
  bits: number,
  quotedAt: number,
  lengthAt: number,
  word: 4 | 8,
): void {
  const whole = builder.at - quotedAt;
  const isCut = (bits & 0x80) === 0 || whole > 0xff * word - word;
  const quoted = isCut ? LEAST_QUOTED : Math.max(LEAST_QUOTED, Math.ceil(whole / word) * word);
  if (quotedAt + quoted + SIZE > builder.start + builder.maxLength) return;
  if (whole < quoted) builder.fill(0, quoted - whole);
  builder.at = quotedAt + quoted;
  const isStated = !isCut || (bits & 0x100) === 0 || builder.has(MUTATION.checksum);
  if (isStated) builder.bytes[lengthAt] = quoted / word;
  builder.border();
  const { at } = builder;
  builder.u32(VERSION);
  builder.u32(LABEL.head);
  builder.u32((bits & 0x7fff_f000) | LABEL.rest);
  close(builder, at);
}

/** What an extended echo request asks for: an interface by a name of some length. */
export function writeInterface(builder: PacketBuilder): void {
  const { at, view } = builder;
  builder.u32(VERSION);
  builder.u32(INTERFACE);
  builder.payload();
  view.setInt16(at + 4, builder.at - at - 4);
  close(builder, at);
}

/** Over the structure alone; 0 would say that there is none. */
function close(builder: PacketBuilder, at: number): void {
  builder.place(at + 2, builder.sum(at, builder.at - at, 0), true);
}
