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
import { plainName } from '../input/told-apart.ts';
import type { JudgedProgram, NamedFinding } from './judged.ts';

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

const WHOLE_LINE = 'Everything that this line breaks';
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

  /** What is accepted of programs that were checked, was looked for, and was not found any more. */
  gone(judged: readonly JudgedProgram[]): readonly Accepted[] {
    const found = new Set(judged.flatMap(({ findings }) => findings.flatMap(allFingerprints)));
    const isLookedFor = (one: Accepted): boolean =>
      judged.some(({ program, isJudged }) => plainName(program) === one.program && isJudged(one.invariant));
    return [...this.#accepted.values()].filter((one) => isLookedFor(one) && !found.has(one.fingerprint));
  }

  /** The file that accepts all that was found; what is accepted of what was not checked, or not judged, stays. */
  updated(judged: readonly JudgedProgram[]): BaselineFile {
    const gone = new Set(this.gone(judged).map(({ fingerprint }) => fingerprint));
    const kept = new Map([...this.#accepted].filter(([fingerprint]) => !gone.has(fingerprint)));
    for (const { program, findings } of judged) {
      for (const named of findings) {
        if (named.finding.severity === 'info') continue;
        for (const one of this.#entries(named))
          kept.set(one.fingerprint, { ...one, program: plainName(program) });
      }
    }
    const order = (one: Accepted): string => `${one.program} ${one.invariant} ${one.fingerprint}`;
    const findings = [...kept.values()].sort((a, b) => (order(a) < order(b) ? -1 : 1));
    return { $schema: './node_modules/xdpsim/docs/schema/baseline.json', version: 1, findings };
  }

  /** What accepts a finding: its line where that breaks everything, or each of what it stands for. */
  #entries({ finding, fingerprint, members, path, line }: NamedFinding): Omit<Accepted, 'program'>[] {
    const place = { file: path, ...(finding.source === undefined ? {} : { line }) };
    const isLine = finding.isWholeLine === true;
    // Lines are accepted as they were accepted before.
    const of = members.find((one) => one.line !== undefined && this.#accepted.has(one.line));
    if (of !== undefined) return [this.#accepted.get(of.line!)!];
    const each = isLine ? [{ finding, fingerprint }] : members;
    return each.map((one) => ({
      ...place,
      fingerprint: one.fingerprint,
      invariant: one.finding.invariant,
      // What was seen on one packet changes with the seed.
      summary: isLine ? WHOLE_LINE : ruleOf(one.finding.invariant).title,
      reason: this.reasonFor(one.fingerprint) ?? NO_REASON,
    }));
  }
}

/** Its own, of what it stands for, and of its line. */
function allFingerprints({ fingerprint, members }: NamedFinding): string[] {
  return [
    fingerprint,
    ...members.flatMap((one) => [one.fingerprint, ...(one.line === undefined ? [] : [one.line])]),
  ];
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
