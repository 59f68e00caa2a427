/** `xdpsim verify --mutants --json`: the form that is published as docs/schema/mutants.json. */
import {
  exactly,
  flag,
  list,
  nonNegative,
  number,
  object,
  oneOf,
  optional,
  type Schema,
  text,
} from '../../sim/runtime/schema.ts';
import type { MutantResult } from '../../verify/mutants/judge-mutants.ts';
import { countOf, type Scored, scoreOf } from './mutants-score.ts';

interface MutantJson {
  readonly function: string;
  /** Counted from the start of the function. */
  readonly instruction: number;
  readonly kind: string;
  /** The instruction as it is, and as it was changed. */
  readonly before: string;
  readonly after: string;
  readonly file?: string;
  readonly line?: number;
  readonly text?: string;
}

interface ProgramJson {
  readonly name: string;
  readonly status: string;
  /** Why it was not judged. */
  readonly reason?: string;
  /** What the mutants were compared with. */
  readonly against: string;
  /** Percent: killed of killed and survived; absent where there are none of either. */
  readonly score?: number;
  readonly mutants: number;
  /** How many of them were decided. */
  readonly tried: number;
  /** Packets that a mutant which nothing told apart has run. */
  readonly packets: number;
  readonly killed: number;
  readonly stopped: number;
  readonly survived: readonly MutantJson[];
  readonly alike: readonly MutantJson[];
  readonly notRun: readonly MutantJson[];
}

export interface MutantsJson {
  readonly version: number;
  readonly seed: string;
  readonly interrupted: boolean;
  readonly programs: readonly ProgramJson[];
}

const mutants: Schema<readonly MutantJson[]> = list(
  object<MutantJson>({
    function: text,
    instruction: nonNegative,
    kind: oneOf('operator', 'constant', 'offset', 'condition', 'check dropped') as Schema<string>,
    before: text,
    after: text,
    file: optional(text),
    line: optional(nonNegative),
    text: optional(text),
  }),
);

export const mutantsShape: Schema<MutantsJson> = object<MutantsJson>({
  version: exactly(1, 'version 1'),
  seed: text,
  interrupted: flag,
  programs: list(
    object<ProgramJson>({
      name: text,
      status: oneOf('judged', 'differs from its model', 'no object') as Schema<string>,
      reason: optional(text),
      against: oneOf('model', 'itself') as Schema<string>,
      score: optional(number),
      mutants: nonNegative,
      tried: nonNegative,
      packets: nonNegative,
      killed: nonNegative,
      stopped: nonNegative,
      survived: mutants,
      alike: mutants,
      notRun: mutants,
    }),
  ),
});

export function mutantsToJson(seed: string, interrupted: boolean, scored: readonly Scored[]): MutantsJson {
  return { version: 1, seed, interrupted, programs: scored.map(programToJson) };
}

function programToJson(one: Scored): ProgramJson {
  const score = scoreOf(one);
  const rows = (verdict: MutantResult['verdict']): MutantJson[] =>
    one.results.flatMap((result) => (result.verdict === verdict ? [mutantToJson(result)] : []));
  return {
    name: one.program.name,
    status: one.status,
    ...(one.reason === undefined ? {} : { reason: one.reason }),
    against: one.program.definition === undefined ? 'itself' : 'model',
    ...(score === undefined ? {} : { score: Math.round(score * 100) / 100 }),
    mutants: one.of,
    tried: one.results.length,
    packets: one.packets,
    killed: countOf(one, 'killed'),
    stopped: countOf(one, 'stopped'),
    survived: rows('survived'),
    alike: rows('alike'),
    notRun: rows('not run'),
  };
}

function mutantToJson({ mutation }: MutantResult): MutantJson {
  const { function: name, slot, kind, before, after, file, line, text: source } = mutation;
  return {
    function: name,
    instruction: slot,
    kind,
    before,
    after,
    ...(file === undefined ? {} : { file }),
    ...(line === undefined ? {} : { line }),
    ...(source === undefined ? {} : { text: source }),
  };
}
