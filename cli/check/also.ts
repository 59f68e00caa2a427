/** What else a line breaks, in words: the same in every report. */
import type { CheckFinding } from '../../verify/check/finding.ts';

/** Named without `--verbose`; of more, the number is given. */
const NAMED = 6;

/** "The same line also breaks checksum/sctp, lengths/udp and 11 more invariants."; undefined where it breaks nothing else. */
export function alsoText({ also = [] }: CheckFinding, most: number = NAMED): string | undefined {
  if (also.length === 0) return undefined;
  // One more costs no more room than saying that there is one more.
  const named = also.length <= most + 1 ? also : also.slice(0, most);
  const names = named.map(({ invariant }) => invariant).join(', ');
  const left = also.length - named.length;
  const more = left === 0 ? '' : ` and ${left} more invariants`;
  return `The same line also breaks ${names}${more}.`;
}

/** The finding in one line, with what else its line breaks. */
export function summaryOf(finding: CheckFinding): string {
  const also = alsoText(finding);
  return also === undefined ? finding.summary : `${finding.summary}. ${also}`;
}
