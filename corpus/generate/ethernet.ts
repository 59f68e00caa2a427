/** Ethernet with its tags, ARP, foreign EtherTypes, and noise. */
import { ETHERTYPES, TAG_CONTROLS, TAG_TYPES } from './boundaries.ts';
import type { FieldValues } from './field-values.ts';
import * as MUTATION from './mutation-bits.ts';
import type { PacketBuilder } from './packet-builder.ts';

const ARP = 0x0806;

/** One tag half of the time, then two, three (one too many for most parsers) and four. */
const TAG_COUNTS: Uint16Array = Uint16Array.from([1, 1, 1, 1, 2, 2, 2, 3, 1, 1, 1, 1, 2, 2, 3, 4]);

/** MAC addresses, tags and the EtherType. */
export function writeEthernet(builder: PacketBuilder, fieldValues: FieldValues, etherType: number): void {
  const { random } = builder;
  fieldValues.macs(builder);
  builder.border();
  const tags = builder.has(MUTATION.tags) ? random.pick(TAG_COUNTS) : fieldValues.hintedTags(builder);
  for (let count = tags; count > 0; count--) {
    builder.u16(random.pick(TAG_TYPES));
    const hinted = fieldValues.hintedTagControl(builder);
    builder.u16(hinted >= 0 ? hinted : random.chance(192) ? random.pick(TAG_CONTROLS) : random.word());
    builder.border();
  }
  builder.u16(builder.has(MUTATION.etherType) ? random.pick(ETHERTYPES) : etherType);
  builder.border();
}

/** ARP for IPv4 over Ethernet (RFC 826): requests, replies, announcements; other sizes where mutated. */
export function writeArp(builder: PacketBuilder, fieldValues: FieldValues): void {
  const { random } = builder;
  writeEthernet(builder, fieldValues, ARP);
  const mutated = builder.has(MUTATION.transport);
  const bits = random.bits();
  const hardware = mutated && (bits & 1) !== 0 ? 6 : 1;
  builder.u32((hardware << 16) | (mutated && (bits & 2) !== 0 ? 0x86dd : 0x0800));
  const hardwareSize = mutated && (bits & 4) !== 0 ? 8 : 6;
  const addressSize = mutated && (bits & 8) !== 0 ? 16 : 4;
  const operation = mutated && (bits & 16) !== 0 ? random.below(26) : 1 + ((bits >>> 5) & 1);
  builder.u32((hardwareSize << 24) | (addressSize << 16) | operation);
  builder.border();
  // The sender's hardware address is the frame's source; the target's is zero in a request.
  builder.copyMac(builder.start + 6);
  const senderAt = builder.at;
  fieldValues.ipv4(builder, MUTATION.source);
  if ((bits & 64) !== 0) builder.fill(0, 6);
  else builder.copyMac(builder.start);
  if ((bits & 0x380) === 0) builder.u32(builder.view.getInt32(senderAt));
  else fieldValues.ipv4(builder, MUTATION.destination);
  builder.border();
}

/** Bytes without meaning, at times behind a known EtherType. */
export function writeNoise(builder: PacketBuilder): void {
  const { random } = builder;
  const bits = random.bits();
  const length =
    (bits & 3) === 0 ? random.below(16) : (bits & 3) === 1 ? random.below(256) : (bits >>> 8) & 63;
  builder.noise(Math.min(length, builder.maxLength));
  if (bits < 0 && length >= 14) {
    const etherType = random.pick(ETHERTYPES);
    builder.bytes[builder.start + 12] = etherType >>> 8;
    builder.bytes[builder.start + 13] = etherType;
  }
}
