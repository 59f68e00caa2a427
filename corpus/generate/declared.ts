/**
 * Writes headers of any declared protocol, one inside the other, as the table of what follows what allows: well-formed,
 * and with the packet's mutations, of which each has the same meaning for all protocols. Protocols that nearly every
 * packet consists of have writers of their own.
 */

import { sctpChecksum } from '../../sim/packet/crc32c.ts';
import { coveredSum, hasPseudoHeader, isNeverZero } from '../../sim/packet/declaration/coverage.ts';
import { type Place, writeNumber } from '../../sim/packet/declaration/place.ts';
import { writeEthernet } from './ethernet.ts';
import type { FieldValues } from './field-values.ts';
import { type Aim, type Following, type Form, form, type Template } from './forms.ts';
import { writeIcmpEcho } from './icmp.ts';
import { writeIcmpv6Echo } from './icmpv6.ts';
import { closeIpv4, writeIpv4Header } from './ipv4.ts';
import { closeIpv6, writeIpv6Header } from './ipv6.ts';
import * as MUTATION from './mutation-bits.ts';
import type { PacketBuilder } from './packet-builder.ts';
import { shortLength, writeTcp, writeUdp } from './transport.ts';

/** Headers one inside the other; after these only payload follows. */
const MOST_LAYERS = 4;

/** Mutations that only the outermost headers have: what is inside is in order then. */
const OUTER_ONLY =
  MUTATION.tags |
  MUTATION.options |
  MUTATION.fragment |
  MUTATION.mac |
  MUTATION.etherType |
  MUTATION.protocol |
  MUTATION.networkLength |
  MUTATION.version |
  MUTATION.short |
  MUTATION.headerChecksum;

/** A header of this form and all inside it, up to the end of the packet. */
export function writeDeclared(
  builder: PacketBuilder,
  fieldValues: FieldValues,
  what: Form,
  depth: number = 0,
): void {
  const { random, bytes } = builder;
  const start = builder.at;
  const bits = random.bits();
  const template = builder.bare ? what.templates[0]! : what.templates[(bits >>> 8) % what.templates.length]!;
  builder.words(template.words, template.bytes.length);
  if (builder.has(MUTATION.transport)) aim(builder, what.aims, start);
  else if (!builder.bare && (bits & 3) === 0) aim(builder, what.harmless, start);
  if (builder.has(MUTATION.version) && what.constants.length > 0)
    put(bytes, start, what.constants[random.below(what.constants.length)]!, random.bits());
  builder.border();
  if (builder.has(MUTATION.short)) builder.at = start + shortLength(builder, template.bytes.length);
  else writeInside(builder, fieldValues, what, template, start, depth);
  close(builder, what, template, start);
}

/** What follows a header: another, or data. */
function writeInside(
  builder: PacketBuilder,
  fieldValues: FieldValues,
  { name, follows, nothing }: Form,
  template: Template,
  start: number,
  depth: number,
): void {
  const { random, bytes, mutations, addressLength, sourceAt, finalAt } = builder;
  const isEnd = follows.length === 0 || depth >= MOST_LAYERS || builder.bare || random.chance(64);
  if (isEnd) {
    const dataAt = builder.at;
    if (!builder.has(MUTATION.etherType | MUTATION.protocol))
      for (const place of template.next) put(bytes, start, place, nothing);
    builder.payload();
    // Where nothing says what follows, data that begins with a version would be taken for a packet.
    if (builder.at > dataAt && follows.some(({ number }) => number < 0)) bytes[dataAt] = 0;
    builder.border();
    return;
  }
  const following = follows[random.below(follows.length)]!;
  const isStray = builder.has(MUTATION.etherType | MUTATION.protocol);
  if (following.number >= 0) {
    const number = isStray ? random.word() : following.number;
    for (const place of template.next) put(bytes, start, place, number);
  }
  for (const { place, value } of following.says) put(bytes, start, place, value);
  // A PIM register has two flags and reserved bits in front of its packet (RFC 7761 §4.9.3).
  if (name === 'pim') builder.u32(0);
  // Address and control of HDLC, which both ends of a tunnel may leave out (RFC 1661 §6.6).
  if (name === 'l2tpv2' && random.bits() < 0) builder.u16(0xff03);
  builder.mutations = mutations & ~OUTER_ONLY;
  const inside = builder.at;
  if (following.name === 'ethernet') writeFrame(builder, fieldValues, GUESSED.has(name), depth + 1);
  else writeFollowing(builder, fieldValues, following, depth + 1);
  // Frames of 802.2 state their length where others state a type (IEEE 802.3 §3.2.6).
  if (following.name === 'llc')
    for (const place of template.next) put(bytes, start, place, builder.at - inside);
  builder.mutations = mutations;
  builder.addressLength = addressLength;
  builder.sourceAt = sourceAt;
  builder.finalAt = finalAt;
}

function writeFollowing(
  builder: PacketBuilder,
  fieldValues: FieldValues,
  { name }: Following,
  depth: number,
): void {
  const { random } = builder;
  switch (name) {
    case 'ethernet':
      writeFrame(builder, fieldValues, false, depth);
      return;
    case 'ipv4': {
      const upper = fieldValues.innerProtocol(builder) ?? INNER4[random.below(INNER4.length)]!;
      const at = writeIpv4Header(builder, fieldValues, upper);
      writeUpper(builder, fieldValues, upper);
      closeIpv4(builder, at);
      return;
    }
    case 'ipv6': {
      const upper = fieldValues.innerProtocol(builder) ?? INNER6[random.below(INNER6.length)]!;
      const at = writeIpv6Header(builder, fieldValues, upper);
      writeUpper(builder, fieldValues, upper);
      closeIpv6(builder, at);
      return;
    }
    case 'icmp':
      writeIcmpEcho(builder, fieldValues);
      return;
    case 'icmpv6':
      writeIcmpv6Echo(builder, fieldValues);
      return;
    case 'tcp':
      writeTcp(builder, fieldValues);
      return;
    case 'udp':
      writeUdp(builder, fieldValues);
      return;
    default:
      writeDeclared(builder, fieldValues, form(name), depth);
  }
}

/** A frame within another packet. @param isGuessed does only what it carries tell that it is one? */
function writeFrame(
  builder: PacketBuilder,
  fieldValues: FieldValues,
  isGuessed: boolean,
  depth: number,
): void {
  ethernet ??= framesForm();
  const carried = isGuessed ? ethernet.telling : ethernet.follows;
  const inner = carried[builder.random.below(carried.length)]!;
  const start = builder.at;
  writeEthernet(builder, fieldValues, inner.number);
  const inside = builder.at;
  writeFollowing(builder, fieldValues, inner, depth + 1);
  if (inner.name === 'llc') put(builder.bytes, start, ethernet.length, builder.at - inside);
}

/** What is needed of frames; made with the first one. */
let ethernet: ReturnType<typeof framesForm> | undefined;

function framesForm() {
  const { follows, templates } = form('ethernet');
  const telling = follows.filter(({ name }) => ['ipv4', 'ipv6', 'arp'].includes(name));
  return { follows, telling, length: templates[0]!.next[0]! };
}

/** In front of a frame, none of these says that there is one (`looksLikeFrame`). */
const GUESSED: ReadonlySet<string> = new Set(['mpls', 'pwethcw', 'l2tpv3', 'l2tpudp']);

/** What most packets inside others carry. */
const INNER4: readonly number[] = [6, 6, 17, 17, 1, 132, 136];
const INNER6: readonly number[] = [6, 6, 17, 17, 58, 132, 136];

function writeUpper(builder: PacketBuilder, fieldValues: FieldValues, protocol: number): void {
  switch (protocol) {
    case 1:
      writeIcmpEcho(builder, fieldValues);
      break;
    case 6:
      writeTcp(builder, fieldValues);
      break;
    case 17:
      writeUdp(builder, fieldValues);
      break;
    case 58:
      writeIcmpv6Echo(builder, fieldValues);
      break;
    case 132:
      writeDeclared(builder, fieldValues, form('sctp'), MOST_LAYERS);
      break;
    case 136:
      writeDeclared(builder, fieldValues, form('udplite'), MOST_LAYERS);
      break;
    default:
      builder.payload();
      builder.border();
  }
}

/** One field, or several, at a value where programs go wrong. */
function aim({ bytes, random }: PacketBuilder, aims: readonly Aim[], start: number): void {
  if (aims.length === 0) return;
  for (let count = 1 + (random.bits() & 1); count > 0; count--) {
    const { place, values } = aims[random.below(aims.length)]!;
    const value = random.chance(192) ? values[random.below(values.length)]! : random.bits() >>> 0;
    put(bytes, start, place, value);
  }
}

function put(bytes: Uint8Array, start: number, place: Place, value: number): void {
  writeNumber(bytes, start, place, value);
}

/** Lengths and checksums, right or as the mutations want them. */
function close(builder: PacketBuilder, what: Form, template: Template, start: number): void {
  const { bytes, random } = builder;
  const size = builder.at - start;
  const { length, checksum } = template;
  if (length !== undefined && length.place.at + length.place.size <= size) {
    let stated = Math.floor((size - length.less) / length.unit);
    if (builder.has(MUTATION.networkLength)) stated = falseLength(stated, random.bits());
    put(bytes, start, length.place, Math.max(0, stated));
  }
  if (checksum === undefined) return;
  const { rule, at } = checksum;
  const field = start + at;
  if (rule.algorithm === 'crc32c') {
    if (at + 4 > size) return;
    const crc = sctpChecksum(bytes, start, size, at);
    // Its lowest byte comes first (RFC 9260 appendix A).
    const value = builder.has(MUTATION.checksum) ? random.bits() : crc;
    for (let index = 0; index < 4; index++) bytes[field + index] = value >>> (8 * index);
    return;
  }
  if (at + 2 > size) return;
  bytes[field] = 0;
  bytes[field + 1] = 0;
  const version = versionOf(builder);
  // Fields are read where they lie: decoding would make an object of each header.
  const value = what.view.at(bytes, start) as unknown;
  let covered = size;
  if (what.coversByValue) {
    const length = template.bytes.length;
    const context = version === undefined ? {} : { version };
    const header = { value, bytes, offset: start, length, end: builder.at, context };
    covered = Math.min(size, what.protocol.declaration.covered?.(header) ?? size);
  }
  if (covered <= 0) return;
  const hasPseudo = version !== undefined && hasPseudoHeader(rule, value, version);
  const total = coveredSum(
    rule,
    bytes,
    start,
    size,
    covered,
    hasPseudo ? builder.pseudoHeaderSum : undefined,
  );
  builder.place(field, total, isNeverZero(rule));
}

function falseLength(length: number, bits: number): number {
  switch (bits & 7) {
    case 0:
      return 0;
    case 1:
    case 2:
      return length - 1;
    case 3:
    case 4:
      return length + 1;
    case 5:
      return 0xffff;
    case 6:
      return bits >>> 24;
    default:
      return bits >>> 16;
  }
}

/** Of the IP header around the cursor. */
function versionOf({ addressLength }: PacketBuilder): 4 | 6 | undefined {
  if (addressLength === 4) return 4;
  return addressLength === 16 ? 6 : undefined;
}
