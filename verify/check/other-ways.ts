/**
 * A few packets of each kind are kept, and what kind one is of tells its headers and what became of it. A rare way through the
 * program that ends as others do shows in neither: packets that were looked for, one for each way, go there.
 */
import type { Program } from '../../sim/runtime/program.ts';
import { TracedRuns } from '../guide/traced-runs.ts';
import { SHORTEST_FRAME } from '../judging.ts';
import type { Sighting } from './probe.ts';

/** Of packets that were looked for, those that go a way, or come to an end, that neither those kept nor one before them do. */
export function ofOtherWays(
  program: Program,
  kept: readonly Sighting[],
  known: readonly Sighting[],
): Sighting[] {
  const frames = known.filter(({ stimulus }) => stimulus.packet.length >= SHORTEST_FRAME);
  if (frames.length === 0) return [];
  const runs = new TracedRuns(program);
  const gone = new Set<number>();
  const isNew = ({ world, stimulus }: Sighting): boolean => {
    const { ways = [] } = runs.run({ world, stimuli: [stimulus] }) ?? {};
    const before = gone.size;
    for (const way of ways) gone.add(way);
    return gone.size > before;
  };
  for (const one of kept) isNew(one);
  return frames.filter(isNew);
}
