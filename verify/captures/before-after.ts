/** Judges what a device did to checksums, from captures of both of its sides. */

import { diagnoseChecksum } from '../explain/diagnose.ts';
import { verifyChecksums } from '../oracle/checksums.ts';
import { CHECKSUM_LAYERS, type ChecksumSink, type FoundChecksum } from '../oracle/found.ts';
import { type ChecksumFaultKind, ChecksumJudge } from '../oracle/judge.ts';
import { type Conversation, ConversationReader } from './conversation.ts';
import { isUnfinished } from './offload.ts';
import type { PairedPacket } from './pairing.ts';

export interface DeviceFault extends Conversation {
  /** Number of the packet in the capture behind the device, and in the one before it. */
  readonly packet: number;
  readonly before: number;
  readonly layer: string;
  readonly depth: number;
  readonly kind: ChecksumFaultKind;
  readonly got: number;
  readonly expected: number;
  readonly cause?: { readonly id: string; readonly sentence: string };
}

export interface BeforeAfterOptions {
  readonly strict: boolean;
  readonly maxFaults: number;
}

export class BeforeAfter {
  readonly faults: DeviceFault[] = [];
  faultCount = 0;
  /** Checksums that the sender behind the device had not filled in when they were captured. */
  unfinished = 0;
  /** Packets whose checksums could not be judged: they came truncated, contradictory or as fragments. */
  unjudged = 0;
  readonly #judge = new ChecksumJudge();
  readonly #options: BeforeAfterOptions;

  constructor(options: BeforeAfterOptions) {
    this.#options = options;
  }

  judge(before: PairedPacket, after: PairedPacket): void {
    const came = before.frame;
    const left = after.frame;
    const fault = this.#judge.judge(came, 0, came.length, left, 0, left.length);
    if (this.#judge.unjudged !== undefined) this.unjudged++;
    if (fault === undefined) return;
    const found = lookUp(left, fault.layer, fault.depth);
    if (found.isUnfinished && !this.#options.strict) {
      this.unfinished++;
      return;
    }
    this.faultCount++;
    if (this.faults.length >= this.#options.maxFaults) return;
    const cause = diagnoseChecksum(came, left, fault.layer, fault.depth);
    this.faults.push({
      packet: after.packet,
      before: before.packet,
      layer: fault.layer,
      depth: fault.depth,
      kind: fault.kind,
      got: fault.after.got,
      expected: fault.after.expected,
      ...found.conversation,
      ...(cause === undefined || cause.id === 'unknown'
        ? {}
        : { cause: { id: cause.id, sentence: cause.sentence } }),
    });
  }
}

interface LookedUp {
  conversation: Conversation;
  isUnfinished: boolean;
}

function lookUp(frame: Uint8Array, layer: string, depth: number): LookedUp {
  const result: LookedUp = { conversation: {}, isUnfinished: false };
  const reader = new ConversationReader();
  const view = new DataView(frame.buffer, frame.byteOffset, frame.byteLength);
  const sink: ChecksumSink = {
    checksum(found: FoundChecksum) {
      reader.note(found);
      if (CHECKSUM_LAYERS[found.layer] !== layer || found.depth !== depth) return;
      result.conversation = reader.read(frame, 0, found);
      result.isUnfinished = isUnfinished(view, 0, found);
    },
  };
  verifyChecksums(frame, 0, frame.length, sink);
  return result;
}
