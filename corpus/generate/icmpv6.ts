/** ICMPv6 (RFC 4443) with neighbour discovery (RFC 4861). */
import { ICMP_CODES } from './boundaries.ts';
import type { FieldValues } from './field-values.ts';
import { hasExtensions, writeExtensions, writeInterface } from './icmp-extension.ts';
import { closeIpv6, writeIpv6Header } from './ipv6.ts';
import * as MUTATION from './mutation-bits.ts';
import type { PacketBuilder } from './packet-builder.ts';
import { shortLength, uniformByte, writeTcp, writeUdp } from './transport.ts';

const ICMPV6 = 58;
const HEADER = 8;
/** Where an error states how much it quotes, if extensions follow (RFC 4884 §4). */
const LENGTH_AT = 4;

const ECHO_REQUEST = 128;
const ECHO_REPLY = 129;
const ROUTER_SOLICITATION = 133;
const ROUTER_ADVERTISEMENT = 134;
const NEIGHBOUR_SOLICITATION = 135;
const NEIGHBOUR_ADVERTISEMENT = 136;
const REDIRECT = 137;
const EXTENDED_ECHO_REQUEST = 160;

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
export function writeIcmpv6Echo(builder: PacketBuilder, _fieldValues: FieldValues): void {
  const { random } = builder;
  const at = builder.at;
  const uniform = uniformByte(builder);
  writeHeader(builder, random.chance(32) ? ECHO_REPLY : ECHO_REQUEST);
  if (uniform >= 0) builder.fill(uniform, 4);
  else builder.u32(random.bits());
  builder.border();
  builder.payload();
  close(builder, at, at + 4);
}

export function writeIcmpv6Other(builder: PacketBuilder, fieldValues: FieldValues): void {
  const { random } = builder;
  const at = builder.at;
  const type = fieldValues.icmpv6Type(builder);
  if (type >= ROUTER_SOLICITATION && type <= REDIRECT) {
    writeNeighbour(builder, fieldValues, type);
    return;
  }
  writeHeader(builder, type);
  if (type >= 1 && type <= 4) {
    builder.u32(type === 2 ? 1280 : 0);
    builder.border();
    // Unreachable and time exceeded may have extensions (RFC 4884 §4.4 and §4.5).
    writeCulprit(builder, fieldValues, type === 1 || type === 3 ? at + LENGTH_AT : 0);
  } else if (type === EXTENDED_ECHO_REQUEST) {
    builder.u32(builder.random.bits());
    builder.border();
    writeInterface(builder);
  } else {
    builder.u32(random.bits());
    builder.border();
    builder.payload();
  }
  close(builder, at, at + 4);
}

/** Router and neighbour solicitations and advertisements, and redirects: types 133 to 137. */
export function writeNeighbourDiscovery(builder: PacketBuilder, fieldValues: FieldValues): void {
  writeNeighbour(builder, fieldValues, ROUTER_SOLICITATION + builder.random.below(5));
}

/** The number goes before the upper layer is written, the rest of the fixed header stands already. */
function writeNeighbour(builder: PacketBuilder, fieldValues: FieldValues, type: number): void {
  const { bytes, random } = builder;
  const at = builder.at;
  if (!builder.has(MUTATION.lifetime)) bytes[builder.sourceAt - 8 + HOP_LIMIT_AT] = NEIGHBOUR_HOP_LIMIT;
  writeHeader(builder, type);
  const freeAt = builder.at;
  switch (type) {
    case ROUTER_SOLICITATION:
      builder.u32(0);
      writeLinkOption(builder, SOURCE_LINK_LAYER_ADDRESS);
      break;
    case ROUTER_ADVERTISEMENT:
      // Hop limit, flags, router lifetime; reachable and retransmission time.
      builder.u32(0x40000708);
      builder.u32(random.word());
      builder.u32(0);
      writeLinkOption(builder, SOURCE_LINK_LAYER_ADDRESS);
      builder.u32((PREFIX_INFORMATION << 24) | 0x0440c0);
      builder.u32(86400);
      builder.u32(14400);
      builder.u32(0);
      fieldValues.ipv6(builder, MUTATION.source);
      break;
    case NEIGHBOUR_SOLICITATION:
      builder.u32(0);
      fieldValues.ipv6(builder, MUTATION.destination);
      writeLinkOption(builder, SOURCE_LINK_LAYER_ADDRESS);
      break;
    case NEIGHBOUR_ADVERTISEMENT:
      // Router, solicited and override flags.
      builder.u32((random.bits() & 7) << 29);
      fieldValues.ipv6(builder, MUTATION.source);
      writeLinkOption(builder, TARGET_LINK_LAYER_ADDRESS);
      break;
    default:
      builder.u32(0);
      fieldValues.ipv6(builder, MUTATION.source);
      fieldValues.ipv6(builder, MUTATION.destination);
      writeLinkOption(builder, TARGET_LINK_LAYER_ADDRESS);
  }
  close(builder, at, freeAt + 2);
}

/** Type and code; the checksum waits for `close`. */
function writeHeader(builder: PacketBuilder, type: number): void {
  const code = builder.has(MUTATION.transport) ? builder.random.pick(ICMP_CODES) : 0;
  builder.u32((type << 24) | (code << 16));
  builder.border();
}

/** A link-layer address option (RFC 4861 §4.6.1); one that claims no length at times, which is illegal. */
function writeLinkOption(builder: PacketBuilder, type: number): void {
  builder.border();
  builder.u8(type);
  builder.u8(builder.has(MUTATION.transport) && builder.random.chance(64) ? 0 : 1);
  builder.copyMac(builder.start + 6);
}

function close(builder: PacketBuilder, at: number, freeAt: number): void {
  builder.border();
  if (builder.has(MUTATION.short)) builder.at = at + shortLength(builder, HEADER);
  builder.seal(at, at + 2, builder.pseudoHeader(ICMPV6, builder.at - at), freeAt, REQUEST_TO_REPLY);
}

/**
 * The packet that an error is about: whole, cut off, or what is left in front of extensions. Always in order itself.
 * @param lengthAt where an error that may have extensions states how much it quotes; 0: it may not
 */
function writeCulprit(builder: PacketBuilder, fieldValues: FieldValues, lengthAt: number): void {
  const { mutations, addressLength, sourceAt, finalAt } = builder;
  const bits = builder.random.bits();
  builder.mutations = 0;
  const headerAt = writeIpv6Header(builder, fieldValues, (bits & 1) === 0 ? 17 : 6);
  const upperAt = builder.at;
  if ((bits & 1) === 0) writeUdp(builder, fieldValues);
  else writeTcp(builder, fieldValues);
  closeIpv6(builder, headerAt);
  const isExtended = lengthAt > 0 && hasExtensions(builder, bits);
  if ((bits & 6) === 0 && !isExtended) builder.at = upperAt + 8;
  builder.mutations = mutations;
  builder.addressLength = addressLength;
  builder.sourceAt = sourceAt;
  builder.finalAt = finalAt;
  if (isExtended) writeExtensions(builder, bits, headerAt, lengthAt, 8);
}
