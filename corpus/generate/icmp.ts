/** ICMP (RFC 792): echo, errors with the packet they are about, and everything else. */
import { ICMP_CODES } from './boundaries.ts';
import type { FieldValues } from './field-values.ts';
import { hasExtensions, writeExtensions, writeInterface } from './icmp-extension.ts';
import { closeIpv4, writeIpv4Header } from './ipv4.ts';
import * as MUTATION from './mutation-bits.ts';
import type { PacketBuilder } from './packet-builder.ts';
import { shortLength, uniformByte, writeTcp, writeUdp } from './transport.ts';

const HEADER = 8;
const IDENTIFIER_AT = 4;
/** Where an error states how much it quotes, if extensions follow (RFC 4884 §4). */
const LENGTH_AT = 5;

const ECHO_REPLY = 0;
const DESTINATION_UNREACHABLE = 3;
const SOURCE_QUENCH = 4;
const REDIRECT = 5;
const ECHO = 8;
const TIME_EXCEEDED = 11;
const PARAMETER_PROBLEM = 12;
const EXTENDED_ECHO_REQUEST = 42;

/** What turning a request into a reply adds to the checksum: type 8 becomes 0. */
const REQUEST_TO_REPLY = 0x0800;

/** Seven requests, one reply. */
export function writeIcmpEcho(builder: PacketBuilder, fieldValues: FieldValues): void {
  writeIcmp(builder, fieldValues, builder.random.chance(32) ? ECHO_REPLY : ECHO);
}

export function writeIcmpOther(builder: PacketBuilder, fieldValues: FieldValues): void {
  writeIcmp(builder, fieldValues, fieldValues.icmpType(builder));
}

function writeIcmp(builder: PacketBuilder, fieldValues: FieldValues, type: number): void {
  const { random } = builder;
  const at = builder.at;
  const uniform = uniformByte(builder);
  const code = builder.has(MUTATION.transport) ? random.pick(ICMP_CODES) : 0;
  builder.u32((type << 24) | (code << 16));
  builder.border();
  if (uniform >= 0) builder.fill(uniform, 4);
  else if (isError(type)) builder.u32(type === REDIRECT ? random.bits() : 0);
  else builder.u32(random.bits());
  builder.border();
  if (isError(type)) writeCulprit(builder, fieldValues, isExtended(type) ? at + LENGTH_AT : 0);
  else if (type === EXTENDED_ECHO_REQUEST) writeInterface(builder);
  else builder.payload();
  builder.border();
  if (builder.has(MUTATION.short)) builder.at = at + shortLength(builder, HEADER);
  builder.seal(at, at + 2, 0, at + IDENTIFIER_AT, REQUEST_TO_REPLY);
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

function isExtended(type: number): boolean {
  return type === DESTINATION_UNREACHABLE || type === TIME_EXCEEDED || type === PARAMETER_PROBLEM;
}

/**
 * The packet that an error is about: whole, its header and eight bytes (RFC 792), or what is left in front of extensions. Always in order
 * itself.
 * @param lengthAt where an error that may have extensions states how much it quotes; 0: it may not
 */
function writeCulprit(builder: PacketBuilder, fieldValues: FieldValues, lengthAt: number): void {
  const { mutations, addressLength, sourceAt, finalAt } = builder;
  const bits = builder.random.bits();
  builder.mutations = 0;
  const headerAt = writeIpv4Header(builder, fieldValues, (bits & 1) === 0 ? 17 : 6);
  const upperAt = builder.at;
  if ((bits & 1) === 0) writeUdp(builder, fieldValues);
  else writeTcp(builder, fieldValues);
  closeIpv4(builder, headerAt);
  const isExtended = lengthAt > 0 && hasExtensions(builder, bits);
  if ((bits & 6) !== 0 && !isExtended) builder.at = upperAt + 8;
  builder.mutations = mutations;
  builder.addressLength = addressLength;
  builder.sourceAt = sourceAt;
  builder.finalAt = finalAt;
  if (isExtended) writeExtensions(builder, bits, headerAt, lengthAt, 4);
}
