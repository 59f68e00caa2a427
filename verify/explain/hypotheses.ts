/** The defects seen in real programs, each as a formula for what it writes. Certain ones first, then the likely. */

import { swapped } from '../../sim/packet/checksum.ts';
import { IPPROTO } from '../../sim/packet/numbers.ts';
import type { Cause, CauseId, ChangedWord, ChecksumEvidence } from './cause.ts';
import { changedFields } from './changed-fields.ts';
import { type ChecksumSite, QUOTED, type SummedWord } from './checksum-site.ts';
import { add, complement, folded, foldedOnce, hex16, sameOnes } from './ones.ts';

/** Undefined: it does not explain this packet. Several causes of one kind may, of which others show which one it is. */
export type Hypothesis = (evidence: ChecksumEvidence) => readonly Cause[] | Cause | undefined;

/** A hypothesis that is right if one of its numbers is what stands in the packet, and is not right anyway. */
function formula(
  id: CauseId,
  sentence: string,
  remedy: string,
  predict: (evidence: ChecksumEvidence) => Iterable<number>,
): Hypothesis {
  return (evidence) => {
    const { got } = evidence.after;
    for (const value of predict(evidence)) {
      if (sameOnes(value, got) && !isRight(evidence, value)) return { id, sentence, remedy };
    }
    return undefined;
  };
}

/** Would this value verify, or be wrong by no more than the packet came with? */
function isRight({ recomputed, updated }: ChecksumEvidence, value: number): boolean {
  return sameOnes(value, recomputed) || (updated !== undefined && sameOnes(value, updated));
}

/** "source address and TTL and protocol" */
function groupsOf({ changes }: ChecksumEvidence): string[] {
  return [...new Set(changes.map(({ group }) => group))];
}

/** Without the fields of a quoted packet by name: where nothing was updated, none of them was forgotten more than the others. */
function shortened(groups: readonly string[]): string[] {
  return [...new Set(groups.map((group) => (group.startsWith(QUOTED) ? `${QUOTED}packet` : group)))];
}

function list(words: readonly string[]): string {
  return words.length < 2 ? (words[0] ?? '') : `${words.slice(0, -1).join(', ')} and ${words.at(-1)}`;
}

function sumOf(words: readonly { readonly value: number }[]): number {
  return words.reduce((sum, { value }) => sum + value, 0);
}

const udpNone: Hypothesis = ({ before, after, recomputed }) => {
  if (before === undefined || after.layer !== 'udp' || before.layer !== 'udp') return undefined;
  if (after.got === 0 && after.status === 'illegal' && before.got !== 0 && !sameOnes(recomputed, 0)) {
    return {
      id: 'udp checksum removed over ipv6',
      sentence: 'the UDP checksum was replaced by 0x0000, which is illegal over IPv6 (RFC 8200 §8.1)',
      remedy: 'the checksum were kept and updated',
    };
  }
  if (before.got !== 0) return undefined;
  if (after.got === 0 && after.status === 'illegal' && before.addressLength === 4) {
    return {
      id: 'udp none carried to ipv6',
      sentence: 'UDP checksum 0 ("none") was carried from IPv4 to IPv6, where it is illegal (RFC 8200 §8.1)',
      remedy: 'it were computed from scratch when the packet changes to IPv6',
    };
  }
  return undefined;
};

/** Did UDP come without a checksum, and leave with one that is wrong? */
function isFilledIn({ before, after }: ChecksumEvidence): boolean {
  if (before === undefined || after.layer !== 'udp' || before.layer !== 'udp') return false;
  return before.got === 0 && after.got !== 0 && before.status !== 'bad' && after.status === 'bad';
}

function noneUpdated({ after }: ChecksumEvidence): Cause {
  return {
    id: 'udp none updated',
    sentence: `UDP checksum 0 says "none" (RFC 768) and must stay; it was turned into ${hex16(after.got)}`,
    remedy: 'a checksum of 0x0000 were left alone',
  };
}

/** The 0 of "none" taken for a sum, and updated. */
const zeroUpdated: Hypothesis = (evidence) => {
  const { after, updated, changes } = evidence;
  if (!isFilledIn(evidence) || changes.length === 0 || updated === undefined) return undefined;
  return sameOnes(after.got, updated) ? noneUpdated(evidence) : undefined;
};

/** Where no sum made anew has that value either: a program that fills in missing checksums is no defect by itself. */
const anythingFromNone: Hypothesis = (evidence) => (isFilledIn(evidence) ? noneUpdated(evidence) : undefined);

/** A sum in the place of "none" was made anew: nothing was there to update. */
function anew(hypothesis: Hypothesis): Hypothesis {
  return (evidence) =>
    hypothesis(
      isFilledIn(evidence) ? { ...evidence, before: undefined, changes: [], updated: undefined } : evidence,
    );
}

const wrongZero: Hypothesis = ({ after, recomputed, words }) => {
  if (after.layer === 'udp' && after.got === 0 && sameOnes(recomputed, 0)) {
    return {
      id: 'udp zero lost',
      sentence:
        'the computed checksum is 0x0000, which UDP sends as 0xffff; 0x0000 says that there is none (RFC 768)',
      remedy: 'the 0x0000 were written as 0xffff',
    };
  }
  if (after.got === 0 && words.every(({ value }) => value === 0)) {
    return {
      id: 'all-zero message',
      sentence: 'over nothing but zeros 0x0000 does not verify, only 0xffff does (RFC 1624 §3)',
      remedy: 'the 0x0000 were written as 0xffff',
    };
  }
  return undefined;
};

/** Not wrong by itself, but not what an update gives. */
const rightAnyway: Hypothesis = ({ before, after, updated, recomputed }) => {
  if (after.status !== 'good') return undefined;
  if (updated !== undefined && before?.status === 'bad' && !sameOnes(updated, recomputed)) {
    return {
      id: 'recomputed',
      sentence: 'the checksum came wrong and was made right: it was computed from scratch, not updated',
      remedy: 'the old checksum were updated (RFC 1624 eq. 3)',
    };
  }
  if (sameOnes(after.got, 0)) {
    return {
      id: 'other zero',
      sentence: `${hex16(after.got)} verifies, but is the other of the two zeros (RFC 1624 §3)`,
      remedy: `the ${hex16(after.got)} were written as ${hex16(complement(after.got))}`,
    };
  }
  return undefined;
};

/**
 * Did bytes of an IPv4 header's options change, and nothing else that counts? An exchange of the addresses does not, so the program may
 * well do without an update.
 */
function writesIntoOptions({ after, changes }: ChecksumEvidence): boolean {
  const others = changes.filter(({ group }) => group !== 'options');
  return after.layer === 'ipv4' && others.length < changes.length && sameOnes(deltaOf(others), 0);
}

const TAKEN_FOR_SHORTER =
  ' (is the header taken for 20 bytes? What was written behind these went into its options)';

/** What else makes a program leave a checksum as it was. */
function hintOf({ after, changes }: ChecksumEvidence, groups: readonly string[]): string {
  if (after.layer === 'ipv4') return ' (an early return before the header checksum?)';
  if (groups.every((group) => group.startsWith(QUOTED)))
    return ' (the packet quoted in the ICMP error is covered by it, too)';
  return changes.every(({ at }) => at < 0) ? ' (the pseudo-header is covered by it, too)' : '';
}

const notUpdated: Hypothesis = (evidence) => {
  const { before, after, changes } = evidence;
  if (before === undefined || before.got !== after.got || changes.length === 0) return undefined;
  const groups = groupsOf(evidence);
  const grown = after.end - after.start - (before.end - before.start);
  const what =
    grown !== 0
      ? `${Math.abs(grown) === 1 ? '1 byte was' : `${Math.abs(grown)} bytes were`} ${grown > 0 ? 'added' : 'taken away'}`
      : `${list(shortened(changedFields(changes)))} changed`;
  const hint = writesIntoOptions(evidence) ? TAKEN_FOR_SHORTER : hintOf(evidence, groups);
  return {
    id: 'not updated',
    sentence: `${what}, but the checksum stayed ${hex16(after.got)}${hint}`,
    remedy: 'it were updated at all',
  };
};

/** 0 is "none" to UDP alone: programs, and a flag of `bpf_l4_csum_replace`, that leave it alone do so of every protocol. */
const zeroLeftAlone: Hypothesis = (evidence) => {
  const { before, after, changes, updated } = evidence;
  if (before === undefined || before.got !== 0 || after.got !== 0 || updated === undefined) return undefined;
  const name = WITHOUT_NONE[after.layer];
  if (name === undefined || sameOnes(updated, 0)) return undefined;
  return {
    id: 'zero left alone',
    sentence: `${list(changedFields(changes))} changed, but a checksum of 0x0000 was taken for none and left alone, as UDP has it and ${name} has not`,
    remedy: `BPF_F_MARK_MANGLED_0, or a test for 0, were kept for UDP`,
  };
};

/** Protocols with an own checksum that programs update, in which 0 is a sum like any other. */
const WITHOUT_NONE: Readonly<Record<string, string>> = { tcp: 'TCP', icmp: 'ICMP', icmpv6: 'ICMPv6' };

/** A header of the program's own, with nothing in the field; UDP over IPv4 may do without. */
const neverComputed: Hypothesis = ({ before, after }) =>
  before === undefined && after.got === 0
    ? {
        id: 'never computed',
        sentence: 'the program added this header and left its checksum 0x0000',
        remedy: 'it were computed when the header is complete',
      }
    : undefined;

/** 255 is 0 - 1 in eight bits, but not in the checksum's sixteen: an update for one step down is off by one in the last place. */
const ttlWrapped: Hypothesis = ({ after, changes, updated }) => {
  const wraps = changes.some(
    ({ group, from, to }) => group === 'TTL and protocol' && from >> 8 === 0 && to >> 8 === 255,
  );
  if (!wraps || updated === undefined || !sameOnes(add(updated, 1), after.got)) return undefined;
  return {
    id: 'ttl wrapped',
    sentence: 'the TTL went from 0 to 255, and the checksum was updated for one step down',
    remedy: 'packets with TTL 0 and 1 were not lowered, but dropped or left to the stack',
  };
};

/** The high byte of a word less by one: what an update for a step down adds to the checksum. */
const ONE_STEP = 0x0100;

/** An update for a step down of a TTL that was not lowered. */
const stepNotMade: Hypothesis = ({ before, after, changes, updated }) => {
  if (before === undefined || updated === undefined || after.layer !== 'ipv4') return undefined;
  if (changes.some(({ group }) => group === 'TTL and protocol')) return undefined;
  if (!sameOnes(add(updated, ONE_STEP), after.got)) return undefined;
  return {
    id: 'change not made',
    sentence: 'the checksum was updated for a TTL one lower, and the TTL was not lowered',
    remedy: 'the TTL were lowered, too',
  };
};

/** Unfolded sums as programs make them: of an update or anew, of 16- or 32-bit words, in either byte order. */
function* unfoldedSums({
  before,
  words,
  changes,
}: ChecksumEvidence): Generator<{ sum: number; little: boolean }> {
  for (const little of [true, false]) {
    const order = (word: number): number => (little ? swapped(word) : word);
    if (before !== undefined && changes.length > 0) {
      let sum = complement(order(before.got));
      for (const { from, to } of changes) sum += complement(order(from)) + order(to);
      yield { sum, little };
      // ~m of the 32-bit kind: the complement's upper half is counted, too, and wraps around.
      let wide = complement(order(before.got));
      for (const { from, to } of changes) wide = add32(add32(wide, ~order(from) >>> 0), order(to));
      yield { sum: wide, little };
    }
    yield { sum: words.reduce((sum, { value }) => sum + order(value), 0), little };
    let pairs = 0;
    for (let index = 0; index < words.length; index += 2) {
      const low = order(words[index]!.value);
      const high = order(words[index + 1]?.value ?? 0);
      pairs = add32(pairs, (little ? (high << 16) | low : (low << 16) | high) >>> 0);
    }
    yield { sum: pairs, little };
  }
}

/** 32-bit addition with end-around carry, as `csum_add` does. */
function add32(a: number, b: number): number {
  const sum = a + b;
  return sum > 0xffff_ffff ? sum - 0xffff_ffff : sum;
}

function* withSums(evidence: ChecksumEvidence, finish: (sum: number) => number): Generator<number> {
  for (const { sum, little } of unfoldedSums(evidence)) {
    const word = finish(sum) & 0xffff;
    yield little ? swapped(word) : word;
  }
}

const foldedOnlyOnce = formula(
  'folded once',
  'the sum was folded only once: a carry out of the first fold was dropped',
  'it were folded once more',
  (evidence) => withSums(evidence, (sum) => ~foldedOnce(sum)),
);

/** A sum in 64 bits, of 32-bit words and of 16-bit ones: its second fold may leave a carry as well. */
const foldedOnlyTwice = formula(
  'folded once',
  'the sum was folded once too few: a carry out of the last fold was dropped',
  'it were folded once more',
  function* ({ words }) {
    for (const order of [swapped, (word: number): number => word]) {
      const sum = wideSum(words, order);
      if (sum !== undefined) yield order(~foldedOnce(foldedOnce(sum)) & 0xffff);
    }
  },
);

/** Of IPv4 addresses, whole, and of all that follows word by word; undefined where there are none. */
function wideSum(words: readonly SummedWord[], order: (word: number) => number): number | undefined {
  const addresses = words.filter(({ at, group }) => at < 0 && ADDRESSES.has(group));
  if (addresses.length !== 4) return undefined;
  const [a, b, c, d] = addresses.map(({ value }) => order(value));
  // The second word of an address is the upper one in little-endian order.
  const upper = order === swapped ? b! + d! : a! + c!;
  return words.reduce((sum, { value }) => sum + order(value), upper * 0xffff);
}

const ADDRESSES: ReadonlySet<string> = new Set(['source address', 'destination address']);

const notFolded = formula(
  'fold forgotten',
  'the sum was cut to 16 bits without folding: its carries were dropped',
  'the carries were folded in',
  (evidence) => withSums(evidence, (sum) => ~(sum % 0x1_0000)),
);

const carryLost = formula(
  'carry lost',
  'the difference was added without the end-around carry',
  'the carry were kept',
  function* ({ before, changes }) {
    if (before === undefined) return;
    for (const order of [swapped, (word: number): number => word]) {
      const delta = changes.reduce((sum, { from, to }) => sum + order(from) - order(to), 0);
      const sum = (order(before.got) + delta) & 0xffff;
      yield order(sum);
    }
  },
);

/** IPv4 addresses, and what was added to them in 32 bits: where that overflows, 1 is missing, which 2 to the power of 32 stands for. */
const wideCarryLost = formula(
  'carry lost',
  'a carry out of 32 bits was dropped where words of that size were added',
  'they were added in 64 bits, or the carry added back in',
  function* ({ words, after }) {
    if (after.addressLength !== 4) return;
    const [a, b, c, d] = words.filter(({ at }) => at < 0).map(({ value }) => swapped(value));
    const addresses = b! * 0x1_0000 + a! + (d! * 0x1_0000 + c!);
    if (addresses <= 0xffff_ffff) return;
    yield complement(folded(sumOf(words) + complement(swapped(1))));
  },
);

/** What has to be added to the old checksum: Σ m − m'. */
function deltaOf(changes: readonly ChangedWord[]): number {
  return changes.reduce((sum, { from, to }) => add(add(sum, from), complement(to)), 0);
}

function wrongOrder(sentence: string, remedy: string): (evidence: ChecksumEvidence) => readonly Cause[] {
  const hypothesis = formula('delta byte order', sentence, remedy, function* (evidence) {
    if (evidence.before !== undefined) yield add(evidence.before.got, swapped(deltaOf(evidence.changes)));
  });
  return (evidence) => {
    const cause = hypothesis(evidence);
    return cause === undefined || !('id' in cause) ? [] : [cause];
  };
}

const hostOrder = wrongOrder(
  'the difference was added in the wrong byte order',
  'the bytes of the difference were swapped',
);

const oddOffset = wrongOrder(
  'the changed field lies at an odd offset: its bytes count the other way round there, and were not swapped',
  'the bytes of the difference were swapped at odd offsets, and only there',
);

const ODD_OFFSET = {
  id: 'delta byte order',
  sentence:
    'a changed field lies at an odd offset, among others: its bytes count the other way round there, and were not swapped',
  remedy: 'the bytes of the difference were swapped at odd offsets, and only there',
} as const;

/** The same where fields at even offsets changed as well, and were updated as they should be. */
const oddAmongOthers = formula(ODD_OFFSET.id, ODD_OFFSET.sentence, ODD_OFFSET.remedy, function* (evidence) {
  if (evidence.before === undefined) return;
  const odd = runsOf(evidence).filter((run) => run[0]!.at >= 0 && placeOf(run, evidence) === 'odd');
  const atOdd = new Set(odd.flat());
  const others = evidence.changes.filter((change) => !atOdd.has(change));
  if (atOdd.size === 0 || others.length === 0) return;
  yield add(add(evidence.before.got, deltaOf(others)), swapped(deltaOf([...atOdd])));
});

type Place = 'even' | 'odd';

/** Bytes in network order count the wrong way, too, where they straddle the words of the sum: which it is, the changes tell. */
const wrongOrders: Hypothesis = (evidence) => {
  const places = new Set(runsOf(evidence).map((run) => placeOf(run, evidence)));
  if (places.has('even') || evidence.changes.some(({ at }) => at < 0)) return hostOrder(evidence);
  if (places.has('odd')) return oddOffset(evidence);
  // One byte alone may be half of either: other packets say.
  return [...hostOrder(evidence), ...oddOffset(evidence)];
};

/** Changed words of the packet, those together that stand one behind the other. */
function runsOf({ changes }: ChecksumEvidence): ChangedWord[][] {
  const runs: ChangedWord[][] = [];
  for (const change of changes) {
    const last = runs.at(-1);
    if (last !== undefined && last.at(-1)!.at === change.at - 2) last.push(change);
    else runs.push([change]);
  }
  return runs;
}

/** Where does a field lie whose bytes changed in these words? Undefined: nobody can say. */
function placeOf(run: readonly ChangedWord[], { before, after }: ChecksumEvidence): Place | undefined {
  const [first, last] = [run[0]!, run.at(-1)!];
  const changesHigh = (first.from ^ first.to) > 0xff;
  const changesLow = ((last.from ^ last.to) & 0xff) !== 0;
  const option = optionAt(before, first.at - after.start + (changesHigh ? 0 : 1));
  if (option >= 0) return option % 2 === 0 ? 'even' : 'odd';
  if (run.length === 1) return changesHigh && changesLow ? 'even' : undefined;
  return changesHigh || changesLow ? 'even' : 'odd';
}

/** Where in its header the option of TCP or IPv4 begins that this byte of the header is part of; -1: it is part of none. */
function optionAt(site: ChecksumSite | undefined, place: number): number {
  if (site === undefined || (site.layer !== 'tcp' && site.layer !== 'ipv4')) return -1;
  const { packet, start, layer } = site;
  const words = layer === 'tcp' ? packet[start + 12]! >> 4 : packet[start]! & 0x0f;
  for (let at = 20; at <= place && place < words * 4; ) {
    const kind = packet[start + at]!;
    const size = kind === 1 ? 1 : packet[start + at + 1]!;
    if (kind === 0 || size === 0) return -1;
    if (place < at + size) return at;
    at += size;
  }
  return -1;
}

const twice = formula(
  'delta twice',
  'the difference was applied twice',
  'it were applied once',
  function* (evidence) {
    if (evidence.before === undefined) return;
    const delta = deltaOf(evidence.changes);
    yield add(add(evidence.before.got, delta), delta);
  },
);

const negated = formula(
  'delta negated',
  'the difference was applied in the wrong direction (old and new exchanged)',
  'old and new were exchanged',
  function* (evidence) {
    if (evidence.before !== undefined) yield add(evidence.before.got, complement(deltaOf(evidence.changes)));
  },
);

/** What a right result may be, from scratch or updated. */
function* rightValues({ recomputed, updated }: ChecksumEvidence): Generator<number> {
  yield recomputed;
  if (updated !== undefined) yield updated;
}

const swappedResult = formula(
  'bytes swapped',
  'the checksum was written in the wrong byte order',
  'the bytes were swapped',
  function* (evidence) {
    for (const value of rightValues(evidence)) yield swapped(value);
  },
);

const notComplemented = formula(
  'not complemented',
  'the sum was written without taking its complement',
  'it were complemented',
  function* (evidence) {
    for (const value of rightValues(evidence)) yield complement(value);
  },
);

const withPseudo = formula(
  'pseudo-header counted',
  'a pseudo-header was counted, which ICMP over IPv4 has not',
  'the pseudo-header were not counted',
  function* (evidence) {
    const { before, after, words, updated } = evidence;
    if (after.layer !== 'icmp') return;
    const ip = after.packet;
    // The addresses stand directly before an IPv4 header's options and payload: take them from the header itself.
    const header = ipv4HeaderBefore(ip, after.start);
    if (header < 0) return;
    // An update for addresses that changed, as TCP and UDP need it.
    const was = before === undefined ? -1 : ipv4HeaderBefore(before.packet, before.start);
    if (before !== undefined && updated !== undefined && was >= 0) {
      const changes = wordPairs(before.packet, was + 12, ip, header + 12, 8);
      yield changes.reduce((sum, { from, to }) => add(add(sum, from), complement(to)), updated);
    }
    let pseudo = 0;
    for (let at = header + 12; at < header + 20; at += 2) pseudo += (ip[at]! << 8) | ip[at + 1]!;
    const length = after.end - after.start;
    for (const protocol of [1, 0]) yield complement(folded(sumOf(words) + pseudo + protocol + length));
    yield complement(folded(sumOf(words) + pseudo));
  },
);

/** The words of two ranges of the same size, side by side. */
function wordPairs(
  before: Uint8Array,
  from: number,
  after: Uint8Array,
  to: number,
  size: number,
): { readonly from: number; readonly to: number }[] {
  const word = (packet: Uint8Array, at: number): number => (packet[at]! << 8) | packet[at + 1]!;
  return Array.from({ length: size / 2 }, (_, index) => ({
    from: word(before, from + index * 2),
    to: word(after, to + index * 2),
  }));
}

/** Where the IPv4 header begins that ends at `end`; -1 where there is none. */
function ipv4HeaderBefore(packet: Uint8Array, end: number): number {
  for (let ihl = 5; ihl <= 15; ihl++) {
    const at = end - ihl * 4;
    if (at >= 0 && packet[at] === (0x40 | ihl)) return at;
  }
  return -1;
}

const withoutPseudo = formula(
  'pseudo-header left out',
  'the pseudo-header was not counted',
  'the pseudo-header were counted',
  function* ({ words, after }) {
    if (after.addressLength > 0) yield complement(folded(sumOf(words.filter(({ at }) => at >= 0))));
  },
);

/** A pseudo-header with another word in this group's place. */
function otherPseudo(
  id: 'pseudo-header length' | 'pseudo-header protocol',
  group: 'pseudo-header length' | 'protocol',
  sentenceOf: (value: number) => readonly [sentence: string, remedy: string],
  candidates: (evidence: ChecksumEvidence) => Iterable<number>,
): Hypothesis {
  return (evidence) => {
    const { words, after } = evidence;
    const right = words.find((word) => word.at < 0 && word.group === group)?.value;
    if (right === undefined) return undefined;
    const padding = after.packet.length - after.end;
    const found: Cause[] = [];
    for (const candidate of new Set(candidates(evidence))) {
      // As much more as there is padding, of zeros as a rule: that was counted, which is nothing rare.
      if (candidate - right === padding) continue;
      const value = complement(folded(sumOf(words) - right + candidate));
      if (!sameOnes(value, after.got) || isRight(evidence, value)) continue;
      const [sentence, remedy] = sentenceOf(candidate === swapped(right) ? SWAPPED : candidate);
      found.push({ id, sentence, remedy });
    }
    return found;
  };
}

/** Stands for "the right value in the wrong byte order". */
const SWAPPED = -1;

/** Bytes of the header that a checksum belongs to: what programs take for the whole length. */
const FIXED_LENGTHS: readonly number[] = [8, 20, 24, 28, 32, 40];

const wrongLength = otherPseudo(
  'pseudo-header length',
  'pseudo-header length',
  (value) =>
    value === SWAPPED
      ? ['the length in the pseudo-header was counted in host order', 'it were counted in network order']
      : [
          `the length in the pseudo-header was counted as ${value}`,
          'it were the length of the header with all that follows it',
        ],
  function* ({ after }) {
    const { packet, start, end, addressLength } = after;
    const length = end - start;
    yield swapped(length);
    yield 0;
    yield* FIXED_LENGTHS;
    const header = after.layer === 'tcp' ? (packet[start + 12]! >> 4) * 4 : 8;
    yield length - header;
    // What the IP header says of its own length.
    const ip = addressLength === 4 ? ipv4HeaderBefore(packet, start) : -1;
    if (ip >= 0) yield end - ip;
    if (addressLength === 16) yield length + 40;
  },
);

const wrongProtocol = otherPseudo(
  'pseudo-header protocol',
  'protocol',
  (value) =>
    value === SWAPPED
      ? ['the protocol in the pseudo-header was counted as a high byte', 'it were counted as a low byte']
      : [
          `the protocol in the pseudo-header was counted as ${value}`,
          'it were that of the header that is summed',
        ],
  function* ({ words }) {
    const right = words.find((word) => word.at < 0 && word.group === 'protocol')!.value;
    yield swapped(right);
    yield 0;
    // Those that have checksums, and extension headers that stand where the protocol is looked up.
    for (const protocol of CHECKSUM_PROTOCOLS) if (protocol !== right) yield protocol;
  },
);

const CHECKSUM_PROTOCOLS: readonly number[] = [
  IPPROTO.ICMP,
  IPPROTO.TCP,
  IPPROTO.UDP,
  IPPROTO.ICMPV6,
  IPPROTO.HOPOPTS,
  IPPROTO.ROUTING,
  IPPROTO.FRAGMENT,
  IPPROTO.DSTOPTS,
];

const oldCounted = formula(
  'old checksum counted',
  'the old checksum was counted: the field was not zeroed before summing',
  'the field were zero while summing',
  function* ({ before, words }) {
    if (before !== undefined) yield complement(folded(sumOf(words) + before.got));
  },
);

const tailLeftOut = formula(
  'tail left out',
  'the last bytes were not counted: the length is no multiple of the step',
  'the tail of the length were counted',
  function* ({ after, words }) {
    const length = after.end - after.start;
    for (const step of [2, 4, 8]) {
      const rest = length % step;
      if (rest === 0) continue;
      yield complement(folded(sumOf(words.filter(({ at }) => at < after.end - rest))));
    }
  },
);

const oddByte = formula(
  'odd byte misplaced',
  'the odd last byte was counted as the low byte of a word, not the high one (RFC 1071 §4.1)',
  'the odd byte were counted as a high byte',
  function* ({ after, words }) {
    if ((after.end - after.start) % 2 === 0) return;
    const last = after.packet[after.end - 1]!;
    yield complement(folded(sumOf(words) - last * 256 + last));
  },
);

const ihlNotMultiplied = formula(
  'ihl not multiplied',
  'only ihl bytes were counted: ihl is in words of four bytes',
  'ihl were multiplied by 4',
  function* ({ after, words }) {
    if (after.layer !== 'ipv4') return;
    const ihl = after.packet[after.start]! & 0x0f;
    yield complement(folded(sumOf(words.filter(({ at }) => at < after.start + (ihl & ~1)))));
  },
);

const optionsLeftOut = formula(
  'options left out',
  'the IPv4 options were not counted',
  'all ihl × 4 bytes were counted',
  function* ({ after, words }) {
    if (after.layer === 'ipv4')
      yield complement(folded(sumOf(words.filter(({ at }) => at < after.start + 20))));
  },
);

const paddingCounted = formula(
  'padding counted',
  'bytes behind the packet’s end were counted: the Ethernet padding',
  'the padding were not counted',
  function* ({ after, words }) {
    const { packet, end } = after;
    if (packet.length === end) return;
    let sum = sumOf(words);
    for (let at = end; at < packet.length; at++) {
      sum += (at - after.start) % 2 === 0 ? packet[at]! << 8 : packet[at]!;
    }
    yield complement(folded(sum));
    // The same with the pseudo-header's length taken from the frame.
    yield complement(folded(sum + packet.length - end));
  },
);

/** Messages are summed up to an end that is fixed: a header's, or that of a buffer, of a round size where it is longer. */
const LONGEST_START = 64;

/** Behind how many bytes of a message its sum may end too early. The field, a 0, belongs to the word in front of it. */
function endsWithin({ start, end, at }: ChecksumSite): number[] {
  const ends: number[] = [];
  for (let size = 2; start + size < end; size = size < LONGEST_START ? size + 2 : size * 2)
    if (start + size !== at) ends.push(size);
  return ends;
}

/** Only so much from the message's start was summed: which end it was, other packets show. */
const startOnly: Hypothesis = (evidence) => {
  const { after, words } = evidence;
  const found: Cause[] = [];
  // A 0 is rather a field that was cleared, and no sum.
  if (after.got === 0) return found;
  for (const size of endsWithin(after)) {
    const value = complement(folded(sumOf(words.filter(({ at }) => at < after.start + size))));
    if (!sameOnes(value, after.got) || isRight(evidence, value)) continue;
    found.push({
      id: 'start only',
      sentence: `only the first ${size} bytes were counted`,
      remedy: `all ${after.end - after.start} bytes were counted`,
    });
  }
  return found;
};

const wrongPlace = formula(
  'wrong place',
  'bytes at the wrong place were counted, by the size of a VLAN tag or of IP options',
  'tags and options were stepped over',
  function* ({ after, words }) {
    const pseudo = sumOf(words.filter(({ at }) => at < 0));
    for (let shift = -40; shift <= 40; shift += 4) {
      if (shift === 0) continue;
      const start = after.start + shift;
      for (const end of [after.end + shift, after.end]) {
        if (start < 0 || end > after.packet.length || end <= start) continue;
        let sum = pseudo;
        for (let at = start; at < end; at++) {
          if (at === after.at || at === after.at + 1) continue;
          sum += (at - start) % 2 === 0 ? after.packet[at]! << 8 : after.packet[at]!;
        }
        yield complement(folded(sum));
      }
    }
  },
);

/** Of more groups of changes than these, single ones are tried: so many combinations make coincidences likely. */
const MAX_GROUPS = 6;

function someChanges(id: 'change left out' | 'change counted twice', times: 0 | 2): Hypothesis {
  return (evidence) => {
    const { before, after, changes } = evidence;
    if (before === undefined) return undefined;
    const groups = groupsOf(evidence);
    const subsets =
      groups.length > MAX_GROUPS
        ? groups.map((group) => [group])
        : Array.from({ length: (1 << groups.length) - (times === 0 ? 2 : 1) }, (_, index) =>
            groups.filter((_, bit) => ((index + 1) >> bit) & 1),
          );
    const found: Cause[] = [];
    for (const chosen of subsets) {
      let value = before.got;
      for (const { group, from, to } of changes) {
        const count = chosen.includes(group) ? times : 1;
        for (let time = 0; time < count; time++) value = add(add(value, from), complement(to));
      }
      if (!sameOnes(value, after.got) || isRight(evidence, value)) continue;
      const names = list(changedFields(changes.filter(({ group }) => chosen.includes(group))));
      const hint = after.layer === 'ipv4' && chosen.includes('options') ? TAKEN_FOR_SHORTER : '';
      found.push(
        times === 0
          ? {
              id,
              sentence: `the change of ${names} was not carried into the checksum${hint}`,
              remedy: `the change of ${names} were counted`,
            }
          : {
              id,
              sentence: `the change of ${names} was counted twice`,
              remedy: `the change of ${names} were counted once`,
            },
      );
    }
    return found;
  };
}

/** What replaced a field was counted, but not what it replaced; or the other way round. */
const halfChange: Hypothesis = (evidence) => {
  const { before, after, changes } = evidence;
  if (before === undefined) return undefined;
  const found: Cause[] = [];
  for (const group of groupsOf(evidence)) {
    for (const half of ['old', 'new'] as const) {
      let value = before.got;
      for (const { group: own, from, to } of changes) {
        if (own !== group || half === 'new') value = add(value, from);
        if (own !== group || half === 'old') value = add(value, complement(to));
      }
      if (!sameOnes(value, after.got) || isRight(evidence, value)) continue;
      // Of a word, all of the old or the new one.
      found.push({
        id: 'change left out',
        sentence:
          half === 'old'
            ? `the old ${group} was not taken out of the sum`
            : `the new ${group} was not added to the sum`,
        remedy: `the change of ${list(changedFields(changes.filter((one) => one.group === group)))} were counted`,
      });
    }
  }
  return found;
};

export const HYPOTHESES: readonly Hypothesis[] = [
  udpNone,
  zeroUpdated,
  ...[
    wrongZero,
    rightAnyway,
    zeroLeftAlone,
    notUpdated,
    neverComputed,
    ttlWrapped,
    foldedOnlyOnce,
    foldedOnlyTwice,
    notFolded,
    carryLost,
    wideCarryLost,
    wrongOrders,
    oddAmongOthers,
    twice,
    negated,
    swappedResult,
    notComplemented,
    withPseudo,
    withoutPseudo,
    wrongLength,
    wrongProtocol,
    oldCounted,
    someChanges('change left out', 0),
    someChanges('change counted twice', 2),
    halfChange,
    stepNotMade,
    tailLeftOut,
    oddByte,
    ihlNotMultiplied,
    optionsLeftOut,
    paddingCounted,
    startOnly,
    wrongPlace,
  ].map(anew),
  anythingFromNone,
];
