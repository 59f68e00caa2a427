/**
 * Checksums that were not finished when the packet was captured: the sender's stack leaves the pseudo-header's sum in
 * the field, and the network card adds the rest (`CHECKSUM_PARTIAL`, include/linux/skbuff.h).
 */
import { ChecksumScanner } from '../oracle/checksums.ts';
import type { ChecksumSink, FoundChecksum, FoundHeader } from '../oracle/found.ts';
import { CHECKSUM, HEADER_FLAG, LAYER } from '../oracle/found.ts';
import { onesAdd, onesFold, onesSum } from '../oracle/sum.ts';

/** Segments at least as long as this may be ones that the network card divides. */
export const LEAST_LARGE_SEGMENT = 1400;

/**
 * Is this wrong checksum exactly the sum of its pseudo-header, or a 0 of SCTP or GRE? That of a segment which the network card divides may
 * leave the length out, which it then has to add (NDIS large send offload; Linux drivers take it out likewise).
 * @param packet where the packet starts in the view's bytes
 */
export function isUnfinished(view: DataView, packet: number, found: FoundChecksum): boolean {
  const { layer, addressLength, got } = found;
  // Without a pseudo-header to start from the field stays empty (net/sctp/output.c; `gre_build_header`, include/net/gre.h).
  if (layer === LAYER.sctp || layer === LAYER.gre) return got === 0;
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

/** The packet that a checksum was found in. */
export interface CapturedPacket {
  readonly bytes: Uint8Array;
  readonly view: DataView;
  /** Where it starts in the bytes, and how many of them are its. */
  readonly at: number;
  readonly length: number;
  readonly linkType: number;
}

/**
 * Tells the checksums of tunnels that Linux makes by local checksum offload (Documentation/networking/checksum-offloads.rst): of
 * what the one inside will be, not of what stands there until the network card fills it in. Reusable.
 */
export class LocalOffload implements ChecksumSink {
  private readonly scanner = new ChecksumScanner();
  private packet: CapturedPacket | undefined;
  /** What the checksum in question covers. */
  private start = 0;
  private end = 0;
  /** By how much that grows once those inside are filled in. */
  private growth = 0;
  /** Where the last of them ends: one inside another changes nothing further out, as the other makes up for it. */
  private filledTo = 0;
  private isQuoted = false;

  constructor() {
    this.scanner.bigTcp = true;
  }

  /** Does this wrong checksum become right once the unfinished ones inside what it covers are filled in? */
  explains(packet: CapturedPacket, { layer, start, end, got, expected }: FoundChecksum): boolean {
    // A CRC is no sum, and IPv4's covers no other.
    if (layer === LAYER.sctp || layer === LAYER.ipv4) return false;
    this.packet = packet;
    this.start = start;
    this.end = end;
    this.growth = 0;
    this.filledTo = 0;
    this.isQuoted = false;
    this.scanner.scan(packet.bytes, packet.at, packet.length, this, packet.linkType);
    this.packet = undefined;
    return this.filledTo > 0 && onesAdd(got, this.growth) % 0xffff === expected % 0xffff;
  }

  /** Nobody fills in what an ICMP error quotes. */
  header({ headerFlags }: FoundHeader): void {
    this.isQuoted = (headerFlags & HEADER_FLAG.quoted) !== 0;
  }

  checksum(found: FoundChecksum): void {
    const { view, at } = this.packet!;
    if (found.status !== CHECKSUM.bad || this.isQuoted) return;
    if (found.start <= this.start || found.end > this.end || found.start < this.filledTo) return;
    if (!isUnfinished(view, at, found)) return;
    const change = onesAdd(foldedField(found.expected), 0xffff - foldedField(found.got));
    // At an odd place its bytes lie in the other halves of the words that are summed.
    const isOdd = ((found.at - this.start) & 1) !== 0;
    this.growth = onesAdd(this.growth, isOdd ? ((change & 0xff) << 8) | (change >>> 8) : change);
    this.filledTo = found.end;
  }
}

/** What a field of 16 or 32 bits adds to a sum. */
function foldedField(value: number): number {
  return onesFold((value >>> 16) + (value & 0xffff));
}
