/** The IPv6 header with its extension headers, fragments and lies (RFC 8200). */
import { IPV6_NEXT_HEADERS, IPV6_VERSIONS, LIFETIMES } from './boundaries.ts';
import { writeEthernet } from './ethernet.ts';
import type { FieldValues } from './field-values.ts';
import * as MUTATION from './mutation-bits.ts';
import type { PacketBuilder } from './packet-builder.ts';

const HEADER = 40;
const PAYLOAD_LENGTH_AT = 4;
const NEXT_HEADER_AT = 6;

const HOP_BY_HOP = 0;
const ROUTING = 43;
const FRAGMENT = 44;
const AUTHENTICATION = 51;
const DESTINATION_OPTIONS = 60;

/** The headers that an `options` mutation chooses from; hop-by-hop is right only as the first. */
const EXTENSIONS: Uint16Array = Uint16Array.from([
  HOP_BY_HOP,
  DESTINATION_OPTIONS,
  DESTINATION_OPTIONS,
  ROUTING,
  ROUTING,
  AUTHENTICATION,
  HOP_BY_HOP,
  HOP_BY_HOP,
]);

const CHAIN_LENGTHS: Uint16Array = Uint16Array.from([1, 1, 1, 1, 1, 2, 2, 3]);

/** Ethernet and IPv6; the upper layer follows. The length waits for `closeIpv6`. */
export function writeIpv6(builder: PacketBuilder, fieldValues: FieldValues, nextHeader: number): number {
  writeEthernet(builder, fieldValues, 0x86dd);
  return writeIpv6Header(builder, fieldValues, nextHeader);
}

/** The fixed header and its chain. @returns where the fixed header begins */
export function writeIpv6Header(
  builder: PacketBuilder,
  fieldValues: FieldValues,
  nextHeader: number,
): number {
  const { random } = builder;
  const headerAt = builder.at;
  builder.u32(0x60000000 | (builder.has(MUTATION.flags) ? random.bits() & 0x0fffffff : 0));
  const upper = builder.has(MUTATION.protocol)
    ? fieldValues.protocol(builder, IPV6_NEXT_HEADERS)
    : nextHeader;
  const hopLimit = builder.has(MUTATION.lifetime) ? random.pick(LIFETIMES) : 64;
  builder.u32((upper << 8) | hopLimit);
  builder.addressLength = 16;
  builder.sourceAt = builder.at;
  builder.finalAt = builder.at + 16;
  fieldValues.ipv6Pair(builder);
  builder.border();
  if (builder.has(MUTATION.options | MUTATION.fragment))
    writeChain(builder, fieldValues, headerAt + NEXT_HEADER_AT);
  return headerAt;
}

/** Fills in what depends on the rest: payload length, and the version where it lies. */
export function closeIpv6(builder: PacketBuilder, headerAt: number): void {
  const { bytes, view, random } = builder;
  const length = builder.at - headerAt - HEADER;
  const claimed = builder.has(MUTATION.networkLength) ? falseLength(builder, length) : length;
  view.setInt16(headerAt + PAYLOAD_LENGTH_AT, claimed);
  if (builder.has(MUTATION.version)) {
    bytes[headerAt] = (random.pick(IPV6_VERSIONS) << 4) | (bytes[headerAt]! & 0x0f);
  }
}

/** One to three extension headers, and a fragment header where the packet is one. */
function writeChain(builder: PacketBuilder, fieldValues: FieldValues, nextHeaderAt: number): void {
  const { bytes, random } = builder;
  const upper = bytes[nextHeaderAt]!;
  let linkAt = nextHeaderAt;
  if (builder.has(MUTATION.options)) {
    for (let count = random.pick(CHAIN_LENGTHS); count > 0; count--) {
      const kind = random.pick(EXTENSIONS);
      bytes[linkAt] = kind;
      linkAt = builder.at;
      writeExtension(builder, fieldValues, kind);
      builder.border();
    }
  }
  if (builder.has(MUTATION.fragment)) {
    bytes[linkAt] = FRAGMENT;
    linkAt = builder.at;
    writeFragmentHeader(builder);
    builder.border();
  }
  bytes[linkAt] = upper;
}

/** One extension header whose next header is still to be set. */
function writeExtension(builder: PacketBuilder, fieldValues: FieldValues, kind: number): void {
  const { random } = builder;
  builder.u8(0);
  switch (kind) {
    case ROUTING: {
      // Type 0 or 2 with one address: while segments are left, that is the final destination (RFC 8200 §8.1).
      const segmentsLeft = random.bits() & 1;
      builder.u8(2);
      builder.u8(random.bits() & 2);
      builder.u8(segmentsLeft);
      builder.u32(0);
      if (segmentsLeft !== 0) builder.finalAt = builder.at;
      fieldValues.ipv6(builder, MUTATION.destination);
      return;
    }
    case AUTHENTICATION:
      // Its length counts in words of four bytes, less two (RFC 4302 §2.2): 12 bytes and a 12-byte digest.
      builder.u8(4);
      builder.u16(0);
      builder.noise(20);
      return;
    default: {
      // Options: one Router Alert, then PadN to the end.
      const units = random.below(4);
      builder.u8(units);
      let left = units * 8 + 6;
      if (kind === HOP_BY_HOP && random.bits() < 0) {
        builder.u32(0x05020000);
        left -= 4;
      }
      builder.u8(1);
      builder.u8(left - 2);
      builder.fill(0, left - 2);
    }
  }
}

/** First, middle, last or atomic fragment (RFC 8200 §4.5, RFC 6946). */
function writeFragmentHeader(builder: PacketBuilder): void {
  const { random } = builder;
  const bits = random.bits();
  const offset = (bits & 3) < 2 ? 0 : 1 + random.below(0x1fff);
  const more = (bits & 3) === 3 ? 0 : (bits & 4) === 0 ? 1 : 0;
  builder.u16(0);
  builder.u16((offset << 3) | more);
  builder.u32(random.bits());
}

/** A payload length that is not the true one. */
function falseLength(builder: PacketBuilder, length: number): number {
  const { random } = builder;
  switch (random.bits() & 15) {
    case 0:
    case 1:
      // 0 is also what a jumbogram says (RFC 2675).
      return 0;
    case 2:
      return 4;
    case 3:
    case 4:
      return 7;
    case 5:
      return 8;
    case 6:
    case 7:
      return length - 1;
    case 8:
    case 9:
      return length + 1;
    case 10:
      return length + HEADER;
    case 11:
      return length + 14;
    case 12:
      return 0xffff;
    case 13:
      return ((length & 0xff) << 8) | (length >>> 8);
    case 14:
      return random.below(Math.max(1, length));
    default:
      return random.word();
  }
}
