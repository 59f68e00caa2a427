/** Maps on a path: which of their entries it has asked for, what was in them, and what is now. */
import { E2BIG, EEXIST, EINVAL, ENOENT, ENOSPC } from '../../runtime/errno.ts';
import { ARRAYS, type MapType } from '../../runtime/maps.ts';
import { BPF_EXIST, BPF_F_LOCK, BPF_F_NO_PREALLOC, BPF_NOEXIST, type LiveMap } from '../maps/live-map.ts';
import { addBlock, blockByte } from './access.ts';
import type { Inputs } from './inputs.ts';
import { isFull, mayHaveHeldMore } from './map-room.ts';
import { PathMemory } from './path-memory.ts';
import { type GoneBlocks, type MapEntryState, NotFollowed, type PathState } from './path-state.ts';
import { forgetSame } from './per-cpu-values.ts';
import type { Term } from './term.ts';
import {
  addressBits,
  isSamePrefix,
  keepUnwritten,
  mayBeSame,
  prefixLength,
  requireKnown,
  thereByOthers,
} from './trie-entries.ts';

/** Maps whose entries come and go. */
export const TABLES: ReadonlySet<MapType> = new Set<MapType>([
  'HASH',
  'PERCPU_HASH',
  'LRU_HASH',
  'LRU_PERCPU_HASH',
  'LPM_TRIE',
  'DEVMAP_HASH',
]);
/** Slots by number, which are empty or not. */
const SLOTS: ReadonlySet<MapType> = new Set<MapType>(['DEVMAP', 'CPUMAP', 'XSKMAP']);
const LRU: ReadonlySet<MapType> = new Set<MapType>(['LRU_HASH', 'LRU_PERCPU_HASH']);

/** The block of a data section, or of an array that instructions point into. */
export function globalBlock(inputs: Inputs, state: PathState, map: number): number {
  const known = state.blocks.findIndex((one) => one.what === 'globals' && one.map === map);
  if (known >= 0) return known;
  const { definition, programWritable } = inputs.machine.maps[map]!;
  return addBlock(state, {
    what: 'globals',
    map,
    size: definition.valueSize,
    writable: programWritable,
    name: undefined,
    memory: new PathMemory(),
  });
}

/** Where an entry is that a path knows of, and whether it is there now. */
interface Found {
  readonly entry: MapEntryState;
  readonly isThere: boolean;
}

/**
 * Looks an entry up.
 * @param isExact of a prefix: is just this one meant? A lookup finds one that covers it, too.
 * @returns undefined where the map has no place for such a key
 * @throws {Split} where the path does not know enough
 */
export function findEntry(
  inputs: Inputs,
  state: PathState,
  map: number,
  key: readonly Term[],
  isExact: boolean = false,
): Found | undefined {
  const { pool } = state;
  const live = inputs.machine.maps[map]!;
  const { type, maxEntries } = live.definition;
  const isIndexed = ARRAYS.has(type) || SLOTS.has(type);
  if (!isIndexed && !TABLES.has(type)) throw new NotFollowed(`a lookup in a map of type ${type}`);
  if (live.source.global !== undefined) throw new NotFollowed('a lookup in a data section');
  if (type === 'LPM_TRIE') return findPrefix(inputs, state, map, key, isExact);
  const own = state.entries.filter((one) => one.map === map);
  for (const entry of own) {
    const same = pool.all(key.map((byte, index) => pool.equal(byte, entry.key[index]!)));
    if (state.decide(same)) return { entry, isThere: state.decide(entry.isThere) };
  }
  if (isIndexed) {
    const index = pool.concat([...key].reverse());
    if (!state.decide(pool.less(index, pool.constant(32, maxEntries)))) return undefined;
  }
  // A walk through the whole of it would have met the entry, and a map holds no more than it may.
  const isMissing = state.wholly.has(map) || (!isIndexed && !mayHaveHeldMore(inputs, state, map));
  const there = pool.unknown(1, `${inputs.entryName(map, own.length)}.there`);
  const wasThere = ARRAYS.has(type) ? pool.true : isMissing ? pool.false : there;
  const isThere = state.decide(wasThere);
  if (isThere && !isIndexed && isWalkedThrough(state, map))
    throw new NotFollowed('an entry that is looked up first while the program walks through its map');
  return { entry: newEntry(inputs, state, { map, key, wasThere }, isThere), isThere };
}

/** Looks up what a trie holds under a prefix. */
function findPrefix(
  inputs: Inputs,
  state: PathState,
  map: number,
  given: readonly Term[],
  isExact: boolean,
): Found | undefined {
  const { pool } = state;
  const key = knownPrefix(state, given);
  if (key === undefined) return undefined;
  const own = state.entries.filter((one) => one.map === map);
  const known = own.find((one) => state.decide(isSamePrefix(state, key, one.key)));
  if (known !== undefined) requireKnown(state, known, own, isExact);
  const there = pool.unknown(1, `${inputs.entryName(map, own.length)}.there`);
  const wasThere = known?.wasThere ?? thereByOthers(state, own, key, isExact) ?? there;
  const isThere = state.decide(known?.isThere ?? wasThere);
  const isWritable = isThere && !isExact && inputs.machine.maps[map]!.programWritable;
  const besides = own.filter((one) => one !== known);
  const same = isWritable ? mayBeSame(state, besides, key) : [];
  const made = { map, key, wasThere, ...(isExact ? { isExact } : {}) };
  const entry = known ?? newEntry(inputs, state, made, isThere);
  if (same.length > 0) keepUnwritten(state, [entry, ...same]);
  return { entry, isThere };
}

function newEntry(
  inputs: Inputs,
  state: PathState,
  entry: Pick<MapEntryState, 'map' | 'key' | 'wasThere' | 'isExact'>,
  isThere: boolean,
): MapEntryState {
  const { map } = entry;
  const { valueSize, programWritable } = inputs.machine.maps[map]!;
  const block = addBlock(state, {
    what: 'map value',
    map,
    size: valueSize,
    writable: programWritable,
    name: inputs.entryName(map, state.entries.filter((one) => one.map === map).length),
    memory: new PathMemory(),
  });
  const made = { ...entry, isThere: isThere ? state.pool.true : state.pool.false, block };
  state.entries = [...state.entries, made];
  return made;
}

function replace(state: PathState, old: MapEntryState, changed: MapEntryState): void {
  state.entries = state.entries.map((one) => (one === old ? changed : one));
}

/** `bpf_map_update_elem`. @returns what it returns */
export function updateEntry(
  inputs: Inputs,
  state: PathState,
  map: number,
  key: readonly Term[],
  value: readonly Term[],
  flags: Term,
): number {
  const live = inputs.machine.maps[map]!;
  const { type } = live.definition;
  if (live.timerOffset >= 0) throw new NotFollowed('an update of a value with a timer');
  if (!ARRAYS.has(type) && !TABLES.has(type)) {
    throw new NotFollowed(`an update of a map of type ${type}`);
  }
  const given = state.number(flags);
  const wanted = given & ~BigInt(BPF_F_LOCK);
  if (wanted > BigInt(BPF_EXIST)) return -EINVAL;
  const lacksLock = given !== wanted && live.lockOffset < 0;
  // Of an array the index is looked at first (kernel/bpf/arraymap.c, `array_map_update_elem`).
  if (lacksLock && !ARRAYS.has(type)) return -EINVAL;
  const place = type === 'LPM_TRIE' ? prefixOf(state, key) : key;
  if (place === undefined) return -EINVAL;
  // Room is made before anything is looked at (kernel/bpf/hashtab.c, `htab_lru_map_update_elem`): an update that fails evicts, too.
  if (LRU.has(type))
    state.assume(`map ${live.name} evicts none of its entries while the packet is processed`);
  const found = findEntry(inputs, state, map, place, type === 'LPM_TRIE');
  if (found === undefined) return -E2BIG;
  const { entry, isThere } = found;
  if (ARRAYS.has(type)) {
    if (wanted === BigInt(BPF_NOEXIST)) return -EEXIST;
    if (lacksLock) return -EINVAL;
    storeValue(state, live, entry.block, value);
    return 0;
  }
  if (isThere && wanted === BigInt(BPF_NOEXIST)) return refused(state, live, map, -EEXIST);
  if (!isThere && wanted === BigInt(BPF_EXIST)) return refused(state, live, map, -ENOENT);
  const isInPlace = isThere && (type.includes('PERCPU') || given !== wanted);
  if (isInPlace) {
    storeValue(state, live, entry.block, value);
    return 0;
  }
  if (isThere && isYetToBeVisited(state, entry))
    throw new NotFollowed('an update of an entry that a walk through its map has yet to visit');
  // The key that the walk hands over lies in an element that the next update may use again.
  if (isThere && isWalkedThrough(state, map) && state.gone.has(map))
    throw new NotFollowed('further updates of a map that the program walks through');
  if (isAllocated(live)) state.assume(`the kernel has memory for a new entry of map ${live.name}`);
  if (isThere) {
    const block = blockInPlace(state, live, entry);
    storeValue(state, live, block, value);
    replace(state, entry, { ...entry, block });
    return 0;
  }
  if (!LRU.has(type) && 256 ** live.definition.keySize > live.definition.maxEntries) {
    if (isFullNow(inputs, state, map)) return type === 'LPM_TRIE' ? -ENOSPC : -E2BIG;
  }
  // Whether it is met depends on the bucket that it comes to, and its memory may be that of the key at hand.
  if (isWalkedThrough(state, map))
    throw new NotFollowed('an entry put into a map that the program walks through');
  const block = blockForNew(state, live, entry);
  storeValue(state, live, block, value);
  replace(state, entry, { ...entry, isThere: state.pool.true, block });
  return 0;
}

/** Does the program run for an element of this map now? */
function isWalkedThrough({ frames }: PathState, map: number): boolean {
  return frames.some(({ callback }) => callback?.kind === 'element' && callback.map === map);
}

/** The order of a walk is chance where two entries are in one bucket, and an update changes what it meets there. */
function isYetToBeVisited(state: PathState, entry: MapEntryState): boolean {
  const position = state.entries.indexOf(entry);
  return state.frames.some(
    ({ callback }) =>
      callback?.kind === 'element' && callback.map === entry.map && callback.known.includes(position),
  );
}

/**
 * How a map uses the memory of entries that are gone (`maps/hash-table.ts`, `Reuse`): a trie does not while programs run. Of
 * LRU tables, and where memory is allocated with each entry, other CPUs and interrupts have a say: not known.
 */
function reuseOf(live: LiveMap): 'exact' | 'never' | 'not known' {
  if (live.definition.type === 'LPM_TRIE') return 'never';
  return LRU.has(live.definition.type) || isAllocated(live) ? 'not known' : 'exact';
}

const NOTHING_GONE: GoneBlocks = { spare: undefined, free: [] };

/** Memory that nobody has a pointer to. */
function newBlock(state: PathState, { block }: MapEntryState): number {
  return addBlock(state, { ...state.blocks[block]!, name: undefined, memory: new PathMemory() });
}

/** The block of what an update puts in the place of an entry, whose own block keeps its bytes. */
function blockInPlace(state: PathState, live: LiveMap, entry: MapEntryState): number {
  const { map, block } = entry;
  const reuse = reuseOf(live);
  if (reuse === 'never') return newBlock(state, entry);
  if (reuse === 'not known') {
    loseGone(state, map);
    state.gone.set(map, { ...NOTHING_GONE, free: [block] });
    return newBlock(state, entry);
  }
  const gone = state.gone.get(map) ?? NOTHING_GONE;
  state.gone.set(map, { ...gone, spare: block });
  return gone.spare ?? newBlock(state, entry);
}

/** The block of an entry that was not there. */
function blockForNew(state: PathState, live: LiveMap, entry: MapEntryState): number {
  const { map } = entry;
  const [last, ...free] = state.gone.get(map)?.free ?? [];
  if (last === undefined || reuseOf(live) !== 'exact') {
    if (reuseOf(live) === 'not known') loseGone(state, map);
    return newBlock(state, entry);
  }
  state.gone.set(map, { ...state.gone.get(map)!, free });
  return last;
}

/** What an LRU table refuses it has written into a free element already (kernel/bpf/hashtab.c, `htab_lru_map_update_elem`). */
function refused(state: PathState, { definition }: LiveMap, map: number, error: number): number {
  if (LRU.has(definition.type)) loseGone(state, map);
  return error;
}

/** The map may have used what is gone again: who still has a pointer there is not followed. */
function loseGone(state: PathState, map: number): void {
  for (const block of state.gone.get(map)?.free ?? [])
    state.blocks[block] = { ...state.blocks[block]!, isLost: true };
  state.gone.delete(map);
}

/** Is memory asked for with each new entry, and not when the map is made? */
function isAllocated({ definition, source }: LiveMap): boolean {
  return definition.type === 'LPM_TRIE' || (source.mapFlags & BPF_F_NO_PREALLOC) !== 0;
}

/** Has the map no room for one more entry? */
function isFullNow(inputs: Inputs, state: PathState, map: number): boolean {
  const own = state.entries.filter((one) => one.map === map);
  const present = own.filter((one) => one.isThere === state.pool.true).length;
  if (state.wholly.has(map)) return present >= inputs.machine.maps[map]!.definition.maxEntries;
  const changed = own.filter((one) => one.isThere !== settledThere(state, one));
  const made = changed.filter((one) => one.isThere === state.pool.true).length;
  return isFull(inputs, state, map, 2 * made - changed.length);
}

function settledThere(state: PathState, { wasThere }: MapEntryState): Term {
  return state.knowledge.settle(wasThere);
}

/** Locks are the map's own: they stay open. */
function storeValue(
  state: PathState,
  { specialFields }: LiveMap,
  block: number,
  value: readonly Term[],
): void {
  const { memory } = state.blocks[block]!;
  forgetSame(state, block);
  for (const [at, byte] of value.entries()) memory.setByte(at, byte);
  for (const { offset, size } of specialFields) {
    for (let at = offset; at < offset + size; at++) memory.setByte(at, state.pool.constant(8, 0));
  }
}

/**
 * A prefix as the trie keeps it: its length, and the bits that count, with zeros for the others.
 * @returns undefined where it is longer than the address
 */
function prefixOf(state: PathState, key: readonly Term[]): readonly Term[] | undefined {
  const { pool } = state;
  const length = Number(state.number(prefixLength(state, key)));
  const address = key.slice(4);
  if (length > address.length * 8) return undefined;
  const kept = address.map((byte, at) => {
    const bits = Math.min(8, Math.max(0, length - at * 8));
    return pool.and(byte, pool.constant(8, 0xff & (0xff00 >> bits)));
  });
  return [...[0, 1, 2, 3].map((at) => pool.constant(8, (length >>> (8 * at)) & 0xff)), ...kept];
}

/**
 * The prefix that is looked up, as the trie keeps it where the path knows how long it is; undefined where it is longer than the
 * address: none is found then (kernel/bpf/lpm_trie.c, `trie_lookup_elem`).
 */
function knownPrefix(state: PathState, key: readonly Term[]): readonly Term[] | undefined {
  const { pool } = state;
  const length = prefixLength(state, key);
  if (state.knowledge.only(length) !== undefined) return prefixOf(state, key);
  return state.decide(pool.less(pool.constant(32, addressBits(key)), length)) ? undefined : key;
}

/** `bpf_map_delete_elem`. */
export function deleteEntry(inputs: Inputs, state: PathState, map: number, key: readonly Term[]): number {
  const live = inputs.machine.maps[map]!;
  const { type } = live.definition;
  if (ARRAYS.has(type)) return -EINVAL;
  if (!TABLES.has(type)) throw new NotFollowed(`a deletion from a map of type ${type}`);
  const place = type === 'LPM_TRIE' ? prefixOf(state, key) : key;
  if (place === undefined) return -EINVAL;
  const found = findEntry(inputs, state, map, place, type === 'LPM_TRIE');
  if (found === undefined || !found.isThere) return -ENOENT;
  // A walk has the next element before it calls its function: since 6.16 that one is met all the same.
  if (isYetToBeVisited(state, found.entry))
    throw new NotFollowed('a deletion of an entry that a walk through its map has yet to visit');
  replace(state, found.entry, { ...found.entry, isThere: state.pool.false });
  const gone = state.gone.get(map) ?? NOTHING_GONE;
  if (reuseOf(live) !== 'never') state.gone.set(map, { ...gone, free: [found.entry.block, ...gone.free] });
  return 0;
}

/** What a redirect through a map finds: a device's index, or the key itself. */
export function redirectTarget(inputs: Inputs, state: PathState, map: number, key: Term): Term | undefined {
  const { pool } = state;
  const live: LiveMap = inputs.machine.maps[map]!;
  const bytes = [0, 1, 2, 3].map((index) => pool.extract(key, index * 8, 8));
  const found = findEntry(inputs, state, map, bytes);
  if (found === undefined || !found.isThere) return undefined;
  const { type } = live.definition;
  if (type !== 'DEVMAP' && type !== 'DEVMAP_HASH') return pool.extract(key, 0, 32);
  return pool.concat([3, 2, 1, 0].map((at) => blockByte(inputs, state, found.entry.block, at)));
}
