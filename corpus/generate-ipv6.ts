/** The IPv6 header with its extension headers, fragments and lies (RFC 8200). */
import { IPV6_NEXT_HEADERS, IPV6_VERSIONS, LIFETIMES } from './boundaries.ts';
import type { Draft } from './draft.ts';
import { writeEthernet } from './generate-ethernet.ts';
import type { Ingredients } from './ingredients.ts';
import { TWIST } from './twists.ts';

const HEADER = 40;
const PAYLOAD_LENGTH_AT = 4;
const NEXT_HEADER_AT = 6;

const HOP_BY_HOP = 0;
const ROUTING = 43;
const FRAGMENT = 44;
const AUTHENTICATION = 51;
const DESTINATION_OPTIONS = 60;

/** The headers that an `options` twist chooses from; hop-by-hop is right only as the first. */
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
export function writeIpv6(draft: Draft, ingredients: Ingredients, nextHeader: number): number {
  writeEthernet(draft, ingredients, 0x86dd);
  return writeIpv6Header(draft, ingredients, nextHeader);
}

/** The fixed header and its chain. @returns where the fixed header begins */
export function writeIpv6Header(draft: Draft, ingredients: Ingredients, nextHeader: number): number {
  const { random } = draft;
  const headerAt = draft.at;
  draft.u32(0x60000000 | (draft.has(TWIST.flags) ? random.bits() & 0x0fffffff : 0));
  draft.u16(0);
  draft.u8(draft.has(TWIST.protocol) ? ingredients.protocol(draft, IPV6_NEXT_HEADERS) : nextHeader);
  draft.u8(draft.has(TWIST.lifetime) ? random.pick(LIFETIMES) : 64);
  draft.addressLength = 16;
  draft.sourceAt = draft.at;
  draft.finalAt = draft.at + 16;
  ingredients.ipv6Pair(draft);
  draft.border();
  if (draft.has(TWIST.options | TWIST.fragment)) writeChain(draft, ingredients, headerAt + NEXT_HEADER_AT);
  return headerAt;
}

/** Fills in what depends on the rest: payload length, and the version where it lies. */
export function closeIpv6(draft: Draft, headerAt: number): void {
  const { bytes, random } = draft;
  const length = draft.at - headerAt - HEADER;
  const claimed = draft.has(TWIST.networkLength) ? falseLength(draft, length) : length;
  bytes[headerAt + PAYLOAD_LENGTH_AT] = claimed >>> 8;
  bytes[headerAt + PAYLOAD_LENGTH_AT + 1] = claimed;
  if (draft.has(TWIST.version)) {
    bytes[headerAt] = (random.pick(IPV6_VERSIONS) << 4) | (bytes[headerAt]! & 0x0f);
  }
}

/** One to three extension headers, and a fragment header where the packet is one. */
function writeChain(draft: Draft, ingredients: Ingredients, nextHeaderAt: number): void {
  const { bytes, random } = draft;
  const upper = bytes[nextHeaderAt]!;
  let linkAt = nextHeaderAt;
  if (draft.has(TWIST.options)) {
    for (let count = random.pick(CHAIN_LENGTHS); count > 0; count--) {
      const kind = random.pick(EXTENSIONS);
      bytes[linkAt] = kind;
      linkAt = draft.at;
      writeExtension(draft, ingredients, kind);
      draft.border();
    }
  }
  if (draft.has(TWIST.fragment)) {
    bytes[linkAt] = FRAGMENT;
    linkAt = draft.at;
    writeFragmentHeader(draft);
    draft.border();
  }
  bytes[linkAt] = upper;
}

/** One extension header whose next header is still to be set. */
function writeExtension(draft: Draft, ingredients: Ingredients, kind: number): void {
  const { random } = draft;
  draft.u8(0);
  switch (kind) {
    case ROUTING: {
      // Type 0 or 2 with one address: while segments are left, that is the final destination (RFC 8200 §8.1).
      const segmentsLeft = random.bits() & 1;
      draft.u8(2);
      draft.u8(random.bits() & 2);
      draft.u8(segmentsLeft);
      draft.u32(0);
      if (segmentsLeft !== 0) draft.finalAt = draft.at;
      ingredients.ipv6(draft, TWIST.destination);
      return;
    }
    case AUTHENTICATION:
      // Its length counts in words of four bytes, less two (RFC 4302 §2.2): 12 bytes and a 12-byte digest.
      draft.u8(4);
      draft.u16(0);
      draft.noise(20);
      return;
    default: {
      // Options: one Router Alert, then PadN to the end.
      const units = random.below(4);
      draft.u8(units);
      let left = units * 8 + 6;
      if (kind === HOP_BY_HOP && random.bits() < 0) {
        draft.u32(0x05020000);
        left -= 4;
      }
      draft.u8(1);
      draft.u8(left - 2);
      draft.fill(0, left - 2);
    }
  }
}

/** First, middle, last or atomic fragment (RFC 8200 §4.5, RFC 6946). */
function writeFragmentHeader(draft: Draft): void {
  const { random } = draft;
  const bits = random.bits();
  const offset = (bits & 3) < 2 ? 0 : 1 + random.below(0x1fff);
  const more = (bits & 3) === 3 ? 0 : (bits & 4) === 0 ? 1 : 0;
  draft.u16(0);
  draft.u16((offset << 3) | more);
  draft.u32(random.bits());
}

/** A payload length that is not the true one. */
function falseLength(draft: Draft, length: number): number {
  const { random } = draft;
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
