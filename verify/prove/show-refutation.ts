/**
 * What a refutation looks like to a person: its case made small and judged as `verify` and `check` do, with the line of C that
 * is to blame, and the engines that show it, the kernel among them where there is one.
 */
import type { Case } from '../../corpus/cases/case.ts';
import type { Engine } from '../../sim/engines/engine.ts';
import type { EngineName } from '../../sim/engines/register.ts';
import type { Program } from '../../sim/runtime/program.ts';
import { confirmed } from '../check/confirm.ts';
import { checkJudging } from '../check/judging.ts';
import { CaseRunner, decidingLine, divergenceOf } from '../check/probe.ts';
import { summarize } from '../explain/summary.ts';
import type { Finding } from '../finding.ts';
import { investigate } from '../investigate.ts';
import { isAccepted } from '../kernel-verdict.ts';
import { KernelWitness } from '../kernel-witness.ts';
import { Replay } from '../replay.ts';
import type { Divergence } from '../report.ts';
import { faultText } from './fault-text.ts';
import type { Property } from './property.ts';
import { returnsText, stopsText } from './run-properties.ts';
import { onlyInMachine } from './witness.ts';

export interface ShowOptions {
  readonly program: Program;
  readonly machine: Engine;
  /** Runs programs in the kernel; absent: there is none. */
  readonly kernel?: Engine;
  /** How long a case is made smaller. */
  readonly shrinkSeconds: number;
  readonly signal?: AbortSignal;
}

/** In the place of a seed, and of a packet's number. */
export const SEEN = { seed: 'prove', packet: 0 } as const;
const ACCEPTED = 'the machine stops the program, which this kernel accepts: a defect of xdpsim';

/** @returns the property with what is to be shown of it; one that the kernel contradicts is undecided */
export async function showRefutation(property: Property, options: ShowOptions): Promise<Property> {
  const { witness, invariant } = property;
  // Only the machine can give a frame what a network gives it besides.
  if (property.status !== 'refuted' || witness === undefined || onlyInMachine(witness) !== undefined)
    return property;
  const { program, machine, kernel } = options;
  const shown: Case = { program: program.name, world: witness.world, stimuli: [witness.stimulus] };
  const finding = await findingOf(invariant, shown, options);
  if (finding?.kernel !== undefined && isAccepted(finding.kernel))
    return { ...property, status: 'undecided', reason: ACCEPTED, witness: undefined, confirmedBy: [] };
  // Behind another wrong checksum: of each packet, judges name the outermost one.
  if (finding === undefined && invariant.startsWith('checksum/'))
    return { ...property, confirmedBy: await sameOutcome(shown, options) };
  const divergence =
    finding === undefined ? await seenOnly(property, shown, options) : await judged(finding, shown, options);
  if (divergence === undefined) return property;
  const engines = kernel === undefined ? [machine] : [machine, kernel];
  const confirmedBy =
    finding === undefined
      ? await sameOutcome(shown, options)
      : await confirmed(
          program,
          divergence,
          engines,
          checkJudging(program, () => true),
        );
  const source = divergence.finding.source ?? divergence.finding.got?.note?.source;
  const reason = finding === undefined ? property.reason : reasonOf(property, finding, divergence.finding);
  return {
    ...property,
    ...{ reason, confirmedBy, divergence },
    ...(source === undefined ? {} : { source: { file: source.file, line: source.line, text: source.text } }),
  };
}

/** The reason with the numbers of the packet that is shown, which is another one than the first that was found. */
function reasonOf({ reason }: Property, first: Finding, shown: Finding): string | undefined {
  if (shown.fault !== undefined) return faultText(shown.fault);
  const at = sentencesOf(first).indexOf(reason);
  return at < 0 ? reason : (sentencesOf(shown)[at] ?? reason);
}

/** What properties say of such a finding, each in its place: of a frame, of the action, of a run that is stopped. */
function sentencesOf({ breach, got }: Finding): (string | undefined)[] {
  return [
    breach?.sentence,
    got?.status === 'ran' ? returnsText(BigInt(got.action)) : undefined,
    got?.note === undefined ? undefined : stopsText(got.note.message),
  ];
}

/** The finding that judges of single packets come to; undefined: it takes more than one to see what is wrong. */
async function findingOf(
  invariant: string,
  shown: Case,
  { program, machine, kernel }: ShowOptions,
): Promise<Finding | undefined> {
  const replay = new Replay(
    program,
    [machine],
    checkJudging(program, () => true),
  );
  try {
    const finding = (await replay.findings(shown)).find((one) => isOf(one, invariant));
    if (finding?.part !== 'status') return finding;
    return { ...finding, kernel: await new KernelWitness(program, kernel).ask(shown, 0) };
  } finally {
    await replay.close();
  }
}

function isOf({ part, fault, breach }: Finding, invariant: string): boolean {
  if (breach !== undefined) return breach.invariant === invariant;
  if (part === 'checksum') return `checksum/${fault?.layer}` === invariant;
  return part === 'status' && invariant === 'verifier/stopped';
}

async function judged(finding: Finding, shown: Case, options: ShowOptions): Promise<Divergence> {
  const { program, machine, kernel, shrinkSeconds, signal } = options;
  const small = await investigate(
    { finding, case: shown, seen: SEEN },
    {
      program,
      engines: [machine],
      oracle: checkJudging(program, () => true),
      ...(kernel === undefined ? {} : { kernel }),
      shrink: { maxSeconds: shrinkSeconds, ...(signal === undefined ? {} : { signal }) },
    },
  );
  const { engines, part, field, severity = 'error' } = small.finding;
  return {
    program: program.name,
    ...{ engines, part, field, severity },
    summary: summarize(program, small.case, small.finding),
    ...{ case: small.case, finding: small.finding, seen: SEEN, state: small.state },
    ...(small.stopped === undefined ? {} : { stopped: small.stopped }),
  };
}

/** The packet as it is, with the line that decided what became of it. */
async function seenOnly(
  { invariant, reason = invariant, severity }: Property,
  shown: Case,
  { program, machine }: ShowOptions,
): Promise<Divergence | undefined> {
  const runner = new CaseRunner(program, machine);
  try {
    const [stimulus] = shown.stimuli;
    const got = await runner.outcome(shown.world, stimulus!);
    if (got === undefined) return undefined;
    const source = await decidingLine(program, shown);
    return await divergenceOf(program, SEEN.seed, {
      ...{ world: shown.world, stimuli: shown.stimuli, engine: machine, got, severity },
      breach: { invariant, at: 0, size: 0, expected: 'otherwise', got: reason, sentence: reason },
      ...(source === undefined ? {} : { source }),
    });
  } finally {
    await runner.close();
  }
}

/** Who does with the packet what the machine does. */
async function sameOutcome(shown: Case, { program, machine, kernel }: ShowOptions): Promise<EngineName[]> {
  if (kernel?.availability(program).available !== true) return [machine.name];
  const outcomes = [];
  for (const engine of [machine, kernel]) {
    const runner = new CaseRunner(program, engine);
    try {
      outcomes.push(await runner.outcome(shown.world, shown.stimuli[0]!));
    } finally {
      await runner.close();
    }
  }
  const [a, b] = outcomes;
  const isSame =
    a?.status === 'ran' &&
    b?.status === 'ran' &&
    a.action === b.action &&
    Buffer.compare(a.packet, b.packet) === 0;
  return isSame ? [kernel.name, machine.name] : [machine.name];
}
