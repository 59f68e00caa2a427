/** What a checksum over a message covers, for those who verify it and for those who fill it in. */
import { sum } from '../checksum.ts';
import type { Checksum } from './field.ts';

/** The sum of a pseudo-header for an upper layer of so many bytes. */
export type PseudoHeader = (protocol: number, length: number) => number;

/**
 * The one's complement sum that a checksum is about, with the field as it stands.
 * @param start where the message begins; `available` bytes of it are there
 * @param covered bytes that the declaration says are covered, at most `available`
 */
export function coveredSum(
  rule: Checksum,
  bytes: Uint8Array,
  start: number,
  available: number,
  covered: number,
  pseudoHeader?: PseudoHeader,
): number {
  if (rule.pseudoHeader === undefined || pseudoHeader === undefined) return sum(bytes, start, covered);
  // UDP's own length stands in its pseudo-header; UDP-Lite's and DCCP's is the packet's, however little the checksum
  // covers (RFC 768, RFC 3828 §3.2, RFC 4340 §9.1).
  const length = rule.zeroIsNone === true ? covered : available;
  return sum(bytes, start, covered, pseudoHeader(rule.pseudoHeader, length));
}

/** Is a computed 0 sent as 0xffff? */
export function isNeverZero(rule: Checksum): boolean {
  return rule.zeroIsNone === true || rule.neverZero === true;
}
