/** An outcome as tests start from: a packet that ran, and left as it is. */
import type { Outcome } from '../outcome.ts';

export function plainOutcome(packet: Uint8Array, more: Partial<Outcome> = {}): Outcome {
  return {
    status: 'ran',
    action: 2,
    packet,
    metadata: new Uint8Array(0),
    redirect: 0,
    trace: [],
    mark: 0,
    priority: 0,
    cb: [0, 0, 0, 0, 0],
    tstamp: 0n,
    note: undefined,
    ...more,
  };
}
