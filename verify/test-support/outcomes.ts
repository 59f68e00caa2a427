/** Outcomes of a case, as a test states them. */
import { OutcomeBatch } from '../../sim/engines/outcome-batch.ts';

/** What differs from a frame of four bytes that is passed. */
export interface MadeOutcome {
  readonly action?: number;
  readonly packet?: readonly number[];
  readonly metadata?: readonly number[];
  readonly status?: number;
  readonly redirect?: number;
  readonly trace?: string[];
  readonly mark?: number;
  readonly priority?: number;
  /** Index and value of one word. */
  readonly cb?: readonly [number, number];
  readonly tstamp?: readonly [number, number];
}

export function outcomes(...packets: readonly MadeOutcome[]): OutcomeBatch {
  const output = new OutcomeBatch(packets.length);
  for (const [index, one] of packets.entries()) {
    const { action = 2, packet = [1, 2, 3, 4], metadata = [] } = one;
    const at = output.reserve(metadata.length + packet.length);
    output.bytes.set([...metadata, ...packet], at);
    output.commit(action, packet.length, metadata.length);
    if (one.status !== undefined) output.status[index] = one.status;
    if (one.redirect !== undefined) output.redirect[index] = one.redirect;
    if (one.trace !== undefined) output.trace.set(index, one.trace);
    if (one.mark !== undefined) output.mark[index] = one.mark;
    if (one.priority !== undefined) output.priority[index] = one.priority;
    if (one.cb !== undefined) output.cb[index * 5 + one.cb[0]] = one.cb[1];
    if (one.tstamp !== undefined) output.tstamp[index * 2 + one.tstamp[0]] = one.tstamp[1];
  }
  return output;
}
