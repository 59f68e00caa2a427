/**
 * Cases in which an LRU map fills up. What such a map forgets is the kernel's choice, and it may forget long before the
 * map is full: from the first packet on where that is possible (`OutcomeBatch.uncertainFrom`), outcomes that depend on
 * the map differ, and nobody is wrong. So the kernel is compared up to there, and what comes after is a case of its
 * own, which starts with empty maps.
 */

import { isKernel } from '../sim/engines/register.ts';
import { PacketBatch } from '../sim/packet/packet-batch.ts';
import { copyPacket } from './accepted.ts';
import type { BatchReport } from './batch-report.ts';

/** Into how many pieces a case is cut at most; what is left over is not compared with the kernel. */
export const MAX_PIECES = 64;

/** How the kernel's outcomes that are left out are named. */
export const UNCERTAIN = 'packets after an LRU map may have forgotten an entry';

/**
 * How many packets, from the first on, a kernel's outcomes can be compared with the others'; all where there is no
 * kernel among the engines.
 */
export function certainPackets(
  reports: readonly Pick<BatchReport, 'engine' | 'output'>[],
  count: number,
): number {
  if (!reports.some(({ engine }) => isKernel(engine.name))) return count;
  return Math.min(count, ...reports.map(({ output }) => output.uncertainFrom));
}

/** The packets from `from` up to `end` as a batch. */
export function packetsBetween(input: PacketBatch, from: number, end: number): PacketBatch {
  const batch = new PacketBatch(Math.max(1, end - from), Math.max(1, input.used));
  for (let packet = from; packet < end; packet++) copyPacket(input, packet, batch);
  return batch;
}
