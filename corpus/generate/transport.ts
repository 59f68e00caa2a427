/** TCP and UDP, the same over both IP versions (RFC 9293, RFC 768). */
import { TCP_DATA_OFFSETS, TCP_FLAGS } from './boundaries.ts';
import type { FieldValues } from './field-values.ts';
import * as MUTATION from './mutation-bits.ts';
import type { PacketBuilder } from './packet-builder.ts';
import * as UNIFORM from './uniform.ts';

const TCP = 6;
const TCP_HEADER = 20;
const UDP = 17;
const UDP_HEADER = 8;

export function writeTcp(builder: PacketBuilder, fieldValues: FieldValues): void {
  const { random } = builder;
  const at = builder.at;
  const bits = random.bits();
  const mutated = builder.has(MUTATION.transport);
  const source = fieldValues.port(builder);
  builder.u32((source << 16) | fieldValues.port(builder));
  builder.border();
  builder.u32(random.bits());
  builder.u32(random.bits());
  const flags = mutated ? random.pick(TCP_FLAGS) : (bits & 3) === 0 ? 0x02 : 0x18;
  builder.u32(0x5000_0000 | (flags << 16) | ((bits & 4) === 0 ? 0xffff : bits >>> 16));
  builder.u32(0);
  builder.border();
  const option = fieldValues.hintedTcpOption(builder);
  if (option >= 0 || (bits & 0x70) === 0) {
    if (option >= 0) writeHintedOption(builder, option, bits);
    else writeTcpOptions(builder, bits);
    builder.bytes[at + 12] = ((builder.at - at) >>> 2) << 4;
    builder.border();
  }
  builder.payload();
  builder.border();
  if (builder.has(MUTATION.short)) builder.at = at + shortLength(builder, TCP_HEADER);
  else if (mutated && (bits & 0x300) === 0) {
    builder.bytes[at + 12] = random.pick(TCP_DATA_OFFSETS) << 4;
  }
  const length = builder.at - at;
  // The low half of the sequence number may be anything.
  builder.seal(at, at + 16, builder.pseudoHeader(TCP, length), at + 6, 0);
}

/** The options of a SYN, or the timestamps of an established connection (RFC 7323). */
function writeTcpOptions(builder: PacketBuilder, bits: number): void {
  if ((bits & 0x80) === 0) {
    builder.u32(0x0204_05b4);
    builder.u32(0x0402_080a);
    builder.u32(bits);
    builder.u32(0);
    builder.u32(0x0103_0307);
  } else {
    builder.u32(0x0101_080a);
    builder.u32(bits);
    builder.u32(~bits);
  }
}

/** Lengths of options as the RFCs state them, by kind (RFC 9293, 7323, 2018, 2385, 5482, 7413). */
const OPTION_LENGTHS: ReadonlyMap<number, number> = new Map([
  [2, 4],
  [3, 3],
  [4, 2],
  [5, 10],
  [8, 10],
  [19, 18],
  [28, 4],
  [34, 10],
]);

/** One option of this kind behind others, or some that say nothing, at an odd offset as often as at an even one. */
function writeHintedOption(builder: PacketBuilder, kind: number, bits: number): void {
  const at = builder.at;
  // Behind others, in any order: RFC 9293 §3.1 states none.
  if ((bits & 0x300) === 0x200) builder.u32(0x0204_05b4);
  if ((bits & 0x3c00) === 0x400) writeTcpOptions(builder, bits | 0x80);
  builder.fill(1, (bits >>> 10) & 7);
  builder.u8(kind);
  // End of list and no-operation are one byte.
  if (kind > 1) {
    const length = OPTION_LENGTHS.get(kind) ?? 2 + ((bits >>> 13) & 7);
    // Now and then a length that is not the option's: none, too little, too much.
    builder.u8((bits & 0x70000) === 0 ? (bits >>> 20) & 63 : length);
    builder.noise(length - 2);
  }
  builder.fill(0, -(builder.at - at) & 3);
}

export function writeUdp(builder: PacketBuilder, fieldValues: FieldValues): void {
  const { bytes, random } = builder;
  const at = builder.at;
  // Tunnels spread their flows over high source ports (RFC 7348 §5).
  const source = builder.forcedPort >= 0 ? 0xc000 | random.word() : fieldValues.port(builder);
  const destination = builder.forcedPort >= 0 ? builder.forcedPort : fieldValues.port(builder);
  builder.forcedPort = -1;
  builder.u32((source << 16) | destination);
  builder.border();
  builder.u32(0);
  builder.border();
  const payloadAt = builder.at;
  // What a port announces stands there more often than not: noise on a tunnel's port is no tunnel.
  if (!(builder.carrier?.(builder, destination) ?? false)) {
    builder.payload();
    builder.border();
  }
  if (builder.has(MUTATION.short)) builder.at = at + shortLength(builder, UDP_HEADER);
  const length = builder.at - at;
  if (length < UDP_HEADER) {
    // Even a header that is cut off tells its whole length.
    if (length >= 6) putU16(bytes, at + 4, UDP_HEADER);
    return;
  }
  builder.view.setInt32(at + 4, length << 16);
  // Words that may be anything: the first of the payload, or else the source port.
  const freeAt = length >= UDP_HEADER + 2 ? payloadAt : at;
  builder.seal(at, at + 6, builder.pseudoHeader(UDP, length), freeAt, 0);
  if (builder.has(MUTATION.transport)) {
    const bits = random.bits();
    if ((bits & 1) === 0) putU16(bytes, at + 6, 0);
    else putU16(bytes, at + 4, falseLength(length, bits));
  } else if (bytes[at + 6] === 0 && bytes[at + 7] === 0 && !builder.has(MUTATION.checksum)) {
    // A computed 0 is sent as 0xffff (RFC 768).
    putU16(bytes, at + 6, 0xffff);
  }
}

function falseLength(length: number, bits: number): number {
  switch ((bits >>> 1) & 7) {
    case 0:
      return 0;
    case 1:
      return UDP_HEADER - 1;
    case 2:
      return UDP_HEADER;
    case 3:
      return length - 1;
    case 4:
      return length + 1;
    case 5:
      return 0xffff;
    case 6:
      return length + UDP_HEADER;
    default:
      return bits >>> 16;
  }
}

/** Where a message ends that ends within its header: often after half of it, or one byte too soon. */
export function shortLength(builder: PacketBuilder, header: number): number {
  const { random } = builder;
  switch (random.bits() & 3) {
    case 0:
      return header < 4 ? header - 1 : 4;
    case 1:
      return header - 1;
    default:
      return random.below(header);
  }
}

/** Does the uniform mutation go for the whole message? -1 if not, else the byte that fills it. */
export function uniformByte(builder: PacketBuilder): number {
  if (builder.uniform === UNIFORM.zeroMessage) return 0;
  return builder.uniform === UNIFORM.onesMessage ? 0xff : -1;
}

function putU16(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 8;
  bytes[at + 1] = value;
}
