/**
 * Packets whose lookups find what the user, or a model, has put into maps: the bytes that a key is made of are solved for
 * the keys that are there, composite and computed ones too.
 */
import type { BpfMap } from '../../sim/ebpf/bpf-object.ts';
import { type Assignment, byteOf } from '../../sim/ebpf/dataflow/expression.ts';
import type { FlowCall } from '../../sim/ebpf/dataflow/flow-trace.ts';
import type { Choosable } from '../../sim/ebpf/dataflow/solve.ts';
import { solveBytes } from '../../sim/ebpf/dataflow/solve-bytes.ts';
import type { Machine } from '../../sim/ebpf/machine.ts';
import { readU32le } from '../../sim/packet/bytes.ts';
import { SEQUENCES } from '../../sim/runtime/maps.ts';
import type { NamedWorld } from '../../sim/runtime/program.ts';
import type { MapEntry, MapSlot } from '../../sim/runtime/world.ts';
import { isSameKey } from './world-edits.ts';

/** Of each map: most programs treat their entries alike. */
const MAX_KEYS = 16;
/** The prefix length in front of an LPM key (`struct bpf_lpm_trie_key`). */
const PREFIX_LENGTH = 4;

/** By map name: the keys that worlds state, or the values of maps without keys. */
export function statedKeys(worlds: readonly NamedWorld[]): ReadonlyMap<string, readonly Uint8Array[]> {
  const keys = new Map<string, Uint8Array[]>();
  for (const [name, entries] of worlds.flatMap(statedLists)) {
    const known = keys.get(name) ?? [];
    keys.set(name, known);
    for (const entry of entries) {
      if (known.length >= MAX_KEYS) break;
      const key = askedFor(entry);
      if (!known.some((one) => isSameKey(one, key))) known.push(key);
    }
  }
  return keys;
}

/** What a world states in maps of values and in maps of programs and sockets, by the map's name. */
function statedLists({ world }: NamedWorld): [name: string, entries: readonly (MapEntry | MapSlot)[]][] {
  return [...Object.entries(world.maps ?? {}), ...Object.entries(world.slots ?? {})];
}

/** The entries that worlds state: what they hold is the user's, or a model's, and stays as it is. */
export class StatedEntries {
  readonly #keys = new Map<string, Set<string>>();
  /** Of lists without keys: the most elements that one of the worlds states. */
  readonly #lengths = new Map<string, number>();

  constructor(worlds: readonly NamedWorld[]) {
    for (const [name, entries] of worlds.flatMap(statedLists)) {
      const keys = this.#keys.get(name) ?? new Set();
      this.#keys.set(name, keys);
      for (const entry of entries) keys.add(askedFor(entry).join());
    }
    for (const { world } of worlds) {
      for (const [name, entries] of Object.entries(world.maps ?? {}))
        this.#lengths.set(name, Math.max(this.#lengths.get(name) ?? 0, entries.length));
    }
  }

  /** Does a world state this very entry, or, of lists without keys, this value? */
  holds(map: string, entry: MapEntry): boolean {
    return this.#keys.get(map)?.has(askedFor(entry).join()) === true;
  }

  /** @param key as a lookup has it; of a queue or stack the number of the element, in the order in which they come out */
  has({ name, type }: Pick<BpfMap, 'name' | 'type'>, key: Uint8Array): boolean {
    if (SEQUENCES.has(type)) return key.length > 0 && readU32le(key, 0) < (this.#lengths.get(name) ?? 0);
    return this.#keys.get(name)?.has(key.join()) === true;
  }
}

/** What a map without keys is asked for, such as a Bloom filter, are its values. */
export function askedFor(entry: MapEntry | MapSlot): Uint8Array {
  return entry.key.length === 0 && 'value' in entry ? entry.value : entry.key;
}

/** Values of inputs with which the call would ask for this key; undefined where it cannot. */
export function askingFor(
  call: FlowCall,
  key: Uint8Array,
  machine: Machine,
  choosable: Choosable,
): Assignment | undefined {
  if (key.length !== call.key.length) return undefined;
  const { keyParts } = call;
  // An index is one value.
  if (keyParts.length === 1 && key.length === 4) {
    const parts = Array.from(key, (_, at) => byteOf(keyParts[0]!, at));
    return solveBytes(parts, key, choosable);
  }
  const { type } = machine.object.maps[call.map]!;
  const from = type === 'LPM_TRIE' ? PREFIX_LENGTH : 0;
  return keyParts.length === key.length
    ? solveBytes(keyParts.slice(from), key.subarray(from), choosable)
    : undefined;
}
