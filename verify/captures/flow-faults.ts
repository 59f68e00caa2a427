/** Faults by conversation: how many, of which layers, and whether all are wrong by the same amount. */

/** Conversations that are told apart; what comes after them is counted together. */
const MAX_FLOWS = 10_000;

/** A number for conversation, layer and depth, in two halves of 32 bits. */
export interface FlowKey {
  readonly low: number;
  readonly high: number;
}

export interface FlowFault {
  readonly flow: string;
  readonly layer: string;
  faults: number;
  /** Of the first faulty packet. */
  readonly firstPacket: number;
  /** Got − expected, as a ones' complement number, where it is the same for all; -1 where it is not. */
  difference: number;
}

/** Words of a slot, side by side so that one line of the cache holds all: the key, and the place in the list plus 1. */
const SLOT = { low: 0, high: 1, index: 2, size: 4 } as const;

/** A power of two, at least twice as many. */
const SLOTS = 32_768;

export class FlowFaults {
  // Private for the compiler only: the check that `#names` ask for at every access is felt with many faults.
  private readonly flows: FlowFault[] = [];
  /** Most captures have no faults, and no slots of conversations. */
  private slots: Int32Array | undefined;
  /** Faults of conversations beyond the limit. */
  others = 0;

  /** Counts a fault of a conversation that was met before, or of one too many. @returns false where it is a new one */
  count(key: FlowKey, layer: string, got: number, expected: number): boolean {
    const slot = this.find(key);
    const index = this.slots === undefined ? 0 : this.slots[slot + SLOT.index]!;
    if (index !== 0) {
      const known = this.flows[index - 1]!;
      known.faults++;
      if (known.difference !== differenceOf(layer, got, expected)) known.difference = -1;
      return true;
    }
    if (this.flows.length < MAX_FLOWS) return false;
    this.others++;
    return true;
  }

  /** The first fault of a conversation. */
  open(key: FlowKey, flow: string, layer: string, packet: number, got: number, expected: number): void {
    this.slots ??= new Int32Array(SLOTS * SLOT.size);
    const slot = this.find(key);
    const difference = differenceOf(layer, got, expected);
    this.flows.push({ flow, layer, faults: 1, firstPacket: packet, difference });
    this.slots[slot + SLOT.low] = key.low;
    this.slots[slot + SLOT.high] = key.high;
    this.slots[slot + SLOT.index] = this.flows.length;
  }

  /** Where the conversation's slot is, or belongs: open addressing. */
  private find({ low, high }: FlowKey): number {
    const { slots } = this;
    let slot = ((low ^ high) & (SLOTS - 1)) * SLOT.size;
    if (slots === undefined) return slot;
    while (
      slots[slot + SLOT.index] !== 0 &&
      (slots[slot + SLOT.low] !== low || slots[slot + SLOT.high] !== high)
    ) {
      slot = (slot + SLOT.size) & (SLOTS * SLOT.size - 1);
    }
    return slot;
  }

  get size(): number {
    return this.flows.length;
  }

  /** Those with the most faults first. */
  list(most: number = Number.POSITIVE_INFINITY): FlowFault[] {
    const all = [...this.flows].sort((a, b) => b.faults - a.faults || a.firstPacket - b.firstPacket);
    return all.slice(0, most);
  }
}

/** A CRC has no difference that says anything. */
function differenceOf(layer: string, got: number, expected: number): number {
  return layer === 'sctp' ? -1 : (got + 0xffff - (expected % 0xffff)) % 0xffff;
}
