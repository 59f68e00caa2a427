/** Queues and stacks on a path: what was there before, as unknowns, and what the path has put in and not taken out again. */
import { E2BIG, EINVAL, ENOENT } from '../../runtime/errno.ts';
import { addBlock, blockByte, readBytes, writeBytes } from './access.ts';
import type { Inputs } from './inputs.ts';
import { PathMemory } from './path-memory.ts';
import { type MapEntryState, NotFollowed, type PathState } from './path-state.ts';
import type { Value } from './path-value.ts';
import type { SymbolicHelper } from './symbolic-helper.ts';
import type { Term } from './term.ts';

function queueOf(inputs: Inputs, value: Value): number {
  if (value.region?.kind !== 'map') throw new NotFollowed('a map that was looked up itself');
  const { type } = inputs.machine.maps[value.region.map]!.definition;
  if (type !== 'QUEUE' && type !== 'STACK') throw new NotFollowed(`a map of type ${type}`);
  return value.region.map;
}

/** What would be taken out next; undefined: nothing is left. */
function next(inputs: Inputs, state: PathState, map: number): MapEntryState | undefined {
  const { pool } = state;
  const own = state.entries.filter((one) => one.map === map);
  const left = own.find((one) => one.isThere === pool.true);
  if (left !== undefined) return left;
  if (own.some((one) => !state.decide(one.wasThere))) return undefined;
  const name = inputs.entryName(map, own.length);
  const { least, most } = countBefore(inputs, state, map);
  const wasThere =
    own.length < least ? pool.true : own.length < most ? pool.unknown(1, `${name}.there`) : pool.false;
  const isThere = state.decide(wasThere);
  const size = inputs.machine.maps[map]!.valueSize;
  const block = addBlock(state, {
    what: 'map value',
    map,
    size,
    writable: false,
    name,
    memory: new PathMemory(),
  });
  const entry = { map, key: [], wasThere, isThere: isThere ? pool.true : pool.false, block };
  state.entries = [...state.entries, entry];
  return isThere ? entry : undefined;
}

function taking(isTaken: boolean): SymbolicHelper {
  return (inputs, state, [map, to]) => {
    const { pool } = state;
    const index = queueOf(inputs, map!);
    const size = inputs.machine.maps[index]!.valueSize;
    const pushed = state.pushed.get(index) ?? [];
    const isStack = inputs.machine.maps[index]!.definition.type === 'STACK';
    const entry = isStack && pushed.length > 0 ? undefined : next(inputs, state, index);
    if (entry === undefined) {
      const own = isStack ? pushed.at(-1) : pushed[0];
      writeBytes(state, to!, own ?? new Array(size).fill(pool.constant(8, 0)));
      if (own === undefined) return pool.constant(64, -ENOENT);
      if (isTaken) state.pushed.set(index, isStack ? pushed.slice(0, -1) : pushed.slice(1));
      return pool.constant(64, 0);
    }
    writeBytes(
      state,
      to!,
      Array.from({ length: size }, (_, at) => blockByte(inputs, state, entry.block, at)),
    );
    if (isTaken) {
      state.entries = state.entries.map((one) => (one === entry ? { ...one, isThere: pool.false } : one));
    }
    return pool.constant(64, 0);
  };
}

/** Is there no room for one more, once so many of the path's own are in it? */
function isFull(inputs: Inputs, state: PathState, map: number, pushed: number): boolean {
  const { pool } = state;
  const { maxEntries } = inputs.machine.maps[map]!.definition;
  const own = state.entries.filter((one) => one.map === map);
  const taken = own.filter((one) => one.isThere === pool.false && state.decide(one.wasThere)).length;
  // By how many it has grown. Where it has shrunk, there is room: it never held more than `maxEntries`.
  const more = pushed - taken;
  const { least, most } = countBefore(inputs, state, map);
  if (least + more >= maxEntries) return true;
  return most + more >= maxEntries && state.decide(pool.unknown(1, `full${inputs.mapNumber(map)}.${more}`));
}

/** How many were in it before the packet came, as far as the path knows: from what it has looked at, and from pushes. */
function countBefore(
  inputs: Inputs,
  state: PathState,
  map: number,
): { readonly least: number; readonly most: number } {
  const { pool, knowledge } = state;
  const { maxEntries } = inputs.machine.maps[map]!.definition;
  const own = state.entries.filter((one) => one.map === map);
  let least = 0;
  let most = maxEntries;
  for (const { wasThere } of own) {
    if (knowledge.only(wasThere) === 0n) most = Math.min(most, least);
    else least++;
  }
  for (let pushes = 0; pushes <= (state.pushed.get(map)?.length ?? 0); pushes++) {
    const known = knowledge.only(pool.unknown(1, `full${inputs.mapNumber(map)}.${pushes}`));
    if (known === 0n) most = Math.min(most, maxEntries - pushes - 1);
    else if (known === 1n) {
      least = maxEntries - pushes;
      most = least;
    }
  }
  return { least, most };
}

const push: SymbolicHelper = (inputs, state, [map, from, flags]) => {
  const { pool } = state;
  const index = queueOf(inputs, map!);
  const wanted = state.number(flags!.term);
  const pushed = state.pushed.get(index) ?? [];
  if (wanted !== 0n && wanted !== 2n) return pool.constant(64, -EINVAL);
  if (wanted === 0n && isFull(inputs, state, index, pushed.length)) return pool.constant(64, -E2BIG);
  // Where the map is full, BPF_EXIST lets the oldest go.
  if (wanted !== 0n) state.assume(`map ${inputs.machine.maps[index]!.name} has room for what is pushed`);
  const value: Term[] = readBytes(inputs, state, from!, inputs.machine.maps[index]!.valueSize);
  state.pushed.set(index, [...pushed, value]);
  return pool.constant(64, 0);
};

export const QUEUE_HELPERS: Readonly<Record<string, SymbolicHelper>> = {
  bpf_map_pop_elem: taking(true),
  bpf_map_peek_elem: taking(false),
  bpf_map_push_elem: push,
};
