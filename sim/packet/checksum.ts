/**
 * The Internet checksum (RFC 1071), from small parts that combine.
 *
 * A *sum* here is the one's complement sum of big-endian 16-bit words, folded: a number from 0 to 0xffff. It is 0
 * only if all summed data is zero; any other multiple of 0xffff folds to 0xffff. A *checksum* is the field in a
 * header: the complement of the sum over everything else. So a message with its checksum in place sums to 0xffff,
 * and that is how one verifies: recomputing and comparing calls 0x0000 and 0xffff different, which are the same
 * number in one's complement.
 *
 * All ranges must lie within their arrays; any alignment will do.
 */

/** Below this length an array is taken for a single packet, which is summed once, and not for an arena. */
const ARENA_BYTES = 512;

/**
 * `DataView` reads four bytes at once, but making one costs as much as summing 150 bytes singly. So the views of
 * the two arrays last used are kept: one arena of what comes in and one of what goes out.
 */
let firstBytes: Uint8Array = new Uint8Array(0);
let firstView: DataView = new DataView(firstBytes.buffer);
let secondBytes: Uint8Array = firstBytes;
let secondView: DataView = firstView;

/**
 * The one's complement sum of a range; an odd last byte counts as the high half of a word (RFC 1071 §4.1).
 * @param initial a sum to go on from, over data of even length
 */
export function sum(bytes: Uint8Array, offset: number, length: number, initial: number = 0): number {
  if (bytes === firstBytes) return sumView(firstView, offset, length, initial);
  if (bytes === secondBytes) return sumView(secondView, offset, length, initial);
  if (bytes.length < ARENA_BYTES) return sumBytewise(bytes, offset, length, initial);
  secondBytes = firstBytes;
  secondView = firstView;
  firstBytes = bytes;
  firstView = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return sumView(firstView, offset, length, initial);
}

/**
 * Sums little-endian words, whose order a one's complement sum does not mind, and swaps the bytes once at the end
 * (RFC 1071 §2 B). Two accumulators take the halves of each 32-bit word.
 */
function sumView(view: DataView, offset: number, length: number, initial: number): number {
  let low = 0;
  let high = 0;
  let at = offset;
  const endOfBlocks = offset + (length & ~15);
  while (at < endOfBlocks) {
    // 64 KiB at a time keep both accumulators below 2^31, where they stay machine integers.
    const stop = Math.min(endOfBlocks, at + 65536);
    for (; at < stop; at += 16) {
      const a = view.getInt32(at, true);
      const b = view.getInt32(at + 4, true);
      const c = view.getInt32(at + 8, true);
      const d = view.getInt32(at + 12, true);
      low += (a & 0xffff) + (b & 0xffff) + (c & 0xffff) + (d & 0xffff);
      high += (a >>> 16) + (b >>> 16) + (c >>> 16) + (d >>> 16);
    }
    low = (low & 0xffff) + (low >>> 16) + (high & 0xffff) + (high >>> 16);
    high = 0;
  }
  const endOfWords = offset + (length & ~1);
  for (; at < endOfWords; at += 2) low += view.getUint16(at, true);
  if ((length & 1) !== 0) low += view.getUint8(at);
  return fold(swapped(fold(low)) + initial);
}

function sumBytewise(bytes: Uint8Array, offset: number, length: number, initial: number): number {
  let total = initial;
  let at = offset;
  const endOfWords = offset + (length & ~1);
  for (; at < endOfWords; at += 2) total += (bytes[at]! << 8) | bytes[at + 1]!;
  if ((length & 1) !== 0) total += bytes[at]! << 8;
  return fold(total);
}

/**
 * Folds carries into the low 16 bits, for totals below 2^32. Twice: the first fold can carry again
 * (0x1ffff → 0x10000 → 0x0001), and one fold alone is right often enough to pass a careless test.
 */
export function fold(total: number): number {
  const once = (total & 0xffff) + (total >>> 16);
  return (once & 0xffff) + (once >>> 16);
}

/** The sum over two ranges one after the other; the first must have an even number of bytes. */
export function combine(a: number, b: number): number {
  return fold(a + b);
}

/** Two bytes the other way round. So does a sum count behind an odd number of bytes: `combine(sumOfOddRange, swapped(sumOfWhatFollows))`. */
export function swapped(sum: number): number {
  return ((sum & 0xff) << 8) | (sum >>> 8);
}

/** The checksum field that goes with a sum over everything else. */
export function finish(sum: number): number {
  return ~sum & 0xffff;
}

/** The same for UDP, where a computed 0 is sent as 0xffff because 0 means that there is none (RFC 768). */
export function finishUdp(sum: number): number {
  return finish(sum) || 0xffff;
}

/** The checksum of a range in which the checksum field itself is zero. */
export function checksum(bytes: Uint8Array, offset: number, length: number, initial: number = 0): number {
  return finish(sum(bytes, offset, length, initial));
}

/** Is the checksum within the range right? `initial` is the pseudo-header's sum where there is one. */
export function verify(bytes: Uint8Array, offset: number, length: number, initial: number = 0): boolean {
  return sum(bytes, offset, length, initial) === 0xffff;
}

/**
 * The sum of the pseudo-header of TCP and UDP over IPv4 (RFC 9293 §3.1, RFC 768).
 * @param sourceAt where the source address lies in `bytes`
 * @param destinationAt where the *final* destination lies: with a source route, its last address
 * @param length bytes of the upper-layer header and its data
 */
export function pseudoHeader4(
  bytes: Uint8Array,
  sourceAt: number,
  destinationAt: number,
  protocol: number,
  length: number,
): number {
  return fold(ipv4Words(bytes, sourceAt) + ipv4Words(bytes, destinationAt) + protocol + length);
}

/**
 * The sum of the pseudo-header over IPv6 (RFC 8200 §8.1), with a 32-bit length.
 * @param destinationAt where the *final* destination lies: with a routing header, its last address
 * @param nextHeader the upper layer's number, whatever the fixed header's next header is
 * @param length bytes of the upper-layer header and its data
 */
export function pseudoHeader6(
  bytes: Uint8Array,
  sourceAt: number,
  destinationAt: number,
  nextHeader: number,
  length: number,
): number {
  const lengthSum = (length >>> 16) + (length & 0xffff);
  return fold(ipv6Words(bytes, sourceAt) + ipv6Words(bytes, destinationAt) + lengthSum + nextHeader);
}

function ipv4Words(bytes: Uint8Array, at: number): number {
  return ((bytes[at]! + bytes[at + 2]!) << 8) + bytes[at + 1]! + bytes[at + 3]!;
}

/** High and low bytes apart, without a loop: every packet over IPv6 needs two of these. */
function ipv6Words(bytes: Uint8Array, at: number): number {
  const high =
    bytes[at]! +
    bytes[at + 2]! +
    bytes[at + 4]! +
    bytes[at + 6]! +
    bytes[at + 8]! +
    bytes[at + 10]! +
    bytes[at + 12]! +
    bytes[at + 14]!;
  const low =
    bytes[at + 1]! +
    bytes[at + 3]! +
    bytes[at + 5]! +
    bytes[at + 7]! +
    bytes[at + 9]! +
    bytes[at + 11]! +
    bytes[at + 13]! +
    bytes[at + 15]!;
  return (high << 8) + low;
}

/**
 * The checksum after one word changed: `HC' = ~(~HC + ~m + m')`, RFC 1624 §3, equation 3.
 *
 * `from` and `to` may also be the sums of larger ranges of even length. Where the checksum was wrong, it is
 * wrong by the same amount afterwards. Right for every header with anything in it; where all that is summed
 * becomes zero the result is 0x0000, and only 0xffff would verify. That can happen to ICMP over IPv4 alone: all
 * others sum a version, a protocol or a length.
 */
export function update(checksum: number, from: number, to: number): number {
  return finish(fold((~checksum & 0xffff) + (~from & 0xffff) + to));
}

/** The same for a 32-bit value at an even offset, such as an IPv4 address. */
export function update32(checksum: number, from: number, to: number): number {
  return update(checksum, fold(from), fold(to));
}

/**
 * Equation 2 of RFC 1624, once recommended by RFC 1141: `HC' = HC + m + ~m'`. It gives 0xffff where recomputing
 * gives 0x0000, which verifies but is not canonical. Here only to recognise programs that compute so.
 */
export function updateRfc1141(checksum: number, from: number, to: number): number {
  return fold(checksum + from + (~to & 0xffff));
}
