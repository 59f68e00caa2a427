/** Outcomes by the thousand: what came of each packet of a `PacketBatch`, index for index. */

/** How far a packet got. */
export const STATUS = {
  /** The program ran to its end. */
  ran: 0,
  /** The machine stopped the program: it did what the verifier forbids. `notes` says what. */
  violation: 1,
  /** The engine failed on this packet (an errno from the kernel). `notes` says how. */
  fault: 2,
  /** The program ran, but what came of the packet cannot be seen: nothing of it is compared. `notes` says why. */
  unseen: 3,
} as const;

export type StatusName = keyof typeof STATUS;

const STATUS_NAMES = Object.keys(STATUS) as readonly StatusName[];

/** The name of a packet's status, for people and for JSON. */
export function statusName(status: number): StatusName {
  const name = STATUS_NAMES[status];
  if (name === undefined) throw new RangeError(`there is no status ${status}`);
  return name;
}

export class OutcomeBatch {
  /** Metadata and frame of each packet that left, packed without gaps in order: equal outcomes are equal arenas. */
  bytes: Uint8Array;
  readonly offset: Uint32Array;
  readonly length: Uint32Array;
  readonly metaLength: Uint8Array;
  /** What the program returned, as a signed 32-bit number. */
  readonly action: Int32Array;
  readonly status: Uint8Array;
  /** The ifindex (cpumap: CPU; xskmap: queue) that a redirect goes to; 0 where there is none or it cannot be seen. */
  readonly redirect: Uint32Array;
  /** `__sk_buff` fields as the program left them; 0 for XDP. */
  readonly mark: Uint32Array;
  readonly priority: Uint32Array;
  /** `cb[0..4]` of each packet, five words a packet. */
  readonly cb: Uint32Array;
  /** `tstamp` of each packet, two words a packet, the lower one first. */
  readonly tstamp: Uint32Array;
  /** Lines that a packet's run printed, without newline; packets that printed none are absent. */
  readonly trace: Map<number, string[]> = new Map();
  /** Why a packet's status is not `ran`. */
  readonly notes: Map<number, OutcomeNote> = new Map();
  /**
   * The first packet from which on the kernel may do otherwise and be right: an LRU map may have forgotten something
   * there that it remembers here. Infinite where there is none.
   */
  uncertainFrom: number = Number.POSITIVE_INFINITY;
  count = 0;
  used = 0;

  constructor(capacity: number, arenaBytes: number = capacity * 256) {
    this.bytes = new Uint8Array(arenaBytes);
    this.offset = new Uint32Array(capacity);
    this.length = new Uint32Array(capacity);
    this.metaLength = new Uint8Array(capacity);
    this.action = new Int32Array(capacity);
    this.status = new Uint8Array(capacity);
    this.redirect = new Uint32Array(capacity);
    this.mark = new Uint32Array(capacity);
    this.priority = new Uint32Array(capacity);
    this.cb = new Uint32Array(capacity * 5);
    this.tstamp = new Uint32Array(capacity * 2);
  }

  get capacity(): number {
    return this.offset.length;
  }

  clear(): void {
    this.uncertainFrom = Number.POSITIVE_INFINITY;
    this.count = 0;
    this.used = 0;
    if (this.trace.size > 0) this.trace.clear();
    if (this.notes.size > 0) this.notes.clear();
  }

  /** Makes room for `size` more bytes and returns where they start; nothing is taken before `commit`. */
  reserve(size: number): number {
    const needed = this.used + size;
    if (needed > this.bytes.length) {
      const grown = new Uint8Array(Math.max(needed, this.bytes.length * 2));
      grown.set(this.bytes.subarray(0, this.used));
      this.bytes = grown;
    }
    return this.used;
  }

  /**
   * Takes the bytes written at `used` (metadata, then frame) as the next packet's, with status `ran` and every
   * other field 0; set them in the arrays afterwards.
   * @returns the packet's index
   */
  commit(action: number, length: number, metaLength: number = 0): number {
    const index = this.count;
    if (index >= this.offset.length)
      throw new RangeError(`a batch of ${this.offset.length} outcomes is full`);
    this.offset[index] = this.used + metaLength;
    this.length[index] = length;
    this.metaLength[index] = metaLength;
    this.action[index] = action;
    this.status[index] = STATUS.ran;
    this.redirect[index] = 0;
    this.mark[index] = 0;
    this.priority[index] = 0;
    // Word by word: `fill` leaves compiled code, which costs as much as all the rest here.
    const cb = index * 5;
    this.cb[cb] = 0;
    this.cb[cb + 1] = 0;
    this.cb[cb + 2] = 0;
    this.cb[cb + 3] = 0;
    this.cb[cb + 4] = 0;
    this.tstamp[2 * index] = 0;
    this.tstamp[2 * index + 1] = 0;
    this.used += metaLength + length;
    this.count = index + 1;
    return index;
  }

  /** A copy of one packet's frame. */
  packet(index: number): Uint8Array {
    const offset = this.offset[index]!;
    return this.bytes.slice(offset, offset + this.length[index]!);
  }

  /** A copy of one packet's metadata. */
  metadata(index: number): Uint8Array {
    const offset = this.offset[index]!;
    return this.bytes.slice(offset - this.metaLength[index]!, offset);
  }
}

export interface OutcomeNote {
  /**
   * The program ran to its end, but did what makes its outcome differ from run to run in the kernel: it read bytes of
   * the stack that it never wrote, or an address as a number. The rest is about the first time. Absent: no such thing.
   */
  readonly warning?: 'unwritten-stack' | 'leaked-address';
  /** The first warning of the other kind. */
  readonly further?: OutcomeNote;
  /** One line for a person. */
  readonly message: string;
  /** Machine engines: the instruction's index in the program, and its place in the C source. */
  readonly instruction?: number;
  readonly source?: { readonly file: string; readonly line: number; readonly text: string };
}
