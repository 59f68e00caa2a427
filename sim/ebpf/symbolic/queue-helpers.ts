/** Queues and stacks on a path: what was there before, as unknowns, and what the path has put in and not taken out again. */
import { E2BIG, EINVAL, ENOENT } from '../../runtime/errno.ts';
import { addBlock, blockByte, readBytes, writeBytes } from './access.ts';
import type { Inputs } from './inputs.ts';
import { countBefore, isFull } from './map-room.ts';
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
  const entry = addEntry(inputs, state, map, wasThere, isThere);
  return isThere ? entry : undefined;
}

/** One more of those that were there before, or the first that was not. */
function addEntry(
  inputs: Inputs,
  state: PathState,
  map: number,
  wasThere: Term,
  isThere: boolean,
): MapEntryState {
  const { pool } = state;
  const name = inputs.entryName(map, state.entries.filter((one) => one.map === map).length);
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
  return entry;
}

function take(state: PathState, entry: MapEntryState): void {
  state.entries = state.entries.map((one) => (one === entry ? { ...one, isThere: state.pool.false } : one));
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
    if (isTaken) take(state, entry);
    return pool.constant(64, 0);
  };
}

/** By how many entries it has grown, once so many of the path's own are in it. */
function grownBy(state: PathState, map: number, pushed: number): number {
  const gone = state.entries.filter((one) => one.map === map && one.isThere === state.pool.false);
  return pushed - gone.filter((one) => state.decide(one.wasThere)).length;
}

/** A full stack of which more was there before is not followed: what lies at its bottom would have to be made. */
const DEEPEST_STACK = 64;

/** Lets the oldest of a full queue or stack go (kernel/bpf/queue_stack_maps.c, `__queue_map_push_elem` with `replace`). */
function dropOldest(inputs: Inputs, state: PathState, map: number): void {
  const { definition } = inputs.machine.maps[map]!;
  const oldest = definition.type === 'STACK' ? bottom(inputs, state, map) : next(inputs, state, map);
  if (oldest === undefined) state.pushed.set(map, (state.pushed.get(map) ?? []).slice(1));
  else take(state, oldest);
}

/** What has lain in a full stack for the longest time; undefined: nothing is left but what the path has pushed. */
function bottom(inputs: Inputs, state: PathState, map: number): MapEntryState | undefined {
  const { least } = countBefore(inputs, state, map);
  if (least > DEEPEST_STACK) throw new NotFollowed(`what a stack of more than ${DEEPEST_STACK} lets go`);
  const own = (): MapEntryState[] => state.entries.filter((one) => one.map === map);
  while (own().filter((one) => one.wasThere === state.pool.true || state.decide(one.wasThere)).length < least)
    addEntry(inputs, state, map, state.pool.true, true);
  return own().findLast((one) => one.isThere === state.pool.true);
}

const push: SymbolicHelper = (inputs, state, [map, from, flags]) => {
  const { pool } = state;
  const index = queueOf(inputs, map!);
  const wanted = state.number(flags!.term);
  const pushed = state.pushed.get(index) ?? [];
  if (wanted !== 0n && wanted !== 2n) return pool.constant(64, -EINVAL);
  const hasNoRoom = isFull(inputs, state, index, grownBy(state, index, pushed.length));
  if (hasNoRoom && wanted === 0n) return pool.constant(64, -E2BIG);
  const value: Term[] = readBytes(inputs, state, from!, inputs.machine.maps[index]!.valueSize);
  if (hasNoRoom) dropOldest(inputs, state, index);
  state.pushed.set(index, [...(state.pushed.get(index) ?? []), value]);
  return pool.constant(64, 0);
};

export const QUEUE_HELPERS: Readonly<Record<string, SymbolicHelper>> = {
  bpf_map_pop_elem: taking(true),
  bpf_map_peek_elem: taking(false),
  bpf_map_push_elem: push,
};
