/** The arguments of a printf for eBPF as the kernel packs them, between reading them and printing (kernel/bpf/helpers.c, lib/vsprintf.c). */

/** `MAX_BPRINTF_BIN_ARGS`. */
const SIZE = 512;

/**
 * What is found at an address is copied, or made text, when it is packed. Numbers begin at multiples of four bytes; texts and
 * characters where the last argument ended. Whoever reads them does as whoever wrote them, or reads something else.
 */
export class PackedArguments {
  readonly #bytes = new Uint8Array(SIZE);
  readonly #view = new DataView(this.#bytes.buffer);
  #at = 0;

  /** Bytes that are free. */
  get left(): number {
    return SIZE - this.#at;
  }

  /** Begins to read. */
  rewind(): void {
    this.#at = 0;
  }

  /** Adds as much of a text as there is room for, and its end. @returns whether there was room for the end */
  addText(text: string): boolean {
    return this.left > 0 && this.addMade(text.slice(0, this.left - 1));
  }

  /** Adds a text that was made: `snprintf` counts what it had no room for, and nothing comes behind it then. */
  addMade(text: string): boolean {
    for (let index = 0; index < text.length && index < this.left - 1; index++)
      this.#bytes[this.#at + index] = text.charCodeAt(index);
    this.#at = Math.min(SIZE, this.#at + text.length + 1);
    this.#bytes[this.#at - 1] = 0;
    return true;
  }

  addByte(byte: number): boolean {
    if (this.left === 0) return false;
    this.#bytes[this.#at++] = byte;
    return true;
  }

  /** @param isWide 8 bytes of it, and not 4? */
  addNumber(value: bigint, isWide: boolean): boolean {
    const size = this.#align(isWide);
    if (this.left < size) return false;
    if (isWide) this.#view.setBigUint64(this.#at, BigInt.asUintN(64, value), true);
    else this.#view.setUint32(this.#at, Number(BigInt.asUintN(32, value)), true);
    this.#at += size;
    return true;
  }

  readText(): string {
    let text = '';
    while (this.left > 0) {
      const byte = this.#bytes[this.#at++]!;
      if (byte === 0) break;
      text += String.fromCharCode(byte);
    }
    return text;
  }

  readByte(): number {
    return this.#bytes[this.#at++] ?? 0;
  }

  readNumber(isWide: boolean): bigint {
    const size = this.#align(isWide);
    if (this.left < size) return 0n;
    const number = isWide
      ? this.#view.getBigUint64(this.#at, true)
      : BigInt(this.#view.getUint32(this.#at, true));
    this.#at += size;
    return number;
  }

  /** @returns the size of the number that begins there */
  #align(isWide: boolean): number {
    this.#at = (this.#at + 3) & ~3;
    return isWide ? 8 : 4;
  }
}
