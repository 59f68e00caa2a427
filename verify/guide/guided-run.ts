/** The kept cases of a guidance as cases to replay. */
import type { SavedCase } from '../../corpus/cases/case.ts';
import type { Program } from '../../sim/runtime/program.ts';
import type { Guidance, GuidedCase } from './guide.ts';

/** What the paths of these cases begin with: there is no such file. */
export const GUIDED_CASE = 'guided case ';

/** Each as a case of its own, with what it was kept for in the place of a path. */
export function* guidedCases(program: Program, { cases }: Guidance): Generator<SavedCase, void, undefined> {
  for (const [index, one] of cases.entries()) {
    const { world, stimuli } = one;
    yield {
      path: `${GUIDED_CASE}${index + 1}: ${purposeOf(one)}`,
      case: { program: program.name, world, stimuli },
    };
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
