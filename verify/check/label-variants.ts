/**
 * The same packet with a label of MPLS whose TTL is used up: 0 becomes 255 where it is lowered unasked.
 *
 * And the same under one more label, whose first byte is that of an IP header: labels from 0x45000 on, say, which are as good as
 * others (RFC 3032 §2.1). Whoever takes one label off and does not look at its S bit takes the next one for the packet.
 */

import { lastTypeAt, read16 } from '../oracle/announcement.ts';
import { BOTTOM_AT, isLabels, LABEL_SIZE, LABEL_TTL_AT } from '../oracle/label-stacks.ts';

/** As headers of IPv4 and IPv6 begin. */
const BEGINS = [0x45, 0x60];
const BOTTOM = 1;
const TTL = 64;

/** Where the labels of a frame begin; -1: it has none. */
function labelsAt(packet: Uint8Array): number {
  const at = lastTypeAt(packet, 0, packet.length - 2) + 2;
  return at + LABEL_SIZE <= packet.length && isLabels(read16(packet, at - 2)) ? at : -1;
}

/** At the end of the TTL that the outermost label has, and at the last hop; none of a frame without labels. */
export function* withSpentLabels(packet: Uint8Array): Generator<Uint8Array, void, void> {
  const at = labelsAt(packet);
  if (at < 0) return;
  for (const ttl of [0, 1]) {
    const copy = packet.slice();
    copy[at + LABEL_TTL_AT] = ttl;
    yield copy;
  }
}

/** One for each version of IP; none of a frame without labels, or with nothing behind the first one. */
export function* withMoreLabels(packet: Uint8Array): Generator<Uint8Array, void, void> {
  const at = labelsAt(packet);
  const behind = at + LABEL_SIZE;
  if (at < 0 || behind >= packet.length) return;
  for (const begin of BEGINS) {
    const copy = new Uint8Array(packet.length + LABEL_SIZE);
    copy.set(packet.subarray(0, behind));
    copy.set(packet.subarray(behind), behind + LABEL_SIZE);
    const bottom = packet[at + BOTTOM_AT]! & BOTTOM;
    copy[at + BOTTOM_AT]! &= ~BOTTOM;
    copy[behind] = begin;
    copy[behind + BOTTOM_AT] = bottom;
    copy[behind + LABEL_TTL_AT] = TTL;
    yield copy;
  }
}
