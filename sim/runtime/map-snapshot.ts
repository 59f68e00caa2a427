/**
 * The contents of a map at one moment, as compact bytes: the form in which engines are compared.
 *
 * ```
 *   keys    ┌───────┬───────┬───────┬───         keySize bytes each, in order
 *           │ key 0 │ key 1 │ key 2 │ …
 *   values  ├───────┼───────┼───────┼───         valueSize bytes each
 *           │ val 0 │ val 1 │ val 2 │ …
 *           └───────┴───────┴───────┴───
 * ```
 *
 * Every entry of an array exists from the start, most of a large one zeroed: only those that are not all zero are
 * kept, in order of index. Other maps keep all entries, in order of key bytes. So equal contents are equal bytes,
 * and an array of a million entries of which ten were written costs ten.
 */
import { isZero } from '../packet/bytes.ts';
import { isArray, isPerCpu, type MapDefinition } from './maps.ts';

export interface SnapshotEntry {
  readonly key: Uint8Array;
  readonly value: Uint8Array;
}

export class MapSnapshot {
  readonly definition: MapDefinition;
  /** How many entries are kept. */
  readonly count: number;
  /** The keys of the kept entries, one behind the other. */
  readonly keys: Uint8Array;
  /** Their values; of a per-CPU map the sums over all CPUs. */
  readonly values: Uint8Array;

  constructor(definition: MapDefinition, count: number, keys: Uint8Array, values: Uint8Array) {
    this.definition = definition;
    this.count = count;
    this.keys = keys;
    this.values = values;
  }

  /** How many entries the map has: all of an array's. */
  get size(): number {
    return isArray(this.definition.type) ? this.definition.maxEntries : this.count;
  }

  /** The key of a kept entry: a view, not a copy. */
  key(row: number): Uint8Array {
    const { keySize } = this.definition;
    return this.keys.subarray(row * keySize, (row + 1) * keySize);
  }

  /** The value of a kept entry: a view, not a copy. */
  value(row: number): Uint8Array {
    const { valueSize } = this.definition;
    return this.values.subarray(row * valueSize, (row + 1) * valueSize);
  }

  /** The kept entries, one by one, in order. */
  *kept(): Iterable<SnapshotEntry> {
    for (let row = 0; row < this.count; row++) yield { key: this.key(row), value: this.value(row) };
  }

  /** All entries, with those of an array that are zero: an object for each, so for small maps. */
  list(): SnapshotEntry[] {
    if (!isArray(this.definition.type)) return [...this.kept()];
    const zero = new Uint8Array(this.definition.valueSize);
    const all: SnapshotEntry[] = Array.from({ length: this.size }, (_, index) => ({
      key: indexKey(index),
      value: zero,
    }));
    for (const { key, value } of this.kept()) all[readU32(key, 0)] = { key, value };
    return all;
  }
}

/** A u32 as the four bytes of an array's key. */
export function indexKey(index: number): Uint8Array {
  return Uint8Array.of(index, index >>> 8, index >>> 16, index >>> 24);
}

/** Do two snapshots of one map hold the same? */
export function sameContents(a: MapSnapshot, b: MapSnapshot): boolean {
  return a.count === b.count && sameBytes(a.keys, b.keys) && sameBytes(a.values, b.values);
}

export interface EntryDifference {
  readonly key: Uint8Array;
  /** The value, or undefined where there is no entry. */
  readonly expected: Uint8Array | undefined;
  readonly got: Uint8Array | undefined;
}

/** The entries in which two snapshots of maps of one kind differ, in order of their keys. */
export function* differingEntries(a: MapSnapshot, b: MapSnapshot): Iterable<EntryDifference> {
  // What an array's snapshot does not keep is zero.
  const absent = isArray(a.definition.type) ? new Uint8Array(a.definition.valueSize) : undefined;
  for (let left = 0, right = 0; left < a.count || right < b.count; ) {
    const order = left === a.count ? 1 : right === b.count ? -1 : compareKeysAt(a, left, b, right);
    const row = left;
    const otherRow = right;
    if (order <= 0) left++;
    if (order >= 0) right++;
    if (order === 0 && isSameValue(a, row, b, otherRow)) continue;
    yield {
      key: order <= 0 ? a.key(row) : b.key(otherRow),
      expected: order <= 0 ? a.value(row) : absent,
      got: order >= 0 ? b.value(otherRow) : absent,
    };
  }
}

/** Orders the keys of two rows: numbers in arrays, `memcmp` in other maps. */
function compareKeysAt(a: MapSnapshot, left: number, b: MapSnapshot, right: number): number {
  const { keySize, type } = a.definition;
  const from = left * keySize;
  const to = right * keySize;
  if (isArray(type)) return readU32(a.keys, from) - readU32(b.keys, to);
  for (let byte = 0; byte < keySize; byte++) {
    const difference = a.keys[from + byte]! - b.keys[to + byte]!;
    if (difference !== 0) return difference;
  }
  return 0;
}

function isSameValue(a: MapSnapshot, left: number, b: MapSnapshot, right: number): boolean {
  const { valueSize } = a.definition;
  const from = left * valueSize;
  const to = right * valueSize;
  for (let byte = 0; byte < valueSize; byte++) {
    if (a.values[from + byte] !== b.values[to + byte]) return false;
  }
  return true;
}

/** Makes a snapshot of entries in any order. */
export function snapshotOf(definition: MapDefinition, entries: Iterable<SnapshotEntry>): MapSnapshot {
  const builder = new SnapshotBuilder(definition);
  for (const { key, value } of entries) builder.add(key, 0, value, 0, value.length);
  return builder.finish();
}

/**
 * Makes a snapshot of what an empty map, not an array, holds once these entries have been set one after the other: of
 * equal keys, the last counts.
 */
export function snapshotOfUpdates(definition: MapDefinition, updates: readonly SnapshotEntry[]): MapSnapshot {
  const { keySize, valueSize } = definition;
  const { keys, values, count } = snapshotOf(definition, updates);
  let kept = 0;
  for (let row = 0; row < count; row++) {
    if (row + 1 < count && compareRows(keys, keySize, row, row + 1) === 0) continue;
    if (kept < row) {
      keys.copyWithin(kept * keySize, row * keySize, (row + 1) * keySize);
      values.copyWithin(kept * valueSize, row * valueSize, (row + 1) * valueSize);
    }
    kept++;
  }
  return new MapSnapshot(
    definition,
    kept,
    keys.subarray(0, kept * keySize),
    values.subarray(0, kept * valueSize),
  );
}

/** Collects entries as an engine comes across them. */
export class SnapshotBuilder {
  readonly definition: MapDefinition;
  readonly #array: boolean;
  readonly #perCpu: boolean;
  #count = 0;
  #keys: Uint8Array;
  #values: Uint8Array;

  /** @param expected for how many entries to make room at first */
  constructor(definition: MapDefinition, expected: number = 16) {
    this.definition = definition;
    this.#array = isArray(definition.type);
    this.#perCpu = isPerCpu(definition.type);
    this.#keys = new Uint8Array(expected * definition.keySize);
    this.#values = new Uint8Array(expected * definition.valueSize);
  }

  /**
   * Adds one entry, copied. An array's entries come in order of index.
   * @param valueBytes how many bytes there are at `valueAt`; a per-CPU map's value is the concatenation of all CPUs'
   *   values, each padded to a multiple of 8 bytes as the kernel does (kernel/bpf/arraymap.c,
   *   `bpf_percpu_array_copy`)
   */
  add(key: Uint8Array, keyAt: number, value: Uint8Array, valueAt: number, valueBytes: number): void {
    const { keySize, valueSize } = this.definition;
    if (this.#array && isZero(value, valueAt, valueBytes)) return;
    const row = this.#row();
    copyBytes(key, keyAt, this.#keys, row * keySize, keySize);
    if (this.#perCpu) addCpus(value, valueAt, valueBytes, this.#values, row * valueSize, valueSize);
    else copyBytes(value, valueAt, this.#values, row * valueSize, valueSize);
  }

  /** The same for a key that is a number. */
  addIndex(index: number, value: Uint8Array, valueAt: number, valueBytes: number): void {
    const { valueSize } = this.definition;
    if (this.#array && isZero(value, valueAt, valueBytes)) return;
    const row = this.#row();
    this.#keys[row * 4] = index;
    this.#keys[row * 4 + 1] = index >>> 8;
    this.#keys[row * 4 + 2] = index >>> 16;
    this.#keys[row * 4 + 3] = index >>> 24;
    if (this.#perCpu) addCpus(value, valueAt, valueBytes, this.#values, row * valueSize, valueSize);
    else copyBytes(value, valueAt, this.#values, row * valueSize, valueSize);
  }

  /** Makes room for one more; returns its row. */
  #row(): number {
    const { keySize, valueSize } = this.definition;
    const row = this.#count++;
    if (this.#count * valueSize > this.#values.length || this.#count * keySize > this.#keys.length) {
      const room = Math.max(16, row * 2);
      this.#keys = grown(this.#keys, room * keySize);
      this.#values = grown(this.#values, room * valueSize);
    }
    return row;
  }

  finish(): MapSnapshot {
    const { definition } = this;
    const { keySize, valueSize } = definition;
    const count = this.#count;
    const keys = this.#keys.subarray(0, count * keySize);
    const values = this.#values.subarray(0, count * valueSize);
    const order = this.#array ? undefined : orderOfKeys(keys, keySize, count);
    if (order === undefined) return new MapSnapshot(definition, count, keys, values);
    const sortedKeys = new Uint8Array(count * keySize);
    const sortedValues = new Uint8Array(count * valueSize);
    for (let row = 0; row < count; row++) {
      copyBytes(keys, order[row]! * keySize, sortedKeys, row * keySize, keySize);
      copyBytes(values, order[row]! * valueSize, sortedValues, row * valueSize, valueSize);
    }
    return new MapSnapshot(definition, count, sortedKeys, sortedValues);
  }
}

/** Rows fit into 21 bits of a number beside 32 bits of key: typed arrays of numbers sort without calling back. */
const ROW_BITS = 2 ** 21;

/**
 * The order in which keys are sorted; undefined where they are already. Sorts by the four bytes behind what all keys
 * have in common, and settles ties byte by byte. Equal keys stay in the order in which they came.
 */
function orderOfKeys(keys: Uint8Array, size: number, count: number): ArrayLike<number> | undefined {
  if (isSorted(keys, size, count)) return undefined;
  if (count > ROW_BITS) {
    return Uint32Array.from({ length: count }, (_, row) => row).sort(
      (a, b) => compareRows(keys, size, a, b) || a - b,
    );
  }
  const from = commonPrefix(keys, size, count);
  const packed = new Float64Array(count);
  for (let row = 0; row < count; row++) {
    let word = 0;
    for (let byte = from; byte < from + 4; byte++)
      word = word * 256 + (byte < size ? keys[row * size + byte]! : 0);
    packed[row] = word * ROW_BITS + row;
  }
  packed.sort();
  const order = new Uint32Array(count);
  for (let at = 0; at < count; at++) order[at] = packed[at]! % ROW_BITS;
  if (size <= from + 4) return order;
  const wordAt = (at: number): number => Math.floor(packed[at]! / ROW_BITS);
  for (let start = 0; start < count; ) {
    let end = start + 1;
    while (end < count && wordAt(end) === wordAt(start)) end++;
    if (end - start > 1) order.subarray(start, end).sort((a, b) => compareRows(keys, size, a, b) || a - b);
    start = end;
  }
  return order;
}

function isSorted(keys: Uint8Array, size: number, count: number): boolean {
  for (let row = 1; row < count; row++) if (compareRows(keys, size, row - 1, row) > 0) return false;
  return true;
}

function compareRows(keys: Uint8Array, size: number, a: number, b: number): number {
  for (let byte = 0; byte < size; byte++) {
    const difference = keys[a * size + byte]! - keys[b * size + byte]!;
    if (difference !== 0) return difference;
  }
  return 0;
}

function commonPrefix(keys: Uint8Array, size: number, count: number): number {
  let common = size;
  for (let row = 1; row < count && common > 0; row++) {
    for (let byte = 0; byte < common; byte++) {
      if (keys[row * size + byte] !== keys[byte]) common = byte;
    }
  }
  return common;
}

/**
 * Adds up the values of all CPUs word by word (64-bit words where the size is a multiple of 8, else 32-bit, else
 * bytes), since which CPU ran a packet is chance. The target is zero.
 */
function addCpus(
  from: Uint8Array,
  at: number,
  bytes: number,
  to: Uint8Array,
  toAt: number,
  valueSize: number,
): void {
  const stride = Math.ceil(valueSize / 8) * 8;
  const word = valueSize % 8 === 0 ? 8 : valueSize % 4 === 0 ? 4 : 1;
  for (let start = 0; start + valueSize <= bytes; start += stride) {
    for (let offset = 0; offset < valueSize; offset += word) {
      // Little-endian addition byte by byte: the carry stays within the word.
      let carry = 0;
      for (let byte = offset; byte < offset + word; byte++) {
        const sum = to[toAt + byte]! + from[at + start + byte]! + carry;
        to[toAt + byte] = sum & 0xff;
        carry = sum >> 8;
      }
    }
  }
}

/** The sum of a per-CPU value over all CPUs, as the kernel hands it to user space. */
export function sumOfCpus(values: Uint8Array, valueSize: number): Uint8Array {
  const sum = new Uint8Array(valueSize);
  addCpus(values, 0, values.length, sum, 0, valueSize);
  return sum;
}

/** Up to here a loop copies faster than `set` with its `subarray`. */
const LOOP_BYTES = 128;

function copyBytes(from: Uint8Array, fromAt: number, to: Uint8Array, toAt: number, length: number): void {
  if (length > LOOP_BYTES) to.set(from.subarray(fromAt, fromAt + length), toAt);
  else for (let index = 0; index < length; index++) to[toAt + index] = from[fromAt + index]!;
}

function grown(bytes: Uint8Array, size: number): Uint8Array {
  const larger = new Uint8Array(Math.max(size, bytes.length));
  larger.set(bytes);
  return larger;
}

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  const aligned = a.byteOffset % 4 === 0 && b.byteOffset % 4 === 0;
  const words = aligned ? a.length >> 2 : 0;
  const left = new Int32Array(a.buffer, aligned ? a.byteOffset : 0, words);
  const right = new Int32Array(b.buffer, aligned ? b.byteOffset : 0, words);
  for (let word = 0; word < words; word++) if (left[word] !== right[word]) return false;
  for (let byte = words * 4; byte < a.length; byte++) if (a[byte] !== b[byte]) return false;
  return true;
}

function readU32(bytes: Uint8Array, at: number): number {
  return (bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)) >>> 0;
}
