/** What a proof gave to another command, in words. */
import type { OthersWay, ProofAid } from '../../verify/prove/aid.ts';
import { count } from '../terminal.ts';

/** "504 paths followed in 3.2 s, each with a packet; 3 ways of branches, which no input takes, do not count" */
export function aidText({
  shown,
  paths,
  beyond,
  impossible,
  elsewhere = [],
  areLinear = false,
  doubt,
  seconds,
}: ProofAid): string {
  const packets =
    paths === 0
      ? ''
      : shown === paths
        ? ', a packet for each'
        : `, ${count(shown)} of them ${shown === 1 ? 'has' : 'have'} a packet`;
  const followed = `${count(paths)} ${paths === 1 ? 'path' : 'paths'} followed in ${seconds.toFixed(1)} s${packets}`;
  const kernels =
    beyond === 0
      ? ''
      : `, ${count(beyond)} ${beyond === 1 ? 'takes' : 'take'} a context that only a kernel makes`;
  const closed =
    impossible.length === 0
      ? ''
      : `; ${impossible.length === 1 ? 'one way of a branch is' : `${impossible.length} ways of branches are`} proved unreachable${areLinear ? ' for frames in one piece' : ''}`;
  const others = elsewhere.length === 0 ? '' : `; ${othersText(elsewhere)}`;
  return `${followed}${kernels}${closed}${others}${doubt === undefined ? '' : `; not all: ${doubt}`}`;
}

/** "one way of a branch is for drivers that take no metadata only, and does not count" */
function othersText(ways: readonly OthersWay[]): string {
  const who = [...new Set(ways.map((one) => one.who))].join(' and ');
  return ways.length === 1
    ? `one way of a branch is for ${who} only, and does not count`
    : `${count(ways.length)} ways of branches are for ${who} only, and do not count`;
}
