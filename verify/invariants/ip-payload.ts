/** What an IP header of a frame carries: the protocol, and where its data lies. */
import { HEADER, HEADER_FLAG, isIp, PART } from '../oracle/found.ts';
import type { FramePair } from '../oracle/frame-pair.ts';
import type { HeaderList } from '../oracle/header-list.ts';

export interface IpPayload {
  protocol: number;
  /** Offsets in the frame. */
  start: number;
  end: number;
  /** One of `PART`. */
  part: number;
}

/** Extension headers that are walked over (RFC 8200 §4.1). */
const EXTENSIONS: ReadonlySet<number> = new Set([0, 43, 44, 51, 60, 135, 139, 140]);

/**
 * @param row an IPv4 or IPv6 header
 * @returns undefined where the packet is not all there
 */
export function payloadOf(
  list: HeaderList,
  row: number,
  bytes: Uint8Array,
  offset: number,
): IpPayload | undefined {
  if ((list.flags[row]! & (HEADER_FLAG.cut | HEADER_FLAG.impossible | HEADER_FLAG.quoted)) !== 0)
    return undefined;
  const start = list.headerEnd[row]!;
  const end = list.claimedEnd[row]!;
  if (end > list.room[row]! || end < start) return undefined;
  const header = list.start[row]!;
  const part = list.part[row]!;
  if (list.kind[row] === HEADER.ipv4) return { protocol: bytes[offset + header + 9]!, start, end, part };
  let next = bytes[offset + header + 6]!;
  for (let at = header + 40; at < start && EXTENSIONS.has(next); ) {
    const size =
      next === 44 ? 8 : next === 51 ? (bytes[offset + at + 1]! + 2) * 4 : (bytes[offset + at + 1]! + 1) * 8;
    next = bytes[offset + at]!;
    at += size;
  }
  return { protocol: next, start, end, part };
}

/** The same IP packet as it came and as it left. */
export interface PayloadPair {
  readonly row: number;
  readonly was: IpPayload;
  readonly is: IpPayload;
}

/** IP packets, outermost first, that carry the same protocol as before. */
export function* payloadPairs(pair: FramePair): Generator<PayloadPair, void, void> {
  const { was, is } = pair;
  for (let row = 0; row < is.count; row++) {
    const kind = is.kind[row]!;
    if (!isIp(kind)) continue;
    const match = is.match[row]!;
    if (match < 0 || was.kind[match] !== kind) continue;
    const now = payloadOf(is, row, pair.after, pair.afterOffset);
    const then = payloadOf(was, match, pair.before, pair.beforeOffset);
    if (now !== undefined && then?.protocol === now.protocol) yield { row, was: then, is: now };
  }
}

/** Does the payload still hold, from its first byte on, what it held before? */
export function isSamePayload(pair: FramePair, { was, is }: PayloadPair, from: number, to: number): boolean {
  for (let at = from; at < to; at++) {
    const now = pair.after[pair.afterOffset + is.start + at];
    if (now !== pair.before[pair.beforeOffset + was.start + at]) return false;
  }
  return true;
}

export function isWhole({ part }: IpPayload): boolean {
  return part === PART.whole;
}

/**
 * May an IP packet of the frame as it came carry one of these protocols? Makes no object: most packets carry others, and
 * end here.
 */
export function mayCarry(
  { was, before, beforeOffset }: FramePair,
  protocols: ReadonlyMap<number, unknown>,
): boolean {
  for (let row = 0; row < was.count; row++) {
    const kind = was.kind[row]!;
    if (!isIp(kind)) continue;
    const protocol = before[beforeOffset + was.start[row]! + (kind === HEADER.ipv4 ? 9 : 6)]!;
    if (protocols.has(protocol) || (kind === HEADER.ipv6 && EXTENSIONS.has(protocol))) return true;
  }
  return false;
}
