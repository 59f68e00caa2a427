/** Bytes that are written one after the other, with WebAssembly's variable-length numbers (LEB128). */
export class ByteWriter {
  #bytes: Uint8Array = new Uint8Array(1024);
  #length = 0;

  get length(): number {
    return this.#length;
  }

  /** What has been written; valid until the next write. */
  get bytes(): Uint8Array {
    return this.#bytes.subarray(0, this.#length);
  }

  byte(value: number): void {
    if (this.#length === this.#bytes.length) this.#grow(1);
    this.#bytes[this.#length++] = value;
  }

  append(bytes: Uint8Array): void {
    if (this.#length + bytes.length > this.#bytes.length) this.#grow(bytes.length);
    this.#bytes.set(bytes, this.#length);
    this.#length += bytes.length;
  }

  /** An unsigned number of at most 32 bits. */
  unsigned(value: number): void {
    let rest = value >>> 0;
    while (rest > 0x7f) {
      this.byte((rest & 0x7f) | 0x80);
      rest >>>= 7;
    }
    this.byte(rest);
  }

  /** A signed number of 32 bits. */
  signed(value: number): void {
    let rest = value | 0;
    for (;;) {
      const low = rest & 0x7f;
      rest >>= 7;
      if ((rest === 0 && (low & 0x40) === 0) || (rest === -1 && (low & 0x40) !== 0)) {
        this.byte(low);
        return;
      }
      this.byte(low | 0x80);
    }
  }

  /** A signed number of 64 bits, given by its halves. */
  signed64(low: number, high: number): void {
    if (high === low >> 31) {
      this.signed(low);
      return;
    }
    let rest = BigInt.asIntN(64, (BigInt(high) << 32n) | BigInt(low >>> 0));
    for (;;) {
      const bits = Number(rest & 0x7fn);
      rest >>= 7n;
      if ((rest === 0n && (bits & 0x40) === 0) || (rest === -1n && (bits & 0x40) !== 0)) {
        this.byte(bits);
        return;
      }
      this.byte(bits | 0x80);
    }
  }

  /** A name: its length and its bytes, ASCII. */
  name(text: string): void {
    this.unsigned(text.length);
    for (let index = 0; index < text.length; index++) this.byte(text.charCodeAt(index));
  }

  #grow(size: number): void {
    const grown = new Uint8Array(Math.max(this.#length + size, this.#bytes.length * 2));
    grown.set(this.bytes);
    this.#bytes = grown;
  }
}
