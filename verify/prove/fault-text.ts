import { hex16 } from '../explain/ones.ts';
import { isRightKnown } from '../oracle/found.ts';
import type { ChecksumFault } from '../oracle/judge.ts';

/** What a refutation says of a checksum. */
export function faultText({ layer, kind, after }: ChecksumFault): string {
  const left = `the ${layer} checksum leaves as ${hex16(after.got)}`;
  switch (kind) {
    case 'lost':
      return `${left}, which says “none”: a computed 0x0000 is sent as 0xffff (RFC 768)`;
    case 'fragment':
      return `the bytes that a fragment adds to the ${layer} checksum change, and no other fragment makes up for it`;
    case 'illegal':
      return layer === 'udplite'
        ? `${left}, which UDP-Lite does not allow (RFC 3828 §3.1)`
        : `${left}, which IPv6 does not allow (RFC 8200 §8.1)`;
    default:
      if (!isRightKnown(after)) return `${left}, which IPv6 does not allow (RFC 8200 §8.1)`;
      return `${left} where ${hex16(after.expected)} is right`;
  }
}
