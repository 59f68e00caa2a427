/**
 * Why a checksum is wrong: each hypothesis computes what a program with that defect would have written, and the
 * one that reproduces the bytes exactly is named.
 */
import { CHECKSUM, CHECKSUM_LAYERS, verifyChecksums } from '../oracle/checksums.ts';
import {
  type ChecksumSite,
  checksumSite,
  checksumSites,
  type SummedWord,
  summedWords,
} from './checksum-site.ts';
import { HYPOTHESES } from './hypotheses.ts';
import { add, complement, folded } from './ones.ts';

/** The defects that can be told apart. */
export type CauseId =
  | 'recomputed'
  | 'other zero'
  | 'all-zero message'
  | 'udp zero lost'
  | 'udp none updated'
  | 'udp none carried to ipv6'
  | 'udp checksum removed over ipv6'
  | 'not updated'
  | 'folded once'
  | 'fold forgotten'
  | 'carry lost'
  | 'delta byte order'
  | 'delta twice'
  | 'delta negated'
  | 'bytes swapped'
  | 'not complemented'
  | 'pseudo-header counted'
  | 'pseudo-header left out'
  | 'old checksum counted'
  | 'tail left out'
  | 'odd byte misplaced'
  | 'ihl not multiplied'
  | 'options left out'
  | 'padding counted'
  | 'wrong place'
  | 'change left out'
  | 'change counted twice'
  | 'later fragment'
  | 'unknown';

export interface Cause {
  readonly id: CauseId;
  /** What the program seems to do: "the checksum was folded only once". */
  readonly sentence: string;
  /** "would be right if …": how to make it right. */
  readonly remedy: string;
}

/** One word that the program changed. */
export interface ChangedWord {
  readonly group: string;
  readonly from: number;
  readonly to: number;
  readonly at: number;
}

/** What hypotheses compute with. */
export interface ChecksumEvidence {
  /** The checksum as it came; undefined where the program added the header. */
  readonly before: ChecksumSite | undefined;
  readonly after: ChecksumSite;
  readonly words: readonly SummedWord[];
  readonly changes: readonly ChangedWord[];
  /** What an update of the old checksum should give (RFC 1624 eq. 3); undefined without one. */
  readonly updated: number | undefined;
  /** What a checksum made anew should be. */
  readonly recomputed: number;
}

/**
 * Names the defect behind a wrong checksum.
 * @param before the packet as it came
 * @param after the packet as the program left it
 * @param layer the checksum in question, of the packet that left: `icmp`, …
 * @returns undefined where the packet that left holds no such checksum
 */
export function diagnoseChecksum(
  before: Uint8Array,
  after: Uint8Array,
  layer: string,
  depth: number = 0,
): Cause | undefined {
  if (isLaterFragment(after, layer, depth)) {
    return {
      id: 'later fragment',
      sentence: 'a later fragment holds no header: data was changed where ports or a checksum would be',
      remedy: 'fragments with an offset were left alone',
    };
  }
  const evidence = checksumEvidence(before, after, layer, depth);
  return evidence === undefined ? undefined : diagnose(evidence);
}

function isLaterFragment(packet: Uint8Array, layer: string, depth: number): boolean {
  let later = false;
  verifyChecksums(packet, 0, packet.length, {
    checksum(found) {
      if (CHECKSUM_LAYERS[found.layer] !== layer || found.depth !== depth) return;
      later = found.status === CHECKSUM.unverifiable && found.at < 0 && found.sum >= 0;
    },
  });
  return later;
}

/** The same on evidence that is gathered already. */
export function diagnose(evidence: ChecksumEvidence): Cause {
  for (const hypothesis of HYPOTHESES) {
    const cause = hypothesis(evidence);
    if (cause !== undefined) return cause;
  }
  return {
    id: 'unknown',
    sentence: 'no known defect gives this checksum',
    remedy: 'it were computed from scratch',
  };
}

export function checksumEvidence(
  before: Uint8Array,
  after: Uint8Array,
  layer: string,
  depth: number = 0,
): ChecksumEvidence | undefined {
  const site = checksumSite(after, layer, depth);
  if (site === undefined) return undefined;
  const came = counterpart(before, site);
  const words = summedWords(site);
  const changes = came === undefined ? [] : changedWords(summedWords(came), words);
  return {
    before: came,
    after: site,
    words,
    changes,
    updated: came === undefined ? undefined : update(came.got, changes),
    recomputed: complement(folded(words.reduce((sum, word) => sum + word.value, 0))),
  };
}

/** The same checksum in the packet as it came: of the same kind, counted from the innermost, as headers are pushed outside. */
function counterpart(before: Uint8Array, site: ChecksumSite): ChecksumSite | undefined {
  const isKin = ({ layer }: ChecksumSite): boolean => family(layer) === family(site.layer);
  const came = checksumSites(before).filter(isKin);
  const left = checksumSites(site.packet).filter(isKin);
  const inPlace = came.find(({ at }) => at === site.at);
  if (inPlace !== undefined && came.length === left.length) return inPlace;
  const fromInside = left.length - 1 - left.findIndex(({ at }) => at === site.at);
  return came[came.length - 1 - fromInside];
}

function family(layer: string): string {
  return layer === 'icmpv6' ? 'icmp' : layer;
}

/** Words are paired within their group, in order; where one side has more, the other's count as 0. */
function changedWords(before: readonly SummedWord[], after: readonly SummedWord[]): ChangedWord[] {
  const groups = new Map<string, { from: SummedWord[]; to: SummedWord[] }>();
  const rowOf = (group: string): { from: SummedWord[]; to: SummedWord[] } => {
    const row = groups.get(group) ?? { from: [], to: [] };
    groups.set(group, row);
    return row;
  };
  for (const word of before) rowOf(word.group).from.push(word);
  for (const word of after) rowOf(word.group).to.push(word);
  const changes: ChangedWord[] = [];
  for (const [group, { from, to }] of groups) {
    for (let index = 0; index < Math.max(from.length, to.length); index++) {
      const old = from[index]?.value ?? 0;
      const now = to[index]?.value ?? 0;
      if (old !== now) changes.push({ group, from: old, to: now, at: (to[index] ?? from[index])!.at });
    }
  }
  return changes;
}

/** RFC 1624 equation 3: HC' = ~(~HC + ~m + m'). */
export function update(checksum: number, changes: readonly ChangedWord[]): number {
  return complement(
    changes.reduce((sum, { from, to }) => add(add(sum, complement(from)), to), complement(checksum)),
  );
}
