/**
 * The packet under construction: a cursor over a stage of bytes, from which finished packets are copied into batches many at a
 * time, and what the protocols have to tell each other.
 *
 * There is one builder, and whoever makes a packet is done with it before another is begun. Its variables and the stage lie in
 * arrays that exist once, in functions that exist once: so V8 knows their addresses when it compiles them, and a variable takes one
 * instruction, where a property of an object takes five. Nothing here allocates. Every byte of a frame is written, for the stage
 * still holds earlier packets'.
 */
import { finish, fold, swapped } from '../../sim/packet/checksum.ts';
import { CHECKSUM_ERRORS, CHECKSUMS, LONG_PAYLOAD_LENGTHS, PAYLOAD_LENGTHS } from './boundaries.ts';
import * as MUTATION from './mutation-bits.ts';
import { type PacketRandom, packetRandom, type RandomNumbers } from './random.ts';
import * as UNIFORM from './uniform.ts';

const MAX_BORDERS = 32;

/** Frames are made here, some dozens one after the other, and taken from here together. */
export const STAGE_BYTES: number = 128 * 1024;

/** Payloads above this many bytes repeat themselves; noise after an odd number of bytes, so that words differ. */
const LONG = 512;
const NOISE_PERIOD = 251;

export interface PacketBuilder {
  readonly random: PacketRandom;
  readonly bytes: Uint8Array;
  /** Of the same bytes. Words that are summed soon should be written as words: a processor waits for bytes that it is to read as one. */
  readonly view: DataView;
  /** Where the frame begins. */
  readonly start: number;
  /** Where the next byte goes: behind the last one written. */
  at: number;
  readonly length: number;
  /** The longest frame allowed, in bytes. */
  readonly maxLength: number;
  /** The mutations of this packet, a mask of `MUTATION`. */
  mutations: number;
  /** One of `UNIFORM`. */
  uniform: number;
  /** No payload but what a header needs. */
  bare: boolean;
  /** 4 or 16: the innermost IP header's address length; 0 outside of IP. */
  addressLength: number;
  /** Where its source address lies, and its final destination. */
  sourceAt: number;
  finalAt: number;
  /** Where headers begin and end: where a cut is most likely to be overlooked. */
  readonly borders: Uint32Array;
  readonly borderCount: number;
  /** Only a frame that will be cut needs them. */
  marksBorders: boolean;
  /** The destination port of the next UDP header; −1: any. */
  forcedPort: number;
  /** Writes what a UDP port announces; set by the generator, so that writers of headers need not know each other. */
  carrier: ((builder: PacketBuilder, port: number) => boolean) | undefined;

  /** Begins a frame at `start`; `fills`: of exactly `maxLength` bytes, if its content can be that long. */
  open(start: number, maxLength: number, fills?: boolean): void;
  has(mutation: number): boolean;
  /** A header begins or ends at the cursor. */
  border(): void;
  u8(value: number): void;
  u16(value: number): void;
  u32(value: number): void;
  /** Little-endian words: the 4, 6 or 16 bytes of an address. Behind 6 bytes two more are written. */
  put4(word: number): void;
  put6(first: number, second: number): void;
  put16(first: number, second: number, third: number, fourth: number): void;
  /** Copies a MAC address of this frame in. */
  copyMac(from: number): void;
  /** Copies `length` bytes of little-endian words in; up to three more are written behind them. */
  words(from: Int32Array, length: number): void;
  /** Up to three more bytes are written behind them. */
  fill(value: number, length: number): void;
  /** Up to three more bytes are written behind them. */
  noise(length: number): void;
  /** Application data of some length, to the end of the packet. */
  payload(): void;
  /**
   * The one's complement sum of a range that was written just now, in words of four bytes from its start: a processor waits for
   * bytes that it is to read together and that were written apart.
   * @param initial a sum to go on from, over data of even length
   */
  sum(offset: number, length: number, initial: number): number;
  /** The pseudo-header's sum for the IP header before the cursor; 0 outside of IP. */
  pseudoHeader(protocol: number, length: number): number;
  /** `pseudoHeader` for those who are handed a function. */
  readonly pseudoHeaderSum: (protocol: number, length: number) => number;
  /**
   * Writes the checksum over `start` to the cursor, where the field is 0 so far: right, right and steered to a corner, or wrong.
   *
   * @param initial the pseudo-header's sum, or 0
   * @param freeAt a word within the range that may take any value, at an even distance from `start`
   * @param change what programs are known to add to this checksum, or 0: steering aims at corners before and
   *   after that
   */
  seal(start: number, checksumAt: number, initial: number, freeAt: number, change: number): void;
  /** Writes the checksum that goes with a sum over everything else, or a wrong one. @param neverZero is 0 written as 0xffff? */
  place(checksumAt: number, total: number, neverZero: boolean): void;
  /** The same for a range whose mutation is `headerChecksum`: the IPv4 header, which ends at `end`. */
  sealHeader(start: number, end: number, checksumAt: number, freeAt: number, change: number): void;
}

export const packetBuilder: PacketBuilder = createPacketBuilder();

function createPacketBuilder(): PacketBuilder {
  // Places of the variables; what they mean is said above.
  const START = 0;
  const AT = 1;
  const MAX_LENGTH = 2;
  const FILLS = 3;
  const MUTATIONS = 4;
  const UNIFORM_FILL = 5;
  const BARE = 6;
  const ADDRESS_LENGTH = 7;
  const SOURCE_AT = 8;
  const FINAL_AT = 9;
  const BORDER_COUNT = 10;
  const MARKS_BORDERS = 11;
  const FORCED_PORT = 12;
  // V8 keeps arrays of up to 64 bytes among its own objects, which move.
  const state = new Int32Array(32);
  const bytes = new Uint8Array(STAGE_BYTES);
  const view = new DataView(bytes.buffer);
  const borders = new Uint32Array(MAX_BORDERS);
  const random = packetRandom;
  // A boundary, or anything below 64, for each nine random bits.
  const ordinaryLengths = Uint16Array.from({ length: 512 }, (_, bits) =>
    (bits & 1) === 0 ? (bits >>> 1) & 63 : PAYLOAD_LENGTHS[((bits >>> 1) * PAYLOAD_LENGTHS.length) >>> 8]!,
  );
  // What counts of the last two words, for the number of bytes left of them.
  const firstLeft = new Int32Array(32);
  const secondLeft = new Int32Array(32);
  firstLeft.set([0, 0xff, 0xffff, 0xff_ffff, -1, -1, -1, -1]);
  secondLeft.set([0, 0, 0, 0, 0, 0xff, 0xffff, 0xff_ffff]);

  class Builder implements PacketBuilder {
    carrier: PacketBuilder['carrier'];

    get random(): PacketRandom {
      return random;
    }

    get bytes(): Uint8Array {
      return bytes;
    }

    get view(): DataView {
      return view;
    }

    get borders(): Uint32Array {
      return borders;
    }

    get start(): number {
      return state[START]!;
    }

    get at(): number {
      return state[AT]!;
    }

    set at(value: number) {
      state[AT] = value;
    }

    get maxLength(): number {
      return state[MAX_LENGTH]!;
    }

    get mutations(): number {
      return state[MUTATIONS]!;
    }

    set mutations(value: number) {
      state[MUTATIONS] = value;
    }

    get uniform(): number {
      return state[UNIFORM_FILL]!;
    }

    set uniform(value: number) {
      state[UNIFORM_FILL] = value;
    }

    get addressLength(): number {
      return state[ADDRESS_LENGTH]!;
    }

    set addressLength(value: number) {
      state[ADDRESS_LENGTH] = value;
    }

    get sourceAt(): number {
      return state[SOURCE_AT]!;
    }

    set sourceAt(value: number) {
      state[SOURCE_AT] = value;
    }

    get finalAt(): number {
      return state[FINAL_AT]!;
    }

    set finalAt(value: number) {
      state[FINAL_AT] = value;
    }

    get borderCount(): number {
      return state[BORDER_COUNT]!;
    }

    get forcedPort(): number {
      return state[FORCED_PORT]!;
    }

    set forcedPort(value: number) {
      state[FORCED_PORT] = value;
    }

    get bare(): boolean {
      return state[BARE] !== 0;
    }

    set bare(value: boolean) {
      state[BARE] = value ? 1 : 0;
    }

    get marksBorders(): boolean {
      return state[MARKS_BORDERS] !== 0;
    }

    set marksBorders(value: boolean) {
      state[MARKS_BORDERS] = value ? 1 : 0;
    }

    open(start: number, maxLength: number, fills: boolean = false): void {
      state[FILLS] = fills ? 1 : 0;
      state[START] = start;
      state[AT] = start;
      state[MAX_LENGTH] = maxLength;
      state[UNIFORM_FILL] = UNIFORM.none;
      state[ADDRESS_LENGTH] = 0;
      state[BORDER_COUNT] = 0;
      state[FORCED_PORT] = -1;
    }

    get length(): number {
      return state[AT]! - state[START]!;
    }

    has(mutation: number): boolean {
      return (state[MUTATIONS]! & mutation) !== 0;
    }

    border(): void {
      if (state[MARKS_BORDERS] !== 0) this.mark();
    }

    private mark(): void {
      if (state[BORDER_COUNT]! < MAX_BORDERS) borders[state[BORDER_COUNT]!++] = state[AT]!;
    }

    u8(value: number): void {
      bytes[state[AT]!++] = value;
    }

    u16(value: number): void {
      view.setInt16(state[AT]!, value);
      state[AT]! += 2;
    }

    u32(value: number): void {
      view.setInt32(state[AT]!, value);
      state[AT]! += 4;
    }

    put4(word: number): void {
      const at = state[AT]!;
      view.setInt32(at, word, true);
      state[AT] = at + 4;
    }

    put6(first: number, second: number): void {
      const at = state[AT]!;
      view.setInt32(at, first, true);
      view.setInt32(at + 4, second, true);
      state[AT] = at + 6;
    }

    put16(first: number, second: number, third: number, fourth: number): void {
      const at = state[AT]!;
      view.setInt32(at, first, true);
      view.setInt32(at + 4, second, true);
      view.setInt32(at + 8, third, true);
      view.setInt32(at + 12, fourth, true);
      state[AT] = at + 16;
    }

    copyMac(from: number): void {
      const at = state[AT]!;
      view.setInt32(at, view.getInt32(from));
      view.setInt16(at + 4, view.getInt16(from + 4));
      state[AT] = at + 6;
    }

    words(from: Int32Array, length: number): void {
      const at = state[AT]!;
      for (let offset = 0; offset < length; offset += 4) view.setInt32(at + offset, from[offset >> 2]!, true);
      state[AT] = at + length;
    }

    /** A loop: for a few bytes it is faster than the built-in `fill`. */
    fill(value: number, length: number): void {
      const end = state[AT]! + length;
      if (length > 64) bytes.fill(value, state[AT]!, end);
      else {
        const word = Math.imul(value & 0xff, 0x0101_0101);
        for (let at = state[AT]!; at < end; at += 4) view.setInt32(at, word, true);
      }
      state[AT] = end;
    }

    noise(length: number): void {
      const end = state[AT]! + length;
      random.fillWords(view, state[AT]!, end);
      state[AT] = end;
    }

    payload(): void {
      if (state[BARE] !== 0) return;
      const bits = random.bits();
      const left = (state[START]! + state[MAX_LENGTH]! - state[AT]!) | 0;
      const room = left > 0 ? left : 0;
      let length = room;
      if (state[FILLS] === 0) {
        const wanted = this.has(MUTATION.long)
          ? this.longLength(bits)
          : ordinaryLengths[(bits >>> 8) & 0x1ff]!;
        if (wanted < room) length = wanted;
      }
      if (state[UNIFORM_FILL]! !== UNIFORM.none)
        this.fill(state[UNIFORM_FILL]! <= UNIFORM.zeroPayload ? 0 : 0xff, length);
      else if (length > LONG) this.longPayload(bits, length);
      else if (bits < 0) this.rising(bits, length);
      else this.noise(length);
    }

    /** Repeats itself: writing each byte of a long frame would cost more than all that is done with it. */
    private longPayload(bits: number, length: number): void {
      const start = state[AT]!;
      const end = start + length;
      if (bits < 0) this.rising(bits, 256);
      else this.noise(NOISE_PERIOD);
      // Each copy doubles what is there.
      while (state[AT]! < end) {
        const size = Math.min(state[AT]! - start, end - state[AT]!);
        bytes.copyWithin(state[AT]!, start, start + size);
        state[AT]! += size;
      }
    }

    /** Rising bytes, as ping sends them. */
    private rising(first: number, length: number): void {
      const end = state[AT]! + length;
      // Four bytes at a time, each of which rises by four without a carry into the next.
      let word = rise(Math.imul(first & 0xff, 0x0101_0101), 0x0302_0100);
      for (let at = state[AT]!; at < end; at += 4) {
        view.setInt32(at, word, true);
        word = rise(word, 0x0404_0404);
      }
      state[AT] = end;
    }

    /** As much as the frame holds, anything up to that, or a boundary. */
    private longLength(bits: number): number {
      if ((bits & 3) === 0) return state[MAX_LENGTH]!;
      if ((bits & 3) === 1) return random.below(state[MAX_LENGTH]! + 1);
      return random.pick(LONG_PAYLOAD_LENGTHS);
    }

    /** Nothing branches on how many bytes the last word has, which cannot be guessed. */
    sum(offset: number, length: number, initial: number): number {
      let low = 0;
      let high = 0;
      let at = offset;
      // Both accumulators stay below 2^31 for 256 KiB.
      for (const end = offset + (length & ~7); at < end; at += 8) {
        const a = view.getInt32(at, true);
        const b = view.getInt32(at + 4, true);
        low = (low + (a & 0xffff) + (b & 0xffff)) | 0;
        high = (high + (a >>> 16) + (b >>> 16)) | 0;
      }
      const left = length & 7;
      const a = view.getInt32(at, true) & firstLeft[left]!;
      const b = view.getInt32(at + 4, true) & secondLeft[left]!;
      low = (low + (a & 0xffff) + (b & 0xffff)) | 0;
      high = (high + (a >>> 16) + (b >>> 16)) | 0;
      low = (low & 0xffff) + (low >>> 16) + (high & 0xffff) + (high >>> 16);
      return fold(swapped(fold(low)) + initial);
    }

    pseudoHeader(protocol: number, length: number): number {
      const sourceAt = state[SOURCE_AT]!;
      const finalAt = state[FINAL_AT]!;
      const addressLength = state[ADDRESS_LENGTH]!;
      if (addressLength === 0) return 0;
      let total = protocol + (length & 0xffff) + (length >>> 16);
      for (let at = 0; at < addressLength; at += 4) {
        const source = view.getInt32(sourceAt + at);
        const final = view.getInt32(finalAt + at);
        total += (source & 0xffff) + (source >>> 16) + (final & 0xffff) + (final >>> 16);
      }
      return fold(total);
    }

    readonly pseudoHeaderSum = (protocol: number, length: number): number =>
      this.pseudoHeader(protocol, length);

    seal(start: number, checksumAt: number, initial: number, freeAt: number, change: number): void {
      const at = state[AT]!;
      if (checksumAt + 2 > at) return;
      let total = this.sum(start, at - start, initial);
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

    place(checksumAt: number, total: number, neverZero: boolean): void {
      let checksum = finish(total);
      if (checksum === 0 && neverZero) checksum = 0xffff;
      if (this.has(MUTATION.checksum)) checksum = this.wrong(checksum);
      bytes[checksumAt] = checksum >>> 8;
      bytes[checksumAt + 1] = checksum;
    }

    sealHeader(start: number, end: number, checksumAt: number, freeAt: number, change: number): void {
      let total = this.sum(start, end - start, 0);
      let checksum = finish(total);
      if (this.has(MUTATION.headerChecksum)) {
        if (random.chance(192)) {
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
      const old = (bytes[freeAt]! << 8) | bytes[freeAt + 1]!;
      const rest = fold(total + (~old & 0xffff));
      const word = fold((~target & 0xffff) + (~rest & 0xffff));
      bytes[freeAt] = word >>> 8;
      bytes[freeAt + 1] = word;
      return fold(rest + word);
    }

    /** A checksum that is a corner value, or becomes one when `change` is added. */
    private target(change: number): number {
      const bits = random.bits();
      const corner = cornerChecksum(bits, random);
      return bits < 0 ? corner : fold(corner + (~change & 0xffff));
    }

    private wrong(checksum: number): number {
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

  return new Builder();
}

/** Adds two words byte by byte. @param by its bytes are below 128 */
function rise(word: number, by: number): number {
  return ((word & 0x7f7f_7f7f) + by) ^ (word & 0x8080_8080);
}

/**
 * A value of 16 bits near a carry, in either byte order: 0xffff − n, 0xffxx, 0x00xx, these with their bytes
 * swapped, and the pool.
 */
function cornerChecksum(bits: number, random: RandomNumbers): number {
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
