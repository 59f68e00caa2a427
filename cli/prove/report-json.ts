/** What `prove --json` prints. */
import { ENGINE_NAMES, type EngineName } from '../../sim/engines/register.ts';
import {
  exactly,
  flag,
  list,
  nonNegative,
  object,
  oneOf,
  optional,
  type Schema,
  text,
} from '../../sim/runtime/schema.ts';
import type { BranchWay, SourcePlace } from '../../verify/prove/branches.ts';
import type { ReadConstants } from '../../verify/prove/constants.ts';
import type { Property } from '../../verify/prove/property.ts';
import type { Saved, Unsaved } from '../../verify/report.ts';
import type { Severity } from '../../verify/severity.ts';
import { notTestedShape, unsavedShape } from '../check/report-json.ts';
import type { NotTested } from '../input/program-source.ts';
import { constantsShape } from './constants-json.ts';
import { count, PROVED, type ProveReport, type ProveVerdict } from './report.ts';

export interface ProveReportJson {
  readonly version: 1;
  readonly verdict: ProveVerdict;
  readonly reason: string;
  /** Was the run ended from outside before it was done? */
  readonly interrupted?: boolean;
  readonly programs: readonly ProvedProgramJson[];
  /** Properties that were not to be proved, a sentence for each option that says so. */
  readonly notChecked: readonly string[];
  /** Functions of the objects that are not proved by themselves: what they stand behind leads to some of them. */
  readonly notTested: readonly NotTested[];
}

interface PlaceJson {
  readonly file: string;
  readonly line: number;
}

interface ProvedProgramJson {
  readonly name: string;
  readonly verdict: ProveVerdict;
  readonly reason: string;
  readonly seconds: number;
  readonly findings: readonly FindingJson[];
  readonly coverage: { readonly branches: readonly number[]; readonly unreached: readonly UnreachedJson[] };
  readonly branches: { readonly reached: number; readonly unreachable: number; readonly undecided: number };
  readonly properties: readonly PropertyJson[];
  readonly paths: readonly PathJson[];
  readonly assumptions: readonly string[];
  /** Constants that a loader sets: of which any value was taken, and which were taken as in the object. */
  readonly constants: ReadConstants;
  readonly solver: { readonly queries: number; readonly undecided: number; readonly seconds: number };
}

interface FindingJson {
  readonly invariant: string;
  readonly severity: Severity;
  readonly source?: PlaceJson;
  readonly summary: string;
  /** The saved case. */
  readonly file?: string;
  readonly unsaved?: Unsaved;
  readonly packet?: string;
  readonly confirmedBy: readonly EngineName[];
}

interface UnreachedJson {
  readonly function: string;
  readonly file?: string;
  readonly line?: number;
  readonly instruction: number;
  readonly taken: boolean;
  readonly status: 'unreachable' | 'undecided';
  readonly because: string;
  readonly lines: readonly PlaceJson[];
}

interface PropertyJson {
  readonly invariant: string;
  readonly status: 'proved' | 'refuted' | 'undecided';
  readonly reason?: string;
  readonly paths: number;
}

interface PathJson {
  readonly condition: string;
  readonly outcome: string;
  /** Hexadecimal. */
  readonly packet?: string;
  readonly confirmed: boolean;
  readonly reason?: string;
}

/** What all programs together come to. */
export function overallVerdict(
  reports: readonly Pick<ProveReport, 'program' | 'verdict' | 'reason'>[],
  interrupted: boolean,
): { readonly verdict: ProveVerdict; readonly reason: string } {
  const reasonFor = (verdict: ProveVerdict): string | undefined => {
    const some = reports.filter((one) => one.verdict === verdict);
    const [first] = some;
    if (first === undefined) return undefined;
    const which = some.length === 1 ? '' : `${some.length} of ${reports.length} programs: `;
    return `${which}${first.program}: ${first.reason}`;
  };
  const failed = reasonFor('fail');
  if (failed !== undefined) return { verdict: 'fail', reason: failed };
  if (interrupted) return { verdict: 'incomplete', reason: 'it was interrupted' };
  const open = reasonFor('incomplete');
  if (open !== undefined) return { verdict: 'incomplete', reason: open };
  const alike = new Set(reports.map((one) => one.reason));
  const reason =
    alike.size <= 1
      ? ([...alike][0] ?? PROVED)
      : reports.map((one) => `${one.program}: ${one.reason}`).join('; ');
  return { verdict: 'pass', reason };
}

export function proveReportJson(
  reports: readonly ProveReport[],
  interrupted: boolean,
  notChecked: readonly string[] = [],
  others: readonly NotTested[] = [],
): ProveReportJson {
  return {
    version: 1,
    ...overallVerdict(reports, interrupted),
    ...(interrupted ? { interrupted: true } : {}),
    programs: reports.map(programJson),
    notChecked,
    notTested: others,
  };
}

function programJson(report: ProveReport): ProvedProgramJson {
  const { proof, program, verdict, reason, paths, saved } = report;
  const { branches, counts, properties } = proof;
  const reached = count(branches, 'reached');
  const unreachable = count(branches, 'unreachable');
  return {
    name: program,
    verdict,
    reason,
    seconds: proof.seconds,
    findings: properties
      .filter((one) => one.status === 'refuted')
      .map((one) => findingJson(one, saved.get(one.invariant))),
    coverage: {
      branches: [reached, branches.length - unreachable],
      unreached: branches.filter((one) => one.status !== 'reached').map(unreachedJson),
    },
    branches: { reached, unreachable, undecided: count(branches, 'undecided') },
    properties: properties.map(({ invariant, status, reason: why, paths: asked }) => ({
      invariant,
      status,
      ...(why === undefined ? {} : { reason: why }),
      paths: asked,
    })),
    paths: paths.map(({ condition, outcome, packet, confirmed, reason: why }) => ({
      condition,
      outcome,
      ...(packet === undefined ? {} : { packet }),
      confirmed,
      ...(why === undefined ? {} : { reason: why }),
    })),
    assumptions: proof.assumptions,
    constants: proof.constants,
    solver: { queries: counts.queries, undecided: counts.unknown, seconds: counts.solverTime / 1000 },
  };
}

function place({ file, line }: SourcePlace): PlaceJson {
  return { file, line };
}

function findingJson(property: Property, saved: Saved | undefined): FindingJson {
  const { invariant, severity, reason, witness, confirmedBy, source, divergence } = property;
  const shown = divergence?.case.stimuli.at(-1) ?? witness?.stimulus;
  return {
    invariant,
    severity,
    ...(source === undefined ? {} : { source: place(source) }),
    summary: reason ?? invariant,
    ...saved,
    ...(shown === undefined ? {} : { packet: Buffer.from(shown.packet).toString('hex') }),
    confirmedBy,
  };
}

function unreachedJson(way: BranchWay): UnreachedJson {
  const { source, slot, taken, status, reason, because, function: name } = way;
  return {
    function: name,
    ...(source === undefined ? {} : place(source)),
    instruction: slot,
    taken,
    status: status === 'unreachable' ? 'unreachable' : 'undecided',
    because: reason ?? '',
    lines: because.map(place),
  };
}

const verdict: Schema<ProveVerdict> = oneOf('pass', 'fail', 'incomplete');
const placeShape: Schema<PlaceJson> = object<PlaceJson>({ file: text, line: nonNegative });

const programShape: Schema<ProvedProgramJson> = object<ProvedProgramJson>({
  name: text,
  verdict,
  reason: text,
  seconds: nonNegative,
  findings: list(
    object<FindingJson>({
      invariant: text,
      severity: oneOf('error', 'warning', 'info'),
      source: optional(placeShape),
      summary: text,
      file: optional(text),
      unsaved: optional(unsavedShape),
      packet: optional(text),
      confirmedBy: list(oneOf(...ENGINE_NAMES)),
    }),
  ),
  coverage: object<ProvedProgramJson['coverage']>({
    branches: list(nonNegative),
    unreached: list(
      object<UnreachedJson>({
        function: text,
        file: optional(text),
        line: optional(nonNegative),
        instruction: nonNegative,
        taken: flag,
        status: oneOf('unreachable', 'undecided'),
        because: text,
        lines: list(placeShape),
      }),
    ),
  }),
  branches: object<ProvedProgramJson['branches']>({
    reached: nonNegative,
    unreachable: nonNegative,
    undecided: nonNegative,
  }),
  properties: list(
    object<PropertyJson>({
      invariant: text,
      status: oneOf('proved', 'refuted', 'undecided'),
      reason: optional(text),
      paths: nonNegative,
    }),
  ),
  paths: list(
    object<PathJson>({
      condition: text,
      outcome: text,
      packet: optional(text),
      confirmed: flag,
      reason: optional(text),
    }),
  ),
  assumptions: list(text),
  constants: constantsShape,
  solver: object<ProvedProgramJson['solver']>({
    queries: nonNegative,
    undecided: nonNegative,
    seconds: nonNegative,
  }),
});

/** Published as docs/schema/prove.json. */
export const proveReportShape: Schema<ProveReportJson> = object<ProveReportJson>({
  version: exactly(1, 'expected 1'),
  verdict,
  reason: text,
  interrupted: optional(flag),
  programs: list(programShape),
  notChecked: list(text),
  notTested: list(notTestedShape),
});
