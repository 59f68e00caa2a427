/**
 * The same packet under one more label of MPLS, whose first byte is that of an IP header: labels from 0x45000 on, say, which are as good as
 * others (RFC 3032 §2.1). Whoever takes one label off and does not look at its S bit takes the next one for the packet.
 */

import { lastTypeAt, read16 } from '../oracle/announcement.ts';
import { BOTTOM_AT, isLabels, LABEL_SIZE, LABEL_TTL_AT } from '../oracle/label-stacks.ts';

/** As headers of IPv4 and IPv6 begin. */
const BEGINS = [0x45, 0x60];
const BOTTOM = 1;
const TTL = 64;

/** One for each version of IP; none of a frame without labels. */
export function* withMoreLabels(packet: Uint8Array): Generator<Uint8Array, void, void> {
  const at = lastTypeAt(packet, 0, packet.length - 2) + 2;
  if (at + LABEL_SIZE >= packet.length || !isLabels(read16(packet, at - 2))) return;
  const behind = at + LABEL_SIZE;
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
