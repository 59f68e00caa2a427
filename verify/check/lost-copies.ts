/**
 * Counters that two CPUs can lose, as runs show them: what a lookup found goes back to its entry by `bpf_map_update_elem`, with
 * something added. Cases are run twice over, so that the entry that a packet makes is found by the next.
 */
import type { Case } from '../../corpus/cases/case.ts';
import type { Program } from '../../sim/runtime/program.ts';
import { TracedRuns } from '../guide/traced-runs.ts';
import type { CheckFinding } from './finding.ts';
import { callsAny } from './judging.ts';
import { lostUpdateAt, SHARED } from './lost-updates.ts';

/** @param testedApart programs of the object that are tested by themselves: what they do is reported there */
export function lostCopies(
  program: Program,
  cases: readonly Pick<Case, 'world' | 'stimuli'>[],
  testedApart: ReadonlySet<string> = new Set(),
): CheckFinding[] {
  if (!callsAny(program, ({ name }) => name === 'bpf_map_update_elem')) return [];
  const runs = new TracedRuns(program, { forgetsMaps: true });
  const entries = new Set(program.entries.map((one) => one.function));
  const found = new Map<string, CheckFinding>();
  for (const { world, stimuli } of cases) {
    const object = runs.machineOf(world)?.object;
    const run = runs.run({ world, stimuli: [...stimuli, ...stimuli.slice(-1)] });
    for (const { adds, program: index, slot, map } of run?.trace.effects ?? []) {
      const own = object?.programs[index];
      const into = object?.maps[map];
      if (adds !== true || own === undefined || into === undefined || !SHARED.has(into.type)) continue;
      if (!entries.has(own.function) && testedApart.has(own.function)) continue;
      const place = `${index} ${slot}`;
      if (!found.has(place)) found.set(place, lostUpdateAt(program, own, slot, into, HOW));
    }
  }
  return [...found.values()];
}

const HOW =
  'is looked up, added to and written back by bpf_map_update_elem: the entry is replaced, not added to';
