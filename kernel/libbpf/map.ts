/** One map of a loaded object, as the kernel holds it. Keys and values are copies. */
import { EngineError } from '../../sim/engines/engine.ts';
import { readU32le } from '../../sim/packet/bytes.ts';
import {
  differingEntries,
  indexKey,
  type MapSnapshot,
  SnapshotBuilder,
  sameContents,
  snapshotOfUpdates,
} from '../../sim/runtime/map-snapshot.ts';
import {
  BPF_MAP_TYPE,
  isArray,
  isLru,
  isPerCpu,
  type MapDefinition,
  type MapType,
} from '../../sim/runtime/maps.ts';
import type { MapEntry } from '../../sim/runtime/world.ts';
import { kernelIsOlderThan } from '../kernel-version.ts';
import { ArrayWindow } from './array-window.ts';
import { errnoName, type LoadedLibbpf } from './libbpf.ts';
import { PerCpuScan } from './per-cpu-scan.ts';
import { possibleCpus } from './possible-cpus.ts';

const ENOENT = -2;
const ENODEV = -19;
const ENOSPC = -28;

/** Bytes that one batch call moves, to begin with. */
const BATCH_BYTES = 1 << 20;

const TYPE_NAMES: ReadonlyMap<number, MapType> = new Map(
  Object.entries(BPF_MAP_TYPE).map(([name, number]) => [number, name as MapType]),
);

/** Deleting all of their entries leaves these as they were when they were made. */
const CLEARED_BY_DELETION: ReadonlySet<MapType> = new Set([
  'HASH',
  'PERCPU_HASH',
  'LRU_HASH',
  'LRU_PERCPU_HASH',
  'LPM_TRIE',
]);

/** kernel/bpf/syscall.c, `map_check_btf`. */
const HOLDERS_OF_TIMERS: ReadonlySet<MapType> = new Set(['ARRAY', 'HASH', 'LRU_HASH']);

/** Twice the lot of free entries that a CPU took at once (kernel/bpf/bpf_lru_list.c, `LOCAL_FREE_TARGET`). */
const SMALL_LRU = 256;

/** Popping all of their elements does. */
const CLEARED_BY_POPPING: ReadonlySet<MapType> = new Set(['QUEUE', 'STACK']);

/** No XDP or TC program can change these; only user space fills them. */
const UNCHANGED_BY_PROGRAMS: ReadonlySet<MapType> = new Set([
  'PROG_ARRAY',
  'PERF_EVENT_ARRAY',
  'ARRAY_OF_MAPS',
  'HASH_OF_MAPS',
  'DEVMAP',
  'DEVMAP_HASH',
  'CPUMAP',
  'XSKMAP',
  'CGROUP_ARRAY',
  'USER_RINGBUF',
]);

/** What `entries` can list without changing it, in values that mean the same to every engine. */
const READABLE: ReadonlySet<MapType> = new Set([
  'ARRAY',
  'PERCPU_ARRAY',
  'HASH',
  'PERCPU_HASH',
  'LRU_HASH',
  'LRU_PERCPU_HASH',
  'LPM_TRIE',
  'DEVMAP',
  'DEVMAP_HASH',
]);

/** These know `BPF_MAP_LOOKUP_BATCH`, `…_UPDATE_BATCH` and `…_DELETE_BATCH` (since Linux 5.6 to 5.18). */
const BATCHED: ReadonlySet<MapType> = new Set([
  'ARRAY',
  'PERCPU_ARRAY',
  'HASH',
  'PERCPU_HASH',
  'LRU_HASH',
  'LRU_PERCPU_HASH',
  'LPM_TRIE',
]);

interface MapDetails {
  /** The bytes that a `.data` or `.bss` section starts with; undefined for maps that the program declares. */
  readonly initial?: Uint8Array | undefined;
  /** Was the map made with BPF_F_MMAPABLE? */
  readonly mappable?: boolean;
  /** Can a program change values of CPUs other than its own? */
  readonly changesOtherCpus?: boolean;
  /** May its values hold timers? They do not end where a value is the same again. */
  readonly holdsTimers?: boolean;
}

/** From so many entries of a world on, a map is compared with what it held, and only what differs is written. */
const MANY = 256;

/** From so many entries on, those of a per-CPU array that are not zero are looked for in the kernel. */
const SCANNED_ENTRIES = 4096;

/** Fewer entries than this are set one by one. */
const FEW = 16;

/** Many entries that the map was filled with. */
interface Filled {
  readonly entries: readonly MapEntry[];
  readonly cpu: number;
  /** What the map held then; undefined where it follows from the entries and was not needed yet. */
  contents: MapSnapshot | undefined;
}

/** Is shown one entry where it lies; the bytes change with the next one. */
type VisitEntry = (keys: Uint8Array, keyAt: number, values: Uint8Array, valueAt: number) => void;

export class BpfMap {
  readonly definition: MapDefinition;
  readonly fd: number;
  readonly #initial: Uint8Array | undefined;
  #mappable: boolean;
  #window: ArrayWindow | undefined;
  #scannable: boolean;
  #scan: PerCpuScan | undefined;
  /** What is in the map, where it was read since a program last ran. */
  #known: MapSnapshot | undefined;
  #filled: Filled | undefined;
  readonly #changesOtherCpus: boolean;
  readonly #holdsTimers: boolean;
  readonly #libbpf: LoadedLibbpf;
  readonly #keySize: number;
  /** Bytes that one value takes at the border: for per-CPU maps all possible CPUs', padded to 8 bytes each. */
  readonly #valueBytes: number;
  readonly #cpus: number;

  constructor(libbpf: LoadedLibbpf, fd: number, definition: MapDefinition, details: MapDetails = {}) {
    this.#libbpf = libbpf;
    this.fd = fd;
    this.definition = definition;
    this.#initial = details.initial;
    this.#changesOtherCpus = details.changesOtherCpus === true;
    this.#holdsTimers = details.holdsTimers === true && HOLDERS_OF_TIMERS.has(definition.type);
    this.#mappable = definition.type === 'ARRAY' && details.mappable === true && !this.#holdsTimers;
    this.#scannable = definition.type === 'PERCPU_ARRAY' && definition.maxEntries >= SCANNED_ENTRIES;
    this.#keySize = definition.keySize;
    this.#cpus = isPerCpu(definition.type) ? possibleCpus(libbpf) : 1;
    this.#valueBytes = isPerCpu(definition.type)
      ? this.#cpus * Math.ceil(definition.valueSize / 8) * 8
      : definition.valueSize;
  }

  get name(): string {
    return this.definition.name;
  }

  /** Can its contents be listed and compared? Queues, rings and maps of maps cannot. */
  get readable(): boolean {
    return READABLE.has(this.definition.type);
  }

  /** Can `restore` bring it back to exactly what it was? Otherwise the object has to be loaded anew. */
  get restorable(): boolean {
    const { type, maxEntries } = this.definition;
    if (this.#holdsTimers) return false;
    // Before Linux 6.17, a CPU took all free entries of a small map, and evicted what it needed beside them.
    if (isLru(type) && maxEntries < SMALL_LRU && kernelIsOlderThan('6.17')) return false;
    return (
      isArray(type) ||
      CLEARED_BY_DELETION.has(type) ||
      CLEARED_BY_POPPING.has(type) ||
      UNCHANGED_BY_PROGRAMS.has(type)
    );
  }

  /** The value, for a per-CPU map the values of all CPUs one after the other; undefined where there is none. */
  lookup(key: Uint8Array): Uint8Array | undefined {
    const value = new Uint8Array(this.#valueBytes);
    const result = this.#libbpf.bpf.bpf_map_lookup_elem(this.fd, this.#exactKey(key), value);
    if (result === ENOENT) return undefined;
    if (result < 0) throw this.#failure('read', result);
    return value;
  }

  /**
   * Sets one entry; a per-CPU map gets the value on `cpu`, and zeros on the others.
   * @throws {EngineError} with the kernel's errno
   */
  update(key: Uint8Array, value: Uint8Array, cpu: number = 0): void {
    this.#known = undefined;
    if (value.length !== this.definition.valueSize) {
      throw new EngineError(
        'input',
        `map ${this.name}: a value has ${this.definition.valueSize} bytes, ${value.length} were given`,
      );
    }
    const result = this.#libbpf.bpf.bpf_map_update_elem(
      this.fd,
      this.#exactKey(key),
      this.#onCpu(value, cpu),
      0,
    );
    if (result < 0) throw this.#refusal(key, result);
  }

  /** @returns whether there was such an entry */
  delete(key: Uint8Array): boolean {
    this.#known = undefined;
    const result = this.#libbpf.bpf.bpf_map_delete_elem(this.fd, this.#exactKey(key));
    if (result < 0 && result !== ENOENT) throw this.#failure('delete from', result);
    return result === 0;
  }

  /** All keys, in the kernel's order. Nothing else may change the map meanwhile. */
  keys(): Uint8Array[] {
    const keys: Uint8Array[] = [];
    let previous: Uint8Array | null = null;
    for (;;) {
      const next: Uint8Array = new Uint8Array(this.#keySize);
      const result = this.#libbpf.bpf.bpf_map_get_next_key(this.fd, previous, next);
      if (result === ENOENT) return keys;
      if (result < 0) throw this.#failure('list', result);
      keys.push(next);
      previous = next;
    }
  }

  /** All entries; a per-CPU map's value is the concatenation of all CPUs'. */
  entries(): MapEntry[] {
    const entries: MapEntry[] = [];
    const { keySize } = this.definition;
    this.#visit((keys, keyAt, values, valueAt) => {
      const key = keys.slice(keyAt, keyAt + keySize);
      entries.push({ key, value: values.slice(valueAt, valueAt + this.#valueBytes) });
    });
    return entries;
  }

  snapshot(): MapSnapshot {
    this.#known = this.#read();
    return this.#known;
  }

  /** Programs are about to run: what was known of the contents is no longer. */
  expectChanges(): void {
    this.#known = undefined;
  }

  #read(): MapSnapshot {
    const builder = new SnapshotBuilder(this.definition);
    const window = this.#openWindow();
    const scan = this.#openScan();
    if (scan !== undefined) {
      for (const indices of scan.written()) this.#readEntries(indices, builder);
      return builder.finish();
    }
    if (window === undefined) {
      this.#visit((keys, keyAt, values, valueAt) => {
        builder.add(keys, keyAt, values, valueAt, this.#valueBytes);
      });
      return builder.finish();
    }
    const { valueSize, maxEntries } = this.definition;
    let index = 0;
    for (const [from, to] of window.written()) {
      // An entry may begin in the page before.
      index = Math.max(index, Math.floor(from / this.#stride));
      for (; index < maxEntries && index * this.#stride < to; index++) {
        builder.addIndex(index, window.bytes, index * this.#stride, valueSize);
      }
    }
    return builder.finish();
  }

  /** @param indices of entries of an array, in order */
  #readEntries(indices: Uint32Array, builder: SnapshotBuilder): void {
    const first = indices[0]!;
    const end = indices.at(-1)! + 1;
    // Where most of them are asked for, those between are read with them.
    if (end - first < 4 * indices.length && this.#readRange(first, end, builder)) return;
    const value = new Uint8Array(this.#valueBytes);
    for (const index of indices) {
      const result = this.#libbpf.bpf.bpf_map_lookup_elem(this.fd, indexKey(index), value);
      if (result < 0) throw this.#failure('read', result);
      builder.addIndex(index, value, 0, this.#valueBytes);
    }
  }

  /** @returns false, and nothing was read, where this kernel has no batches for this type of map */
  #readRange(first: number, end: number, builder: SnapshotBuilder): boolean {
    const room = Math.min(this.#batchRows(), end - first);
    const keys = new Uint8Array(room * 4);
    const values = new Uint8Array(room * this.#valueBytes);
    const next = new Uint8Array(4);
    const count = new Uint32Array(1);
    for (let index = first; index < end; index += count[0]!) {
      count[0] = Math.min(room, end - index);
      // The kernel goes on behind the key that it is given.
      const before = index === 0 ? null : indexKey(index - 1);
      const { bpf } = this.#libbpf;
      const result = bpf.bpf_map_lookup_batch(this.fd, before, next, keys, values, count, null);
      if (result < 0 && result !== ENOENT) {
        if (index === first) return false;
        throw this.#failure('read', result);
      }
      if (count[0] === 0) throw this.#failure('read', ENOENT);
      for (let row = 0; row < count[0]!; row++) {
        builder.addIndex(index + row, values, row * this.#valueBytes, this.#valueBytes);
      }
    }
    return true;
  }

  /** Bytes from value to value inside an array. */
  get #stride(): number {
    return Math.ceil(this.definition.valueSize / 8) * 8;
  }

  #openWindow(): ArrayWindow | undefined {
    if (this.#window !== undefined || !this.#mappable) return this.#window;
    this.#window = ArrayWindow.open(this.fd, this.#stride * this.definition.maxEntries);
    this.#mappable = this.#window !== undefined;
    return this.#window;
  }

  #openScan(): PerCpuScan | undefined {
    if (this.#scan !== undefined || !this.#scannable) return this.#scan;
    const { maxEntries: entries, valueSize } = this.definition;
    this.#scan = PerCpuScan.open(this.#libbpf, { fd: this.fd, entries, valueSize, cpus: this.#cpus });
    this.#scannable = this.#scan !== undefined;
    return this.#scan;
  }

  /** Gives up what reading needed; the map itself is the object's. */
  close(): void {
    this.#window?.close();
    this.#window = undefined;
    this.#mappable = false;
    this.#scan?.close();
    this.#scan = undefined;
    this.#scannable = false;
  }

  /** Sets these entries, in order, as `update` does; whatever else is in the map stays. */
  fill(entries: readonly MapEntry[], cpu: number = 0): void {
    this.#known = undefined;
    const rows = entries.length >= FEW && BATCHED.has(this.definition.type) ? this.#batchRows() : 0;
    let done = 0;
    while (rows > 0 && done < entries.length) {
      const end = Math.min(done + rows, entries.length);
      if (!this.#updateBatch(entries, done, end, cpu)) break;
      done = end;
    }
    // One by one, which also says which entry is refused.
    for (; done < entries.length; done++) this.update(entries[done]!.key, entries[done]!.value, cpu);
  }

  /** The same for a map that holds nothing yet: `restore` then knows what it held. */
  fillNew(entries: readonly MapEntry[], cpu: number = 0): void {
    this.fill(entries, cpu);
    if (!this.#canBeRepaired(entries)) return;
    const { type } = this.definition;
    if (isArray(type)) this.#filled = { entries, cpu, contents: this.#read() };
    // A trie would have to be asked which prefixes are one.
    else if (type !== 'LPM_TRIE') this.#filled = { entries, cpu, contents: undefined };
  }

  /** Is it cheaper to look for what has changed than to fill the map again? And does the contents say all there is? */
  #canBeRepaired(entries: readonly MapEntry[]): boolean {
    const { type } = this.definition;
    if (entries.length < MANY || isLru(type) || CLEARED_BY_POPPING.has(type)) return false;
    return !isPerCpu(type) || !this.#changesOtherCpus;
  }

  #updateBatch(entries: readonly MapEntry[], from: number, end: number, cpu: number): boolean {
    const { valueSize } = this.definition;
    if (this.#cpus > 1 && cpu >= this.#cpus) return false;
    const keys = new Uint8Array((end - from) * this.#keySize);
    const values = new Uint8Array((end - from) * this.#valueBytes);
    let keyAt = 0;
    let valueAt = this.#cpus === 1 ? 0 : cpu * (this.#valueBytes / this.#cpus);
    for (let at = from; at < end; at++) {
      const { key, value } = entries[at]!;
      if (key.length !== this.#keySize || value.length !== valueSize) return false;
      keys.set(key, keyAt);
      values.set(value, valueAt);
      keyAt += this.#keySize;
      valueAt += this.#valueBytes;
    }
    const count = Uint32Array.of(end - from);
    return this.#libbpf.bpf.bpf_map_update_batch(this.fd, keys, values, count, null) === 0;
  }

  /**
   * Brings the map to what it held when it was made, then sets these entries. What no program can change is left
   * alone: the entries are still there.
   */
  restore(entries: readonly MapEntry[], cpu: number = 0): void {
    const { type } = this.definition;
    if (UNCHANGED_BY_PROGRAMS.has(type)) return;
    const filled = this.#filled;
    if (filled?.entries === entries && (filled.cpu === cpu || !isPerCpu(type))) {
      filled.contents ??= snapshotOfUpdates(this.definition, entries);
      this.#repair(filled.contents, this.#known ?? this.#read(), cpu);
      return;
    }
    if (CLEARED_BY_POPPING.has(type)) this.#pop();
    else if (isArray(type)) this.#zero(this.#known ?? this.#read());
    else this.#deleteAll(this.#known ?? this.#read());
    this.#known = undefined;
    if (this.#initial !== undefined) this.update(new Uint8Array(4), this.#initial);
    this.fill(entries, cpu);
    this.#filled = this.#canBeRepaired(entries) ? { entries, cpu, contents: this.#read() } : undefined;
  }

  /** Writes what is not as it was. */
  #repair(before: MapSnapshot, now: MapSnapshot, cpu: number): void {
    if (!sameContents(before, now)) {
      for (const { key, expected } of [...differingEntries(before, now)]) {
        if (expected === undefined) this.delete(key);
        else this.update(key, expected, cpu);
      }
    }
    this.#known = before;
  }

  #pop(): void {
    const value = new Uint8Array(this.#valueBytes);
    for (;;) {
      const result = this.#libbpf.bpf.bpf_map_lookup_and_delete_elem(this.fd, null, value);
      if (result === ENOENT) return;
      if (result < 0) throw this.#failure('empty', result);
    }
  }

  #deleteAll({ keys, count }: MapSnapshot): void {
    if (count === 0) return;
    const deleted = Uint32Array.of(count);
    if (this.#libbpf.bpf.bpf_map_delete_batch(this.fd, keys, deleted, null) === 0) return;
    for (let row = 0; row < count; row++) {
      this.delete(keys.subarray(row * this.#keySize, (row + 1) * this.#keySize));
    }
  }

  /** Zeroes the entries of an array that are not zero. */
  #zero({ keys, count }: MapSnapshot): void {
    const window = this.#openWindow();
    if (window !== undefined) {
      const view = new DataView(keys.buffer, keys.byteOffset);
      for (let row = 0; row < count; row++) {
        const at = view.getUint32(row * 4, true) * this.#stride;
        window.bytes.fill(0, at, at + this.#stride);
      }
      return;
    }
    const most = this.#batchRows();
    const zeros = new Uint8Array(Math.min(most, count) * this.#valueBytes);
    for (let from = 0; from < count; from += most) {
      const rows = Math.min(most, count - from);
      const some = keys.subarray(from * 4, (from + rows) * 4);
      const written = Uint32Array.of(rows);
      if (rows > 1 && this.#libbpf.bpf.bpf_map_update_batch(this.fd, some, zeros, written, null) === 0)
        continue;
      const one = zeros.subarray(0, this.#valueBytes);
      for (let row = 0; row < rows; row++) {
        const result = this.#libbpf.bpf.bpf_map_update_elem(
          this.fd,
          some.subarray(row * 4, row * 4 + 4),
          one,
          0,
        );
        if (result < 0) throw this.#failure('write', result);
      }
    }
  }

  /** Shows every entry, an array's in order of index. */
  #visit(visit: VisitEntry): void {
    if (BATCHED.has(this.definition.type) && this.#visitInBatches(visit)) return;
    for (const key of this.keys()) {
      const value = this.lookup(key);
      if (value !== undefined) visit(key, 0, value, 0);
    }
  }

  /** @returns false, and nothing was shown, where this kernel has no batches for this type of map */
  #visitInBatches(visit: VisitEntry): boolean {
    let room = this.#batchRows();
    let keys = new Uint8Array(room * this.#keySize);
    let values = new Uint8Array(room * this.#valueBytes);
    let from: Uint8Array | null = null;
    // Where the next call continues: the kernel keeps a key there, for hashes a bucket number of 4 bytes.
    const next = new Uint8Array(Math.max(4, this.#keySize));
    const count = new Uint32Array(1);
    for (let calls = 0; ; calls++) {
      count[0] = room;
      const result = this.#libbpf.bpf.bpf_map_lookup_batch(this.fd, from, next, keys, values, count, null);
      // One bucket holds more than the room given: nothing was read, ask again with more.
      if (result === ENOSPC) {
        room *= 2;
        keys = new Uint8Array(room * this.#keySize);
        values = new Uint8Array(room * this.#valueBytes);
        continue;
      }
      if (result < 0 && result !== ENOENT) {
        if (calls === 0) return false;
        throw this.#failure('read', result);
      }
      for (let row = 0; row < count[0]!; row++)
        visit(keys, row * this.#keySize, values, row * this.#valueBytes);
      if (result === ENOENT) return true;
      from = next.slice();
    }
  }

  /** How many entries one call moves: a megabyte's worth, at least one, and no more than there can be. */
  #batchRows(): number {
    const fitting = Math.floor(BATCH_BYTES / (this.#keySize + this.#valueBytes));
    return Math.max(1, Math.min(fitting, this.definition.maxEntries));
  }

  #exactKey(key: Uint8Array): Uint8Array {
    if (key.length === this.#keySize) return key;
    throw new EngineError(
      'input',
      `map ${this.name}: a key has ${this.#keySize} bytes, ${key.length} were given`,
    );
  }

  #onCpu(value: Uint8Array, cpu: number): Uint8Array {
    if (this.#cpus === 1 && value.length === this.#valueBytes) return value;
    if (this.#cpus > 1 && cpu >= this.#cpus) {
      throw new EngineError('environment', `map ${this.name}: there is no CPU ${cpu} for its values`, {
        remedy: `This machine has CPUs 0 to ${this.#cpus - 1}.`,
        lacking: true,
        ofWorld: true,
      });
    }
    const all = new Uint8Array(this.#valueBytes);
    all.set(value, (this.#cpus === 1 ? 0 : cpu) * (this.#valueBytes / this.#cpus));
    return all;
  }

  /** What the kernel does not take is the world's, and no fault of the program. */
  #refusal(key: Uint8Array, result: number): EngineError {
    const { type, maxEntries } = this.definition;
    const map = `map ${this.name} (${type}, ${maxEntries} entries)`;
    if (type === 'CPUMAP' && result === ENODEV) {
      const last = possibleCpus(this.#libbpf) - 1;
      return new EngineError('environment', `${map}: this machine has no CPU ${readU32le(key, 0)}`, {
        remedy: `It has CPUs 0 to ${last}: state no others in the world.`,
        lacking: true,
        ofWorld: true,
      });
    }
    const entry = `the entry with the key 0x${Buffer.from(key).toString('hex')}`;
    const message = `${map}: the kernel does not take ${entry} from the world: ${errnoName(result)}`;
    return new EngineError('input', message, { ofWorld: true });
  }

  #failure(verb: string, result: number): EngineError {
    const { type, maxEntries } = this.definition;
    return new EngineError(
      'input',
      `cannot ${verb} map ${this.name} (${type}, ${maxEntries} entries): ${errnoName(result)}`,
    );
  }
}

/** The kernel's name of a map type; types younger than this list count as UNSPEC and cannot be read. */
export function mapTypeName(type: number): MapType {
  return TYPE_NAMES.get(type) ?? 'UNSPEC';
}
