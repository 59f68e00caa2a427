/** The findings that a team has accepted: a file beside the configuration, under version control. */
import { writeAtomically } from '../../corpus/files/atomic-file.ts';
import { InputError } from '../../sim/runtime/input-error.ts';
import { parseJsonc } from '../../sim/runtime/jsonc.ts';
import {
  exactly,
  list,
  nonNegative,
  object,
  optional,
  parse,
  type Schema,
  text,
} from '../../sim/runtime/schema.ts';
import { ruleOf } from '../../verify/invariants/rules.ts';
import { inputFailure } from '../failure.ts';
import { isThere, readText } from '../input/read-file.ts';
import type { JudgedProgram } from './judged.ts';

interface Accepted {
  readonly fingerprint: string;
  /** The rest is for people who read the file. */
  readonly program: string;
  readonly invariant: string;
  readonly file?: string;
  readonly line?: number;
  readonly summary: string;
  /** Why it may stay. */
  readonly reason: string;
}

export interface BaselineFile {
  readonly $schema?: string;
  readonly version: number;
  readonly findings: readonly Accepted[];
}

/** Published as docs/schema/baseline.json. */
export const baselineShape: Schema<BaselineFile> = object<BaselineFile>({
  $schema: optional(text),
  version: exactly(1, 'expected 1'),
  findings: list(
    object<Accepted>({
      fingerprint: text,
      program: text,
      invariant: text,
      file: optional(text),
      line: optional(nonNegative),
      summary: text,
      reason: text,
    }),
  ),
});

const NO_REASON = 'accepted when the baseline was written; say why it may stay';

export class Baseline {
  readonly #accepted: ReadonlyMap<string, Accepted>;

  constructor(accepted: readonly Accepted[] = []) {
    this.#accepted = new Map(accepted.map((one) => [one.fingerprint, one]));
  }

  /** Undefined where the finding is not accepted. */
  reasonFor(fingerprint: string): string | undefined {
    return this.#accepted.get(fingerprint)?.reason;
  }

  /** What is accepted of programs that were checked, and was not found any more. */
  gone(judged: readonly JudgedProgram[]): readonly Accepted[] {
    const found = new Set(judged.flatMap(({ findings }) => findings.map(({ fingerprint }) => fingerprint)));
    const programs = new Set(judged.map(({ program }) => program.name));
    return [...this.#accepted.values()].filter(
      (one) => programs.has(one.program) && !found.has(one.fingerprint),
    );
  }

  /** The file that accepts all that was found; what is accepted of programs that were not checked stays. */
  updated(judged: readonly JudgedProgram[]): BaselineFile {
    const gone = new Set(this.gone(judged).map(({ fingerprint }) => fingerprint));
    const kept = new Map([...this.#accepted].filter(([fingerprint]) => !gone.has(fingerprint)));
    for (const { program, findings } of judged) {
      for (const { finding, fingerprint, path, line } of findings) {
        if (finding.severity === 'info') continue;
        kept.set(fingerprint, {
          fingerprint,
          program: program.name,
          invariant: finding.invariant,
          file: path,
          ...(finding.source === undefined ? {} : { line }),
          // What was seen on one packet changes with the seed.
          summary: ruleOf(finding.invariant).title,
          reason: this.reasonFor(fingerprint) ?? NO_REASON,
        });
      }
    }
    const order = (one: Accepted): string => `${one.program} ${one.invariant} ${one.fingerprint}`;
    const findings = [...kept.values()].sort((a, b) => (order(a) < order(b) ? -1 : 1));
    return { $schema: './node_modules/xdpsim/docs/schema/baseline.json', version: 1, findings };
  }
}

/** @returns an empty one where there is no such file */
export function readBaseline(path: string): Baseline {
  if (!isThere(path)) return new Baseline();
  const text = readText(path);
  try {
    return new Baseline(parse(baselineShape, parseJsonc(text)).findings);
  } catch (error) {
    if (error instanceof InputError) throw inputFailure(`${path}: ${error.message}`);
    throw error;
  }
}

export async function writeBaseline(path: string, file: BaselineFile): Promise<void> {
  await writeAtomically(path, [new TextEncoder().encode(`${JSON.stringify(file, null, 2)}\n`)]);
}
