/** A guided run: how much effort it is worth, and the kept cases as ones to replay. */
import type { SavedCase } from '../../corpus/cases/case.ts';
import type { Program } from '../../sim/runtime/program.ts';
import { DEFAULT_EFFORT, type Guidance, type GuidedCase } from './guide.ts';

/** Instructions of guidance for each packet that a run has, and for each second that it may take. */
const EFFORT_PER_PACKET = 200;
const EFFORT_PER_SECOND = 400_000;
const MOST = 40_000_000;

/** A matter of what was asked for, never of the machine: guidance is the same for all workers. */
export function effortOf({ runs, seconds }: { readonly runs?: number; readonly seconds?: number }): number {
  if (runs !== undefined) return Math.min(DEFAULT_EFFORT, runs * EFFORT_PER_PACKET);
  return Math.min(MOST, Math.max(DEFAULT_EFFORT, (seconds ?? 0) * EFFORT_PER_SECOND));
}

/** Each as a case of its own, with what it was kept for in the place of a path. */
export function* guidedCases(program: Program, { cases }: Guidance): Generator<SavedCase, void, undefined> {
  for (const [index, one] of cases.entries()) {
    const { world, stimuli } = one;
    yield { path: `guided ${index + 1}: ${purposeOf(one)}`, case: { program: program.name, world, stimuli } };
  }
}

/** "syn_limit.bpf.c:42"; where no source line is known, the instruction. */
function purposeOf({ reached }: GuidedCase): string {
  const [first] = reached;
  if (first === undefined) return 'an end of the program';
  const { file, line, instruction, function: name } = first;
  if (file === undefined) return `${name}, instruction ${instruction}`;
  return `${file.slice(file.lastIndexOf('/') + 1)}:${line}`;
}
