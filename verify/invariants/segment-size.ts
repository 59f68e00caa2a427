/**
 * The maximum segment size that a SYN announces is what its sender takes. On the way it may be lowered, as where a tunnel leaves less
 * room, and never raised: "Never increase MSS, even when setting it, as doing so results in problems for hosts that rely on MSS being set
 * correctly" (net/netfilter/xt_TCPMSS.c).
 */
import { HEADER } from '../oracle/found.ts';
import type { FramePair } from '../oracle/frame-pair.ts';
import type { HeaderList } from '../oracle/header-list.ts';
import { type Breach, headerOf, type Invariant } from './invariant.ts';
import { hasOptions, nextOption } from './options.ts';
import { type Rule, rule } from './rule.ts';

export const SEGMENT_SIZE_RULES: readonly Rule[] = [
  rule(
    'tcp/mss-raised',
    'warning',
    'A maximum segment size that is raised on the way',
    'A SYN left with a larger maximum segment size than it came with, and is the same segment otherwise. Its sender does not take segments of that size, or the path to it does not: connections are established, and stay without data. Write the size only where it is lower than the one that is there, as Linux does (`TCPMSS --set-mss`). A warning, since somebody may know the path better than the sender does.',
  ),
];

const [SEQ_AT, FLAGS_AT] = [4, 13];
/** Sequence and acknowledgment number. */
const NUMBERS = 8;
const [SYN, MSS, MSS_LENGTH] = [2, 2, 4];

export const segmentSize: Invariant = {
  name: 'segment-size',
  judge(pair: FramePair): Breach | undefined {
    const { is, was, after, afterOffset, before, beforeOffset } = pair;
    if (pair.cameBroken) return undefined;
    for (let row = 0; row < is.count; row++) {
      const match = is.match[row]!;
      if (match < 0 || !isSameSyn(pair, row, match)) continue;
      const [at, cameAt] = [sizeAt(is, row, after, afterOffset), sizeAt(was, match, before, beforeOffset)];
      if (at < 0 || cameAt < 0) continue;
      const [now, then] = [wordAt(after, afterOffset + at), wordAt(before, beforeOffset + cameAt)];
      if (now > then) return breachOf(pair, row, at, then, now);
    }
    return undefined;
  },
};

/** Is it the SYN that came? One with other flags or numbers the program makes itself, as a SYN proxy does: it says what it takes. */
function isSameSyn(
  { is, was, before, beforeOffset, after, afterOffset }: FramePair,
  row: number,
  match: number,
): boolean {
  if (is.kind[row] !== HEADER.tcp || was.kind[match] !== HEADER.tcp) return false;
  if (!hasOptions(is, row) || !hasOptions(was, match) || !hasSameVersions(is, row, was, match)) return false;
  const [now, then] = [afterOffset + is.start[row]!, beforeOffset + was.start[match]!];
  if ((after[now + FLAGS_AT]! & SYN) === 0 || after[now + FLAGS_AT] !== before[then + FLAGS_AT]) return false;
  for (let at = SEQ_AT; at < SEQ_AT + NUMBERS; at++) if (after[now + at] !== before[then + at]) return false;
  return true;
}

/** What is translated from IPv6 to IPv4 has 20 bytes less of header in front, and so much more room. */
function hasSameVersions(is: HeaderList, row: number, was: HeaderList, match: number): boolean {
  return row > 0 && match > 0 && is.kind[row - 1] === was.kind[match - 1];
}

/** Where in the frame the value of the option is; -1: there is none. */
function sizeAt(list: HeaderList, row: number, bytes: Uint8Array, offset: number): number {
  for (let at = nextOption(list, row, bytes, offset); at >= 0; at = nextOption(list, row, bytes, offset, at))
    if (bytes[offset + at] === MSS)
      return bytes[offset + at + 1] === MSS_LENGTH && at + MSS_LENGTH <= list.headerEnd[row]! ? at + 2 : -1;
  return -1;
}

function wordAt(bytes: Uint8Array, at: number): number {
  return (bytes[at]! << 8) | bytes[at + 1]!;
}

function breachOf(pair: FramePair, row: number, at: number, then: number, now: number): Breach {
  const { layer, depth, label } = headerOf(pair, row);
  return {
    invariant: 'tcp/mss-raised',
    severity: 'warning',
    layer,
    depth,
    at,
    size: 2,
    expected: `${then} or less`,
    got: `${now}`,
    sentence: `the ${label} SYN came with a maximum segment size of ${then}, and left with ${now}`,
    summary: 'a maximum segment size that was raised',
  };
}
