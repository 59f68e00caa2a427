/** What `prove` found out about one program, as data: text, JSON and exit code follow from it. */
import { basename } from 'node:path';
import { Evaluator } from '../../sim/ebpf/symbolic/evaluate.ts';
import { isConst } from '../../sim/ebpf/symbolic/term.ts';
import { actionName } from '../../sim/runtime/actions.ts';
import type { Program } from '../../sim/runtime/program.ts';
import type { BranchWay, SourcePlace } from '../../verify/prove/branches.ts';
import { constantsText } from '../../verify/prove/constants.ts';
import type { ProvedPath } from '../../verify/prove/paths.ts';
import type { ProgramProof } from '../../verify/prove/prove.ts';
import { joinWords, type Word, wordsOf } from '../../verify/prove/words.ts';
import type { Saved } from '../../verify/report.ts';

/** What a proof comes to of which nothing is open. */
export const PROVED = 'every branch is decided, and every property proved';

export type ProveVerdict = 'pass' | 'fail' | 'incomplete';

export interface ReportedPath {
  readonly words: readonly Word[];
  readonly condition: string;
  readonly outcome: string;
  readonly packet: string | undefined;
  readonly confirmed: boolean;
  readonly reason: string | undefined;
}

export interface ProveReport {
  readonly program: string;
  /** What was proved. */
  readonly of: Program;
  readonly proof: ProgramProof;
  readonly paths: readonly ReportedPath[];
  readonly verdict: ProveVerdict;
  readonly reason: string;
  /** What became of the cases that were to be saved, by invariant. */
  readonly saved: ReadonlyMap<string, Saved>;
}

export function reportOf(
  program: Program,
  proof: ProgramProof,
  saved: ReadonlyMap<string, Saved> = new Map(),
): ProveReport {
  const refuted = proof.properties.filter((one) => one.status === 'refuted');
  const undecided = count(proof.branches, 'undecided');
  const open = proof.properties.filter((one) => one.status === 'undecided').length;
  const paths = proof.paths.map((path) => reportedPath(proof, path));
  const unconfirmed = proof.paths.filter((one) => !one.confirmed).length;
  const verdict =
    refuted.length > 0
      ? 'fail'
      : undecided + open + unconfirmed > 0 || proof.cut !== undefined
        ? 'incomplete'
        : 'pass';
  const reason =
    refuted.length > 0
      ? refuted.map((one) => one.invariant).join(', ')
      : proof.cut !== undefined
        ? `not every path was followed: ${proof.cut}`
        : undecided + open > 0
          ? [some(undecided, 'branch', 'branches'), some(open, 'property', 'properties')]
              .filter((one) => one !== '')
              .join(' and ') + (undecided + open === 1 ? ' is undecided' : ' are undecided')
          : unconfirmed > 0
            ? `${some(unconfirmed, 'path has', 'paths have')} no packet that was seen to take it`
            : `${PROVED}${constantsText(proof.constants)}`;
  return { program: program.name, of: program, proof, paths, verdict, reason, saved };
}

function some(number: number, one: string, many: string): string {
  return number === 0 ? '' : `${number} ${number === 1 ? one : many}`;
}

export function count(branches: readonly BranchWay[], status: BranchWay['status']): number {
  return branches.filter((one) => one.status === status).length;
}

function reportedPath(
  { inputs }: ProgramProof,
  { state, witness, confirmed, reason }: ProvedPath,
): ReportedPath {
  const words = wordsOf(inputs, state);
  return {
    words,
    condition: joinWords(words) || 'always',
    outcome: outcomeOf(inputs.hook, state),
    packet: witness === undefined ? undefined : Buffer.from(witness.stimulus.packet).toString('hex'),
    confirmed,
    reason,
  };
}

function outcomeOf(hook: ProgramProof['inputs']['hook'], state: ProvedPath['state']): string {
  const { end, packet } = state;
  if (end === undefined) return 'no end';
  if (end.kind !== 'exit') return `${end.kind === 'violation' ? 'violation' : 'not followed'}: ${end.reason}`;
  const action = isConst(end.action)
    ? actionName(hook, Number(BigInt.asIntN(32, end.action.value)))
    : state.values === undefined
      ? 'any action'
      : `${actionName(hook, Number(BigInt.asIntN(32, new Evaluator(state.values).value(end.action))))} or another`;
  const changed = packet.bytes.written().length > 0 || packet.generation > 0;
  return changed ? `${action}, frame changed` : action;
}

export function placeText({ file, line, text }: SourcePlace): string {
  return `${basename(file)}:${line}${text === '' ? '' : ` ${text}`}`;
}
