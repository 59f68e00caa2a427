/**
 * Random numbers that are the same on every machine: 32-bit integer arithmetic only, no allocation.
 *
 * The generator is sfc32 (Chris Doty-Humphrey's "small fast counting", 128 bits of state). A packet does not
 * continue its neighbour's stream: it has a stream of its own, started from the run's seed and the packet's
 * index. So packet 1,234,567 can be made alone, in any order and by any worker.
 */

/** 128 bits, as four signed 32-bit integers. */
export interface Seed {
  readonly a: number;
  readonly b: number;
  readonly c: number;
  readonly d: number;
}

/** The seed that a text names, `--seed hello`: any text will do, the empty one too. */
export function seedFromText(text: string): Seed {
  let a = 0x9e3779b9 | 0;
  let b = 0x243f6a88 | 0;
  let c = 0xb7e15162 | 0;
  let d = 0x5f1d36f1 | 0;
  for (let index = 0; index < text.length; index++) {
    const unit = text.charCodeAt(index);
    a = mix(a ^ unit);
    b = mix(b + a);
    c = mix(c ^ b);
    d = mix(d + c);
  }
  // Text of every length goes through once more, so that short seeds differ in all four words.
  a = mix(a ^ text.length);
  b = mix(b + a);
  c = mix(c ^ b);
  d = mix(d + c);
  return { a, b, c, d };
}

/** The seed of part `index` of a run: of a worker, of a case, of a program. */
export function fork(seed: Seed, index: number): Seed {
  const random = new Random();
  random.start(seed, index);
  return { a: random.bits(), b: random.bits(), c: random.bits(), d: random.bits() };
}

/** Random numbers of one stream, all of them made of its bits. */
export abstract class RandomNumbers {
  /** Begins the stream of item `index` (0 ≤ index < 2^53); two indices never share a state under one seed. */
  abstract start(seed: Seed, index: number): void;

  /** 32 random bits as a signed integer: the raw material. */
  abstract bits(): number;

  /** 0 to 65535. */
  word(): number {
    return this.bits() >>> 16;
  }

  /** 0 to 255. */
  byte(): number {
    return this.bits() >>> 24;
  }

  /** 0 to `n` − 1, for 1 ≤ n ≤ 65536. The bias, below n / 65536, does not matter for tests. */
  below(n: number): number {
    return Math.imul(this.bits() >>> 16, n) >>> 16;
  }

  /** True in `share` of 256 cases. */
  chance(share: number): boolean {
    return this.bits() >>> 24 < share;
  }

  /** One element of a list that is not empty. */
  pick(list: Uint16Array): number {
    return list[this.below(list.length)]!;
  }

  /** Writes random bytes from `from` up to, not including, `to`. */
  fill(bytes: Uint8Array, from: number, to: number): void {
    for (let at = from; at < to; at += 4) {
      const word = this.bits();
      const end = Math.min(to, at + 4);
      for (let byte = at; byte < end; byte++) bytes[byte] = word >>> (8 * (byte - at));
    }
  }
}

/**
 * What is private here is so for the compiler only: it is asked dozens of times for each packet, and `#names` are checked at
 * every access.
 */
export class Random extends RandomNumbers {
  private a = 0;
  private b = 0;
  private c = 0;
  private counter = 0;

  start(seed: Seed, index: number): void {
    const low = index | 0;
    // A division costs as much as all the rest.
    const high = low === index && low >= 0 ? 0 : Math.floor(index / 0x1_0000_0000) | 0;
    const a = mix(low ^ seed.a);
    const b = mix(a ^ seed.b) + high;
    this.a = (a + seed.c) | 0;
    this.b = mix(b ^ seed.d);
    this.c = mix(this.b + seed.a);
    this.counter = 1;
  }

  bits(): number {
    const b = this.b;
    const c = this.c;
    const result = (this.a + b + this.counter) | 0;
    this.counter = (this.counter + 1) | 0;
    this.a = b ^ (b >>> 9);
    this.b = (c + (c << 3)) | 0;
    this.c = (((c << 21) | (c >>> 11)) + result) | 0;
    return result;
  }

  /** Writes the state: 4 words, the counter last. */
  saveState(to: Int32Array): void {
    to[0] = this.a;
    to[1] = this.b;
    to[2] = this.c;
    to[3] = this.counter;
  }
}

/** The stream of the packet that is being made. */
export interface PacketRandom extends RandomNumbers {
  /**
   * Writes what `fill` writes, four bytes at a time: up to three more are written behind `to`.
   * @param view of an array that has room for them
   */
  fillWords(view: DataView, from: number, to: number): void;
}

/**
 * There is one such stream at a time: `Random` once more, as fast as V8 makes it, for the reason that `packet-builder.ts` gives. A
 * packet asks twenty times.
 */
export const packetRandom: PacketRandom = createPacketRandom();

function createPacketRandom(): PacketRandom {
  // As `Random` saves it. V8 keeps arrays of up to 64 bytes among its own objects, which move.
  const state = new Int32Array(32);
  const starter = new Random();

  class FastRandom extends RandomNumbers implements PacketRandom {
    start(seed: Seed, index: number): void {
      starter.start(seed, index);
      starter.saveState(state);
    }

    bits(): number {
      const b = state[1]!;
      const c = state[2]!;
      const counter = state[3]!;
      const result = (state[0]! + b + counter) | 0;
      state[0] = b ^ (b >>> 9);
      state[1] = (c + (c << 3)) | 0;
      state[2] = (((c << 21) | (c >>> 11)) + result) | 0;
      state[3] = (counter + 1) | 0;
      return result;
    }

    fillWords(view: DataView, from: number, to: number): void {
      for (let at = from; at < to; at += 4) view.setInt32(at, this.bits(), true);
    }
  }

  return new FastRandom();
}

/** A bijection of 32-bit integers in which every input bit moves every output bit (Chris Wellons' lowbias32). */
function mix(value: number): number {
  let x = value | 0;
  x = Math.imul(x ^ (x >>> 16), 0x21f0aaad);
  x = Math.imul(x ^ (x >>> 15), 0x735a2d97);
  return x ^ (x >>> 15);
}
