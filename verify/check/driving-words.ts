/**
 * Words that drive a checksum which a program makes anew, or fills in where there was none, through all of its values. What is covered by
 * a checksum of its own moves no sum around it: a word and its checksum make up for each other.
 */
import { CHECKSUM, HEADER, HEADER_FLAG, isIp, PART } from '../oracle/found.ts';
import type { FramePair } from '../oracle/frame-pair.ts';
import { type HeaderList, NO_CHECKSUM } from '../oracle/header-list.ts';

/** A word of the packet as it came. */
export interface DrivingWord {
  /** The header whose checksum it drives, in the packet that left. */
  readonly row: number;
  readonly at: number;
}

/** One for each checksum that was made anew; none where no word moves it. */
export function drivingWords(pair: FramePair): DrivingWord[] {
  const { was, is } = pair;
  const at = wordOf(was);
  if (at < 0) return [];
  return Array.from({ length: is.count }, (_, row) => row)
    .filter((row) => isMadeAnew(pair, row))
    .map((row) => ({ row, at }));
}

function isMadeAnew({ was, is }: FramePair, row: number): boolean {
  if (isIp(is.kind[row]!) || is.kind[row] === HEADER.sctp || is.part[row] !== PART.whole) return false;
  if ((is.flags[row]! & HEADER_FLAG.quoted) !== 0) return false;
  if (is.status[row] !== CHECKSUM.good && is.status[row] !== CHECKSUM.bad) return false;
  const before = is.match[row]!;
  if (before < 0 || was.status[before] !== CHECKSUM.good) return true;
  return was.end[before]! - was.start[before]! !== is.end[row]! - is.start[row]!;
}

/** Of data without a checksum, a word of them; else, where there is a pseudo-header, a word of an address, which no sum keeps still. */
function wordOf(was: HeaderList): number {
  const row = was.count - 1;
  if (row < 0 || (was.flags[row]! & HEADER_FLAG.quoted) !== 0) return -1;
  const status = was.status[row]!;
  if (isIp(was.kind[row]!) || status === NO_CHECKSUM || status === CHECKSUM.absent) return lastWord(was, row);
  const ip = row - 1;
  if (status !== CHECKSUM.good || ip < 0 || !isIp(was.kind[ip]!)) return -1;
  if (was.kind[row] === HEADER.icmp) return -1;
  return was.start[ip]! + LAST_SOURCE_WORD[was.kind[ip]!]!;
}

const LAST_SOURCE_WORD: Readonly<Record<number, number>> = { [HEADER.ipv4]: 14, [HEADER.ipv6]: 22 };

/** The last whole word of what is behind a header, or its first one where nothing is. */
function lastWord(was: HeaderList, row: number): number {
  const start = was.start[row]!;
  const last = start + ((was.end[row]! - start - 2) & ~1);
  if (last >= was.headerEnd[row]!) return last;
  return isIp(was.kind[row]!) ? -1 : start;
}

/** What the last byte of a source becomes, in little-endian machines the highest: with that of other addresses, sums need 33 bits. */
const HIGH = 0xfe;

/** The same from an address of which 32-bit sums overflow; checksums are left as they are. Undefined without IPv4. */
export function withHighSource(packet: Uint8Array, was: HeaderList): Uint8Array | undefined {
  const ip = was.kind.subarray(0, was.count).indexOf(HEADER.ipv4);
  if (ip < 0) return undefined;
  const copy = packet.slice();
  copy[was.start[ip]! + 15] = HIGH;
  return copy;
}
