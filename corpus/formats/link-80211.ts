/** IEEE 802.11 frames and the radiotap header in front of them. */
import { type LinkHeader, NEXT, readLlc } from './link-header.ts';

/** Frame control, byte 0 (IEEE 802.11-2020 §9.2.4.1). */
const TYPE_MASK = 0x0c;
const TYPE_DATA = 0x08;
const SUBTYPE_QOS = 0x80;
const SUBTYPE_NO_DATA = 0x40;
/** Frame control, byte 1. */
const TO_DS = 0x01;
const FROM_DS = 0x02;
const MORE_FRAGMENTS = 0x04;
const PROTECTED = 0x40;
const ORDER = 0x80;
/** QoS control, byte 0: the frame holds several packets. */
const A_MSDU = 0x80;

/** Radiotap's Flags field (https://www.radiotap.org/fields/Flags). */
const RADIOTAP_FCS = 0x10;
const RADIOTAP_PADDED = 0x20;

/** Does the header in front of the frame say that the body is aligned to four bytes? Set by `radiotap`. */
let isPadded = false;

/**
 * Steps over a radiotap header: sets `found.at` to the frame behind it, and `found.end` before its frame check
 * sequence where there is one.
 * @returns false where the header is truncated
 */
export function radiotap(bytes: Uint8Array, start: number, end: number, found: LinkHeader): boolean {
  if (end - start < 8) return false;
  const size = bytes[start + 2]! | (bytes[start + 3]! << 8);
  if (size < 8 || size > end - start) return false;
  found.at = start + size;
  // Fields come in the order of the bits that announce them, each on its own alignment from the header's start.
  let at = 4;
  while (at + 4 <= size && (bytes[start + at + 3]! & 0x80) !== 0) at += 4;
  at += 4;
  const present = bytes[start + 4]!;
  if ((present & 1) !== 0) at = ((at + 7) & ~7) + 8;
  const flags = (present & 2) !== 0 && at < size ? bytes[start + at]! : 0;
  if ((flags & RADIOTAP_FCS) !== 0) found.end = Math.max(found.at, end - 4);
  isPadded = (flags & RADIOTAP_PADDED) !== 0;
  return true;
}

/** Why a frame is not followed, instead of where its body starts. */
const BODY = { none: -1, encrypted: -2, aMsdu: -3, fragment: -4 } as const;
const REASONS: Readonly<Record<number, string>> = {
  [BODY.encrypted]: 'encrypted 802.11 frames',
  [BODY.aMsdu]: '802.11 frames that hold several packets (A-MSDU)',
  [BODY.fragment]: '802.11 fragments',
};

/** Reads the frame at `found.at`: data frames that are whole and readable lead to LLC. */
export function readIeee80211(bytes: Uint8Array, found: LinkHeader): void {
  const { at, end } = found;
  const padded = isPadded;
  isPadded = false;
  found.next = NEXT.nothing;
  if (end - at < 24) return;
  const body = bodyOfDataFrame(bytes, at, end, bytes[at]!, bytes[at + 1]!, padded);
  if (body < 0) {
    found.reason = REASONS[body] ?? found.reason;
    return;
  }
  found.at = body;
  readLlc(bytes, found);
}

/**
 * Where LLC starts in an 802.11 frame, below 0 where it holds none that can be read.
 * @param control the first byte of frame control: version, type and subtype
 * @param flags the second byte
 * @param padded is the body aligned to four bytes?
 */
export function bodyOfDataFrame(
  bytes: Uint8Array,
  at: number,
  end: number,
  control: number,
  flags: number,
  padded: boolean,
): number {
  if (end - at < 24) return BODY.none;
  if ((control & TYPE_MASK) !== TYPE_DATA || (control & SUBTYPE_NO_DATA) !== 0) return BODY.none;
  let size = 24;
  // Between two access points a fourth address says where the frame goes.
  if ((flags & (TO_DS | FROM_DS)) === (TO_DS | FROM_DS)) size += 6;
  let qos = 0;
  if ((control & SUBTYPE_QOS) !== 0) {
    if (end - at < size + 2) return BODY.none;
    qos = bytes[at + size]!;
    size += 2;
    if ((flags & ORDER) !== 0) size += 4;
  }
  if (padded) size = (size + 3) & ~3;
  if (end - at < size) return BODY.none;
  if ((flags & PROTECTED) !== 0) return BODY.encrypted;
  if ((qos & A_MSDU) !== 0) return BODY.aMsdu;
  // Sequence control: a fragment number other than 0.
  if ((flags & MORE_FRAGMENTS) !== 0 || (bytes[at + 22]! & 0x0f) !== 0) return BODY.fragment;
  return at + size;
}
