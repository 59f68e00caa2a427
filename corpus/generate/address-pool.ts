/** Addresses ready to be copied into packets: the generator's most frequent act. */
import type { PacketBuilder } from './packet-builder.ts';

/** Addresses of 4, 6 or 16 bytes, each in little-endian words one after the other, the last one filled up with zeros. */
export class AddressPool {
  readonly count: number;
  /** Bytes of each. */
  readonly length: number;
  private readonly words: Int32Array;
  /** Words of each. */
  private readonly size: number;

  /** @throws {RangeError} when an item has not `length` bytes */
  constructor(items: readonly Uint8Array[], length: number) {
    this.size = (length + 3) >> 2;
    this.length = length;
    this.count = items.length;
    this.words = new Int32Array(items.length * this.size);
    for (const [index, item] of items.entries()) {
      if (item.length !== length)
        throw new RangeError(`an address of ${item.length} bytes; it takes ${length}`);
      for (let at = 0; at < length; at++)
        this.words[index * this.size + (at >> 2)]! |= item[at]! << (8 * (at & 3));
    }
  }

  /** Copies one into the builder: the one that bits 4 to 15 choose. */
  draw(builder: PacketBuilder, bits: number): void {
    this.write(builder, (((bits >>> 4) & 0xfff) * this.count) >>> 12);
  }

  /** Copies the one with this number. Behind those of 6 bytes two more are written. */
  write(builder: PacketBuilder, item: number): void {
    const { words, size } = this;
    const { view, at } = builder;
    const from = item * size;
    view.setInt32(at, words[from]!, true);
    if (size > 1) view.setInt32(at + 4, words[from + 1]!, true);
    if (size > 2) {
      view.setInt32(at + 8, words[from + 2]!, true);
      view.setInt32(at + 12, words[from + 3]!, true);
    }
    builder.at = at + this.length;
  }
}
