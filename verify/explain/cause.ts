/** What a wrong checksum can come from, and what there is to tell it by. */
import type { ChecksumSite, SummedWord } from './checksum-site.ts';

/** The defects that can be told apart. */
export type CauseId =
  | 'recomputed'
  | 'other zero'
  | 'all-zero message'
  | 'udp zero lost'
  | 'udp none updated'
  | 'udp none carried to ipv6'
  | 'udp checksum removed over ipv6'
  | 'zero left alone'
  | 'not updated'
  | 'never computed'
  | 'ttl wrapped'
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
  | 'pseudo-header length'
  | 'pseudo-header protocol'
  | 'old checksum counted'
  | 'tail left out'
  | 'start only'
  | 'odd byte misplaced'
  | 'ihl not multiplied'
  | 'options left out'
  | 'padding counted'
  | 'wrong place'
  | 'change left out'
  | 'change counted twice'
  | 'change not made'
  | 'later fragment'
  | 'unknown';

export interface Cause {
  readonly id: CauseId;
  /** What the program seems to do: "the checksum was folded only once". */
  readonly sentence: string;
  /** "would be right if …": how to make it right. */
  readonly remedy: string;
  /** How many of how many failing packets it explains. */
  readonly packets?: number;
  readonly of?: number;
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
