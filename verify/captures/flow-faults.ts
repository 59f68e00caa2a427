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
  readonly faults: number;
  /** Of the first faulty packet. */
  readonly firstPacket: number;
  /** Got − expected, as a ones' complement number, where it is the same for all; -1 where it is not. */
  readonly difference: number;
}

/** What is known from a conversation's first fault on. */
type FlowStart = Pick<FlowFault, 'flow' | 'layer' | 'firstPacket'>;

/**
 * Words of a slot: the key, the place in the list plus 1, and what a further fault changes: one line of the cache holds all that it
 * needs.
 */
const SLOT = { low: 0, high: 1, index: 2, faults: 3, difference: 4, size: 8 } as const;

/** At first; a power of two. There are always at least twice as many as conversations. */
const FEWEST_SLOTS = 1024;

export class FlowFaults {
  // Private for the compiler only: the check that `#names` ask for at every access is felt with many faults.
  private readonly flows: FlowStart[] = [];
  /** Most captures have no faults, and no slots of conversations. */
  private slots: Int32Array = NO_SLOTS;
  /** Faults of conversations beyond the limit. */
  others = 0;

  /** Counts a fault of a conversation that was met before. @returns false where it was not */
  countKnown(low: number, high: number, difference: number): boolean {
    const { slots } = this;
    if (slots.length === 0) return false;
    const at = slotOf(slots, low, high);
    if (slots[at + SLOT.index] === 0) return false;
    slots[at + SLOT.faults]! += 1;
    if (slots[at + SLOT.difference] !== difference) slots[at + SLOT.difference] = -1;
    return true;
  }

  /** Counts a fault of a conversation that was met before, or of one too many. @returns false where it is a new one */
  count({ low, high }: FlowKey, layer: string, got: number, expected: number): boolean {
    if (this.countKnown(low, high, differenceOf(layer, got, expected))) return true;
    if (this.flows.length < MAX_FLOWS) return false;
    this.others++;
    return true;
  }

  /** The first fault of a conversation. */
  open(key: FlowKey, flow: string, layer: string, packet: number, got: number, expected: number): void {
    this.flows.push({ flow, layer, firstPacket: packet });
    if (this.flows.length * 2 * SLOT.size > this.slots.length) this.grow();
    const { slots } = this;
    const at = slotOf(slots, key.low, key.high);
    slots[at + SLOT.low] = key.low;
    slots[at + SLOT.high] = key.high;
    slots[at + SLOT.index] = this.flows.length;
    slots[at + SLOT.faults] = 1;
    slots[at + SLOT.difference] = differenceOf(layer, got, expected);
  }

  /** Twice as many slots: few stay in the cache. */
  private grow(): void {
    const before = this.slots;
    const slots = new Int32Array(Math.max(FEWEST_SLOTS * SLOT.size, before.length * 2));
    for (let at = 0; at < before.length; at += SLOT.size) {
      if (before[at + SLOT.index] === 0) continue;
      const to = slotOf(slots, before[at + SLOT.low]!, before[at + SLOT.high]!);
      slots.set(before.subarray(at, at + SLOT.size), to);
    }
    this.slots = slots;
  }

  get size(): number {
    return this.flows.length;
  }

  /** Those with the most faults first. */
  list(most: number = Number.POSITIVE_INFINITY): FlowFault[] {
    const { slots } = this;
    const all: FlowFault[] = new Array(this.flows.length);
    for (let at = 0; at < slots.length; at += SLOT.size) {
      const index = slots[at + SLOT.index]!;
      if (index === 0) continue;
      const { flow, layer, firstPacket } = this.flows[index - 1]!;
      const difference = slots[at + SLOT.difference]!;
      all[index - 1] = { flow, layer, faults: slots[at + SLOT.faults]!, firstPacket, difference };
    }
    all.sort((a, b) => b.faults - a.faults || a.firstPacket - b.firstPacket);
    return all.slice(0, most);
  }
}

const NO_SLOTS: Int32Array = new Int32Array(0);

/** Where the slot of this key is, or belongs: open addressing. */
function slotOf(slots: Int32Array, low: number, high: number): number {
  const last = slots.length - 1;
  let at = ((low ^ high) * SLOT.size) & last;
  while (slots[at + SLOT.index] !== 0 && (slots[at + SLOT.low] !== low || slots[at + SLOT.high] !== high)) {
    at = (at + SLOT.size) & last;
  }
  return at;
}

/** Got − expected, as a ones' complement number. A CRC has no difference that says anything. */
export function differenceOf(layer: string, got: number, expected: number): number {
  return layer === 'sctp' ? -1 : (got + 0xffff - (expected % 0xffff)) % 0xffff;
}
