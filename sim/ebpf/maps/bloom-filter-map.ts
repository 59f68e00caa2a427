/**
 * BPF_MAP_TYPE_BLOOM_FILTER (kernel/bpf/bloom_filter.c): a bit set, and for each value a few bits of it.
 *
 * The kernel starts its hashes from a random number, unless the map has BPF_F_ZERO_SEED: which values are taken for others
 * is chance then. The machine always starts from 0, and the kernel's engines set the flag.
 */
import { EINVAL, ENOENT, EOPNOTSUPP } from '../../runtime/errno.ts';
import type { BpfMap } from '../bpf-object.ts';
import type { LinearMemory } from '../memory.ts';
import { BPF_ANY, DESCRIPTOR, LiveMap, type MapContent } from './live-map.ts';

const DEFAULT_HASHES = 5;
/** The lower four bits of `map_extra`. */
const HASHES_MASK = 0xfn;
const SMALLEST_SET = 64;
const LARGEST_SET = 2 ** 32;
/** Bytes of the largest set that is copied for those who ask what is in it. */
const MAX_CONTENTS = 65_536;

export class BloomFilterMap extends LiveMap {
  readonly #bits: number;
  readonly #bytes: number;
  /** One less than the number of bits, which is a power of two. */
  readonly #mask: number;
  readonly #hashes: number;

  constructor(memory: LinearMemory, source: BpfMap, index: number, typeNumber: number) {
    super(memory, source, index, typeNumber);
    this.#hashes = Number(source.mapExtra & HASHES_MASK) || DEFAULT_HASHES;
    const bits = bitsOf(source.maxEntries, this.#hashes);
    this.#mask = bits - 1;
    this.#bytes = bits / 8;
    this.#bits = memory.allocate(this.#bytes);
    this.setWord(DESCRIPTOR.storage, this.#bits);
  }

  override lookup(_key: number): number {
    return 0;
  }

  override update(_key: number, _value: number, _flags: number): number {
    return -EINVAL;
  }

  override delete(_key: number): number {
    return -EOPNOTSUPP;
  }

  override push(value: number, flags: number): number {
    if (flags !== BPF_ANY) return -EINVAL;
    const { u8 } = this.memory;
    for (let index = 0; index < this.#hashes; index++) {
      const bit = this.#hash(value, index);
      u8[this.#bits + Math.floor(bit / 8)]! |= 1 << (bit & 7);
    }
    return 0;
  }

  /** @returns 0: the value may have been pushed; -ENOENT: it certainly was not */
  override peek(value: number): number {
    const { u8 } = this.memory;
    for (let index = 0; index < this.#hashes; index++) {
      const bit = this.#hash(value, index);
      if ((u8[this.#bits + Math.floor(bit / 8)]! & (1 << (bit & 7))) === 0) return -ENOENT;
    }
    return 0;
  }

  override clear(): void {
    this.memory.u8.fill(0, this.#bits, this.#bits + this.#bytes);
  }

  /** User space can ask for single values only. */
  override snapshot(): undefined {
    return undefined;
  }

  override contents(): readonly MapContent[] | undefined {
    if (this.#bytes > MAX_CONTENTS) return undefined;
    return [{ name: 'bits', bytes: this.memory.read(this.#bits, this.#bytes) }];
  }

  override load(key: Uint8Array, value: Uint8Array, scratch: number): number {
    if (key.length !== 0 || value.length !== this.definition.valueSize) return -EINVAL;
    this.memory.u8.set(value, scratch);
    return this.push(scratch, BPF_ANY);
  }

  #hash(value: number, seed: number): number {
    return (jhash(this.memory.view, value, this.definition.valueSize, seed) & this.#mask) >>> 0;
  }
}

/** `bloom_map_alloc` */
function bitsOf(entries: number, hashes: number): number {
  const wanted = Math.floor((entries * hashes) / 5) * 7;
  // What does not fit into 32 bits, or is more than 2^31, is all that 32 bits can number.
  if (entries * hashes >= LARGEST_SET || wanted >= LARGEST_SET || wanted > 2 ** 31) return LARGEST_SET;
  let bits = SMALLEST_SET;
  while (bits < wanted) bits *= 2;
  return bits;
}

const GOLDEN = 0xdeadbeef;

/** `jhash` and, for whole words, `jhash2` (include/linux/jhash.h), which agree on little-endian machines. */
export function jhash(view: DataView, at: number, size: number, seed: number): number {
  let a = (GOLDEN + size + seed) | 0;
  let b = a;
  let c = a;
  let from = at;
  let left = size;
  for (; left > 12; left -= 12, from += 12) {
    a = (a + view.getInt32(from, true)) | 0;
    b = (b + view.getInt32(from + 4, true)) | 0;
    c = (c + view.getInt32(from + 8, true)) | 0;
    a = (a - c) ^ rol(c, 4);
    c = (c + b) | 0;
    b = (b - a) ^ rol(a, 6);
    a = (a + c) | 0;
    c = (c - b) ^ rol(b, 8);
    b = (b + a) | 0;
    a = (a - c) ^ rol(c, 16);
    c = (c + b) | 0;
    b = (b - a) ^ rol(a, 19);
    a = (a + c) | 0;
    c = (c - b) ^ rol(b, 4);
    b = (b + a) | 0;
  }
  if (left === 0) return c >>> 0;
  for (let index = left - 1; index >= 0; index--) {
    const byte = view.getUint8(from + index) << (8 * (index & 3));
    if (index >= 8) c = (c + byte) | 0;
    else if (index >= 4) b = (b + byte) | 0;
    else a = (a + byte) | 0;
  }
  // __jhash_final
  c = (c ^ b) - rol(b, 14);
  a = (a ^ c) - rol(c, 11);
  b = (b ^ a) - rol(a, 25);
  c = (c ^ b) - rol(b, 16);
  a = (a ^ c) - rol(c, 4);
  b = (b ^ a) - rol(a, 14);
  c = (c ^ b) - rol(b, 24);
  return c >>> 0;
}

function rol(word: number, by: number): number {
  return (word << by) | (word >>> (32 - by));
}
