/**
 * What a frame that leaves is an answer to: the packet that came, with its addresses swapped, or the one that an ICMP error
 * quotes, whose IP header is a new one.
 */
import { HEADER, HEADER_FLAG, isIp } from '../oracle/found.ts';
import { type FramePair, protocolPlace } from '../oracle/frame-pair.ts';
import type { HeaderList } from '../oracle/header-list.ts';
import { sameIp } from './ttl.ts';

/** The IP header that a frame's first addresses are in; -1: it has none. */
export function outermostIp(list: HeaderList): number {
  for (let row = 0; row < list.count; row++) if (isIp(list.kind[row]!)) return row;
  return -1;
}

/** The header of the frame as it came of which this one is the answer, or which it still is; -1: nobody can say. */
export function answeredBy(pair: FramePair, row: number): number {
  const about = errorAbout(pair, row);
  return about >= 0 ? about : sameIp(pair, row);
}

/** ICMP errors, which quote what they are about behind their first 8 bytes (RFC 792, RFC 4443 §3). */
export const ERRORS4: ReadonlySet<number> = new Set([3, 4, 5, 11, 12]);
export const ERRORS6: ReadonlySet<number> = new Set([1, 2, 3, 4]);
const ICMP_HEADER = 8;

const NO_HEADER = HEADER_FLAG.cut | HEADER_FLAG.impossible | HEADER_FLAG.quoted;

/**
 * Did the program make an ICMP error of the packet that came, and does it go to where that came from? Errors that came are
 * passed on with what they quote.
 * @param row an IP header of the frame that left
 * @returns the header that the error quotes, as it came; -1: it is no such error
 */
export function errorAbout(pair: FramePair, row: number): number {
  const about = quotedBy(pair, row);
  return about >= 0 && goesToSource(pair, row, about) ? about : -1;
}

/** The same, wherever the error goes. */
export function quotedBy(pair: FramePair, row: number): number {
  const { was, is, after, afterOffset, afterLength } = pair;
  const kind = is.kind[row]!;
  const isV4 = kind === HEADER.ipv4;
  // A fragment of a message has no row for what it holds: the bytes are asked.
  if (after[afterOffset + is.start[row]! + protocolPlace(kind)] !== (isV4 ? 1 : 58)) return -1;
  if ((is.flags[row]! & NO_HEADER) !== 0) return -1;
  const message = is.headerEnd[row]!;
  const quoted = message + ICMP_HEADER;
  if (quoted + (isV4 ? 20 : 40) > afterLength) return -1;
  if (!(isV4 ? ERRORS4 : ERRORS6).has(after[afterOffset + message]!)) return -1;
  let about = -1;
  for (let other = was.count - 1; other >= 0; other--) {
    if (was.kind[other] !== kind || !isQuotedAt(pair, other, quoted)) continue;
    if ((was.flags[other]! & NO_HEADER) !== 0) return -1;
    about = other;
  }
  return about;
}

/** What tells packets apart, and whoever answers them leaves alone: version, protocol, addresses, identification; [from, to). */
const KEPT4 = [
  [0, 1],
  [4, 6],
  [9, 10],
  [12, 20],
] as const;
const KEPT6 = [
  [0, 1],
  [6, 7],
  [8, 40],
] as const;

/** Does a header as it came stand at a place of the frame that left? */
function isQuotedAt(
  { was, before, beforeOffset, beforeLength, after, afterOffset }: FramePair,
  row: number,
  at: number,
): boolean {
  const isV4 = was.kind[row] === HEADER.ipv4;
  const start = was.start[row]!;
  if (start + (isV4 ? 20 : 40) > beforeLength) return false;
  for (const [from, to] of isV4 ? KEPT4 : KEPT6)
    if (!sameBytes(after, afterOffset + at + from, before, beforeOffset + start + from, to - from))
      return false;
  return true;
}

/** Where in an IP header its source is, in front of its destination, and how long each is. */
export function addressesOf(kind: number): readonly [at: number, size: number] {
  return kind === HEADER.ipv4 ? ADDRESSES4 : ADDRESSES6;
}

const ADDRESSES4 = [12, 4] as const;
const ADDRESSES6 = [8, 16] as const;

/** Does it go to where the packet came from, with another source than that one had? */
export function goesBack(pair: FramePair, row: number, came: number): boolean {
  const { is, was, before, beforeOffset, after, afterOffset } = pair;
  const [at, size] = addressesOf(is.kind[row]!);
  const now = afterOffset + is.start[row]! + at;
  const then = beforeOffset + was.start[came]! + at;
  return goesToSource(pair, row, came) && !sameBytes(after, now, before, then, size);
}

function goesToSource(pair: FramePair, row: number, came: number): boolean {
  const { is, was, before, beforeOffset, after, afterOffset } = pair;
  const [at, size] = addressesOf(is.kind[row]!);
  const now = afterOffset + is.start[row]! + at + size;
  return sameBytes(after, now, before, beforeOffset + was.start[came]! + at, size);
}

/** Is its source the destination that the packet came with? */
export function comesFromDestination(pair: FramePair, row: number, came: number): boolean {
  const { is, was, before, beforeOffset, after, afterOffset } = pair;
  const [at, size] = addressesOf(is.kind[row]!);
  const now = afterOffset + is.start[row]! + at;
  return sameBytes(after, now, before, beforeOffset + was.start[came]! + at + size, size);
}

/** Multicast, and the limited broadcast; of IPv6, multicast. */
export function isGroup(bytes: Uint8Array, at: number, size: number): boolean {
  if (size === 16) return bytes[at] === 0xff;
  return (bytes[at]! & 0xf0) === 0xe0 || isFilled(bytes, at, size, 0xff);
}

/** Have all of these bytes one value? */
export function isFilled(bytes: Uint8Array, at: number, size: number, value: number): boolean {
  for (let index = 0; index < size; index++) if (bytes[at + index] !== value) return false;
  return true;
}

/** Are the bytes of two arenas the same? For addresses: short ones. */
export function sameBytes(a: Uint8Array, aAt: number, b: Uint8Array, bAt: number, size: number): boolean {
  for (let index = 0; index < size; index++) if (a[aAt + index] !== b[bAt + index]) return false;
  return true;
}
