/** One wrong checksum of a capture. */
import { CHECKSUM_STATUSES } from '../oracle/found.ts';
import type { Conversation } from './conversation.ts';
import type { LoneCause } from './lone-cause.ts';

/** What a report says about a checksum: what the scanner says, and `offload`. */
export const REPORTED_STATUSES = [...CHECKSUM_STATUSES, 'offload'] as const;
export type ReportedStatus = (typeof REPORTED_STATUSES)[number];
/** Not filled in yet: captured before the network card finished it. An index of `REPORTED_STATUSES`. */
export const OFFLOAD: number = REPORTED_STATUSES.indexOf('offload');

export interface CaptureFault extends Conversation {
  /** From 1; of a fragmented datagram the packet that made it whole. */
  readonly packet: number;
  readonly layer: string;
  readonly depth: number;
  readonly status: ReportedStatus;
  readonly got: number;
  readonly expected: number;
  readonly cause?: LoneCause;
  /** Was it found in a datagram that was put together from fragments? */
  readonly reassembled?: true;
}
