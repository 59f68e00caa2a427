/** Which programs are generated for under guidance: always with the same effort, so that a finding repeats whatever ended the run. */
import { programByName } from '../../sim/programs/index.ts';
import type { NamedWorld, Program } from '../../sim/runtime/program.ts';
import { type Guidance, guideInTurns } from '../../verify/guide/guide.ts';
import { inWorldsOfModel } from '../../verify/guide/model-worlds.ts';
import type { Sequence } from '../../verify/guide/traced-runs.ts';

export interface GuidanceRequest {
  readonly seed: string;
  readonly worlds?: readonly NamedWorld[] | undefined;
  /** To start from, before generated packets. */
  readonly sequences?: readonly Sequence[];
  /** Ends it early, with what was found until then. */
  readonly signal?: AbortSignal;
}

/** @returns undefined for built-in programs, whose hints and corpora reach what can be reached, and for models alone */
export async function guidanceOf(
  program: Program,
  { seed, worlds, sequences, signal }: GuidanceRequest,
): Promise<Guidance | undefined> {
  const { name, object, definition } = program;
  const isBuiltIn = definition !== undefined && programByName(name) === definition;
  if (object === undefined || isBuiltIn) return undefined;
  const guidance = await guideInTurns(program, {
    seed,
    ...(worlds === undefined ? {} : { worlds }),
    ...(sequences === undefined ? {} : { sequences }),
    ...(signal === undefined ? {} : { signal }),
  });
  return { ...guidance, cases: inWorldsOfModel(program, guidance.cases) };
}
