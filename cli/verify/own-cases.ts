/** `--packets FILE`: the packets that the user brings, as cases that run first. */
import type { SavedCase } from '../../corpus/cases/case.ts';
import type { Stimulus } from '../../sim/packet/packet-batch.ts';
import type { NamedWorld, Program } from '../../sim/runtime/program.ts';
import { casesForProgram } from '../input/program-cases.ts';

/** Packets of one case: as many as a batch has. */
const PACKETS_PER_CASE = 2048;

/**
 * The packets of files in each of the worlds of a run; saved cases have a world of their own, and run in that.
 * @throws {Failure | CaptureError} naming the file that cannot be read
 */
export async function ownCases(
  files: readonly string[],
  program: Program,
  worlds: readonly NamedWorld[],
): Promise<SavedCase[]> {
  const cases: SavedCase[] = [];
  const plain = {};
  for (const path of files) {
    const options = { program: program.name, world: plain, packetsPerCase: PACKETS_PER_CASE };
    for await (const one of casesForProgram(path, [program], options)) {
      const own = one.world === plain ? worlds.map(({ world }) => world) : [one.world];
      // What a file was kept or saved for says nothing about this program.
      for (const world of own) {
        for (const stimuli of forEntries(one.stimuli, one.world === plain ? program.entries.length : 1)) {
          cases.push({ path, case: { program: program.name, world, stimuli } });
        }
      }
    }
  }
  return cases;
}

/** A capture does not say which of the program's functions its packets are for: each gets them. */
function forEntries(stimuli: readonly Stimulus[], entries: number): readonly (readonly Stimulus[])[] {
  return Array.from({ length: entries }, (_, entry) =>
    entry === 0 ? stimuli : stimuli.map((stimulus) => ({ ...stimulus, entry })),
  );
}
