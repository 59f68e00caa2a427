/** eBPF maps in memory, for models: what they can be asked; the kernel's semantics. */
import type { MapSnapshot } from './map-snapshot.ts';
import type { MapDefinition } from './maps.ts';

export const BPF_ANY = 0;
export const BPF_NOEXIST = 1;
export const BPF_EXIST = 2;

/**
 * One map of a model. A per-CPU map holds one value per key here: a model runs on one CPU, and comparisons add
 * the CPUs up. What a kind of map does not offer answers as the kernel does: -EOPNOTSUPP, -EINVAL, or nothing there.
 */
export interface ModelMap {
  readonly definition: MapDefinition;
  /**
   * The value itself, to read and change in place as `bpf_map_lookup_elem` allows; undefined where there is none. An update of a
   * hash without per-CPU values, or of a trie, puts another array in its place.
   */
  lookup(key: Uint8Array): Uint8Array | undefined;
  /** The same for maps keyed by u32. */
  lookupIndex(index: number): Uint8Array | undefined;
  /** 0, or a negative errno: -E2BIG when full, -EEXIST, -ENOENT, -EINVAL. */
  update(key: Uint8Array, value: Uint8Array, flags?: number): number;
  /** 0, or -ENOENT; arrays refuse with -EINVAL. */
  delete(key: Uint8Array): number;
  /** Queues and stacks, `bpf_map_push_elem`: 0, or -E2BIG when full (BPF_EXIST drops the oldest instead). */
  push(value: Uint8Array, flags?: number): number;
  /** Queues and stacks, `bpf_map_pop_elem`: a copy of the element taken out; undefined where there is none. */
  pop(): Uint8Array | undefined;
  /** Queues and stacks, `bpf_map_peek_elem`: a copy of the element that `pop` would take out. */
  peek(): Uint8Array | undefined;
  /** Maps of maps: the map in a slot. */
  inner(key: Uint8Array | number): ModelMap | undefined;
  /** Ring buffers, `bpf_ringbuf_output`: 0, or -EAGAIN when full. */
  output(sample: Uint8Array): number;
  /** What is in it; undefined for kinds that user space cannot read without changing them. */
  snapshot(): MapSnapshot | undefined;
}

/** Adds to a little-endian u64 inside a value, as `__sync_fetch_and_add` does; `amount` is a whole number below 2^32. */
export function addU64(value: Uint8Array, at: number, amount: number): void {
  const low = readU32(value, at) + amount;
  writeU32(value, at, low);
  if (low > 0xffff_ffff) writeU32(value, at + 4, readU32(value, at + 4) + 1);
}

function readU32(bytes: Uint8Array, at: number): number {
  return (bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)) >>> 0;
}

function writeU32(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value;
  bytes[at + 1] = value >>> 8;
  bytes[at + 2] = value >>> 16;
  bytes[at + 3] = value >>> 24;
}
