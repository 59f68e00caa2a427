/**
 * The MPLS labels in front of a packet (RFC 3032 §2.1), as it came and as it left. Where they end in the frame that left, the packet
 * behind them tells, which is where it would be if the frame had changed in front of it only: a bit that should say so may be wrong.
 */
import { ETHERTYPE } from '../../sim/packet/numbers.ts';
import { lastTypeAt, read16 } from './announcement.ts';
import { HEADER } from './found.ts';
import type { FramePair } from './frame-pair.ts';

/** Bytes of an entry. */
export const LABEL_SIZE = 4;
/** Where in an entry the end of the stack is marked, its last bit, and the TTL. */
export const BOTTOM_AT = 2;
export const LABEL_TTL_AT = 3;
/** More labels are not followed. */
const MAX_LABELS = 16;
/** Bytes of a packet that is not IP's which have to be those that came. */
const KNOWN = 16;

export interface LabelStack {
  /** Where its first entry begins. */
  readonly start: number;
  readonly count: number;
}

export interface LabelStacks {
  readonly was: LabelStack;
  readonly is: LabelStack;
}

/** Of a frame that left with labels; undefined: it has none, or nobody can say where they end. */
export function labelStacks(pair: FramePair): LabelStacks | undefined {
  const { after, afterOffset, afterLength, beforeLength } = pair;
  const at = lastTypeAt(after, afterOffset, afterLength);
  if (at + 2 > afterLength || !isLabels(read16(after, afterOffset + at)) || pair.cameBroken) return undefined;
  const was = stackThatCame(pair);
  if (was === undefined) return undefined;
  const start = at + 2;
  const end = endOf(was) - (beforeLength - afterLength);
  const count = (end - start) / LABEL_SIZE;
  if (!Number.isInteger(count) || count < 1 || count > MAX_LABELS || !isSamePacket(pair, endOf(was), end))
    return undefined;
  return { was, is: { start, count } };
}

/** Where the labels of a frame begin; undefined: it has none. */
export function labelsOf(
  frame: Uint8Array,
  offset: number = 0,
  length: number = frame.length,
): number | undefined {
  const at = lastTypeAt(frame, offset, length);
  return at + 2 + LABEL_SIZE <= length && isLabels(read16(frame, offset + at)) ? at + 2 : undefined;
}

/** Where only the first of the labels was changed, whatever follows it; undefined: more of the frame was, or it has none. */
export function swappedInPlace(pair: FramePair): LabelStacks | undefined {
  const { after, afterOffset, afterLength, beforeLength, before, beforeOffset } = pair;
  const start = labelsOf(before, beforeOffset, beforeLength);
  if (start === undefined || beforeLength !== afterLength) return undefined;
  if (start !== labelsOf(after, afterOffset, afterLength)) return undefined;
  const rest = start + LABEL_SIZE;
  if (rest < afterLength && !pair.isOld(rest, afterLength, 0)) return undefined;
  return { was: { start, count: 1 }, is: { start, count: 1 } };
}

/** Labels up to the one that says that it is the last, in a frame of which the packet behind them is IP's or whatever it may be. */
function stackThatCame({ before, beforeOffset, beforeLength }: FramePair): LabelStack | undefined {
  const at = lastTypeAt(before, beforeOffset, beforeLength);
  if (at + 2 > beforeLength) return undefined;
  const type = read16(before, beforeOffset + at);
  const start = at + 2;
  if (type === ETHERTYPE.IPV4 || type === ETHERTYPE.IPV6) return { start, count: 0 };
  return isLabels(type)
    ? closedStack(before.subarray(beforeOffset, beforeOffset + beforeLength), start)
    : undefined;
}

/** The labels that begin here; undefined: none of them says that it is the last. */
export function closedStack(frame: Uint8Array, start: number): LabelStack | undefined {
  for (let count = 1; count <= MAX_LABELS && start + count * LABEL_SIZE <= frame.length; count++)
    if ((frame[start + (count - 1) * LABEL_SIZE + BOTTOM_AT]! & 1) !== 0) return { start, count };
  return undefined;
}

/** Does an EtherType announce labels? */
export function isLabels(type: number): boolean {
  return type === ETHERTYPE.MPLS || type === ETHERTYPE.MPLS_MULTICAST;
}

function endOf({ start, count }: LabelStack): number {
  return start + count * LABEL_SIZE;
}

/** Is what lay here, as it came, there now, but for what forwarding changes? */
function isSamePacket(pair: FramePair, from: number, to: number): boolean {
  const { before, beforeOffset, beforeLength, afterLength } = pair;
  if (from >= beforeLength) return false;
  const version = before[beforeOffset + from]! >> 4;
  if (version === 4 || version === 6)
    return pair.isForwarded(version === 4 ? HEADER.ipv4 : HEADER.ipv6, to, from - to);
  return pair.isOld(to, Math.min(to + KNOWN, afterLength), from - to);
}
