/** The IPv4 header with its options, fragments and lies (RFC 791). */
import { IPV4_PROTOCOLS, IPV4_VERSION_IHL, LIFETIMES } from './boundaries.ts';
import type { Draft } from './draft.ts';
import { writeEthernet } from './generate-ethernet.ts';
import type { Ingredients } from './ingredients.ts';
import { TWIST } from './twists.ts';

const HEADER = 20;
const TOTAL_LENGTH_AT = 2;
const IDENTIFICATION_AT = 4;
const FRAGMENT_AT = 6;
const TTL_AT = 8;
const PROTOCOL_AT = 9;
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
export function writeIpv4(draft: Draft, ingredients: Ingredients, protocol: number): number {
  writeEthernet(draft, ingredients, 0x0800);
  return writeIpv4Header(draft, ingredients, protocol);
}

/** @returns where the header begins */
export function writeIpv4Header(draft: Draft, ingredients: Ingredients, protocol: number): number {
  const { bytes, random } = draft;
  const headerAt = draft.at;
  const bits = random.bits();
  const fragment = fragmentField(draft, bits);
  bytes[headerAt] = 0x45;
  bytes[headerAt + 1] = draft.has(TWIST.flags) ? random.byte() : 0;
  bytes[headerAt + IDENTIFICATION_AT] = bits >>> 24;
  bytes[headerAt + IDENTIFICATION_AT + 1] = bits >>> 16;
  bytes[headerAt + FRAGMENT_AT] = fragment >>> 8;
  bytes[headerAt + FRAGMENT_AT + 1] = fragment;
  bytes[headerAt + TTL_AT] = draft.has(TWIST.lifetime) ? random.pick(LIFETIMES) : 64;
  bytes[headerAt + PROTOCOL_AT] = draft.has(TWIST.protocol)
    ? ingredients.protocol(draft, IPV4_PROTOCOLS)
    : protocol;
  draft.addressLength = 4;
  draft.sourceAt = headerAt + SOURCE_AT;
  draft.finalAt = headerAt + DESTINATION_AT;
  draft.at = headerAt + SOURCE_AT;
  ingredients.ipv4Pair(draft);
  draft.border();
  if (draft.has(TWIST.options)) {
    writeOptions(draft);
    draft.bytes[headerAt] = 0x40 | ((draft.at - headerAt) >>> 2);
    draft.border();
  }
  return headerAt;
}

/** Fills in what depends on the rest: total length, version and ihl where they lie, the header's checksum. */
export function closeIpv4(draft: Draft, headerAt: number): void {
  const { bytes, random } = draft;
  const total = draft.at - headerAt;
  const headerLength = (bytes[headerAt]! & 0x0f) * 4;
  const claimed = draft.has(TWIST.networkLength) ? falseLength(draft, total, headerLength) : total;
  bytes[headerAt + TOTAL_LENGTH_AT] = claimed >>> 8;
  bytes[headerAt + TOTAL_LENGTH_AT + 1] = claimed;
  if (draft.has(TWIST.version)) {
    const versionIhl = random.pick(IPV4_VERSION_IHL);
    // Half of the lies are about the header's length alone.
    bytes[headerAt] = random.bits() < 0 ? 0x40 | (versionIhl & 0x0f) : versionIhl;
  }
  // A checksum over what the header claims to be, where that is there: a lie about ihl should be the only one.
  const claimedHeader = (bytes[headerAt]! & 0x0f) * 4;
  const summed = claimedHeader >= HEADER && claimedHeader <= total ? claimedHeader : headerLength;
  draft.sealHeader(
    headerAt,
    headerAt + summed,
    headerAt + CHECKSUM_AT,
    headerAt + IDENTIFICATION_AT,
    TTL_DECREMENT,
  );
}

/** Flags and fragment offset. DF and the reserved bit mean no fragment. */
function fragmentField(draft: Draft, bits: number): number {
  const { random } = draft;
  let field = 0;
  if (draft.has(TWIST.flags)) field = (bits & 3) << 14;
  else if ((bits & 3) < 2) field = DF;
  if (draft.has(TWIST.fragment)) {
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
function writeOptions(draft: Draft): void {
  const { random } = draft;
  const bits = random.bits();
  const length = (bits & 8) === 0 ? 4 + (((bits >>> 4) & 1) << 2) : 4 * (1 + random.below(10));
  const end = draft.at + length;
  switch (bits & 7) {
    case 0:
    case 1:
      // NOPs, closed by End of Options.
      draft.fill(1, length - 1);
      draft.u8(0);
      return;
    case 2:
      // Router Alert (RFC 2113), padded.
      draft.u32(0x94040000);
      draft.fill(0, end - draft.at);
      return;
    case 3:
      // Record Route, empty, as `ping -R` sends it; or a timestamp.
      draft.u8((bits & 32) === 0 ? 7 : 68);
      draft.u8(length - 1);
      draft.u8((bits & 32) === 0 ? 4 : 5);
      draft.fill(0, end - draft.at);
      return;
    case 4:
      // What a parser that ignores ihl takes for an echo request, with ports 2048 and 0 for another.
      draft.u32(0x08000000 | random.word());
      draft.noise(end - draft.at);
      return;
    case 5:
      // What such a parser takes for TCP or UDP on ports 80 and 80.
      draft.u32(0x00500050);
      draft.noise(end - draft.at);
      return;
    default:
      draft.noise(length);
  }
}

/** A total length that is not the true one: within the headers, one off, more than there is. */
function falseLength(draft: Draft, total: number, headerLength: number): number {
  const { random } = draft;
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
