/**
 * Options of TCP and IPv4 that a program wrote: each says how long it is, and the next one begins behind it (RFC 9293 §3.1, RFC 791
 * §3.1). One wrong length makes nonsense of all that follow. Nothing is held against options that came so.
 */
import { HEADER, HEADER_FLAG, PART } from '../oracle/found.ts';
import type { FramePair } from '../oracle/frame-pair.ts';
import type { HeaderList } from '../oracle/header-list.ts';
import { type Breach, headerOf, type Invariant } from './invariant.ts';
import { type Rule, rule } from './rule.ts';

export const OPTION_RULES: readonly Rule[] = [
  rule(
    'lengths/options',
    'error',
    'Options that cannot be read',
    'An option of the TCP or IPv4 header that the program wrote has a length below 2, one that goes beyond the header, or not the one that its kind has: 4 for the maximum segment size, 3 for the window scale, 2 for SACK-permitted, 10 for timestamps (RFC 9293 §3.2, RFC 7323 §2.2 and §3.2, RFC 2018 §2). Receivers leave out this option and all behind it.',
  ),
];

export const options: Invariant = {
  name: 'options',
  judge(pair: FramePair): Breach | undefined {
    const { is, was, after, afterOffset, before, beforeOffset } = pair;
    if (pair.cameBroken) return undefined;
    for (let row = 0; row < is.count; row++) {
      if (!hasOptions(is, row)) continue;
      const bad = badOption(is, row, after, afterOffset);
      if (bad < 0 || !pair.isWritten(row) || pair.isOld(bad, is.headerEnd[row]!)) continue;
      const match = is.match[row]!;
      const cameSo = match >= 0 && hasOptions(was, match) && badOption(was, match, before, beforeOffset) >= 0;
      if (!cameSo) return breachOf(pair, row, bad);
    }
    return undefined;
  },
};

const NO_HEADER = HEADER_FLAG.cut | HEADER_FLAG.impossible | HEADER_FLAG.quoted;
const FIXED_HEADER = 20;

/** Has the header of TCP or IPv4 room for options, all of it in the frame? */
export function hasOptions(list: HeaderList, row: number): boolean {
  const kind = list.kind[row]!;
  if ((kind !== HEADER.tcp && kind !== HEADER.ipv4) || (list.flags[row]! & NO_HEADER) !== 0) return false;
  if (kind === HEADER.tcp && list.part[row] === PART.laterFragment) return false;
  return list.headerEnd[row]! - list.start[row]! > FIXED_HEADER;
}

/** Lengths of TCP options that have but one. */
const TCP_LENGTHS: ReadonlyMap<number, number> = new Map([
  [2, 4],
  [3, 3],
  [4, 2],
  [8, 10],
]);
const [END, NO_OPERATION] = [0, 1];

/**
 * Where in a frame the next option is that has a length.
 * @param from where the one before it is; absent: the first is wanted
 * @returns -1: there is none, or none that can be found
 */
export function nextOption(
  list: HeaderList,
  row: number,
  bytes: Uint8Array,
  offset: number,
  from?: number,
): number {
  const end = list.headerEnd[row]!;
  let at = from === undefined ? list.start[row]! + FIXED_HEADER : from + bytes[offset + from + 1]!;
  while (at < end && bytes[offset + at] === NO_OPERATION) at++;
  return at + 1 < end && bytes[offset + at] !== END && bytes[offset + at + 1]! >= 2 ? at : -1;
}

/** Where in a frame the first option is that cannot be read; -1: all can. */
function badOption(list: HeaderList, row: number, bytes: Uint8Array, offset: number): number {
  const end = list.headerEnd[row]!;
  const isTcp = list.kind[row] === HEADER.tcp;
  for (let at = list.start[row]! + FIXED_HEADER; at < end; ) {
    const kind = bytes[offset + at]!;
    if (kind === END) return -1;
    if (kind === NO_OPERATION) {
      at++;
      continue;
    }
    const length = at + 1 < end ? bytes[offset + at + 1]! : 0;
    if (length < 2 || at + length > end) return at;
    if (isTcp && (TCP_LENGTHS.get(kind) ?? length) !== length) return at;
    at += length;
  }
  return -1;
}

function breachOf(pair: FramePair, row: number, at: number): Breach {
  const { is, after, afterOffset } = pair;
  const { layer, depth, label } = headerOf(pair, row);
  const end = is.headerEnd[row]!;
  const kind = after[afterOffset + at]!;
  const known = layer === 'tcp' ? TCP_LENGTHS.get(kind) : undefined;
  const isCut = at + 1 >= end;
  const got = isCut ? 'no length' : `${after[afterOffset + at + 1]}`;
  return {
    invariant: 'lengths/options',
    severity: 'error',
    layer,
    depth,
    at: isCut ? at : at + 1,
    size: 1,
    expected: known === undefined ? `2 to ${end - at}` : `${known}`,
    got,
    sentence: `the ${label} option of kind ${kind} has ${isCut ? got : `the length ${got}`}, with ${end - at} bytes of header left for it`,
    summary: 'an option that cannot be read',
  };
}
