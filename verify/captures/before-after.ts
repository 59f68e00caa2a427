/** Judges what a device did to checksums, from captures of both of its sides. */

import { LINKTYPE } from '../../corpus/formats/link-type.ts';
import { diagnoseChecksum } from '../explain/diagnose.ts';
import { verifyChecksums } from '../oracle/checksums.ts';
import { CHECKSUM_LAYERS, type ChecksumSink, type FoundChecksum, LAYER } from '../oracle/found.ts';
import { FramePair } from '../oracle/frame-pair.ts';
import { type ChecksumFault, type ChecksumFaultKind, ChecksumJudge } from '../oracle/judge.ts';
import { type Conversation, ConversationReader } from './conversation.ts';
import { isUnfinished, LocalOffload } from './offload.ts';
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
  readonly #pair = new FramePair();
  readonly #options: BeforeAfterOptions;

  constructor(options: BeforeAfterOptions) {
    this.#options = options;
  }

  judge(before: PairedPacket, after: PairedPacket): void {
    const came = before.frame;
    const left = after.frame;
    const pair = this.#pair;
    if (!pair.set(came, 0, came.length, left, 0, left.length)) return;
    const outermost = this.#judge.judgePair(pair);
    if (this.#judge.unjudged !== undefined) this.unjudged++;
    if (outermost === undefined) return;
    let fault: ChecksumFault | undefined = outermost;
    let found = lookUp(left, fault);
    if (found.isUnfinished && !this.#options.strict) {
      this.unfinished++;
      // What the sender left to its network card says nothing of the others.
      fault = this.#judge.allOf(pair).find((one) => !lookUp(left, one).isUnfinished);
      if (fault === undefined) return;
      found = lookUp(left, fault);
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

const local = new LocalOffload();

function lookUp(frame: Uint8Array, { layer, depth }: ChecksumFault): LookedUp {
  const result: LookedUp = { conversation: {}, isUnfinished: false };
  const reader = new ConversationReader();
  const view = new DataView(frame.buffer, frame.byteOffset, frame.byteLength);
  const packet = { bytes: frame, view, at: 0, length: frame.length, linkType: LINKTYPE.ETHERNET };
  const sink: ChecksumSink = {
    checksum(found: FoundChecksum) {
      reader.note(found);
      if (CHECKSUM_LAYERS[found.layer] !== layer || found.depth !== depth) return;
      result.conversation = reader.read(frame, 0, found);
      // A GRE header that the device pushed, and left its checksum empty, is its own fault.
      const isLeftEmpty = found.layer === LAYER.gre && found.got === 0;
      result.isUnfinished = !isLeftEmpty && (isUnfinished(view, 0, found) || local.explains(packet, found));
    },
  };
  verifyChecksums(frame, 0, frame.length, sink);
  return result;
}
