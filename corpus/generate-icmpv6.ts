/** ICMPv6 (RFC 4443) with neighbour discovery (RFC 4861). */
import { ICMP_CODES } from './boundaries.ts';
import type { Draft } from './draft.ts';
import { closeIpv6, writeIpv6Header } from './generate-ipv6.ts';
import { shortLength, uniformByte, writeTcp, writeUdp } from './generate-transport.ts';
import type { Ingredients } from './ingredients.ts';
import { TWIST } from './twists.ts';

const ICMPV6 = 58;
const HEADER = 8;

const ECHO_REQUEST = 128;
const ECHO_REPLY = 129;
const ROUTER_SOLICITATION = 133;
const ROUTER_ADVERTISEMENT = 134;
const NEIGHBOUR_SOLICITATION = 135;
const NEIGHBOUR_ADVERTISEMENT = 136;
const REDIRECT = 137;

/** What turning a request into a reply adds to the checksum: type 128 becomes 129, −0x0100. */
const REQUEST_TO_REPLY = 0xfeff;

const HOP_LIMIT_AT = 7;
/** Routers do not forward these, so a receiver knows them to be from its own link (RFC 4861 §7.1.1). */
const NEIGHBOUR_HOP_LIMIT = 255;

/** Options of neighbour discovery. */
const SOURCE_LINK_LAYER_ADDRESS = 1;
const TARGET_LINK_LAYER_ADDRESS = 2;
const PREFIX_INFORMATION = 3;

/** Seven requests, one reply. */
export function writeIcmpv6Echo(draft: Draft, _ingredients: Ingredients): void {
  const { random } = draft;
  const at = draft.at;
  const uniform = uniformByte(draft);
  writeHeader(draft, random.chance(32) ? ECHO_REPLY : ECHO_REQUEST);
  if (uniform >= 0) draft.fill(uniform, 4);
  else draft.u32(random.bits());
  draft.border();
  draft.payload();
  close(draft, at, at + 4);
}

export function writeIcmpv6Other(draft: Draft, ingredients: Ingredients): void {
  const { random } = draft;
  const at = draft.at;
  const type = ingredients.icmpv6Type(draft);
  if (type >= ROUTER_SOLICITATION && type <= REDIRECT) {
    writeNeighbour(draft, ingredients, type);
    return;
  }
  writeHeader(draft, type);
  if (type >= 1 && type <= 4) {
    draft.u32(type === 2 ? 1280 : 0);
    draft.border();
    writeCulprit(draft, ingredients);
  } else {
    draft.u32(random.bits());
    draft.border();
    draft.payload();
  }
  close(draft, at, at + 4);
}

/** Router and neighbour solicitations and advertisements, and redirects: types 133 to 137. */
export function writeNeighbourDiscovery(draft: Draft, ingredients: Ingredients): void {
  writeNeighbour(draft, ingredients, ROUTER_SOLICITATION + draft.random.below(5));
}

/** The number goes before the upper layer is written, the rest of the fixed header stands already. */
function writeNeighbour(draft: Draft, ingredients: Ingredients, type: number): void {
  const { bytes, random } = draft;
  const at = draft.at;
  if (!draft.has(TWIST.lifetime)) bytes[draft.sourceAt - 8 + HOP_LIMIT_AT] = NEIGHBOUR_HOP_LIMIT;
  writeHeader(draft, type);
  const freeAt = draft.at;
  switch (type) {
    case ROUTER_SOLICITATION:
      draft.u32(0);
      writeLinkOption(draft, SOURCE_LINK_LAYER_ADDRESS);
      break;
    case ROUTER_ADVERTISEMENT:
      // Hop limit, flags, router lifetime; reachable and retransmission time.
      draft.u32(0x40000708);
      draft.u32(random.word());
      draft.u32(0);
      writeLinkOption(draft, SOURCE_LINK_LAYER_ADDRESS);
      draft.u32((PREFIX_INFORMATION << 24) | 0x0440c0);
      draft.u32(86400);
      draft.u32(14400);
      draft.u32(0);
      ingredients.ipv6(draft, TWIST.source);
      break;
    case NEIGHBOUR_SOLICITATION:
      draft.u32(0);
      ingredients.ipv6(draft, TWIST.destination);
      writeLinkOption(draft, SOURCE_LINK_LAYER_ADDRESS);
      break;
    case NEIGHBOUR_ADVERTISEMENT:
      // Router, solicited and override flags.
      draft.u32((random.bits() & 7) << 29);
      ingredients.ipv6(draft, TWIST.source);
      writeLinkOption(draft, TARGET_LINK_LAYER_ADDRESS);
      break;
    default:
      draft.u32(0);
      ingredients.ipv6(draft, TWIST.source);
      ingredients.ipv6(draft, TWIST.destination);
      writeLinkOption(draft, TARGET_LINK_LAYER_ADDRESS);
  }
  close(draft, at, freeAt + 2);
}

/** Type and code; the checksum waits for `close`. */
function writeHeader(draft: Draft, type: number): void {
  draft.u8(type);
  draft.u8(draft.has(TWIST.transport) ? draft.random.pick(ICMP_CODES) : 0);
  draft.u16(0);
  draft.border();
}

/** A link-layer address option (RFC 4861 §4.6.1); one that claims no length at times, which is illegal. */
function writeLinkOption(draft: Draft, type: number): void {
  draft.border();
  draft.u8(type);
  draft.u8(draft.has(TWIST.transport) && draft.random.chance(64) ? 0 : 1);
  draft.copy(draft.bytes, draft.start + 6, 6);
}

function close(draft: Draft, at: number, freeAt: number): void {
  draft.border();
  if (draft.has(TWIST.short)) draft.at = at + shortLength(draft, HEADER);
  draft.seal(at, at + 2, draft.pseudoHeader(ICMPV6, draft.at - at), freeAt, REQUEST_TO_REPLY);
}

/** The packet that an error is about: whole, or cut off. Always in order itself. */
function writeCulprit(draft: Draft, ingredients: Ingredients): void {
  const { twists, addressLength, sourceAt, finalAt } = draft;
  const bits = draft.random.bits();
  draft.twists = 0;
  const headerAt = writeIpv6Header(draft, ingredients, (bits & 1) === 0 ? 17 : 6);
  const upperAt = draft.at;
  if ((bits & 1) === 0) writeUdp(draft, ingredients);
  else writeTcp(draft, ingredients);
  closeIpv6(draft, headerAt);
  if ((bits & 6) === 0) draft.at = upperAt + 8;
  draft.twists = twists;
  draft.addressLength = addressLength;
  draft.sourceAt = sourceAt;
  draft.finalAt = finalAt;
}
