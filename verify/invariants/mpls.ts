/**
 * Label stack entries of MPLS (RFC 3032): the last one says that it is the last (§2.1), and no packet goes on with a TTL that came
 * to 0 (§2.4.1). An entry that is stored in the machine's byte order breaks either, and is told by what it would be in the other one.
 */
import { isIp } from '../oracle/found.ts';
import type { FramePair } from '../oracle/frame-pair.ts';
import {
  BOTTOM_AT,
  LABEL_SIZE,
  LABEL_TTL_AT,
  type LabelStacks,
  labelStacks,
} from '../oracle/label-stacks.ts';
import type { Breach, Invariant } from './invariant.ts';
import { type Rule, rule } from './rule.ts';
import { ttlPlace } from './ttl.ts';

export const MPLS_RULES: readonly Rule[] = [
  rule(
    'mpls/bottom',
    'error',
    'A label stack that ends in the wrong place',
    'The last label has its S bit set, and no other has (RFC 3032 §2.1). Where it is missing, the packet behind the label is taken for more labels; where it is set too early, labels are taken for the packet.',
  ),
  rule(
    'mpls/byte-order',
    'error',
    'A label in the wrong byte order',
    'The entry of 32 bits was stored in the machine’s byte order: label, S bit and TTL are elsewhere then. Use `bpf_htonl`.',
  ),
  rule(
    'mpls/zero-ttl',
    'error',
    'A new label with TTL 0',
    'The program put a label in front of the packet and left its TTL 0: the next router drops the packet (RFC 3032 §2.4.1). A warning where the zero is none of the program’s constants, and no world says what maps and variables hold.',
  ),
  rule(
    'mpls/expired',
    'error',
    'The TTL of a label lowered to 0 in a packet that goes on',
    'The packet was sent on with TTL 0 in a label, and had one when it came: it must not be forwarded, and neither without its labels (RFC 3032 §2.4.1).',
  ),
  rule(
    'mpls/wrapped',
    'error',
    'The TTL of a label lowered below 0',
    'The label came with TTL 0 and was sent on with 255, and the same with 64 is sent on with 63: in a routing loop the packet never dies.',
  ),
  rule(
    'mpls/not-lowered',
    'warning',
    'A label swapped without lowering its TTL',
    'The packet was redirected, or sent back, with another label on top and the TTL that the label came with, whatever that was. Whoever swaps labels lowers it by one (RFC 3032 §2.4.1): in a routing loop the packet never dies.',
  ),
];

/** The label in front of an entropy label (RFC 6790 §4.2). */
const ENTROPY_INDICATOR = 7;

export const mpls: Invariant = {
  name: 'mpls',
  isOfAnyFrame: true,
  judge(pair: FramePair): Breach | undefined {
    const stacks = labelStacks(pair);
    if (stacks === undefined) return undefined;
    for (let index = 0; index < stacks.is.count; index++) {
      const entry = entryAt(pair, stacks, index);
      const misplaced = bottomBreach(entry, stacks);
      const breach = misplaced ?? ttlBreach(pair, entry);
      if (breach !== undefined) return byteOrderBreach(pair, entry) ?? breach;
      // Somebody's own header stands between the labels and the packet.
      if (isBottom(entry.value)) return undefined;
    }
    return undefined;
  },
};

/** One entry of the frame that left. */
interface Entry {
  readonly index: number;
  /** Where it begins. */
  readonly at: number;
  readonly value: number;
  /** Does it stand in front of the packet itself? */
  readonly isLast: boolean;
  /** The TTL that it came with; undefined: it is new. */
  readonly cameWith: number | undefined;
  /** Is it an entropy label? Its TTL is 0, so that nobody forwards by it (RFC 6790 §4.2). */
  readonly isEntropy: boolean;
}

function entryAt(
  { before, beforeOffset, after, afterOffset }: FramePair,
  { was, is }: LabelStacks,
  index: number,
): Entry {
  const at = is.start + index * LABEL_SIZE;
  // Labels are put on and taken off in front: counted from the packet, they are the same.
  const then = was.count - is.count + index;
  return {
    isEntropy: index > 0 && read32(after, afterOffset + at - LABEL_SIZE) >>> 12 === ENTROPY_INDICATOR,
    index,
    at,
    value: read32(after, afterOffset + at),
    isLast: index === is.count - 1,
    cameWith: then < 0 ? undefined : before[beforeOffset + was.start + then * LABEL_SIZE + LABEL_TTL_AT]!,
  };
}

function bottomBreach({ index, at, value, isLast }: Entry, { was, is }: LabelStacks): Breach | undefined {
  const isMarked = isBottom(value);
  if (isMarked === isLast) return undefined;
  // What lies behind one that ends too early has to be labels that came: a control word may stand there as well.
  if (!isLast && was.count < is.count - 1 - index) return undefined;
  const label = value >>> 12;
  const how = isLast
    ? `label ${label} is the last one in front of the packet, and its S bit is 0`
    : `label ${label} has its S bit set, and other labels follow`;
  return {
    at: at + BOTTOM_AT,
    size: 1,
    invariant: 'mpls/bottom',
    severity: 'error',
    expected: `S bit ${Number(isLast)}`,
    got: `S bit ${Number(isMarked)}`,
    sentence: how,
    summary: isLast
      ? 'the last label does not say that it is'
      : 'a label says that it is the last, and is not',
    isMisread: true,
  };
}

function ttlBreach(pair: FramePair, { at, value, cameWith, isEntropy }: Entry): Breach | undefined {
  if (ttlOf(value) !== 0 || cameWith === 0 || isEntropy) return undefined;
  const place = { at: at + LABEL_TTL_AT, size: 1, severity: 'error' as const, got: '0' };
  const label = value >>> 12;
  if (cameWith !== undefined)
    return {
      ...place,
      invariant: 'mpls/expired',
      expected: 'no packet, or one with a TTL',
      sentence: `the TTL of label ${label} went from ${cameWith} to 0 in a packet that goes on`,
      summary: 'the TTL of a label lowered to 0',
    };
  // Many copy the TTL of the packet inside.
  if (ttlsThatCame(pair).some((ttl) => ttl <= 1)) return undefined;
  return {
    ...place,
    invariant: 'mpls/zero-ttl',
    expected: 'at least 1',
    sentence: `the program made label ${label} with TTL 0`,
    summary: 'a new label with TTL 0',
  };
}

/** Would an entry that is wrong be right with its bytes the other way round? */
function byteOrderBreach(pair: FramePair, entry: Entry): Breach | undefined {
  const { at, value, isLast } = entry;
  const meant = swap32(value);
  if (isBottom(meant) !== isLast || ttlOf(meant) === 0) return undefined;
  // The high bits of a small label are 0, where the TTL would be; of others the TTL has to be one that is known.
  const isKnown = ttlsThatCame(pair).some((ttl) => ttl === ttlOf(meant) || ttl - 1 === ttlOf(meant));
  if (ttlOf(value) !== 0 && !isKnown) return undefined;
  return {
    at: at,
    size: LABEL_SIZE,
    invariant: 'mpls/byte-order',
    severity: 'error',
    expected: hex(meant),
    got: hex(value),
    sentence: `the label is stored as ${hex(value)}, which is ${hex(meant)} (label ${meant >>> 12}, S bit ${Number(isLast)}, TTL ${ttlOf(meant)}) in the wrong byte order`,
    summary: 'a label has its bytes the wrong way round',
    isMisread: true,
  };
}

/** Those of labels and of the packets behind them. */
function ttlsThatCame(pair: FramePair): number[] {
  const { was, before, beforeOffset } = pair;
  const stack = labelStacks(pair)?.was;
  const ttls: number[] = [];
  for (let one = 0; one < (stack?.count ?? 0); one++)
    ttls.push(before[beforeOffset + stack!.start + one * LABEL_SIZE + LABEL_TTL_AT]!);
  for (let row = 0; row < was.count; row++)
    if (isIp(was.kind[row]!)) ttls.push(before[beforeOffset + was.start[row]! + ttlPlace(was.kind[row]!)]!);
  return ttls;
}

function isBottom(entry: number): boolean {
  return (entry & 0x100) !== 0;
}

function ttlOf(entry: number): number {
  return entry & 0xff;
}

function read32(bytes: Uint8Array, at: number): number {
  return ((bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!) >>> 0;
}

function swap32(value: number): number {
  return (((value & 0xff) << 24) | ((value & 0xff00) << 8) | ((value >>> 8) & 0xff00) | (value >>> 24)) >>> 0;
}

function hex(value: number): string {
  return `0x${value.toString(16).padStart(8, '0')}`;
}
