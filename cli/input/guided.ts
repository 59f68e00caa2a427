/** Which programs are generated for under guidance, and with how much effort. */
import { programByName } from '../../sim/programs/index.ts';
import type { NamedWorld, Program } from '../../sim/runtime/program.ts';
import { type Guidance, guide } from '../../verify/guide/guide.ts';
import { effortOf } from '../../verify/guide/guided-run.ts';

export interface GuidanceRequest {
  readonly seed: string;
  readonly runs?: number;
  readonly seconds?: number;
  readonly worlds?: readonly NamedWorld[] | undefined;
}

/** @returns undefined for built-in programs, whose hints and corpora reach what can be reached, and for models alone */
export function guidanceOf(program: Program, { worlds, ...request }: GuidanceRequest): Guidance | undefined {
  const { name, object, definition } = program;
  const isBuiltIn = definition !== undefined && programByName(name) === definition;
  if (object === undefined || isBuiltIn) return undefined;
  return guide(program, {
    seed: request.seed,
    effort: effortOf(request),
    ...(worlds === undefined ? {} : { worlds }),
  });
}
