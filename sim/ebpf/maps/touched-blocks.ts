/**
 * Which parts of a large array a program can have changed: a byte in linear memory for each block of the storage, set
 * when a lookup hands out an address in it. Bringing an array of millions of entries back, or reading it, then costs
 * what was looked up, and pages that nobody touched cost no memory.
 *
 * A block is at least as large as an entry, so that an entry lies in two blocks at most. Compiled programs set the
 * bytes themselves (`wasm/inline-helpers.ts`).
 */
import type { LinearMemory } from '../memory.ts';

/** Storage from this size on is tracked; below, clearing all of it is cheaper. */
const TRACKED_BYTES = 0x4_0000;
/** A page of 4 KiB. */
const SMALLEST_SHIFT = 12;

export class TouchedBlocks {
  readonly #memory: LinearMemory;
  /** Address of block 0's byte. */
  readonly table: number;
  /** Binary logarithm of a block's size. */
  readonly shift: number;
  readonly #count: number;

  constructor(memory: LinearMemory, storageBytes: number, stride: number) {
    this.#memory = memory;
    this.shift = blockShift(stride);
    this.#count = Math.ceil(storageBytes / 2 ** this.shift);
    this.table = memory.allocate(this.#count);
  }

  static wanted(storageBytes: number): boolean {
    return storageBytes >= TRACKED_BYTES;
  }

  /** Bytes at these offsets of the storage are going to be seen by a program. */
  touch(from: number, size: number): void {
    const { u8 } = this.#memory;
    u8[this.table + (from >>> this.shift)] = 1;
    u8[this.table + ((from + size - 1) >>> this.shift)] = 1;
  }

  /** The table as it is. */
  save(): Uint8Array {
    return this.#memory.read(this.table, this.#count);
  }

  /** Touches what was touched when the table was saved. */
  add(saved: Uint8Array): void {
    const { u8 } = this.#memory;
    for (let block = saved.indexOf(1); block >= 0; block = saved.indexOf(1, block + 1))
      u8[this.table + block] = 1;
  }

  touchAll(): void {
    this.#memory.u8.fill(1, this.table, this.table + this.#count);
  }

  forget(): void {
    this.#memory.u8.fill(0, this.table, this.table + this.#count);
  }

  /** Ranges of offsets that were touched, as pairs from and to; neighbouring blocks are one range. */
  *ranges(): Iterable<readonly [from: number, to: number]> {
    // The table alone: beyond it lies all of the memory.
    const blocks = this.#memory.u8.subarray(this.table, this.table + this.#count);
    const size = 2 ** this.shift;
    for (let at = blocks.indexOf(1); at >= 0; at = blocks.indexOf(1, at)) {
      const from = at;
      while (blocks[at] === 1) at++;
      yield [from * size, at * size];
    }
  }
}

/** @param stride bytes from entry to entry */
export function blockShift(stride: number): number {
  return Math.max(SMALLEST_SHIFT, Math.ceil(Math.log2(stride)));
}
