/** A set of packet numbers, at most a bit for each packet of the capture, and nothing where there are none. */
const PAGE_BITS = 15;
const PAGE_SIZE: number = 2 ** PAGE_BITS;

export class PacketSet {
  readonly #pages: Map<number, Uint8Array> = new Map();
  #size = 0;

  get size(): number {
    return this.#size;
  }

  add(packet: number): void {
    const page = Math.floor(packet / PAGE_SIZE);
    const bit = packet % PAGE_SIZE;
    let bits = this.#pages.get(page);
    if (bits === undefined) {
      bits = new Uint8Array(PAGE_SIZE / 8);
      this.#pages.set(page, bits);
    }
    const mask = 1 << (bit & 7);
    if ((bits[bit >> 3]! & mask) === 0) this.#size++;
    bits[bit >> 3]! |= mask;
  }

  has(packet: number): boolean {
    const bits = this.#pages.get(Math.floor(packet / PAGE_SIZE));
    return bits !== undefined && (bits[(packet % PAGE_SIZE) >> 3]! & (1 << (packet & 7))) !== 0;
  }
}
