/** What a proof gave to another command, as JSON. */
import {
  type Fields,
  flag,
  list,
  nonNegative,
  object,
  optional,
  type Schema,
  text,
} from '../../sim/runtime/schema.ts';
import type { OthersWay, ProofAid, ProvedWay } from '../../verify/prove/aid.ts';

export interface ProofAidJson {
  /** Paths that were followed. */
  readonly paths: number;
  /** Those of them for which a packet is known. */
  readonly packets: number;
  /** Those that take fields of the context which only a kernel fills. */
  readonly beyond: number;
  /** Ways of branches that no input takes. */
  readonly unreachable: readonly ProvedWay[];
  /** Ways that only what no engine here can stand for takes, such as a driver of another kind: they do not count either. */
  readonly elsewhere?: readonly OthersWay[];
  /** Why not all is known. */
  readonly doubt?: string;
  readonly seconds: number;
}

export function aidJson({
  paths,
  shown,
  beyond,
  impossible,
  elsewhere,
  doubt,
  seconds,
}: ProofAid): ProofAidJson {
  return {
    paths,
    packets: shown,
    beyond,
    unreachable: impossible,
    ...(elsewhere === undefined ? {} : { elsewhere }),
    ...(doubt === undefined ? {} : { doubt }),
    seconds,
  };
}

export const proofAidShape: Schema<ProofAidJson> = object<ProofAidJson>({
  paths: nonNegative,
  packets: nonNegative,
  beyond: nonNegative,
  unreachable: list(object<ProvedWay>({ function: text, instruction: nonNegative, taken: flag })),
  elsewhere: optional(
    list(object<OthersWay>({ function: text, instruction: nonNegative, taken: flag, who: text })),
  ),
  doubt: optional(text),
  seconds: nonNegative,
} satisfies Fields<ProofAidJson>);
