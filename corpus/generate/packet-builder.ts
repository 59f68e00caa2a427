/**
 * The packet under construction: a cursor over the batch's arena, and what the protocols have to tell each other.
 *
 * One builder serves a generator's whole life; nothing here allocates. Every byte of a frame is written, for the
 * arena still holds an earlier batch's.
 */
import { finish, fold, sumWritten } from '../../sim/packet/checksum.ts';
import { CHECKSUM_ERRORS, CHECKSUMS, LONG_PAYLOAD_LENGTHS, PAYLOAD_LENGTHS } from './boundaries.ts';
import { MUTATION } from './mutations.ts';
import { Random } from './random.ts';

/** What a `uniform` mutation fills, and with what. */
export const UNIFORM = {
  none: 0,
  zeroMessage: 1,
  zeroPayload: 2,
  onesPayload: 3,
  onesMessage: 4,
} as const;

const MAX_BORDERS = 32;

/** Payloads above this many bytes repeat themselves; noise after an odd number of bytes, so that words differ. */
const LONG = 512;
const NOISE_PERIOD = 251;

export class PacketBuilder {
  readonly random: Random = new Random();
  bytes: Uint8Array = new Uint8Array(0);
  /** Of the same bytes. Words that are summed soon should be written as words: a processor waits for bytes that it is to read as one. */
  view: DataView = new DataView(this.bytes.buffer);
  /** Where the frame begins. */
  start = 0;
  /** Where the next byte goes: behind the last one written. */
  at = 0;
  /** The longest frame allowed, in bytes. */
  maxLength = 0;
  /** Payloads fill the frame to `maxLength`, if they can. */
  fills = false;
  /** The mutations of this packet, a mask of `MUTATION`. */
  mutations = 0;
  /** One of `UNIFORM`. */
  uniform = 0;
  /** No payload but what a header needs. */
  bare = false;
  /** 4 or 16: the innermost IP header's address length; 0 outside of IP. */
  addressLength = 0;
  /** Where its source address lies, and its final destination. */
  sourceAt = 0;
  finalAt = 0;
  /** Where headers begin and end: where a cut is most likely to be overlooked. */
  readonly borders: Uint32Array = new Uint32Array(MAX_BORDERS);
  borderCount = 0;
  /** Only a frame that will be cut needs them. */
  marksBorders = false;

  /** The destination port of the next UDP header; −1: any. */
  forcedPort = -1;
  /** Writes what a UDP port announces; set by the generator, so that writers of headers need not know each other. */
  carrier: ((builder: PacketBuilder, port: number) => boolean) | undefined;

  /** Begins a frame at `start`; `fills`: of exactly `maxLength` bytes, if its content can be that long. */
  open(bytes: Uint8Array, start: number, maxLength: number, fills: boolean = false): void {
    this.fills = fills;
    if (this.bytes !== bytes) {
      this.bytes = bytes;
      this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    }
    this.start = start;
    this.at = start;
    this.maxLength = maxLength;
    this.uniform = UNIFORM.none;
    this.addressLength = 0;
    this.borderCount = 0;
    this.forcedPort = -1;
  }

  get length(): number {
    return this.at - this.start;
  }

  has(mutation: number): boolean {
    return (this.mutations & mutation) !== 0;
  }

  /** A header begins or ends at the cursor. */
  border(): void {
    if (this.marksBorders && this.borderCount < MAX_BORDERS) this.borders[this.borderCount++] = this.at;
  }

  u8(value: number): void {
    this.bytes[this.at++] = value;
  }

  u16(value: number): void {
    this.view.setInt16(this.at, value);
    this.at += 2;
  }

  u32(value: number): void {
    this.view.setInt32(this.at, value);
    this.at += 4;
  }

  /** Copies a MAC address of this frame in. */
  copyMac(from: number): void {
    const { view, at } = this;
    view.setInt32(at, view.getInt32(from));
    view.setInt16(at + 4, view.getInt16(from + 4));
    this.at = at + 6;
  }

  /** Copies `length` bytes of little-endian words in; up to three more are written behind them. */
  words(from: Int32Array, length: number): void {
    const { view, at } = this;
    for (let offset = 0; offset < length; offset += 4) view.setInt32(at + offset, from[offset >> 2]!, true);
    this.at = at + length;
  }

  /** A loop: for a few bytes it is faster than the built-in `fill`. Up to three more are written behind them. */
  fill(value: number, length: number): void {
    const { view } = this;
    const end = this.at + length;
    if (length > 64) this.bytes.fill(value, this.at, end);
    else {
      const word = Math.imul(value & 0xff, 0x0101_0101);
      for (let at = this.at; at < end; at += 4) view.setInt32(at, word, true);
    }
    this.at = end;
  }

  /** Up to three more bytes are written behind them. */
  noise(length: number): void {
    const end = this.at + length;
    this.random.fillWords(this.view, this.at, end);
    this.at = end;
  }

  /** Application data of some length, to the end of the packet. */
  payload(): void {
    if (this.bare) return;
    const bits = this.random.bits();
    const room = Math.max(0, this.start + this.maxLength - this.at);
    const wanted = this.has(MUTATION.long) ? this.longLength(bits) : ORDINARY_LENGTHS[(bits >>> 8) & 0x1ff]!;
    const length = this.fills ? room : Math.min(wanted, room);
    if (this.uniform !== UNIFORM.none) this.fill(this.uniform <= UNIFORM.zeroPayload ? 0 : 0xff, length);
    else if (length > LONG) this.longPayload(bits, length);
    else if (bits < 0) this.rising(bits, length);
    else this.noise(length);
  }

  /** Repeats itself: writing each byte of a long frame would cost more than all that is done with it. */
  private longPayload(bits: number, length: number): void {
    const start = this.at;
    const end = start + length;
    if (bits < 0) this.rising(bits, 256);
    else this.noise(NOISE_PERIOD);
    // Each copy doubles what is there.
    while (this.at < end) {
      const size = Math.min(this.at - start, end - this.at);
      this.bytes.copyWithin(this.at, start, start + size);
      this.at += size;
    }
  }

  /** Rising bytes, as ping sends them. */
  private rising(first: number, length: number): void {
    const { view } = this;
    const end = this.at + length;
    // Four bytes at a time, each of which rises by four without a carry into the next.
    let word = rise(Math.imul(first & 0xff, 0x0101_0101), 0x0302_0100);
    for (let at = this.at; at < end; at += 4) {
      view.setInt32(at, word, true);
      word = rise(word, 0x0404_0404);
    }
    this.at = end;
  }

  /** As much as the frame holds, anything up to that, or a boundary. */
  private longLength(bits: number): number {
    if ((bits & 3) === 0) return this.maxLength;
    if ((bits & 3) === 1) return this.random.below(this.maxLength + 1);
    return this.random.pick(LONG_PAYLOAD_LENGTHS);
  }

  /** The pseudo-header's sum for the IP header before the cursor; 0 outside of IP. */
  pseudoHeader(protocol: number, length: number): number {
    const { view, sourceAt, finalAt, addressLength } = this;
    if (addressLength === 0) return 0;
    let total = protocol + (length & 0xffff) + (length >>> 16);
    for (let at = 0; at < addressLength; at += 4) {
      const source = view.getInt32(sourceAt + at);
      const final = view.getInt32(finalAt + at);
      total += (source & 0xffff) + (source >>> 16) + (final & 0xffff) + (final >>> 16);
    }
    return fold(total);
  }

  /** `pseudoHeader` for those who are handed a function: made once, not for each packet. */
  readonly pseudoHeaderSum = (protocol: number, length: number): number =>
    this.pseudoHeader(protocol, length);

  /**
   * Writes the checksum over `start` to the cursor, where the field is 0 so far: right, right and steered to a corner, or wrong.
   *
   * @param initial the pseudo-header's sum, or 0
   * @param freeAt a word within the range that may take any value, at an even distance from `start`
   * @param change what programs are known to add to this checksum, or 0: steering aims at corners before and
   *   after that
   */
  seal(start: number, checksumAt: number, initial: number, freeAt: number, change: number): void {
    const { view, at } = this;
    if (checksumAt + 2 > at) return;
    let total = sumWritten(view, start, at - start, initial);
    let checksum = finish(total);
    if (this.has(MUTATION.steer) && freeAt + 2 <= at) {
      const target = this.target(change);
      total = this.steer(total, freeAt, target);
      checksum = finish(total);
      // 0xffff is 0x0000's other name: it verifies, and programs that compute right may still see it.
      if (checksum === 0 && target === 0xffff) checksum = 0xffff;
    }
    if (this.has(MUTATION.checksum)) checksum = this.wrong(checksum);
    view.setInt16(checksumAt, checksum);
  }

  /** Writes the checksum that goes with a sum over everything else, or a wrong one. @param neverZero is 0 written as 0xffff? */
  place(checksumAt: number, total: number, neverZero: boolean): void {
    let checksum = finish(total);
    if (checksum === 0 && neverZero) checksum = 0xffff;
    if (this.has(MUTATION.checksum)) checksum = this.wrong(checksum);
    this.bytes[checksumAt] = checksum >>> 8;
    this.bytes[checksumAt + 1] = checksum;
  }

  /** The same for a range whose mutation is `headerChecksum`: the IPv4 header, which ends at `end`. */
  sealHeader(start: number, end: number, checksumAt: number, freeAt: number, change: number): void {
    const { view } = this;
    let total = sumWritten(view, start, end - start, 0);
    let checksum = finish(total);
    if (this.has(MUTATION.headerChecksum)) {
      if (this.random.chance(192)) {
        const target = this.target(change);
        total = this.steer(total, freeAt, target);
        checksum = finish(total);
        if (checksum === 0 && target === 0xffff) checksum = 0xffff;
      } else {
        checksum = this.wrong(checksum);
      }
    }
    view.setInt16(checksumAt, checksum);
  }

  /** Sets the free word so that the checksum over a range with this sum becomes `target`; returns the new sum. */
  private steer(total: number, freeAt: number, target: number): number {
    const { bytes } = this;
    const old = (bytes[freeAt]! << 8) | bytes[freeAt + 1]!;
    const rest = fold(total + (~old & 0xffff));
    const word = fold((~target & 0xffff) + (~rest & 0xffff));
    bytes[freeAt] = word >>> 8;
    bytes[freeAt + 1] = word;
    return fold(rest + word);
  }

  /** A checksum that is a corner value, or becomes one when `change` is added. */
  private target(change: number): number {
    const bits = this.random.bits();
    const corner = cornerChecksum(bits, this.random);
    return bits < 0 ? corner : fold(corner + (~change & 0xffff));
  }

  private wrong(checksum: number): number {
    const { random } = this;
    const bits = random.bits();
    switch (bits & 7) {
      case 0:
        return 0;
      case 1:
        return 0xffff;
      case 2:
        return ((checksum & 0xff) << 8) | (checksum >>> 8);
      case 3:
        return ~checksum & 0xffff;
      case 4:
        return bits >>> 16;
      default:
        return fold(checksum + random.pick(CHECKSUM_ERRORS));
    }
  }
}

/** Adds two words byte by byte. @param by its bytes are below 128 */
function rise(word: number, by: number): number {
  return ((word & 0x7f7f_7f7f) + by) ^ (word & 0x8080_8080);
}

/** A boundary, or anything below 64, for each nine random bits. */
const ORDINARY_LENGTHS: Uint16Array = Uint16Array.from({ length: 512 }, (_, bits) =>
  (bits & 1) === 0 ? (bits >>> 1) & 63 : PAYLOAD_LENGTHS[((bits >>> 1) * PAYLOAD_LENGTHS.length) >>> 8]!,
);

/**
 * A value of 16 bits near a carry, in either byte order: 0xffff − n, 0xffxx, 0x00xx, these with their bytes
 * swapped, and the pool.
 */
function cornerChecksum(bits: number, random: Random): number {
  const low = (bits >>> 8) & 0xff;
  switch (bits & 15) {
    case 0:
    case 1:
      return 0xffff - (low & 31);
    case 2:
    case 3:
      return 0xffff - ((low & 31) << 8);
    case 4:
      return 0xff00 | low;
    case 5:
      return (low << 8) | 0xff;
    case 6:
      return low;
    case 7:
      return low << 8;
    case 8:
      return (low & 1) === 0 ? 0x0000 : 0xffff;
    default:
      return random.pick(CHECKSUMS);
  }
}
