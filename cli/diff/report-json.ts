/** `xdpsim diff --json`: the form that is published as docs/schema/diff.json. */

import type { SourceLine } from '../../sim/ebpf/bpf-object.ts';
import type { AlikeKernels, KernelVersion } from '../../sim/ebpf/kernel-versions.ts';
import {
  exactly,
  flag,
  integer,
  list,
  nonNegative,
  object,
  oneOf,
  optional,
  type Schema,
  text,
} from '../../sim/runtime/schema.ts';
import { worldToJson } from '../../sim/runtime/world-json.ts';
import { jsonWorld } from '../../sim/runtime/world-schema.ts';
import { summarizeCoverage } from '../../verify/coverage-summary.ts';
import type { DecidingPlace } from '../../verify/diff/decide.ts';
import { type Change, changesOf } from '../../verify/diff/describe.ts';
import type { DiffClass } from '../../verify/diff/diff.ts';
import type { BuildPair } from '../../verify/diff/pair.ts';
import { type AgainstProof, whyNotEqual } from '../../verify/prove/against/against.ts';
import type { ReadConstants } from '../../verify/prove/constants.ts';
import type { Saved, Unsaved } from '../../verify/report.ts';
import { unsavedShape } from '../check/report-json.ts';
import { constantsShape } from '../prove/constants-json.ts';
import type { Compared, ComparedProgram } from './compared.ts';

interface LineJson {
  readonly file: string;
  readonly line: number;
  readonly text: string;
}

interface SideJson {
  /** The function of the program, and the instruction in it. */
  readonly function?: string;
  readonly instruction?: number;
  readonly as?: string;
  readonly file?: string;
  readonly line?: number;
  readonly text?: string;
  readonly changed: readonly LineJson[];
}

export interface ClassJson {
  readonly field: string;
  readonly packets: number;
  readonly changes: readonly Change[];
  readonly old: SideJson;
  readonly new: SideJson;
  readonly example: {
    /** Hexadecimal digits; the last one shows it. */
    readonly packets: readonly string[];
    /** As in docs/schema/world.json. */
    readonly world: unknown;
    readonly shrunk: boolean;
    readonly file?: string;
    readonly unsaved?: Unsaved;
  };
}

interface CoverageJson {
  readonly instructions: readonly number[];
  readonly branches: readonly number[];
  readonly lines: readonly number[];
}

interface ProgramJson {
  readonly name: string;
  readonly verdict: string;
  readonly packets: number;
  /** Packets of sweeps. */
  readonly swept: number;
  readonly classes: readonly ClassJson[];
  readonly moreClasses: boolean;
  /** Where no packet differed: is it proved that none can? */
  readonly proof?: ProofJson;
  readonly notCompared: readonly string[];
  readonly coverage: { readonly old?: CoverageJson; readonly new?: CoverageJson };
  readonly reason?: string;
}

interface ProofJson {
  readonly equal: boolean;
  /** Where they are equal: for frames of up to so many bytes. */
  readonly maxLength?: number;
  /** Where they are equal: on which kernels; absent: on all, as far as is known. */
  readonly kernels?: AlikeKernels;
  /** Where they are not proved equal, or not for longer frames: why. */
  readonly reason?: string;
  /** What it takes for granted: sentences. */
  readonly assumptions: readonly string[];
  /** Constants that a loader sets: of which any value was taken, and which were taken as in the objects. */
  readonly constants: ReadConstants;
}

interface PairJson {
  readonly old: string;
  readonly new: string;
  readonly verdict: string;
  readonly unpaired: readonly string[];
  /** Maps that the builds declare differently: sentences. */
  readonly maps: readonly string[];
  readonly programs: readonly ProgramJson[];
}

export interface DiffJson {
  readonly version: number;
  readonly seed: string;
  readonly builds: readonly PairJson[];
}

export const VERDICTS = ['same', 'identical instructions', 'differs', 'failed'] as const;
const pairOfNumbers: Schema<readonly number[]> = list(integer(0, Number.MAX_SAFE_INTEGER));
const line: Schema<LineJson> = object<LineJson>({ file: text, line: nonNegative, text });
const side: Schema<SideJson> = object<SideJson>({
  function: optional(text),
  instruction: optional(nonNegative),
  as: optional(oneOf('branch', 'write', 'result', 'call', 'stop') as Schema<string>),
  file: optional(text),
  line: optional(nonNegative),
  text: optional(text),
  changed: list(line),
});
const coverage: Schema<CoverageJson> = object<CoverageJson>({
  instructions: pairOfNumbers,
  branches: pairOfNumbers,
  lines: pairOfNumbers,
});

/** The kernels for which builds are proved equal. */
export const kernelsShape: Schema<AlikeKernels> = object<AlikeKernels>({
  helpers: list(text),
  from: optional(text as Schema<KernelVersion>),
  before: optional(text as Schema<KernelVersion>),
});

/** The fields of one class. */
export const diffClassShape: { readonly [Key in keyof ClassJson]: Schema<ClassJson[Key]> } = {
  field: text,
  packets: nonNegative,
  changes: list(object<Change>({ what: text, old: text, new: text })),
  old: side,
  new: side,
  example: object<ClassJson['example']>({
    packets: list(text),
    world: jsonWorld as Schema<unknown>,
    shrunk: flag,
    file: optional(text),
    unsaved: optional(unsavedShape),
  }),
};

export const diffShape: Schema<DiffJson> = object<DiffJson>({
  version: exactly(1, 'version 1'),
  seed: text,
  builds: list(
    object<PairJson>({
      old: text,
      new: text,
      verdict: oneOf('same', 'differs', 'failed') as Schema<string>,
      unpaired: list(text),
      maps: list(text),
      programs: list(
        object<ProgramJson>({
          name: text,
          verdict: oneOf(...VERDICTS) as Schema<string>,
          packets: nonNegative,
          swept: nonNegative,
          classes: list(object<ClassJson>(diffClassShape)),
          moreClasses: flag,
          proof: optional(
            object<ProofJson>({
              equal: flag,
              maxLength: optional(nonNegative),
              kernels: optional(kernelsShape),
              reason: optional(text),
              assumptions: list(text),
              constants: constantsShape,
            }),
          ),
          notCompared: list(text),
          coverage: object<ProgramJson['coverage']>({ old: optional(coverage), new: optional(coverage) }),
          reason: optional(text),
        }),
      ),
    }),
  ),
});

export function diffToJson(seed: string, compared: readonly Compared[]): DiffJson {
  return {
    version: 1,
    seed,
    builds: compared.map(({ old, new: next, verdict, unpaired, maps, programs }) => ({
      ...{ old, new: next, verdict, unpaired, maps },
      programs: programs.map(programToJson),
    })),
  };
}

function programToJson(program: ComparedProgram): ProgramJson {
  const { name, verdict, report, proof } = program;
  const summary = (one: Parameters<typeof summarizeCoverage>[0] | undefined): CoverageJson | undefined =>
    one === undefined ? undefined : summarizeCoverage(one);
  const [old, next] = [summary(report?.coverage.old), summary(report?.coverage.new)];
  return {
    name,
    verdict,
    packets: report?.packets ?? 0,
    swept: report?.swept ?? 0,
    classes: (report?.classes ?? []).map((one, at) => classToJson(report!.pair, one, program.saved[at])),
    moreClasses: report?.isCut ?? false,
    ...(proof === undefined ? {} : { proof: proofToJson(proof) }),
    notCompared: (report?.notCompared ?? []).map(({ what, packets }) =>
      packets === undefined ? what : `${what} (${packets})`,
    ),
    coverage: {
      ...(old === undefined ? {} : { old }),
      ...(next === undefined ? {} : { new: next }),
    },
    ...(report?.failure === undefined ? {} : { reason: report.failure.message }),
  };
}

function proofToJson(proof: AgainstProof): NonNullable<ProgramJson['proof']> {
  const { isEqual, longest, kernels, longer, assumptions, constants } = proof;
  const reason = isEqual ? longer : whyNotEqual(proof);
  return {
    equal: isEqual,
    ...(isEqual ? { maxLength: longest, ...(kernels === undefined ? {} : { kernels }) } : {}),
    ...(reason === undefined ? {} : { reason }),
    assumptions,
    constants,
  };
}

export function classToJson(pair: BuildPair, one: DiffClass, saved: Saved | undefined): ClassJson {
  const { finding, case: shown, state, packets } = one;
  const { decision } = finding;
  return {
    field: finding.field,
    packets,
    changes: changesOf(pair, one),
    old: sideToJson(decision.old, decision.changed.old),
    new: sideToJson(decision.new, decision.changed.new),
    example: {
      packets: shown.stimuli.map(({ packet }) => Buffer.from(packet).toString('hex')),
      world: worldToJson(shown.world),
      shrunk: state === 'shrunk',
      ...saved,
    },
  };
}

function sideToJson(place: DecidingPlace | undefined, changed: readonly SourceLine[]): SideJson {
  const lines = changed.map(({ file, line: number, text: words }) => ({ file, line: number, text: words }));
  if (place === undefined) return { changed: lines };
  const { program, instruction, as, source } = place;
  return {
    ...{ function: program, instruction, as },
    ...(source === undefined ? {} : { file: source.file, line: source.line, text: source.text }),
    changed: lines,
  };
}
