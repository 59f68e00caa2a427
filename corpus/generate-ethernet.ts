/** Ethernet with its tags, ARP, foreign EtherTypes, and noise. */
import { ETHERTYPES, TAG_CONTROLS, TAG_TYPES } from './boundaries.ts';
import type { Draft } from './draft.ts';
import type { Ingredients } from './ingredients.ts';
import { TWIST } from './twists.ts';

const ARP = 0x0806;

/** One tag half of the time, then two, three (one too many for most parsers) and four. */
const TAG_COUNTS: Uint16Array = Uint16Array.from([1, 1, 1, 1, 2, 2, 2, 3, 1, 1, 1, 1, 2, 2, 3, 4]);

/** MAC addresses, tags and the EtherType. */
export function writeEthernet(draft: Draft, ingredients: Ingredients, etherType: number): void {
  const { random } = draft;
  ingredients.macs(draft);
  draft.border();
  if (draft.has(TWIST.tags)) {
    for (let count = random.pick(TAG_COUNTS); count > 0; count--) {
      draft.u16(random.pick(TAG_TYPES));
      draft.u16(random.chance(192) ? random.pick(TAG_CONTROLS) : random.word());
      draft.border();
    }
  }
  draft.u16(draft.has(TWIST.etherType) ? random.pick(ETHERTYPES) : etherType);
  draft.border();
}

/** ARP for IPv4 over Ethernet (RFC 826): requests, replies, announcements; other sizes where twisted. */
export function writeArp(draft: Draft, ingredients: Ingredients): void {
  const { random } = draft;
  writeEthernet(draft, ingredients, ARP);
  const twisted = draft.has(TWIST.transport);
  const bits = random.bits();
  draft.u16(twisted && (bits & 1) !== 0 ? 6 : 1);
  draft.u16(twisted && (bits & 2) !== 0 ? 0x86dd : 0x0800);
  draft.u8(twisted && (bits & 4) !== 0 ? 8 : 6);
  draft.u8(twisted && (bits & 8) !== 0 ? 16 : 4);
  draft.u16(twisted && (bits & 16) !== 0 ? random.below(26) : 1 + ((bits >>> 5) & 1));
  draft.border();
  // The sender's hardware address is the frame's source; the target's is zero in a request.
  draft.copy(draft.bytes, draft.start + 6, 6);
  const senderAt = draft.at;
  ingredients.ipv4(draft, TWIST.source);
  if ((bits & 64) !== 0) draft.fill(0, 6);
  else draft.copy(draft.bytes, draft.start, 6);
  if ((bits & 0x380) === 0) draft.copy(draft.bytes, senderAt, 4);
  else ingredients.ipv4(draft, TWIST.destination);
  draft.border();
}

/** Something that is neither IP nor ARP, or only claims to be. */
export function writeForeignEthernet(draft: Draft, ingredients: Ingredients): void {
  const { random } = draft;
  writeEthernet(draft, ingredients, random.chance(208) ? random.pick(ETHERTYPES) : random.word());
  draft.payload();
  draft.border();
}

/** Bytes without meaning, at times behind a known EtherType. */
export function writeNoise(draft: Draft): void {
  const { random } = draft;
  const bits = random.bits();
  const length =
    (bits & 3) === 0 ? random.below(16) : (bits & 3) === 1 ? random.below(256) : (bits >>> 8) & 63;
  draft.noise(Math.min(length, draft.maxLength));
  if (bits < 0 && length >= 14) {
    const etherType = random.pick(ETHERTYPES);
    draft.bytes[draft.start + 12] = etherType >>> 8;
    draft.bytes[draft.start + 13] = etherType;
  }
}
