/** How many entries a map held when the packet came, as far as a path knows, and whether it has room for one more. */
import { BPF_F_NO_COMMON_LRU } from '../maps/live-map.ts';
import type { Inputs } from './inputs.ts';
import type { MapEntryState, PathState } from './path-state.ts';
import type { Term } from './term.ts';

/** Between which numbers the entries lie that a map held when the packet came. */
interface Count {
  readonly least: number;
  readonly most: number;
}

/** Does the map hold `more` entries than before at the most, and no room beside them? Unknown. */
function fullWith(inputs: Inputs, { pool }: PathState, map: number, more: number): Term {
  return pool.unknown(1, `full${inputs.mapNumber(map)}.${more}`);
}

/** From what the path has found in it, and from whether it had room. */
export function countBefore(inputs: Inputs, state: PathState, map: number): Count {
  const { maxEntries, keySize } = inputs.machine.maps[map]!.definition;
  const own = state.entries.filter((one) => one.map === map);
  let least = countsEach(inputs, map) ? own.filter((one) => wasThere(state, one) === 1n).length : 0;
  // A queue has what it has in a row.
  const isEmptied = keySize === 0 && own.some((one) => wasThere(state, one) === 0n);
  let most = isEmptied ? least : maxEntries;
  const asked = own.length + (state.pushed.get(map)?.length ?? 0);
  for (let more = 0; more <= asked; more++) {
    const known = state.knowledge.only(fullWith(inputs, state, map, more));
    if (known === 0n) most = Math.min(most, maxEntries - more - 1);
    else if (known === 1n) least = Math.max(least, maxEntries - more);
  }
  return { least, most };
}

function wasThere({ knowledge }: PathState, entry: MapEntryState): bigint | undefined {
  return knowledge.only(entry.wasThere);
}

/**
 * Is each key that is found an entry of its own, and are there no more of them than the map declares? Two addresses may be found
 * under one prefix, and lists of each CPU are rounded up (kernel/bpf/hashtab.c, `htab_map_alloc`).
 */
function countsEach(inputs: Inputs, map: number): boolean {
  const { definition, source } = inputs.machine.maps[map]!;
  return definition.type !== 'LPM_TRIE' && (source.mapFlags & BPF_F_NO_COMMON_LRU) === 0;
}

/** May the map have held another entry than those that the path has found? @param others that it holds and no path looks up */
export function mayHaveHeldMore(inputs: Inputs, state: PathState, map: number, others: number = 0): boolean {
  if (!countsEach(inputs, map)) return true;
  const found = state.entries.filter((one) => one.map === map && wasThere(state, one) === 1n).length;
  return found + others < countBefore(inputs, state, map).most;
}

/** Must the map have held another entry than those that the path has found? */
export function mustHaveHeldMore(inputs: Inputs, state: PathState, map: number): boolean {
  const found = state.entries.filter((one) => one.map === map && wasThere(state, one) === 1n).length;
  return found < countBefore(inputs, state, map).least;
}

/**
 * Is there no room for one more entry?
 * @param more by how many entries it has grown. Where it has shrunk there is room: it never held more than it may.
 * @throws {Split} where the path does not know
 */
export function isFull(inputs: Inputs, state: PathState, map: number, more: number): boolean {
  const { maxEntries } = inputs.machine.maps[map]!.definition;
  const { least, most } = countBefore(inputs, state, map);
  if (least + more >= maxEntries) return true;
  return most + more >= maxEntries && state.decide(fullWith(inputs, state, map, more));
}
