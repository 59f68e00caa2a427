/** Why an engine does not take a packet, for what more than one engine refuses. */
import type { RefusalReason } from './engine.ts';

export function noSuchEntry(entry: number): RefusalReason {
  return { rule: 'the program has no such entry', detail: `the packet names entry ${entry}` };
}

/** @param least bytes */
export function tooShort(least: number, length: number): RefusalReason {
  return { rule: `a frame needs at least ${least} bytes`, detail: `this one has ${length}` };
}

/** @param most bytes */
export function tooLong(most: number, length: number): RefusalReason {
  return { rule: `a frame has at most ${most} bytes here`, detail: `this one has ${length}` };
}

export function oddMetadata(length: number): RefusalReason {
  return { rule: 'metadata comes in multiples of 4 bytes', detail: `this packet has ${length}` };
}

export function longMetadata(most: number, length: number): RefusalReason {
  return { rule: `metadata has at most ${most} bytes here`, detail: `this packet has ${length}` };
}

export function noSuchQueue(queue: number): RefusalReason {
  return { rule: 'the device has one receive queue', detail: `the packet names queue ${queue}` };
}
