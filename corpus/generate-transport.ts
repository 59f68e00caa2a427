/** TCP and UDP, the same over both IP versions (RFC 9293, RFC 768). */
import { TCP_DATA_OFFSETS, TCP_FLAGS } from './boundaries.ts';
import { type Draft, UNIFORM } from './draft.ts';
import type { Ingredients } from './ingredients.ts';
import { TWIST } from './twists.ts';

const TCP = 6;
const TCP_HEADER = 20;
const UDP = 17;
const UDP_HEADER = 8;

export function writeTcp(draft: Draft, ingredients: Ingredients): void {
  const { random } = draft;
  const at = draft.at;
  const bits = random.bits();
  const twisted = draft.has(TWIST.transport);
  draft.u16(ingredients.port(draft));
  draft.u16(ingredients.port(draft));
  draft.border();
  draft.u32(random.bits());
  draft.u32(random.bits());
  draft.u8(0x50);
  draft.u8(twisted ? random.pick(TCP_FLAGS) : (bits & 3) === 0 ? 0x02 : 0x18);
  draft.u16((bits & 4) === 0 ? 0xffff : bits >>> 16);
  draft.u32(0);
  draft.border();
  if ((bits & 0x70) === 0) {
    writeTcpOptions(draft, bits);
    draft.bytes[at + 12] = ((draft.at - at) >>> 2) << 4;
    draft.border();
  }
  draft.payload();
  draft.border();
  if (draft.has(TWIST.short)) draft.at = at + shortLength(draft, TCP_HEADER);
  else if (twisted && (bits & 0x300) === 0) {
    draft.bytes[at + 12] = random.pick(TCP_DATA_OFFSETS) << 4;
  }
  const length = draft.at - at;
  // The low half of the sequence number may be anything.
  draft.seal(at, at + 16, draft.pseudoHeader(TCP, length), at + 6, 0);
}

/** The options of a SYN, or the timestamps of an established connection (RFC 7323). */
function writeTcpOptions(draft: Draft, bits: number): void {
  if ((bits & 0x80) === 0) {
    draft.u32(0x0204_05b4);
    draft.u32(0x0402_080a);
    draft.u32(bits);
    draft.u32(0);
    draft.u32(0x0103_0307);
  } else {
    draft.u32(0x0101_080a);
    draft.u32(bits);
    draft.u32(~bits);
  }
}

export function writeUdp(draft: Draft, ingredients: Ingredients): void {
  const { bytes, random } = draft;
  const at = draft.at;
  draft.u16(ingredients.port(draft));
  draft.u16(ingredients.port(draft));
  draft.border();
  draft.u32(0);
  draft.border();
  const payloadAt = draft.at;
  draft.payload();
  draft.border();
  if (draft.has(TWIST.short)) draft.at = at + shortLength(draft, UDP_HEADER);
  const length = draft.at - at;
  if (length < UDP_HEADER) {
    // Even a header that is cut off tells its whole length.
    if (length >= 6) putU16(bytes, at + 4, UDP_HEADER);
    return;
  }
  putU16(bytes, at + 4, length);
  // Words that may be anything: the first of the payload, or else the source port.
  const freeAt = length >= UDP_HEADER + 2 ? payloadAt : at;
  draft.seal(at, at + 6, draft.pseudoHeader(UDP, length), freeAt, 0);
  if (draft.has(TWIST.transport)) {
    const bits = random.bits();
    if ((bits & 1) === 0) putU16(bytes, at + 6, 0);
    else putU16(bytes, at + 4, falseLength(length, bits));
  } else if (bytes[at + 6] === 0 && bytes[at + 7] === 0 && !draft.has(TWIST.checksum)) {
    // A computed 0 is sent as 0xffff (RFC 768).
    putU16(bytes, at + 6, 0xffff);
  }
}

function falseLength(length: number, bits: number): number {
  switch ((bits >>> 1) & 7) {
    case 0:
      return 0;
    case 1:
      return UDP_HEADER - 1;
    case 2:
      return UDP_HEADER;
    case 3:
      return length - 1;
    case 4:
      return length + 1;
    case 5:
      return 0xffff;
    case 6:
      return length + UDP_HEADER;
    default:
      return bits >>> 16;
  }
}

/** Where a message ends that ends within its header: often after half of it, or one byte too soon. */
export function shortLength(draft: Draft, header: number): number {
  const { random } = draft;
  switch (random.bits() & 3) {
    case 0:
      return 4;
    case 1:
      return header - 1;
    default:
      return random.below(header);
  }
}

/** Does the uniform twist go for the whole message? -1 if not, else the byte that fills it. */
export function uniformByte(draft: Draft): number {
  if (draft.uniform === UNIFORM.zeroMessage) return 0;
  return draft.uniform === UNIFORM.onesMessage ? 0xff : -1;
}

function putU16(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 8;
  bytes[at + 1] = value;
}
