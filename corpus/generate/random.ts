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

/** Random numbers of one stream. */
export interface RandomNumbers {
  /** Begins the stream of item `index` (0 ≤ index < 2^53); two indices never share a state under one seed. */
  start(seed: Seed, index: number): void;
  /** 32 random bits as a signed integer: the raw material. */
  bits(): number;
  /**
   * Writes random bytes four at a time, from `from` up to `to`: up to three more are written behind `to`.
   * @param view of an array that has room for them
   */
  fillWords(view: DataView, from: number, to: number): void;
  /** 0 to 65535. */
  word(): number;
  /** 0 to 255. */
  byte(): number;
  /** 0 to `n` − 1, for 1 ≤ n ≤ 65536. The bias, below n / 65536, does not matter for tests. */
  below(n: number): number;
  /** True in `share` of 256 cases. */
  chance(share: number): boolean;
  /** One element of a list that is not empty. */
  pick(list: Uint16Array): number;
}

/**
 * What is private here and in the builder is so for the compiler only: both are asked dozens of times for each packet, and
 * `#names` are checked at every access.
 */
export class Random implements RandomNumbers {
  private a = 0;
  private b = 0;
  private c = 0;
  private counter = 0;

  /** Begins the stream of item `index` (0 ≤ index < 2^53); two indices never share a state under one seed. */
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

  /** 32 random bits as a signed integer: the raw material. */
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

  /** Writes random bytes from `from` up to, not including, `to`; the state stays in registers meanwhile. */
  fill(bytes: Uint8Array, from: number, to: number): void {
    let a = this.a;
    let b = this.b;
    let c = this.c;
    let counter = this.counter;
    let at = from;
    while (at < to) {
      const result = (a + b + counter) | 0;
      counter = (counter + 1) | 0;
      a = b ^ (b >>> 9);
      b = (c + (c << 3)) | 0;
      c = (((c << 21) | (c >>> 11)) + result) | 0;
      if (at + 4 <= to) {
        bytes[at] = result;
        bytes[at + 1] = result >>> 8;
        bytes[at + 2] = result >>> 16;
        bytes[at + 3] = result >>> 24;
        at += 4;
      } else {
        for (let rest = result; at < to; rest >>>= 8) bytes[at++] = rest;
      }
    }
    this.a = a;
    this.b = b;
    this.c = c;
    this.counter = counter;
  }

  /**
   * The same bytes, four at a time: up to three more are written behind `to`.
   * @param view of the array, which must have room for them
   */
  fillWords(view: DataView, from: number, to: number): void {
    let a = this.a;
    let b = this.b;
    let c = this.c;
    let counter = this.counter;
    for (let at = from; at < to; at += 4) {
      const result = (a + b + counter) | 0;
      counter = (counter + 1) | 0;
      a = b ^ (b >>> 9);
      b = (c + (c << 3)) | 0;
      c = (((c << 21) | (c >>> 11)) + result) | 0;
      view.setInt32(at, result, true);
    }
    this.a = a;
    this.b = b;
    this.c = c;
    this.counter = counter;
  }

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
}

/**
 * The stream of the packet that is being made, of which there is one at a time: as fast as V8 makes it, for the reason that
 * `packet-builder.ts` gives. A packet asks twenty times.
 */
export const packetRandom: RandomNumbers = createPacketRandom();

function createPacketRandom(): RandomNumbers {
  const A = 0;
  const B = 1;
  const C = 2;
  const COUNTER = 3;
  // V8 keeps arrays of up to 64 bytes among its own objects, which move.
  const state = new Int32Array(32);

  function bits(): number {
    const b = state[B]!;
    const c = state[C]!;
    const counter = state[COUNTER]!;
    const result = (state[A]! + b + counter) | 0;
    state[COUNTER] = (counter + 1) | 0;
    state[A] = b ^ (b >>> 9);
    state[B] = (c + (c << 3)) | 0;
    state[C] = (((c << 21) | (c >>> 11)) + result) | 0;
    return result;
  }

  class PacketRandom implements RandomNumbers {
    start(seed: Seed, index: number): void {
      const low = index | 0;
      // A division costs as much as all the rest.
      const high = low === index && low >= 0 ? 0 : Math.floor(index / 0x1_0000_0000) | 0;
      const a = mix(low ^ seed.a);
      const b = mix((mix(a ^ seed.b) + high) ^ seed.d);
      state[A] = (a + seed.c) | 0;
      state[B] = b;
      state[C] = mix(b + seed.a);
      state[COUNTER] = 1;
    }

    bits(): number {
      return bits();
    }

    fillWords(view: DataView, from: number, to: number): void {
      let a = state[A]!;
      let b = state[B]!;
      let c = state[C]!;
      let counter = state[COUNTER]!;
      for (let at = from; at < to; at += 4) {
        const result = (a + b + counter) | 0;
        counter = (counter + 1) | 0;
        a = b ^ (b >>> 9);
        b = (c + (c << 3)) | 0;
        c = (((c << 21) | (c >>> 11)) + result) | 0;
        view.setInt32(at, result, true);
      }
      state[A] = a;
      state[B] = b;
      state[C] = c;
      state[COUNTER] = counter;
    }

    word(): number {
      return bits() >>> 16;
    }

    byte(): number {
      return bits() >>> 24;
    }

    below(n: number): number {
      return Math.imul(bits() >>> 16, n) >>> 16;
    }

    chance(share: number): boolean {
      return bits() >>> 24 < share;
    }

    pick(list: Uint16Array): number {
      return list[Math.imul(bits() >>> 16, list.length) >>> 16]!;
    }
  }

  return new PacketRandom();
}

/** A bijection of 32-bit integers in which every input bit moves every output bit (Chris Wellons' lowbias32). */
function mix(value: number): number {
  let x = value | 0;
  x = Math.imul(x ^ (x >>> 16), 0x21f0aaad);
  x = Math.imul(x ^ (x >>> 15), 0x735a2d97);
  return x ^ (x >>> 15);
}
