/** The findings that a team has accepted: a file beside the configuration, under version control. */
import { basename, dirname } from 'node:path';
import { writeAtomically } from '../../corpus/files/atomic-file.ts';
import { InputError } from '../../sim/runtime/input-error.ts';
import { parseJsonc } from '../../sim/runtime/jsonc.ts';
import type { Program } from '../../sim/runtime/program.ts';
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
import { homeOf, mayBeSame } from './home.ts';
import type { JudgedProgram, NamedFinding, ReasonFor } from './judged.ts';

/** Fingerprint and place decide what it accepts; the rest is for people who read the file. */
interface Accepted {
  readonly fingerprint: string;
  readonly program: string;
  /** Where the program lies, from the folder of this file; absent where it does not lie below, and in old files. */
  readonly path?: string;
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
      path: optional(text),
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
  readonly #accepted: readonly Accepted[];
  readonly #folder: string;
  readonly #homes = new Map<Program, string | undefined>();

  /** @param folder that programs' paths are seen from */
  constructor(accepted: readonly Accepted[] = [], folder = '.') {
    this.#accepted = accepted;
    this.#folder = folder;
  }

  #homeOf(program: Program): string | undefined {
    if (!this.#homes.has(program)) this.#homes.set(program, homeOf(program, this.#folder));
    return this.#homes.get(program);
  }

  /** Why findings of a program are accepted. */
  reasonsFor(program: Program): ReasonFor {
    const home = this.#homeOf(program);
    return (fingerprint, path) => this.#find(fingerprint, home, path)?.reason;
  }

  /** What is accepted of programs that were checked, was looked for, and was not found any more. */
  gone(judged: readonly JudgedProgram[]): readonly Accepted[] {
    const met = new Set<Accepted>();
    for (const { program, findings } of judged) {
      const home = this.#homeOf(program);
      for (const [fingerprint, path] of findings.flatMap(allFingerprints)) {
        const one = this.#find(fingerprint, home, path);
        if (one !== undefined) met.add(one);
      }
    }
    const isLookedFor = (one: Accepted): boolean =>
      judged.some(({ program, isJudged }) => this.#isOf(one, program) && isJudged(one.invariant));
    return this.#accepted.filter((one) => !met.has(one) && isLookedFor(one));
  }

  /** The file that accepts all that was found; what is accepted of what was not checked, or not judged, stays. */
  updated(judged: readonly JudgedProgram[]): BaselineFile {
    const gone = new Set(this.gone(judged));
    const kept = new Map(this.#accepted.filter((one) => !gone.has(one)).map((one) => [keyOf(one), one]));
    for (const { program, findings } of judged) {
      const home = this.#homeOf(program);
      for (const named of findings) {
        if (named.finding.severity === 'info') continue;
        for (const { before, ...entry } of this.#entries(named, home)) {
          if (before !== undefined && before.file === entry.file) kept.delete(keyOf(before));
          const one = {
            ...entry,
            program: plainName(program),
            ...(home === undefined ? {} : { path: home }),
          };
          kept.set(keyOf(one), one);
        }
      }
    }
    const order = (one: Accepted): string =>
      `${one.program} ${one.path ?? ''} ${one.invariant} ${one.fingerprint}`;
    const findings = [...kept.values()].sort((a, b) => (order(a) < order(b) ? -1 : 1));
    return { $schema: './node_modules/xdpsim/docs/schema/baseline.json', version: 1, findings };
  }

  /** One of the program itself counts more than one that was written when paths were not. */
  #find(fingerprint: string, home: string | undefined, path: string): Accepted | undefined {
    const some = this.#accepted.filter((one) => one.fingerprint === fingerprint);
    return (
      some.find((one) => one.path !== undefined && one.path === home) ??
      some.find((one) => (one.path === undefined || home === undefined ? isAbout(one, path) : false))
    );
  }

  #isOf(one: Accepted, program: Program): boolean {
    if (one.program !== plainName(program)) return false;
    const home = this.#homeOf(program);
    if (one.path !== undefined && home !== undefined) return one.path === home;
    // What lies in a header may be anybody's; a file that is called like the program's own, and lies elsewhere, is another's.
    return home === undefined || one.file === undefined || basename(one.file) !== basename(home)
      ? true
      : isAbout(one, home);
  }

  /** What accepts a finding: its line where that breaks everything, or each of what it stands for. */
  #entries(
    { finding, fingerprint, members, path, line }: NamedFinding,
    home: string | undefined,
  ): (Omit<Accepted, 'program' | 'path'> & { readonly before?: Accepted | undefined })[] {
    const place = { file: path, ...(finding.source === undefined ? {} : { line }) };
    const isLine = finding.isWholeLine === true;
    // Lines are accepted as they were accepted before.
    for (const one of members) {
      const before = one.line === undefined ? undefined : this.#find(one.line, home, one.path);
      if (before === undefined) continue;
      const { program: _, path: __, ...entry } = before;
      return [{ ...entry, ...place, before }];
    }
    const each = isLine ? [{ finding, fingerprint, path }] : members;
    return each.map((one) => {
      const before = this.#find(one.fingerprint, home, one.path);
      return {
        ...place,
        fingerprint: one.fingerprint,
        invariant: one.finding.invariant,
        // What was seen on one packet changes with the seed.
        summary: isLine ? WHOLE_LINE : ruleOf(one.finding.invariant).title,
        reason: before?.reason ?? NO_REASON,
        before,
      };
    });
  }
}

function keyOf({ fingerprint, path = '' }: Accepted): string {
  return `${fingerprint} ${path}`;
}

function isAbout({ file }: Accepted, path: string): boolean {
  return file === undefined || mayBeSame(file, path);
}

/** Its own, of what it stands for, and of its line, each with the file that it is shown in. */
function allFingerprints({
  fingerprint,
  members,
  path,
}: NamedFinding): [fingerprint: string, path: string][] {
  return [
    [fingerprint, path],
    ...members.flatMap((one): [string, string][] => [
      [one.fingerprint, one.path],
      ...(one.line === undefined ? [] : ([[one.line, one.path]] satisfies [string, string][])),
    ]),
  ];
}

/** @returns an empty one where there is no such file */
export function readBaseline(path: string): Baseline {
  if (!isThere(path)) return new Baseline([], dirname(path));
  const text = readText(path);
  try {
    return new Baseline(parse(baselineShape, parseJsonc(text)).findings, dirname(path));
  } catch (error) {
    if (error instanceof InputError) throw inputFailure(`${path}: ${error.message}`);
    throw error;
  }
}

export async function writeBaseline(path: string, file: BaselineFile): Promise<void> {
  await writeAtomically(path, [new TextEncoder().encode(`${JSON.stringify(file, null, 2)}\n`)]);
}
