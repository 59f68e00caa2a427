/**
 * Packets whose lookups find what the user, or a model, has put into maps: the bytes that a key is made of are solved for
 * the keys that are there, composite and computed ones too.
 */
import { type Assignment, byteOf } from '../../sim/ebpf/dataflow/expression.ts';
import type { FlowCall } from '../../sim/ebpf/dataflow/flow-trace.ts';
import type { Choosable } from '../../sim/ebpf/dataflow/solve.ts';
import { solveBytes } from '../../sim/ebpf/dataflow/solve-bytes.ts';
import type { Machine } from '../../sim/ebpf/machine.ts';
import type { NamedWorld } from '../../sim/runtime/program.ts';
import { isSameKey } from './world-edits.ts';

/** Of each map: most programs treat their entries alike. */
const MAX_KEYS = 16;
/** The prefix length in front of an LPM key (`struct bpf_lpm_trie_key`). */
const PREFIX_LENGTH = 4;

/** By map name: the keys that worlds state, or the values of maps without keys. */
export function statedKeys(worlds: readonly NamedWorld[]): ReadonlyMap<string, readonly Uint8Array[]> {
  const keys = new Map<string, Uint8Array[]>();
  for (const { world } of worlds) {
    for (const lists of [world.maps ?? {}, world.slots ?? {}]) {
      for (const [name, entries] of Object.entries(lists)) {
        const known = keys.get(name) ?? [];
        keys.set(name, known);
        for (const entry of entries) {
          if (known.length >= MAX_KEYS) break;
          // A Bloom filter is asked for its values.
          const key = entry.key.length === 0 && 'value' in entry ? entry.value : entry.key;
          if (!known.some((one) => isSameKey(one, key))) known.push(key);
        }
      }
    }
  }
  return keys;
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
