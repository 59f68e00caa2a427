/** ICMP (RFC 792): echo, errors with the packet they are about, and everything else. */
import { ICMP_CODES } from './boundaries.ts';
import type { Draft } from './draft.ts';
import { closeIpv4, writeIpv4Header } from './generate-ipv4.ts';
import { shortLength, uniformByte, writeTcp, writeUdp } from './generate-transport.ts';
import type { Ingredients } from './ingredients.ts';
import { TWIST } from './twists.ts';

const HEADER = 8;
const IDENTIFIER_AT = 4;

const ECHO_REPLY = 0;
const DESTINATION_UNREACHABLE = 3;
const SOURCE_QUENCH = 4;
const REDIRECT = 5;
const ECHO = 8;
const TIME_EXCEEDED = 11;
const PARAMETER_PROBLEM = 12;

/** What turning a request into a reply adds to the checksum: type 8 becomes 0. */
const REQUEST_TO_REPLY = 0x0800;

/** Seven requests, one reply. */
export function writeIcmpEcho(draft: Draft, ingredients: Ingredients): void {
  writeIcmp(draft, ingredients, draft.random.chance(32) ? ECHO_REPLY : ECHO);
}

export function writeIcmpOther(draft: Draft, ingredients: Ingredients): void {
  writeIcmp(draft, ingredients, ingredients.icmpType(draft));
}

function writeIcmp(draft: Draft, ingredients: Ingredients, type: number): void {
  const { random } = draft;
  const at = draft.at;
  const uniform = uniformByte(draft);
  draft.u8(type);
  draft.u8(draft.has(TWIST.transport) ? random.pick(ICMP_CODES) : 0);
  draft.u16(0);
  draft.border();
  if (uniform >= 0) draft.fill(uniform, 4);
  else if (isError(type)) draft.u32(type === REDIRECT ? random.bits() : 0);
  else draft.u32(random.bits());
  draft.border();
  if (isError(type)) writeCulprit(draft, ingredients);
  else draft.payload();
  draft.border();
  if (draft.has(TWIST.short)) draft.at = at + shortLength(draft, HEADER);
  draft.seal(at, at + 2, 0, at + IDENTIFIER_AT, REQUEST_TO_REPLY);
}

function isError(type: number): boolean {
  return (
    type === DESTINATION_UNREACHABLE ||
    type === TIME_EXCEEDED ||
    type === REDIRECT ||
    type === PARAMETER_PROBLEM ||
    type === SOURCE_QUENCH
  );
}

/** The packet that an error is about: whole, or its header and eight bytes (RFC 792). Always in order itself. */
function writeCulprit(draft: Draft, ingredients: Ingredients): void {
  const { twists, addressLength, sourceAt, finalAt } = draft;
  const bits = draft.random.bits();
  draft.twists = 0;
  const headerAt = writeIpv4Header(draft, ingredients, (bits & 1) === 0 ? 17 : 6);
  const upperAt = draft.at;
  if ((bits & 1) === 0) writeUdp(draft, ingredients);
  else writeTcp(draft, ingredients);
  closeIpv4(draft, headerAt);
  if ((bits & 6) !== 0) draft.at = upperAt + 8;
  draft.twists = twists;
  draft.addressLength = addressLength;
  draft.sourceAt = sourceAt;
  draft.finalAt = finalAt;
}
