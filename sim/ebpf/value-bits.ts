/** The bytes of one value while its members are written: two that overlap, as in a union, must say the same. */
import { ShapeError } from '../runtime/shape-error.ts';

export class ValueBits {
  readonly bytes: Uint8Array;
  /** 1 for each bit that has been written. */
  readonly #written: Uint8Array;

  /** @param size bytes */
  constructor(size: number) {
    this.bytes = new Uint8Array(size);
    this.#written = new Uint8Array(size);
  }

  /**
   * Writes the low `count` bits of a number, least significant first.
   * @param at the bit that it starts at
   * @throws {ShapeError} where another member has written something else there
   */
  write(at: number, count: number, value: bigint, place: string): void {
    if (at % 8 === 0 && count % 8 === 0) {
      const bytes = new Uint8Array(count / 8);
      let rest = value;
      for (let byte = 0; byte < bytes.length; byte++) {
        bytes[byte] = Number(rest & 0xffn);
        rest >>= 8n;
      }
      this.set(at, bytes, place);
      return;
    }
    for (let bit = 0; bit < count; bit++) {
      const mask = 1 << ((at + bit) % 8);
      this.#put(Math.floor((at + bit) / 8), (value >> BigInt(bit)) & 1n ? mask : 0, mask, place);
    }
  }

  /** @param at the bit that they start at, which is a byte's first */
  set(at: number, bytes: Uint8Array, place: string): void {
    for (let byte = 0; byte < bytes.length; byte++) this.#put(at / 8 + byte, bytes[byte]!, 0xff, place);
  }

  #put(byte: number, value: number, mask: number, place: string): void {
    if (byte >= this.bytes.length)
      throw new ShapeError(place, `lies beyond the ${this.bytes.length} bytes of the value`);
    const before = this.#written[byte]! & mask;
    if (((this.bytes[byte]! ^ value) & before) !== 0) {
      throw new ShapeError(place, 'contradicts another member that shares its bytes');
    }
    this.bytes[byte]! |= value;
    this.#written[byte]! |= mask;
  }
}
