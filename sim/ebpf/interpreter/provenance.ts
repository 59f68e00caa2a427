/**
 * What the interpreter knows of each value beside its bits: where a pointer came from and how far it may reach,
 * whether a number is known to the verifier, which bytes of the stack were ever written.
 *
 * Every register has a *tag*, a signed 32-bit number:
 *
 * ```
 *    0        never written
 *   -1        a scalar that the verifier knows: a constant, or computed from constants
 *   -4, -6 …  a scalar that it does not know; the number tells apart scalars from different sources, and copies
 *             share it, so that `if (a == 5)` makes a copy of `a` known as well
 *    1 … n    a pointer into the region of that number
 * ```
 *
 * A *region* is a stretch of memory with the bounds that the program has earned: a lookup that was compared with
 * null, a packet as far as it was compared with `data_end`. Pointers that the verifier tracks together share one,
 * so that one comparison serves all of them. Regions that a run makes are forgotten when it ends.
 *
 * Which scalars are known decides about packet pointers: adding a known number keeps what was proven of the
 * pointer, adding an unknown one begins anew (kernel/bpf/verifier.c, `adjust_ptr_min_max_vals`). The verifier's
 * bounds and bits may make a scalar known that is unknown here (`x < 6`, `x > 4`; `x & 0x100` of a byte): where that
 * may be, adding it keeps what was proven, too (`analysis/doubtful-sums.ts`).
 */
import type { LiveMap } from '../maps/live-map.ts';
import { CONTEXT_BASE, KERNEL_VARIABLE_BASE, STACK_BASE, STACK_FRAMES, STACK_SIZE } from '../memory.ts';

export const UNINITIALISED = 0;
export const KNOWN = -1;
/** Unknown scalars get even numbers from here downwards; being even, they share no slot of `pinned` with `KNOWN`. */
export const FIRST_UNKNOWN = -2;
/** Below this, tags start again: no run uses so many. */
const LAST_UNKNOWN: number = -(2 ** 30);

export const KIND = {
  none: 0,
  context: 1,
  stack: 2,
  map: 3,
  /** A map's value. */
  value: 4,
  valueOrNull: 5,
  packet: 6,
  packetMeta: 7,
  packetEnd: 8,
  /** A packet pointer that a helper made void. */
  deadPacket: 9,
  function: 10,
  sample: 11,
  sampleOrNull: 12,
  /** A sample that was submitted or discarded. */
  spent: 13,
  /** A lookup that turned out to be null: a scalar 0. */
  null: 14,
  /** An inner map from a map of maps, and before it was compared with null. */
  mapOrNull: 15,
  /** What an XSKMAP holds: programs can only ask whether it is there. */
  socketOrNull: 16,
  socket: 17,
  slice: 18,
  sliceOrNull: 19,
  /** `skb->sk`, of which only some fields may be read, and a socket with all of them. */
  commonSocketOrNull: 20,
  commonSocket: 21,
  fullSocketOrNull: 22,
  fullSocket: 23,
  /** A socket of TCP, as `struct bpf_tcp_sock`. */
  tcpSocketOrNull: 24,
  tcpSocket: 25,
  /** A structure of the kernel's own, which the machine does not have. */
  kernelStructOrNull: 26,
  kernelStruct: 27,
  /** The per-CPU address of a variable of the kernel. */
  kernelVariable: 28,
} as const;

/** The verifier's names of kinds, for messages. */
export const KIND_NAMES: readonly string[] = [
  '?',
  'ctx',
  'fp',
  'map_ptr',
  'map_value',
  'map_value_or_null',
  'pkt',
  'pkt_meta',
  'pkt_end',
  'scalar',
  'func',
  'ringbuf_mem',
  'ringbuf_mem_or_null',
  'scalar',
  'scalar',
  'map_ptr_or_null',
  'xdp_sock_or_null',
  'xdp_sock',
  'mem',
  'mem_or_null',
  'sock_common_or_null',
  'sock_common',
  'sock_or_null',
  'sock',
  'tcp_sock_or_null',
  'tcp_sock',
  'ptr_or_null_',
  'ptr_',
  'percpu_ptr_',
];

/** Details of slices and samples: may they be written, are they in the packet? */
export const SLICE_WRITABLE = 1;
export const SLICE_ON_PACKET = 2;

/** Kinds to which numbers may be added. */
const MOVABLE_KINDS: readonly number[] = [
  KIND.stack,
  KIND.value,
  KIND.packet,
  KIND.packetMeta,
  KIND.sample,
  KIND.slice,
  // To a field of it.
  KIND.kernelStruct,
  // Allowed as such, though a moved context pointer is good for nothing.
  KIND.context,
];
/** By kind: 1 where numbers may be added. A table, since every region that a run makes asks it. */
const MOVABLE: Uint8Array = new Uint8Array(Object.keys(KIND).length);
for (const kind of MOVABLE_KINDS) MOVABLE[kind] = 1;

export const CONTEXT_REGION = 1;
/** The region of stack frame 0; frame k is that many further. */
export const STACK_REGION = 2;
export const LAST_STACK_REGION: number = STACK_REGION + STACK_FRAMES - 1;
export const FUNCTION_REGION: number = LAST_STACK_REGION + 1;
/** Of all variables of the kernel. */
export const VARIABLE_REGION: number = FUNCTION_REGION + 1;
const FIRST_MAP_REGION: number = VARIABLE_REGION + 1;

/** How many regions there can be at a time, and how many a single step may make. */
const CAPACITY = 1 << 12;
const RESERVE = 16;
export const PIN_MASK = 0x3fff;
const PIN_SLOTS: number = PIN_MASK + 1;

/** States of stack bytes. */
const BYTE_UNWRITTEN = 0;
const BYTE_KNOWN = 1;
const BYTE_UNKNOWN = 2;

/**
 * What is known of regions, a row for each, and of scalars: of all interpreters, like their registers (`registers.ts`).
 * Each finds its own rows again, those that last longer than a run (`take`).
 */
const COLUMNS = {
  /** First address of each region. */
  lowest: new Int32Array(CAPACITY),
  /** Behind the last address that may be read without further ado; not above `lowest`: nothing may. */
  limit: new Int32Array(CAPACITY),
  writeLimit: new Int32Array(CAPACITY),
  kind: new Uint8Array(CAPACITY),
  /** May numbers be added to its pointers? */
  movable: new Uint8Array(CAPACITY),
  /** Maps and values: the map's index. Packets: the family, 0 for pointers fresh from the context. */
  detail: new Int32Array(CAPACITY),
  /** Bytes, where the limits are not set yet. */
  size: new Int32Array(CAPACITY),
  /** What the program has to give back, and all that was derived from it, by a number of its own; 0: nothing. */
  reference: new Int32Array(CAPACITY),
  /** Does the region stand for that reference itself: is it given back by being null? */
  acquired: new Uint8Array(CAPACITY),
  /** `pinned[t & PIN_MASK] === t`: the scalar with tag t is known. */
  pinned: new Int32Array(PIN_SLOTS),
} as const;

/** The same arrays for ever. */
export function regionColumns(): typeof COLUMNS {
  return COLUMNS;
}

/** The columns with a row for each region. */
const OF_REGIONS = [
  COLUMNS.lowest,
  COLUMNS.limit,
  COLUMNS.writeLimit,
  COLUMNS.kind,
  COLUMNS.movable,
  COLUMNS.detail,
  COLUMNS.size,
  COLUMNS.reference,
  COLUMNS.acquired,
] as const;

/** Whose rows the columns hold. */
let owner: Provenance | undefined;
let isRunning = false;

export class Provenance {
  readonly lowest: Int32Array = COLUMNS.lowest;
  readonly limit: Int32Array = COLUMNS.limit;
  readonly writeLimit: Int32Array = COLUMNS.writeLimit;
  readonly kind: Uint8Array = COLUMNS.kind;
  readonly movable: Uint8Array = COLUMNS.movable;
  readonly detail: Int32Array = COLUMNS.detail;
  readonly size: Int32Array = COLUMNS.size;
  readonly reference: Int32Array = COLUMNS.reference;
  readonly acquired: Uint8Array = COLUMNS.acquired;
  readonly pinned: Int32Array = COLUMNS.pinned;

  /** What each eight bytes of the stack hold as a whole: a register's tag, or 0: look at the bytes. */
  readonly slots: Int32Array = new Int32Array((STACK_FRAMES * STACK_SIZE) / 8);
  readonly bytes: Uint8Array = new Uint8Array(STACK_FRAMES * STACK_SIZE);
  readonly #bytesAsWords: Int32Array = new Int32Array(this.bytes.buffer);
  /** Of each frame, where the lowest slot begins that was written since it was cleared: few frames are used whole. */
  readonly #lowestWritten: Int32Array = Int32Array.from(
    { length: STACK_FRAMES },
    (_, frame) => frame * STACK_SIZE,
  );

  readonly #firstDynamic: number;
  #next: number;
  #nextFamily = 1;
  #nextReference = 1;
  #unknown: number = FIRST_UNKNOWN;

  /** The rows of what lasts longer than a run, while another interpreter has the columns. */
  #rows: readonly (Int32Array | Uint8Array)[] = [];

  constructor(maps: readonly LiveMap[]) {
    this.take();
    this.#set(CONTEXT_REGION, KIND.context, CONTEXT_BASE, 0);
    for (let frame = 0; frame < STACK_FRAMES; frame++) {
      const region = STACK_REGION + frame;
      this.#set(region, KIND.stack, STACK_BASE + frame * STACK_SIZE, STACK_SIZE);
    }
    this.#set(FUNCTION_REGION, KIND.function, 0, 0);
    this.#set(VARIABLE_REGION, KIND.kernelVariable, KERNEL_VARIABLE_BASE, 0);
    maps.forEach((map, index) => {
      this.#set(this.mapRegion(index), KIND.map, map.address, 0);
      this.detail[this.mapRegion(index)] = index;
    });
    this.#firstDynamic = FIRST_MAP_REGION + 2 * maps.length;
    this.#next = this.#firstDynamic;
  }

  /** The region of pointers to map `index` itself. */
  mapRegion(index: number): number {
    return FIRST_MAP_REGION + 2 * index;
  }

  /** The region of the first value of map `index`, as instructions name it directly. */
  valueRegion(index: number): number {
    return FIRST_MAP_REGION + 2 * index + 1;
  }

  /**
   * Before a run: takes the columns, which another interpreter may have had meanwhile.
   * @returns whether that was so
   */
  take(): boolean {
    if (isRunning) throw new Error('no interpreter can be made, or run, while another one runs');
    if (owner === this) return false;
    if (owner !== undefined) owner.#save();
    owner = this;
    for (const [index, rows] of this.#rows.entries()) OF_REGIONS[index]!.set(rows);
    this.restart();
    return true;
  }

  #save(): void {
    this.#rows = OF_REGIONS.map((column) => column.slice(0, this.#firstDynamic));
  }

  /** Forgets what the last run made. */
  begin(): void {
    isRunning = true;
    this.#next = this.#firstDynamic;
    this.#nextFamily = 1;
    this.#nextReference = 1;
    if (this.#unknown < LAST_UNKNOWN) this.restart();
  }

  /** The run is over, however it ended. */
  end(): void {
    isRunning = false;
  }

  /** Numbers unknown scalars from the start again: none may be left. */
  restart(): void {
    this.#unknown = FIRST_UNKNOWN;
    this.pinned.fill(0);
    this.pinned[KNOWN & PIN_MASK] = KNOWN;
  }

  /** The tag that the last unknown scalar got; the main loop counts on by itself and hands the number back. */
  get unknown(): number {
    return this.#unknown;
  }

  set unknown(next: number) {
    this.#unknown = next;
  }

  /** The tag of a new unknown scalar, outside of the main loop. */
  freshScalar(): number {
    this.#unknown -= 2;
    return this.#unknown;
  }

  isKnown(tag: number): boolean {
    return this.pinned[tag & PIN_MASK] === tag;
  }

  /**
   * Makes a region with no access yet.
   * @returns its number: the tag of pointers into it; 0 when there are too many
   */
  create(kind: number, address: number, size: number, detail: number): number {
    const region = this.#next;
    if (region === CAPACITY) return 0;
    this.#next = region + 1;
    this.#set(region, kind, address, size);
    this.detail[region] = detail;
    return region;
  }

  /** Lets a region's bytes be read, and written if `writable`. */
  open(region: number, readable: boolean, writable: boolean): void {
    const end = this.lowest[region]! + this.size[region]!;
    this.limit[region] = readable ? end : 0;
    this.writeLimit[region] = writable ? end : 0;
  }

  /** Memory that a callback is handed: a key, a value. @throws {RangeError} when there are too many regions */
  memoryRegion(address: number, size: number, map: number, readable: boolean, writable: boolean): number {
    const region = this.create(KIND.value, address, size, map);
    if (region === 0) throw new RangeError('too many regions in one run');
    this.open(region, readable, writable);
    return region;
  }

  /** Is it time to `compact`? */
  get crowded(): boolean {
    return this.#next > CAPACITY - RESERVE;
  }

  /**
   * Forgets the regions that nothing points to any more and numbers the others anew.
   * @param roots every place that holds tags; they are changed
   */
  compact(roots: readonly Int32Array[]): void {
    const renumbered = new Int32Array(CAPACITY);
    for (const tags of roots) {
      for (const tag of tags) if (tag >= this.#firstDynamic) renumbered[tag] = 1;
    }
    let next = this.#firstDynamic;
    for (let region = this.#firstDynamic; region < this.#next; region++) {
      if (renumbered[region] === 0) continue;
      renumbered[region] = next;
      for (const column of OF_REGIONS) column[next] = column[region]!;
      next++;
    }
    this.#next = next;
    for (const tags of roots) {
      for (let index = 0; index < tags.length; index++) {
        if (tags[index]! >= this.#firstDynamic) tags[index] = renumbered[tags[index]!]!;
      }
    }
  }

  /** Turns a region into another kind, without access. */
  become(region: number, kind: number): void {
    this.kind[region] = kind;
    this.movable[region] = MOVABLE[kind]!;
    this.limit[region] = 0;
    this.writeLimit[region] = 0;
  }

  /** Notes that the program has to give back what is in a region. */
  acquire(region: number): void {
    this.reference[region] = this.#nextReference++;
    this.acquired[region] = 1;
  }

  /** Notes that a region is good for as long as another one. */
  derive(region: number, from: number): void {
    this.reference[region] = this.reference[from]!;
  }

  /** What stands for a reference, or was derived from it, is a number from here on. */
  release(reference: number): void {
    for (let region = this.#firstDynamic; region < this.#next; region++) {
      if (this.reference[region] === reference) this.become(region, KIND.spent);
    }
  }

  /** A packet pointer as it comes from the context. */
  packetRegion(kind: number, address: number): number {
    return this.create(kind, address, 0, 0);
  }

  /** A packet pointer with an unknown part of its own. */
  packetFamily(kind: number, base: number): number {
    return this.create(kind, base, 0, this.#nextFamily++);
  }

  /** All packet pointers of one kind and family may reach up to `end`. */
  provePacket(region: number, end: number): void {
    const kind = this.kind[region]!;
    const family = this.detail[region]!;
    for (let other = this.#firstDynamic; other < this.#next; other++) {
      if (this.kind[other] !== kind || this.detail[other] !== family) continue;
      if (end > this.limit[other]!) {
        this.limit[other] = end;
        this.writeLimit[other] = end;
      }
    }
  }

  /** A helper changed the packet: its pointers are numbers now. */
  voidPackets(): void {
    for (let region = this.#firstDynamic; region < this.#next; region++) {
      const kind = this.kind[region]!;
      const slice = kind === KIND.slice || kind === KIND.sliceOrNull;
      const onPacket = slice && (this.detail[region]! & SLICE_ON_PACKET) !== 0;
      if (onPacket || kind === KIND.packet || kind === KIND.packetMeta || kind === KIND.packetEnd) {
        this.become(region, KIND.deadPacket);
      }
    }
  }

  /** Compared with null: `value` is what the pointer turned out to be. */
  proveNonNull(region: number, isNull: boolean, readable: boolean, writable: boolean): void {
    if (isNull) {
      this.become(region, KIND.null);
      return;
    }
    switch (this.kind[region]) {
      case KIND.valueOrNull:
        this.become(region, KIND.value);
        this.open(region, readable, writable);
        break;
      case KIND.sampleOrNull:
        this.become(region, KIND.sample);
        this.open(region, true, true);
        break;
      case KIND.sliceOrNull:
        this.become(region, KIND.slice);
        this.open(region, true, writable);
        break;
      case KIND.mapOrNull:
        this.become(region, KIND.map);
        break;
      case KIND.socketOrNull:
        this.become(region, KIND.socket);
        break;
      case KIND.commonSocketOrNull:
        this.become(region, KIND.commonSocket);
        break;
      case KIND.fullSocketOrNull:
        this.become(region, KIND.fullSocket);
        break;
      case KIND.tcpSocketOrNull:
        this.become(region, KIND.tcpSocket);
        break;
      case KIND.kernelStructOrNull:
        this.become(region, KIND.kernelStruct);
        break;
      default:
    }
  }

  /** Has the program yet to compare pointers into this region with null? */
  mayBeNull(region: number): boolean {
    const kind = this.kind[region]!;
    return (
      kind === KIND.valueOrNull ||
      kind === KIND.sampleOrNull ||
      kind === KIND.mapOrNull ||
      kind === KIND.socketOrNull ||
      kind === KIND.commonSocketOrNull ||
      kind === KIND.fullSocketOrNull ||
      kind === KIND.tcpSocketOrNull ||
      kind === KIND.kernelStructOrNull ||
      kind === KIND.sliceOrNull
    );
  }

  /** Is a register with this tag a number to the verifier, whatever it was before? */
  isScalar(tag: number): boolean {
    if (tag <= 0) return tag < 0;
    const kind = this.kind[tag]!;
    return kind === KIND.deadPacket || kind === KIND.spent || kind === KIND.null;
  }

  /** The verifier's name of what a register with this tag holds. */
  nameOf(tag: number): string {
    return tag < 0 ? 'scalar' : (KIND_NAMES[this.kind[tag]!] ?? '?');
  }

  /** A fresh stack frame: nothing is written. */
  clearFrame(frame: number): void {
    const { slots } = this;
    const words = this.#bytesAsWords;
    const end = (frame + 1) * (STACK_SIZE / 8);
    // Loops: `fill` costs more than the few slots that most programs use.
    for (let slot = this.#lowestWritten[frame]! >> 3; slot < end; slot++) {
      slots[slot] = 0;
      words[2 * slot] = BYTE_UNWRITTEN;
      words[2 * slot + 1] = BYTE_UNWRITTEN;
    }
    this.#lowestWritten[frame] = end * 8;
  }

  /**
   * The tag of `size` bytes read from the stack: a spilled register's, `KNOWN`, or 0 for a new unknown scalar.
   * @param at bytes from the stacks' begin, aligned to `size`
   * @returns `undefined` where a byte was never written
   */
  loadStack(at: number, size: number): number | undefined {
    const held = this.slots[at >> 3]!;
    if (held !== 0) {
      if (size === 8) return held;
      return held === KNOWN ? KNOWN : 0;
    }
    let all = BYTE_KNOWN;
    for (let index = at; index < at + size; index++) {
      const state = this.bytes[index]!;
      if (state === BYTE_UNWRITTEN) return undefined;
      all |= state;
    }
    return all === BYTE_KNOWN ? KNOWN : 0;
  }

  /** Notes that `size` bytes of the stack were written from a register with this tag. */
  storeStack(at: number, size: number, tag: number): void {
    this.#noteWritten(at);
    if (size === 8) {
      this.slots[at >> 3] = tag;
      return;
    }
    this.#unpack(at >> 3);
    const state = tag < 0 && this.isKnown(tag) ? BYTE_KNOWN : BYTE_UNKNOWN;
    for (let index = at; index < at + size; index++) this.bytes[index] = state;
  }

  /** Notes that a helper wrote `size` bytes of the stack, at any alignment. */
  fillStack(at: number, size: number): void {
    if (size === 0) return;
    this.#noteWritten(at);
    for (let slot = at >> 3; slot <= (at + size - 1) >> 3; slot++) this.#unpack(slot);
    this.bytes.fill(BYTE_UNKNOWN, at, at + size);
  }

  /** Are `size` bytes of the stack written, at any alignment? */
  isWritten(at: number, size: number): boolean {
    for (let index = at; index < at + size; index++) {
      if (this.slots[index >> 3] === 0 && this.bytes[index] === BYTE_UNWRITTEN) return false;
    }
    return true;
  }

  /** Before something is written: from here on a frame has to be cleared. */
  #noteWritten(at: number): void {
    const frame = (at / STACK_SIZE) | 0;
    if (at < this.#lowestWritten[frame]!) this.#lowestWritten[frame] = at;
  }

  /** Makes a slot's eight bytes what its register was, since only some of them are about to change. */
  #unpack(slot: number): void {
    const held = this.slots[slot]!;
    if (held === 0) return;
    this.slots[slot] = 0;
    const state = held < 0 && this.isKnown(held) ? BYTE_KNOWN : BYTE_UNKNOWN;
    for (let index = slot * 8; index < slot * 8 + 8; index++) this.bytes[index] = state;
  }

  #set(region: number, kind: number, address: number, size: number): void {
    this.kind[region] = kind;
    this.movable[region] = MOVABLE[kind]!;
    this.lowest[region] = address;
    this.size[region] = size;
    this.limit[region] = 0;
    this.writeLimit[region] = 0;
    this.detail[region] = 0;
    this.reference[region] = 0;
    this.acquired[region] = 0;
  }
}
