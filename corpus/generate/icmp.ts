/** ICMP (RFC 792): echo, errors with the packet they are about, and everything else. */
import { ICMP_CODES } from './boundaries.ts';
import type { FieldValues } from './field-values.ts';
import { closeIpv4, writeIpv4Header } from './ipv4.ts';
import * as MUTATION from './mutation-bits.ts';
import type { PacketBuilder } from './packet-builder.ts';
import { shortLength, uniformByte, writeTcp, writeUdp } from './transport.ts';

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
  if (isError(type)) writeCulprit(builder, fieldValues);
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

/** The packet that an error is about: whole, or its header and eight bytes (RFC 792). Always in order itself. */
function writeCulprit(builder: PacketBuilder, fieldValues: FieldValues): void {
  const { mutations, addressLength, sourceAt, finalAt } = builder;
  const bits = builder.random.bits();
  builder.mutations = 0;
  const headerAt = writeIpv4Header(builder, fieldValues, (bits & 1) === 0 ? 17 : 6);
  const upperAt = builder.at;
  if ((bits & 1) === 0) writeUdp(builder, fieldValues);
  else writeTcp(builder, fieldValues);
  closeIpv4(builder, headerAt);
  if ((bits & 6) !== 0) builder.at = upperAt + 8;
  builder.mutations = mutations;
  builder.addressLength = addressLength;
  builder.sourceAt = sourceAt;
  builder.finalAt = finalAt;
}
