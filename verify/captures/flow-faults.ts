/** Faults by conversation: how many, of which layers, and whether all are wrong by the same amount. */

import { conversationText } from './conversation.ts';
import type { CaptureFault } from './fault.ts';

/** Conversations that are told apart; what comes after them is counted together. */
const MAX_FLOWS = 10_000;

export interface FlowFault {
  readonly flow: string;
  readonly layer: string;
  faults: number;
  /** Of the first faulty packet. */
  readonly firstPacket: number;
  /** Got − expected, as a ones' complement number, where it is the same for all; -1 where it is not. */
  difference: number;
}

export class FlowFaults {
  readonly #flows: Map<string, FlowFault> = new Map();
  /** Faults of conversations beyond the limit. */
  others = 0;

  add(fault: CaptureFault): void {
    const flow = conversationText(fault);
    const key = `${fault.layer}/${fault.depth} ${flow}`;
    // A CRC has no difference that says anything.
    const difference =
      fault.layer === 'sctp' ? -1 : (fault.got + 0xffff - (fault.expected % 0xffff)) % 0xffff;
    const known = this.#flows.get(key);
    if (known !== undefined) {
      known.faults++;
      if (known.difference !== difference) known.difference = -1;
    } else if (this.#flows.size >= MAX_FLOWS) {
      this.others++;
    } else {
      this.#flows.set(key, { flow, layer: fault.layer, faults: 1, firstPacket: fault.packet, difference });
    }
  }

  get size(): number {
    return this.#flows.size;
  }

  /** Those with the most faults first. */
  list(most: number = Number.POSITIVE_INFINITY): FlowFault[] {
    const all = [...this.#flows.values()].sort(
      (a, b) => b.faults - a.faults || a.firstPacket - b.firstPacket,
    );
    return all.slice(0, most);
  }
}
