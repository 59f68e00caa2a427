/** The IPv4 header with its options, fragments and lies (RFC 791). */
import { IPV4_PROTOCOLS, IPV4_VERSION_IHL, LIFETIMES } from './boundaries.ts';
import { writeEthernet } from './ethernet.ts';
import type { FieldValues } from './field-values.ts';
import * as MUTATION from './mutation-bits.ts';
import type { PacketBuilder } from './packet-builder.ts';

const HEADER = 20;
const IDENTIFICATION_AT = 4;
const TTL_AT = 8;
const CHECKSUM_AT = 10;
const SOURCE_AT = 12;
const DESTINATION_AT = 16;

/** Flags that mean no fragment: the reserved bit and DF. */
const RESERVED = 0x8000;
const DF = 0x4000;
const MF = 0x2000;

/** What `TTL − 1` adds to the checksum. */
const TTL_DECREMENT = 0x0100;

/** Fragment offsets in units of 8 bytes; the middle ones have zeros in one of their bytes. */
const OFFSETS: Uint16Array = Uint16Array.from([
  1, 2, 185, 0x00ff, 0x0100, 0x1000, 0x1f00, 0x1fff, 0x0008, 0x0800,
]);

/** Ethernet and IPv4; the upper layer follows. Length and checksum wait for `closeIpv4`. */
export function writeIpv4(builder: PacketBuilder, fieldValues: FieldValues, protocol: number): number {
  writeEthernet(builder, fieldValues, 0x0800);
  return writeIpv4Header(builder, fieldValues, protocol);
}

/** @returns where the header begins */
export function writeIpv4Header(builder: PacketBuilder, fieldValues: FieldValues, protocol: number): number {
  const { view, random } = builder;
  const headerAt = builder.at;
  const bits = random.bits();
  const fragment = fragmentField(builder, bits);
  const tos = builder.has(MUTATION.flags) ? random.byte() : 0;
  const ttl = builder.has(MUTATION.lifetime) ? random.pick(LIFETIMES) : 64;
  const upper = builder.has(MUTATION.protocol) ? fieldValues.protocol(builder, IPV4_PROTOCOLS) : protocol;
  view.setInt32(headerAt, 0x4500_0000 | (tos << 16));
  view.setInt32(headerAt + IDENTIFICATION_AT, (bits & 0xffff_0000) | fragment);
  view.setInt32(headerAt + TTL_AT, (ttl << 24) | (upper << 16));
  builder.addressLength = 4;
  builder.sourceAt = headerAt + SOURCE_AT;
  builder.finalAt = headerAt + DESTINATION_AT;
  builder.at = headerAt + SOURCE_AT;
  fieldValues.ipv4Pair(builder);
  builder.border();
  if (builder.has(MUTATION.options)) {
    writeOptions(builder);
    builder.bytes[headerAt] = 0x40 | ((builder.at - headerAt) >>> 2);
    builder.border();
  }
  return headerAt;
}

/** Fills in what depends on the rest: total length, version and ihl where they lie, the header's checksum. */
export function closeIpv4(builder: PacketBuilder, headerAt: number): void {
  const { view, random } = builder;
  const total = builder.at - headerAt;
  let first = view.getInt32(headerAt);
  const headerLength = ((first >>> 24) & 0x0f) * 4;
  const claimed = builder.has(MUTATION.networkLength) ? falseLength(builder, total, headerLength) : total;
  if (builder.has(MUTATION.version)) {
    const versionIhl = random.pick(IPV4_VERSION_IHL);
    // Half of the lies are about the header's length alone.
    const claimedFirst = random.bits() < 0 ? 0x40 | (versionIhl & 0x0f) : versionIhl;
    first = (first & 0x00ff_0000) | (claimedFirst << 24);
  }
  view.setInt32(headerAt, (first & 0xffff_0000) | (claimed & 0xffff));
  // A checksum over what the header claims to be, where that is there: a lie about ihl should be the only one.
  const claimedHeader = ((first >>> 24) & 0x0f) * 4;
  const summed = claimedHeader >= HEADER && claimedHeader <= total ? claimedHeader : headerLength;
  builder.sealHeader(
    headerAt,
    headerAt + summed,
    headerAt + CHECKSUM_AT,
    headerAt + IDENTIFICATION_AT,
    TTL_DECREMENT,
  );
}

/** Flags and fragment offset. DF and the reserved bit mean no fragment. */
function fragmentField(builder: PacketBuilder, bits: number): number {
  const { random } = builder;
  let field = 0;
  if (builder.has(MUTATION.flags)) field = (bits & 3) << 14;
  else if ((bits & 3) < 2) field = DF;
  if (builder.has(MUTATION.fragment)) {
    const offset = (bits & 0x10) === 0 ? random.pick(OFFSETS) : 1 + random.below(0x1fff);
    field &= RESERVED;
    switch ((bits >>> 5) & 3) {
      case 0:
      case 1:
        return field | MF;
      case 2:
        return field | MF | offset;
      default:
        return field | offset;
    }
  }
  return field;
}

/** 4 to 40 bytes: padding, well-formed options, nonsense, or what looks like another header. */
function writeOptions(builder: PacketBuilder): void {
  const { random } = builder;
  const bits = random.bits();
  const length = (bits & 8) === 0 ? 4 + (((bits >>> 4) & 1) << 2) : 4 * (1 + random.below(10));
  const end = builder.at + length;
  switch (bits & 7) {
    case 0:
    case 1:
      // NOPs, closed by End of Options.
      builder.fill(1, length - 1);
      builder.u8(0);
      return;
    case 2:
      // Router Alert (RFC 2113), padded.
      builder.u32(0x94040000);
      builder.fill(0, end - builder.at);
      return;
    case 3:
      // Record Route, empty, as `ping -R` sends it; or a timestamp.
      builder.u8((bits & 32) === 0 ? 7 : 68);
      builder.u8(length - 1);
      builder.u8((bits & 32) === 0 ? 4 : 5);
      builder.fill(0, end - builder.at);
      return;
    case 4:
      // What a parser that ignores ihl takes for an echo request, with ports 2048 and 0 for another.
      builder.u32(0x08000000 | random.word());
      builder.noise(end - builder.at);
      return;
    case 5:
      // What such a parser takes for TCP or UDP on ports 80 and 80.
      builder.u32(0x00500050);
      builder.noise(end - builder.at);
      return;
    default:
      builder.noise(length);
  }
}

/** A total length that is not the true one: within the headers, one off, more than there is. */
function falseLength(builder: PacketBuilder, total: number, headerLength: number): number {
  const { random } = builder;
  switch (random.bits() & 15) {
    case 0:
      return 0;
    case 1:
      return HEADER - 1;
    case 2:
      return headerLength;
    case 3:
      return headerLength - 1;
    case 4:
      return headerLength + 7;
    case 5:
      return headerLength + 8;
    case 6:
      return headerLength + 4;
    case 7:
    case 8:
      return total - 1;
    case 9:
    case 10:
      return total + 1;
    case 11:
      return total + 14;
    case 12:
      return 0xffff;
    case 13:
      return ((total & 0xff) << 8) | (total >>> 8);
    case 14:
      return headerLength + random.below(Math.max(1, total - headerLength));
    default:
      return random.word();
  }
}
