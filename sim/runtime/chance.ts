/**
 * What stands for chance in machine and models, the same in both: random numbers and flow hashes follow from the
 * world's seeds, so that a case repeats.
 */

/** How far the state of the random numbers moves from one to the next. */
export const RANDOM_STEP = 0x6d2b_79f5;

/** By how many bits it is shifted on the way to a random number, and the odd numbers that it is multiplied by. */
export const RANDOM_MIX = {
  first: 16,
  firstFactor: 0x21f0_aaad,
  second: 15,
  secondFactor: 0x735a_2d97,
  last: 15,
} as const;

/** What each word of a hash is multiplied by, and by how many bits the product is shifted. */
export const HASH_MULTIPLIER = 0x9e37_79b1;
export const HASH_SHIFT = 15;

/** What tells a frame's socket and a network namespace apart from others: of each, there is one. */
export const SOCKET_COOKIE = 1;
export const NETNS_COOKIE = 1;
/** The number of the control group that a run is in: the root has this one. */
export const ROOT_CGROUP = 1;

/** The state behind `state`, as a signed 32-bit number. */
export function nextRandomState(state: number): number {
  return (state + RANDOM_STEP) | 0;
}

/**
 * The random number of a state, an unsigned 32-bit number. Each is that of one state: whatever a program compares it with, some seed
 * gives it (`randomSeedFor`).
 */
export function randomOf(state: number): number {
  const { first, firstFactor, second, secondFactor, last } = RANDOM_MIX;
  let number = Math.imul(state ^ (state >>> first), firstFactor);
  number = Math.imul(number ^ (number >>> second), secondFactor);
  return (number ^ (number >>> last)) >>> 0;
}

/** The seed with which a number is the one that is drawn after so many others. */
export function randomSeedFor(number: number, draws: number): number {
  const { first, firstFactor, second, secondFactor, last } = RANDOM_MIX;
  let state = Math.imul(unshifted(number, last), inverseOf(secondFactor));
  state = unshifted(Math.imul(unshifted(state, second), inverseOf(firstFactor)), first);
  return (state - Math.imul(RANDOM_STEP, draws + 1)) >>> 0;
}

/** Undoes `number ^ (number >>> by)`, for shifts of at least 11 bits. */
function unshifted(number: number, by: number): number {
  return number ^ (number >>> by) ^ (2 * by < 32 ? number >>> (2 * by) : 0);
}

/** Of an odd number, modulo 2^32: each round of Newton's method doubles the bits that are right. */
function inverseOf(odd: number): number {
  let inverse = odd;
  for (let round = 0; round < 5; round++) inverse = Math.imul(inverse, 2 - Math.imul(odd, inverse));
  return inverse;
}

/**
 * The hash of `size` bytes, an unsigned 32-bit number. It takes them in little-endian words of 32 bits, the last one
 * filled up with zeros:
 *
 * ```
 *   h = size;  for each word w:  h = (h ^ w) × 0x9E3779B1;  h ^= h >>> 15
 * ```
 */
export function hashBytes(view: DataView, at: number, size: number): number {
  let hash = size;
  const whole = at + (size & ~3);
  let from = at;
  for (; from < whole; from += 4) {
    hash = Math.imul(hash ^ view.getInt32(from, true), HASH_MULTIPLIER);
    hash ^= hash >>> HASH_SHIFT;
  }
  if ((size & 3) !== 0) {
    let tail = 0;
    for (let shift = 0; from < at + size; from++, shift += 8) tail |= view.getUint8(from) << shift;
    hash = Math.imul(hash ^ tail, HASH_MULTIPLIER);
    hash ^= hash >>> HASH_SHIFT;
  }
  return hash >>> 0;
}

/** Bytes of a frame that its flow hash is made of, and where they begin: behind the MAC addresses. */
export const HASHED_BYTES = 64;
export const HASHED_FROM = 12;

/**
 * `skb_get_hash`. The kernel's flow hash has a random key, so that its value means nothing beyond being the same for
 * the same flow: here it is a hash over the first bytes behind the MAC addresses and the world's seed, and never 0.
 * @param data where the frame begins, `end` where it ends with all of its fragments
 */
export function flowHash(view: DataView, data: number, end: number, seed: number): number {
  const from = data + HASHED_FROM;
  const size = Math.max(0, Math.min(HASHED_BYTES, end - from));
  return (hashBytes(view, from, size) ^ seed) >>> 0 || 1;
}
