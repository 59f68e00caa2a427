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

/** Conversations by the two halves of their keys, with open addressing: `index` is that of the list, plus 1. */
interface Slots {
  readonly low: Int32Array;
  readonly high: Int32Array;
  readonly index: Uint16Array;
}

/** A power of two, at least twice as many. */
const SLOTS = 32_768;

export class FlowFaults {
  readonly #flows: FlowFault[] = [];
  /** Most captures have no faults, and no slots. */
  #slots: Slots | undefined;
  /** Faults of conversations beyond the limit. */
  others = 0;

  /** Counts a fault of a conversation that was met before, or of one too many. @returns false where it is a new one */
  count(key: FlowKey, layer: string, got: number, expected: number): boolean {
    const slot = this.#find(key);
    const index = this.#slots?.index[slot] ?? 0;
    if (index !== 0) {
      const known = this.#flows[index - 1]!;
      known.faults++;
      if (known.difference !== differenceOf(layer, got, expected)) known.difference = -1;
      return true;
    }
    if (this.#flows.length < MAX_FLOWS) return false;
    this.others++;
    return true;
  }

  /** The first fault of a conversation. */
  open(key: FlowKey, flow: string, layer: string, packet: number, got: number, expected: number): void {
    this.#slots ??= makeSlots();
    const slot = this.#find(key);
    const difference = differenceOf(layer, got, expected);
    this.#flows.push({ flow, layer, faults: 1, firstPacket: packet, difference });
    this.#slots.low[slot] = key.low;
    this.#slots.high[slot] = key.high;
    this.#slots.index[slot] = this.#flows.length;
  }

  /** Where the conversation is, or belongs. */
  #find({ low, high }: FlowKey): number {
    const slots = this.#slots;
    let slot = (low ^ high) & (SLOTS - 1);
    if (slots === undefined) return slot;
    while (slots.index[slot] !== 0 && (slots.low[slot] !== low || slots.high[slot] !== high)) {
      slot = (slot + 1) & (SLOTS - 1);
    }
    return slot;
  }

  get size(): number {
    return this.#flows.length;
  }

  /** Those with the most faults first. */
  list(most: number = Number.POSITIVE_INFINITY): FlowFault[] {
    const all = [...this.#flows].sort((a, b) => b.faults - a.faults || a.firstPacket - b.firstPacket);
    return all.slice(0, most);
  }
}

function makeSlots(): Slots {
  return { low: new Int32Array(SLOTS), high: new Int32Array(SLOTS), index: new Uint16Array(SLOTS) };
}

/** A CRC has no difference that says anything. */
function differenceOf(layer: string, got: number, expected: number): number {
  return layer === 'sctp' ? -1 : (got + 0xffff - (expected % 0xffff)) % 0xffff;
}
