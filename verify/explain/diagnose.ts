/**
 * Why a checksum is wrong: each hypothesis computes what a program with that defect would have written, and the
 * one that reproduces the bytes exactly is named.
 */

import { FramePair } from '../oracle/frame-pair.ts';
import type { Sample } from '../outcome.ts';
import type { Cause, ChangedWord, ChecksumEvidence } from './cause.ts';
import {
  type ChecksumSite,
  checksumSite,
  checksumSites,
  fragmentData,
  type SummedWord,
  summedWords,
} from './checksum-site.ts';
import { HYPOTHESES } from './hypotheses.ts';
import { add, complement, folded } from './ones.ts';

const pair = new FramePair();

/**
 * Names the defect behind a wrong checksum.
 * @param before the packet as it came
 * @param after the packet as the program left it
 * @param layer the checksum in question, of the packet that left: `icmp`, …
 * @param others packets on which the same checksum fails
 * @returns undefined where the packet that left holds no such checksum
 */
export function diagnoseChecksum(
  before: Uint8Array,
  after: Uint8Array,
  layer: string,
  depth: number = 0,
  others: readonly Sample[] = [],
): Cause | undefined {
  if (fragmentData(after, layer, depth) !== undefined) {
    return {
      id: 'later fragment',
      sentence: 'a later fragment holds no header: data was changed where ports or a checksum would be',
      remedy: 'fragments with an offset were left alone',
    };
  }
  const evidence = checksumEvidence(before, after, layer, depth);
  if (evidence === undefined) return undefined;
  return diagnoseSeveral(
    evidence,
    others.flatMap(({ came, left }) => {
      const other =
        checksumEvidence(came, left, layer, depth) ??
        // A packet shrinks from one IP version to the other.
        checksumEvidence(
          came,
          left,
          layer === 'icmp' ? 'icmpv6' : layer === 'icmpv6' ? 'icmp' : layer,
          depth,
        );
      return other === undefined || other.after.status === 'good' ? [] : [other];
    }),
  );
}

/** The same on evidence that is gathered already. */
export function diagnose(evidence: ChecksumEvidence): Cause {
  return diagnoseSeveral(evidence, []);
}

/**
 * Names the defect behind several wrong checksums. A hypothesis may reproduce one packet's bytes by chance; the one
 * that explains most of all packets is named. Packets that came in right tell more than others.
 * @param shown the packet that a person sees: the cause has to explain it
 */
export function diagnoseSeveral(shown: ChecksumEvidence, others: readonly ChecksumEvidence[]): Cause {
  const whole = others.filter(({ before }) => before === undefined || before.status !== 'bad');
  const telling = whole.length > 0 ? whole : others;
  let best: Cause | undefined;
  let most = -1;
  for (const hypothesis of HYPOTHESES) {
    const causes = listOf(hypothesis(shown));
    if (causes.length === 0) continue;
    const elsewhere = telling.map((evidence) => listOf(hypothesis(evidence)));
    const explained = elsewhere.filter((all) => all.some(({ id }) => id === causes[0]!.id)).length;
    if (explained > most) {
      // Of several that explain this packet, the one that others show, too.
      best = mostOften(causes, elsewhere);
      most = explained;
    }
    if (explained === telling.length) break;
  }
  // What explains this packet and few of the others is a coincidence.
  const isChance = most * 2 < telling.length;
  return best === undefined || isChance ? UNKNOWN : { ...best, packets: most + 1, of: telling.length + 1 };
}

function listOf(causes: readonly Cause[] | Cause | undefined): readonly Cause[] {
  return causes === undefined ? [] : 'id' in causes ? [causes] : causes;
}

function mostOften(causes: readonly Cause[], elsewhere: readonly (readonly Cause[])[]): Cause {
  const times = causes.map(
    ({ sentence }) => elsewhere.filter((all) => all.some((one) => one.sentence === sentence)).length,
  );
  return causes[times.indexOf(Math.max(...times))]!;
}

const UNKNOWN: Cause = {
  id: 'unknown',
  sentence: 'no known defect gives this checksum',
  remedy: 'it were computed from scratch',
};

/**
 * What should stand in the field: an update where the packet came wrong, so that it stays as wrong as it was. In the place
 * of a checksum, UDP writes a zero as 0xffff (RFC 768).
 */
export function rightChecksum({ before, after, updated }: ChecksumEvidence): number {
  const right = before?.status === 'bad' && updated !== undefined ? updated : after.expected;
  const hadOne = before !== undefined && before.got !== 0;
  return after.layer === 'udp' && hadOne && right === 0 ? 0xffff : right;
}

/** @param isCaptured does TCP in IP with a length of 0 end with the frame? */
export function checksumEvidence(
  before: Uint8Array,
  after: Uint8Array,
  layer: string,
  depth: number = 0,
  isCaptured: boolean = false,
): ChecksumEvidence | undefined {
  const site = checksumSite(after, layer, depth, isCaptured);
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

/** The same checksum in the packet as it came, paired as the judge pairs them. */
function counterpart(before: Uint8Array, site: ChecksumSite): ChecksumSite | undefined {
  const came = checksumSites(before);
  const { packet } = site;
  if (!pair.set(before, 0, before.length, packet, 0, packet.length)) {
    return came.find(({ at }) => at === site.at);
  }
  const { was, is } = pair;
  for (let row = 0; row < is.count; row++) {
    if (is.at[row] !== site.at || is.match[row]! < 0) continue;
    const at = was.at[is.match[row]!];
    return came.find((one) => one.at === at);
  }
  return undefined;
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
