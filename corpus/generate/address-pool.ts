/** Addresses ready to be copied into packets: the generator's most frequent act. */
import { ipv4FromText, ipv6FromText, macFromText } from '../../sim/packet/addresses.ts';
import { ORDINARY_IPV4, ORDINARY_IPV6, ORDINARY_MACS } from './boundaries.ts';
import { type PacketBuilder, packetBuilder } from './packet-builder.ts';

/** Addresses of 4, 6 or 16 bytes, each in little-endian words one after the other, the last one filled up with zeros. */
export class AddressPool {
  readonly count: number;
  /** Bytes of each. */
  readonly length: number;
  private readonly words: Int32Array;
  /** Words of each. */
  private readonly size: number;

  /** @throws {RangeError} when an item has not `length` bytes */
  constructor(items: readonly Uint8Array[], length: number) {
    this.size = (length + 3) >> 2;
    this.length = length;
    this.count = items.length;
    this.words = wordsOf(items, length);
  }

  /** Copies one into the builder: the one that bits 4 to 15 choose. */
  draw(builder: PacketBuilder, bits: number): void {
    this.write(builder, itemFor(bits, this.count));
  }

  /** Copies the one with this number. Behind those of 6 bytes two more are written. */
  write(builder: PacketBuilder, item: number): void {
    const { words, size } = this;
    const from = item * size;
    if (size === 1) builder.put4(words[from]!);
    else if (size === 2) builder.put6(words[from]!, words[from + 1]!);
    else builder.put16(words[from]!, words[from + 1]!, words[from + 2]!, words[from + 3]!);
  }
}

/** Which of so many items bits 4 to 15 choose. */
export function itemFor(bits: number, count: number): number {
  return (((bits >>> 4) & 0xfff) * count) >>> 12;
}

function wordsOf(items: readonly Uint8Array[], length: number): Int32Array {
  const size = (length + 3) >> 2;
  const words = new Int32Array(items.length * size);
  for (const [index, item] of items.entries()) {
    if (item.length !== length)
      throw new RangeError(`an address of ${item.length} bytes; it takes ${length}`);
    for (let at = 0; at < length; at++) words[index * size + (at >> 2)]! |= item[at]! << (8 * (at & 3));
  }
  return words;
}

/** Hosts that packets ordinarily travel between. Each is drawn like one of a pool. */
interface OrdinaryAddresses {
  mac(bits: number): void;
  ipv4(bits: number): void;
  ipv6(bits: number): void;
}

/** Most addresses are of these, so V8 is to know where they lie (see `packetBuilder`). */
export const ordinaryAddresses: OrdinaryAddresses = createOrdinary();

function createOrdinary(): OrdinaryAddresses {
  const builder = packetBuilder;
  const macs = constant(ORDINARY_MACS.map(macFromText), 6);
  const hosts4 = constant(ORDINARY_IPV4.map(ipv4FromText), 4);
  const hosts6 = constant(ORDINARY_IPV6.map(ipv6FromText), 16);
  const macCount = ORDINARY_MACS.length;
  const count4 = ORDINARY_IPV4.length;
  const count6 = ORDINARY_IPV6.length;

  class Ordinary implements OrdinaryAddresses {
    mac(bits: number): void {
      const from = 2 * itemFor(bits, macCount);
      builder.put6(macs[from]!, macs[from + 1]!);
    }

    ipv4(bits: number): void {
      builder.put4(hosts4[itemFor(bits, count4)]!);
    }

    ipv6(bits: number): void {
      const from = 4 * itemFor(bits, count6);
      builder.put16(hosts6[from]!, hosts6[from + 1]!, hosts6[from + 2]!, hosts6[from + 3]!);
    }
  }

  return new Ordinary();
}

/** In an array that is larger than those that V8 moves. */
function constant(items: readonly Uint8Array[], length: number): Int32Array {
  const words = wordsOf(items, length);
  const all = new Int32Array(Math.max(32, words.length));
  all.set(words);
  return all;
}
