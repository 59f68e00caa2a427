/**
 * Values that a program should tell from a hinted one, and may not: one bit off, the next and the one before, in the wrong
 * byte order; of a prefix, the first and the last address inside and those beside them outside. Three draws of eight are
 * such near misses, so that a comparison that looks at too few bits, or is off by one, shows.
 */
import { firstAddress, lastAddress, type Prefix } from '../../sim/packet/addresses.ts';
import { AddressPool, itemFor } from './address-pool.ts';
import type { PacketBuilder } from './packet-builder.ts';
import type { RandomNumbers } from './random.ts';

/** Hinted numbers of one field. */
export class AimedNumbers {
  readonly count: number;
  readonly #hits: Uint16Array;
  readonly #near: Uint16Array;

  /** @param bits of the field, at most 16 */
  constructor(values: readonly number[], bits: number) {
    this.#hits = Uint16Array.from(values);
    // What is hinted itself is no miss.
    const near = values.flatMap((value) => numbersNear(value, bits)).filter((one) => !values.includes(one));
    this.#near = Uint16Array.from(near);
    this.count = values.length;
  }

  /** A hinted number, or one near it; only where there are some. */
  draw(random: RandomNumbers): number {
    const bits = random.bits();
    const from = (bits & 7) < 3 && this.#near.length > 0 ? this.#near : this.#hits;
    return from[((bits >>> 16) * from.length) >>> 16]!;
  }
}

/** One bit off, one less, one more, and, of 16 bits, in the other byte order; within the field. */
export function numbersNear(value: number, bits: number): number[] {
  const all = 2 ** bits - 1;
  const flipped = Array.from({ length: bits }, (_, bit) => value ^ (1 << bit));
  const swapped = bits > 8 ? [(((value & 0xff) << 8) | (value >>> 8)) & all] : [];
  // Off by one is the mistake that is made most.
  const beside = [(value - 1) & all, (value + 1) & all];
  return [...flipped, ...beside, ...beside, ...swapped, ...swapped].filter((one) => one !== value);
}

/** Hinted addresses and prefixes of one size. */
export class AimedAddresses {
  readonly count: number;
  /** The bit of a draw that is set where it is one of these: 1, or 0 where there are none. */
  readonly hinted: number;
  /** The addresses, then the first of each prefix, then the last. */
  private readonly pool: AddressPool;
  /** Bits of each prefix. */
  private readonly lengths: Uint8Array;

  /**
   * @param size of an address in bytes
   * @throws {RangeError} where one has another
   */
  constructor(prefixes: readonly Prefix[], size: number) {
    const addresses = prefixes.map(({ address }) => address);
    this.pool = new AddressPool(
      [...addresses, ...prefixes.map(firstAddress), ...prefixes.map(lastAddress)],
      size,
    );
    this.lengths = Uint8Array.from(prefixes, ({ length }) => length);
    this.count = prefixes.length;
    this.hinted = this.count > 0 ? 1 : 0;
  }

  /** Writes a hinted address, or one near it; only where there are some. Bits 4 to 15 choose. */
  draw(builder: PacketBuilder, bits: number): void {
    const { random, bytes, at } = builder;
    const size = this.pool.length;
    const which = itemFor(bits, this.count);
    const how = random.bits();
    if (this.lengths[which] === 8 * size) {
      this.pool.write(builder, which);
      if ((how & 7) < 3) miss(bytes, at, size, how >>> 3);
    } else this.drawPrefix(builder, which, how);
  }

  private drawPrefix(builder: PacketBuilder, which: number, how: number): void {
    const { random, bytes, view, at } = builder;
    const { pool, count } = this;
    const size = pool.length;
    const first = count + which;
    const last = first + count;
    switch (how & 7) {
      case 0:
        pool.write(builder, which);
        return;
      case 1:
      case 2:
        pool.write(builder, (how & 8) === 0 ? first : last);
        return;
      case 3:
        pool.write(builder, first);
        add(bytes, at, size, -1);
        return;
      case 4:
        pool.write(builder, last);
        add(bytes, at, size, 1);
        return;
      case 5: {
        // The last bit of the prefix, or another one of it: its neighbour, or far away.
        const length = this.lengths[which]!;
        pool.write(builder, first);
        if (length > 0) flip(bytes, at, (how & 8) === 0 ? length - 1 : (((how >>> 8) & 0xff) * length) >>> 8);
        return;
      }
      default:
        // Any address inside.
        pool.write(builder, first);
        random.fillWords(view, at + size, at + 2 * size);
        mergeHost(bytes, at, size, this.lengths[which]!);
    }
  }
}

/** An address of the pool; every fourth time a near miss of it. */
export function drawNear(pool: AddressPool, builder: PacketBuilder, bits: number): void {
  const { at, bytes, random } = builder;
  pool.draw(builder, bits);
  const how = random.bits();
  if ((how & 3) === 0) miss(bytes, at, pool.length, how >>> 3);
}

/**
 * Makes a near miss of an address or another number in network order.
 * @param bits 24 random bits
 */
export function miss(bytes: Uint8Array, at: number, size: number, bits: number): void {
  switch (bits & 7) {
    case 0:
      add(bytes, at, size, 1);
      return;
    case 1:
      add(bytes, at, size, -1);
      return;
    case 2:
      reverse(bytes, at, size);
      return;
    default:
      flip(bytes, at, ((bits >>> 3) & 0xffff) % (8 * size));
  }
}

/** Takes the bits behind the prefix from the bytes behind the address. */
function mergeHost(bytes: Uint8Array, at: number, size: number, length: number): void {
  for (let index = length >>> 3; index < size; index++) {
    const host = index === length >>> 3 ? 0xff >>> (length & 7) : 0xff;
    bytes[at + index]! |= bytes[at + size + index]! & host;
  }
}

function reverse(bytes: Uint8Array, at: number, size: number): void {
  for (let from = at, to = at + size - 1; from < to; from++, to--) {
    const byte = bytes[from]!;
    bytes[from] = bytes[to]!;
    bytes[to] = byte;
  }
}

/** @param bit counted from the most significant one of the first byte */
function flip(bytes: Uint8Array, at: number, bit: number): void {
  bytes[at + (bit >>> 3)]! ^= 0x80 >>> (bit & 7);
}

/** The number in network order one more or less; beyond the last one comes the first. */
function add(bytes: Uint8Array, at: number, size: number, by: 1 | -1): void {
  for (let index = at + size - 1; index >= at; index--) {
    const sum = bytes[index]! + by;
    bytes[index] = sum;
    if (sum >= 0 && sum <= 0xff) return;
  }
}
