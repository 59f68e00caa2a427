/** Compares the outcomes of one case with each other, and judges what the program did to each frame. */

import type { Observables } from '../sim/engines/engine.ts';
import { byRank } from '../sim/engines/register.ts';
import type { PacketBatch } from '../sim/packet/packet-batch.ts';
import type { Hook } from '../sim/runtime/actions.ts';
import type { Program } from '../sim/runtime/program.ts';
import type { BatchReport } from './batch-report.ts';
import { comparedParts, firstDifference, type OutcomeDifference } from './compare.ts';
import { firstMapDifference } from './compare-maps.ts';
import { checksumOfField, differingField } from './differing-field.ts';
import { FailingPackets, samplesOf } from './failing-packets.ts';
import type { Finding } from './finding.ts';
import { type JudgingAccount, judgeFrames } from './judge-frames.ts';
import { type Judging, type Oracle, withoutFrames } from './judging.ts';
import { isForEthernet, NO_LINK_HEADER } from './link-header.ts';
import { outcomeAt } from './outcome.ts';
import { hasStops, modelFaults, violationFindings } from './stops.ts';
import { comparesLines } from './trace-lines.ts';

/** How many differing packets of one batch are looked at to find different kinds of differences. */
const MAX_DIFFERENCES = 256;

/**
 * All kinds of findings on one case, the first of each kind, most telling first: what the machine stopped, per engine
 * what differs from more authoritative ones, then its maps, then checksums and invariants that the program broke.
 * @param oracle what is judged of frames
 * @param account is told what of the most authoritative engine's frames was not judged
 */
export function* examine(
  program: Program,
  input: PacketBatch,
  reports: readonly BatchReport[],
  account?: JudgingAccount,
  oracle: Oracle | Judging = 'all',
): Generator<Finding, void, void> {
  for (const { finding } of violationFindings(byRank(reports))) yield finding;
  yield* examineOutcomes(program, input, reports, account, oracle);
}

/**
 * The same without what the machine stopped. An engine that did not run every packet to its end is compared with
 * nobody: its state is not the others'.
 */
export function* examineOutcomes(
  program: Program,
  input: PacketBatch,
  reports: readonly BatchReport[],
  account?: JudgingAccount,
  oracle: Oracle | Judging = 'all',
): Generator<Finding, void, void> {
  const ranked = byRank(reports);
  const hooks = program.entries.map((entry) => entry.hook);
  yield* modelFaults(ranked);
  const whole = ranked.filter((report) => !hasStops(report));
  const agreeing = new Set<BatchReport>();
  for (const [at, other] of whole.entries()) {
    const fields = new Set<string>();
    const before = whole.slice(0, at).map((one): Compared => [one, partsOf(program, one, other, ranked)]);
    for (const [reference, both, parts] of referencesOf(other, before)) {
      yield* differences(program, hooks, input, reference, other, both, parts, fields);
    }
    if (at > 0 && fields.size === 0) agreeing.add(other);
  }
  const isJudged = isForEthernet(program);
  if (!isJudged) account?.enterUnjudged(`frames: ${NO_LINK_HEADER}`, input.count);
  const judging = isJudged ? oracle : withoutFrames(oracle);
  for (const report of ranked) {
    // Frames that equal a reference's need no second judgement.
    if (!agreeing.has(report))
      yield* judgeFrames(hooks, input, report, report === ranked[0] ? account : undefined, judging);
  }
}

type Parts = ReadonlySet<keyof Observables>;

/** An engine with what can be held against it. */
type Compared = [reference: BatchReport, both: Observables];

function partsOf(
  program: Program,
  reference: BatchReport,
  other: BatchReport,
  all: readonly BatchReport[],
): Observables {
  const lines = comparesLines(program, [reference, other], all);
  return comparedParts(program, reference.engine.observes, other.engine.observes, lines);
}

/**
 * Whom an engine is compared with, and in which parts: with the most authoritative in all that both show, and with
 * each of the others in what those before it cannot show.
 */
function* referencesOf(
  { engine }: BatchReport,
  before: readonly Compared[],
): Generator<[...Compared, parts: Parts], void, void> {
  const left = new Set(Object.keys(engine.observes) as (keyof Observables)[]);
  for (const [reference, both] of before) {
    const parts = [...left].filter((part) => both[part] !== false);
    if (parts.length === 0) continue;
    yield [reference, both, new Set(parts)];
    // Not where the reference shows less of it: deliveries in place of actions.
    for (const part of parts) if (both[part] === engine.observes[part]) left.delete(part);
  }
}

/** @param fields of the same engine that are reported already; new ones are added */
function* differences(
  program: Program,
  hooks: readonly Hook[],
  input: PacketBatch,
  reference: BatchReport,
  other: BatchReport,
  both: Observables,
  parts: Parts,
  fields: Set<string>,
): Generator<Finding, void, void> {
  const engines = [reference.engine.name, other.engine.name] as const;
  const observed: Observables = {
    ...both,
    metadata: parts.has('metadata'),
    redirect: parts.has('redirect'),
    trace: parts.has('trace'),
    skb: parts.has('skb'),
  };
  const failing = new FailingPackets<Pick<Finding, 'part' | 'expected' | 'got'>>();
  let from = 0;
  for (let looked = 0; looked < MAX_DIFFERENCES; looked++) {
    const difference: OutcomeDifference | undefined = firstDifference(
      reference.output,
      other.output,
      observed,
      hooks,
      input.entry,
      from,
    );
    if (difference === undefined) break;
    const { packet, part } = difference;
    from = packet + 1;
    if (!parts.has(part)) continue;
    const expected = outcomeAt(reference.output, packet);
    const got = outcomeAt(other.output, packet);
    const field = part === 'packet' ? differingField(expected.packet, got.packet) : part;
    if (fields.has(field)) continue;
    failing.add(field, packet, input, () => ({ part, expected, got }));
  }
  for (const { kind: field, packet, detail, others } of failing.best()) {
    fields.add(field);
    const samples = detail.part === 'packet' ? samplesBeside(input, reference, other, field, others) : {};
    yield { ...detail, engines, field, packet, ...samples };
  }
  // Maps that differ after other outcomes tell nothing new.
  if (fields.size > 0 || !parts.has('maps') || program.definition?.maps.length === 0) return;
  if (reference.maps === undefined || other.maps === undefined) return;
  const map = firstMapDifference(reference.maps, other.maps, program.definition?.maps);
  if (map === undefined) return;
  const field = `map ${map.map}`;
  fields.add(field);
  const packet = input.count - 1;
  yield { engines, part: 'map', field, packet, expected: undefined, got: undefined, map };
}

/** More packets that differ in the field. Of a checksum the packet itself tells what it should be, and it is right as seldom by chance. */
function samplesBeside(
  input: PacketBatch,
  reference: BatchReport,
  other: BatchReport,
  field: string,
  packets: readonly number[],
): Pick<Finding, 'others'> {
  if (checksumOfField(field) !== undefined) return { others: samplesOf(input, other.output, packets) };
  return packets.length === 0 ? {} : { others: samplesOf(input, other.output, packets, reference.output) };
}
