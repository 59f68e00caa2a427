/** Where a link-layer header leads to, and what all kinds of them are read with. */

/** What follows a link-layer header, where that is no EtherType. Smaller than every EtherType. */
export const NEXT = {
  /** Nothing that could hold a checksum, or the header is truncated. */
  nothing: 0,
  /** A whole Ethernet frame. */
  ethernet: 1,
  /** An IP packet; its first four bits tell the version. */
  ip: 2,
} as const;

/** Where a link-layer header led to: filled in by `readLinkHeader`, and reused. */
export class LinkHeader {
  /** An EtherType, or one of `NEXT`. */
  next: number = NEXT.nothing;
  /** Where that starts, and where the frame ends without its frame check sequence. */
  at = 0;
  end = 0;
  /** Why `next` is `nothing` though the frame is complete: "encrypted". Empty where the frame carries nothing. */
  reason = '';
}

export function u16(bytes: Uint8Array, at: number): number {
  return (bytes[at]! << 8) | bytes[at + 1]!;
}

export function u16Little(bytes: Uint8Array, at: number): number {
  return bytes[at]! | (bytes[at + 1]! << 8);
}

export function u32Little(bytes: Uint8Array, at: number): number {
  return (u16Little(bytes, at) | (u16Little(bytes, at + 2) << 16)) >>> 0;
}

/** Numbers below 0x0600 in the place of an EtherType are lengths or Linux' own (linux/if_ether.h). */
export function protocolOf(type: number): number {
  return type >= 0x0600 ? type : NEXT.nothing;
}

/** IEEE 802.2 with SNAP (RFC 1042), at `found.at`. */
export function readLlc(bytes: Uint8Array, found: LinkHeader): void {
  const { at, end } = found;
  found.next = NEXT.nothing;
  if (end - at >= 8 && bytes[at] === 0xaa && bytes[at + 1] === 0xaa && bytes[at + 2] === 0x03) {
    const organization = u16(bytes, at + 3);
    // RFC 1042 has OUI 000000; bridges tunnel Ethernet's other types under 0000f8 (IEEE 802.1H).
    if (organization === 0 && (bytes[at + 5] === 0 || bytes[at + 5] === 0xf8)) {
      found.next = protocolOf(u16(bytes, at + 6));
      found.at = at + 8;
    }
  } else if (end - at >= 3 && bytes[at] === 0x06 && bytes[at + 1] === 0x06 && bytes[at + 2] === 0x03) {
    // RFC 948: IP has a service access point of its own.
    found.next = NEXT.ip;
    found.at = at + 3;
  }
}
