/**
 * Checksums that were not finished when the packet was captured: the sender's stack leaves the pseudo-header's sum in
 * the field, and the network card adds the rest (`CHECKSUM_PARTIAL`, include/linux/skbuff.h).
 */
import type { FoundChecksum } from '../oracle/found.ts';
import { LAYER } from '../oracle/found.ts';
import { onesAdd, onesSum } from '../oracle/sum.ts';

/** Segments at least as long as this may be ones that the network card divides. */
export const LEAST_LARGE_SEGMENT = 1400;

/**
 * Is this wrong checksum exactly the sum of its pseudo-header, or SCTP's 0? That of a segment which the network card divides may
 * leave the length out, which it then has to add (NDIS large send offload; Linux drivers take it out likewise).
 * @param packet where the packet starts in the view's bytes
 */
export function isUnfinished(view: DataView, packet: number, found: FoundChecksum): boolean {
  const { layer, addressLength, got } = found;
  // A CRC has no pseudo-header to start from: the field stays empty (net/sctp/output.c).
  if (layer === LAYER.sctp) return got === 0;
  if (addressLength === 0 || (layer !== LAYER.tcp && layer !== LAYER.udp)) return false;
  const source = packet + found.source;
  const destination = packet + found.destination;
  let sum = onesSum(view, source, source + addressLength);
  sum = onesAdd(sum, onesSum(view, destination, destination + addressLength));
  sum = onesAdd(sum, found.protocol);
  if (found.length >= LEAST_LARGE_SEGMENT && got === sum) return true;
  sum = onesAdd(onesAdd(sum, found.length & 0xffff), Math.floor(found.length / 0x10000));
  return got === sum;
}
