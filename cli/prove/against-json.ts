/** What `prove --against --json` prints. */
import type { AlikeKernels } from '../../sim/ebpf/kernel-versions.ts';
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
import type { AgainstProof } from '../../verify/prove/against/against.ts';
import { constantsText, NO_CONSTANTS, type ReadConstants } from '../../verify/prove/constants.ts';
import { type ClassJson, classToJson, diffClassShape, kernelsShape } from '../diff/report-json.ts';
import type { AgainstProgram, AgainstReport } from './against.ts';
import { framesText } from './claim.ts';
import { constantsShape } from './constants-json.ts';
import type { ProveVerdict } from './report.ts';

export interface ProveAgainstJson {
  readonly version: 1;
  readonly verdict: ProveVerdict;
  readonly reason: string;
  readonly interrupted?: boolean;
  readonly old: string;
  readonly new: string;
  readonly unpaired: readonly string[];
  readonly programs: readonly ProgramJson[];
}

interface ProgramJson {
  readonly name: string;
  readonly verdict: ProveVerdict;
  readonly reason: string;
  /** Paths of the old build, and pairs of paths whose conditions meet. */
  readonly paths: number;
  readonly pairs: number;
  readonly seconds: number;
  /** Where they are equal: for frames of up to so many bytes. */
  readonly maxLength?: number;
  /** Where they are equal: on which kernels; absent: on all, as far as is known. */
  readonly kernels?: AlikeKernels;
  /** Why nothing is proved of longer frames. */
  readonly longer?: string;
  readonly classes: readonly (ClassJson & { readonly confirmedBy: readonly EngineName[] })[];
  /** Always empty, for readers of version 1: ends that cannot be compared leave the proof incomplete, with a reason. */
  readonly notCompared: readonly string[];
  readonly assumptions: readonly string[];
  /** Constants that a loader sets: of which any value was taken, and which were taken as in the objects. */
  readonly constants: ReadConstants;
  readonly solver: { readonly queries: number; readonly undecided: number; readonly seconds: number };
}

/** What all programs together come to. */
export function againstVerdict(
  { unpaired, programs }: AgainstReport,
  interrupted: boolean,
): { readonly verdict: ProveVerdict; readonly reason: string } {
  const failed = programs.filter((one) => one.verdict === 'fail');
  const failures = [...failed.map(({ name, reason }) => `${name}: ${reason}`), ...unpaired];
  if (failures.length > 0) return { verdict: 'fail', reason: failures.join('; ') };
  if (interrupted) return { verdict: 'incomplete', reason: 'it was interrupted' };
  const open = programs.find((one) => one.verdict === 'incomplete');
  if (open !== undefined) return { verdict: 'incomplete', reason: `${open.name}: ${open.reason}` };
  return { verdict: 'pass', reason: passReason(programs) };
}

/** No more than what is known of each program; what has the same instructions does the same with every frame. */
function passReason(programs: readonly AgainstProgram[]): string {
  const proofs = programs.flatMap(({ proof }) => proof ?? []);
  const [least] = proofs.sort((a, b) => a.longest - b.longest);
  if (least === undefined) return 'both builds have the same instructions';
  const hook = proofs.find((one) => one.hook !== 'xdp')?.hook ?? least.hook;
  const constants = {
    any: [...new Set(proofs.flatMap((one) => one.constants.any))].sort(),
    fixed: [...new Set(proofs.flatMap((one) => one.constants.fixed))].sort(),
  };
  return `both builds treat all ${framesText({ hook, longest: least.longest })} alike${constantsText(constants, 'objects')}`;
}

export function proveAgainstJson(report: AgainstReport, interrupted: boolean): ProveAgainstJson {
  const { old, new: next, unpaired, programs } = report;
  return {
    version: 1,
    ...againstVerdict(report, interrupted),
    ...(interrupted ? { interrupted: true } : {}),
    ...{ old, new: next, unpaired },
    programs: programs.map(programToJson),
  };
}

function programToJson(program: AgainstProgram): ProgramJson {
  const { name, verdict, reason, proof, report, confirmedBy, saved } = program;
  const counts = proof?.counts;
  return {
    ...{ name, verdict, reason },
    paths: proof?.paths ?? 0,
    pairs: proof?.pairs ?? 0,
    seconds: proof?.seconds ?? 0,
    ...(proof?.isEqual === true && verdict === 'pass' ? whereEqual(proof) : {}),
    ...(proof?.longer === undefined ? {} : { longer: proof.longer }),
    classes: (report?.classes ?? []).map((one, at) => ({
      ...classToJson(report!.pair, one, saved[at]),
      confirmedBy: confirmedBy[at] ?? [],
    })),
    notCompared: [],
    assumptions: proof?.assumptions ?? [],
    constants: proof?.constants ?? NO_CONSTANTS,
    solver: {
      queries: counts?.queries ?? 0,
      undecided: counts?.unknown ?? 0,
      seconds: (counts?.solverTime ?? 0) / 1000,
    },
  };
}

function whereEqual({ longest, kernels }: AgainstProof): Pick<ProgramJson, 'maxLength' | 'kernels'> {
  return { maxLength: longest, ...(kernels === undefined ? {} : { kernels }) };
}

const verdict: Schema<ProveVerdict> = oneOf('pass', 'fail', 'incomplete');

/** Published as docs/schema/prove-against.json. */
export const proveAgainstShape: Schema<ProveAgainstJson> = object<ProveAgainstJson>({
  version: exactly(1, 'expected 1'),
  verdict,
  reason: text,
  interrupted: optional(flag),
  old: text,
  new: text,
  unpaired: list(text),
  programs: list(
    object<ProgramJson>({
      name: text,
      verdict,
      reason: text,
      paths: nonNegative,
      pairs: nonNegative,
      seconds: nonNegative,
      maxLength: optional(nonNegative),
      kernels: optional(kernelsShape),
      longer: optional(text),
      classes: list(
        object<ProgramJson['classes'][number]>({
          ...diffClassShape,
          confirmedBy: list(oneOf(...ENGINE_NAMES)),
        }),
      ),
      notCompared: list(text),
      assumptions: list(text),
      constants: constantsShape,
      solver: object<ProgramJson['solver']>({
        queries: nonNegative,
        undecided: nonNegative,
        seconds: nonNegative,
      }),
    }),
  ),
});
