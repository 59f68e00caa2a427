/** Faults by conversation: how many, of which layers, and whether all are wrong by the same amount. */

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
  readonly #flows: Map<number, FlowFault> = new Map();
  /** Faults of conversations beyond the limit. */
  others = 0;

  /**
   * @param key a number for conversation, layer and depth
   * @param text is called for a conversation that was not met before
   */
  add(key: number, layer: string, packet: number, got: number, expected: number, text: () => string): void {
    // A CRC has no difference that says anything.
    const difference = layer === 'sctp' ? -1 : (got + 0xffff - (expected % 0xffff)) % 0xffff;
    const known = this.#flows.get(key);
    if (known !== undefined) {
      known.faults++;
      if (known.difference !== difference) known.difference = -1;
    } else if (this.#flows.size >= MAX_FLOWS) {
      this.others++;
    } else {
      this.#flows.set(key, { flow: text(), layer, faults: 1, firstPacket: packet, difference });
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
