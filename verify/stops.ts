/**
 * Packets that an engine did not run to their end: the machine stopped the program, or the engine itself gave up.
 * Neither is an outcome to compare, and what the program left in its maps then is nobody's promise.
 */

import { type OutcomeBatch, type OutcomeNote, STATUS } from '../sim/engines/outcome-batch.ts';
import { isModel } from '../sim/engines/register.ts';
import { PacketBatch } from '../sim/packet/packet-batch.ts';
import { copyPacket } from './accepted.ts';
import type { BatchReport } from './batch-report.ts';
import type { Finding } from './finding.ts';
import { outcomeAt } from './outcome.ts';
import { packetsBetween } from './uncertain.ts';

export function hasStops({ output }: Pick<BatchReport, 'output'>): boolean {
  for (let packet = 0; packet < output.count; packet++) if (isStop(output.status[packet]!)) return true;
  return false;
}

function isStop(status: number): boolean {
  return status === STATUS.violation || status === STATUS.fault;
}

/** The packets of one batch that the machine stopped at one instruction. */
export interface Violation {
  /** The first of them. */
  readonly packet: number;
  readonly packets: number;
  readonly note: OutcomeNote | undefined;
}

/** A batch's violations, one for each place in the program, in order of first appearance. */
export function violationsOf(output: OutcomeBatch): Violation[] {
  const places = new Map<string, Violation>();
  for (let packet = 0; packet < output.count; packet++) {
    if (output.status[packet] !== STATUS.violation) continue;
    const note = output.notes.get(packet);
    const place = placeOf(note);
    const known = places.get(place);
    places.set(
      place,
      known === undefined ? { packet, packets: 1, note } : { ...known, packets: known.packets + 1 },
    );
  }
  return [...places.values()];
}

/** Where a program was stopped: two violations at one place are the same fault. */
export function placeOf(note: OutcomeNote | undefined): string {
  if (note === undefined) return '';
  const { instruction, source } = note;
  if (instruction === undefined) return note.message;
  return source === undefined ? `${instruction}` : `${source.file}:${source.line} ${instruction}`;
}

/**
 * Where the model failed: it threw, or returned no action. It says what should be, so that this is a finding, not a
 * packet that cannot be compared. One for each message.
 * @param reports the most authoritative first
 */
export function* modelFaults(reports: readonly BatchReport[]): Generator<Finding, void, void> {
  const model = reports.find(({ engine }) => isModel(engine.name));
  if (model === undefined) return;
  const told = new Set<string>();
  for (let packet = 0; packet < model.output.count; packet++) {
    if (model.output.status[packet] !== STATUS.fault) continue;
    const place = placeOf(model.output.notes.get(packet));
    if (told.has(place)) continue;
    const other = reports.find(({ output }) => output.status[packet] === STATUS.ran);
    if (other === undefined) continue;
    told.add(place);
    yield {
      engines: [model.engine.name, other.engine.name],
      part: 'status',
      field: 'status',
      place,
      packet,
      expected: outcomeAt(model.output, packet),
      got: outcomeAt(other.output, packet),
    };
  }
}

/**
 * What the machine stopped, as findings, with the number of packets that each of them stopped. Of two machines that
 * stop the same packet, one speaks.
 * @param reports the most authoritative first
 */
export function* violationFindings(
  reports: readonly BatchReport[],
): Generator<{ readonly finding: Finding; readonly packets: number }, void, void> {
  const model = reports.find(({ engine }) => isModel(engine.name));
  const told = new Set<number>();
  for (const { engine, output } of reports) {
    for (const { packet, packets, note } of violationsOf(output)) {
      if (told.has(packet)) continue;
      told.add(packet);
      const reference = model?.output.status[packet] === STATUS.ran ? model : undefined;
      const finding: Finding = {
        engines: [reference?.engine.name ?? 'oracle', engine.name],
        part: 'status',
        field: 'status',
        place: placeOf(note),
        packet,
        expected: reference === undefined ? undefined : outcomeAt(reference.output, packet),
        got: outcomeAt(output, packet),
      };
      yield { finding, packets };
    }
  }
}

/** The packets that every engine ran to their end, and where each stood. */
export function packetsWithoutStops(
  input: PacketBatch,
  reports: readonly BatchReport[],
): { readonly batch: PacketBatch; readonly origin: Uint32Array } {
  const batch = new PacketBatch(input.count, input.used);
  const origin = new Uint32Array(input.count);
  for (let packet = 0; packet < input.count; packet++) {
    if (reports.some(({ output }) => isStop(output.status[packet]!))) continue;
    origin[batch.count] = packet;
    copyPacket(input, packet, batch);
  }
  return { batch, origin };
}

/** How packets are named that nobody compared, since an engine stopped on one before them. */
export const BEHIND_STOP = 'packets behind one that an engine did not run to its end';

/** A case up to the first packet that an engine did not run to its end, and how many it ran behind that. */
export function cutAtStop(
  input: PacketBatch,
  reports: readonly BatchReport[],
): { readonly before: PacketBatch; readonly behind: number } {
  const { batch, origin } = packetsWithoutStops(input, reports);
  // As far as nothing was left out, packets stand where they stood.
  let first = 0;
  while (first < batch.count && origin[first] === first) first++;
  return { before: packetsBetween(batch, 0, first), behind: batch.count - first };
}

/** How many packets at least two engines ran to an end that could be seen. */
export function comparablePackets(reports: readonly BatchReport[]): number {
  const count = reports[0]?.output.count ?? 0;
  let comparable = 0;
  for (let packet = 0; packet < count; packet++) {
    let ran = 0;
    for (let at = 0; at < reports.length; at++) if (reports[at]!.output.status[packet] === STATUS.ran) ran++;
    if (ran >= 2) comparable++;
  }
  return comparable;
}
