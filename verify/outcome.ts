/** What one packet came to, as a value: the form in which findings keep it. */
import {
  type OutcomeBatch,
  type OutcomeNote,
  type StatusName,
  statusName,
} from '../sim/engines/outcome-batch.ts';

/** A line of a C source. */
export type SourcePlaceWithText = NonNullable<OutcomeNote['source']>;

/** A frame as it came and as it left. */
export interface Sample {
  readonly came: Uint8Array;
  readonly left: Uint8Array;
  /** As it should have left, where somebody says so. */
  readonly wanted?: Uint8Array;
}

/** One packet's outcome as a value. */
export interface Outcome {
  readonly status: StatusName;
  readonly action: number;
  readonly packet: Uint8Array;
  readonly metadata: Uint8Array;
  readonly redirect: number;
  readonly trace: readonly string[];
  readonly mark: number;
  readonly priority: number;
  readonly cb: readonly number[];
  readonly tstamp: bigint;
  readonly note: OutcomeNote | undefined;
}

export function outcomeAt(batch: OutcomeBatch, packet: number): Outcome {
  return {
    status: statusName(batch.status[packet]!),
    action: batch.action[packet]!,
    packet: batch.packet(packet),
    metadata: batch.metadata(packet),
    redirect: batch.redirect[packet]!,
    trace: batch.trace.get(packet) ?? [],
    mark: batch.mark[packet]!,
    priority: batch.priority[packet]!,
    cb: [...batch.cb.subarray(packet * 5, packet * 5 + 5)],
    tstamp: (BigInt(batch.tstamp[2 * packet + 1]!) << 32n) | BigInt(batch.tstamp[2 * packet]!),
    note: batch.notes.get(packet),
  };
}
