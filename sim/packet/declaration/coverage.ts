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
  if (rule.excludes !== undefined) {
    const [from, to] = rule.excludes;
    return sum(bytes, start + to, Math.max(0, covered - to), sum(bytes, start, Math.min(from, covered)));
  }
  if (rule.pseudoHeader === undefined || pseudoHeader === undefined) return sum(bytes, start, covered);
  // UDP's own length stands in its pseudo-header; UDP-Lite's and DCCP's is the packet's, however little the checksum
  // covers (RFC 768, RFC 3828 §3.2, RFC 4340 §9.1).
  const length = rule.zeroIsNone === true || rule.lengthIsCovered === true ? covered : available;
  return sum(bytes, start, covered, pseudoHeader(rule.pseudoHeader, length));
}

/** Has a message with this value a pseudo-header? */
export function hasPseudoHeader(rule: Checksum, value: unknown, version: 4 | 6 | undefined): boolean {
  if (rule.pseudoHeader === undefined) return false;
  return rule.pseudoHeaderIf?.(value as Readonly<Record<string, unknown>>, version) ?? true;
}

/** Is a computed 0 sent as 0xffff? */
export function isNeverZero(rule: Checksum): boolean {
  return rule.zeroIsNone === true || rule.neverZero === true;
}
