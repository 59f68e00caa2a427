/** Queues and stacks on a path: what it takes out was there before, as unknowns; what it puts in, it does not take out again. */
import { E2BIG, EINVAL, ENOENT } from '../../runtime/errno.ts';
import { addBlock, blockByte, writeBytes } from './access.ts';
import type { Inputs } from './inputs.ts';
import { PathMemory } from './path-memory.ts';
import { type MapEntryState, NotFollowed, type PathState } from './path-state.ts';
import type { Value } from './path-value.ts';
import type { SymbolicHelper } from './symbolic-helper.ts';
import { isConst } from './term.ts';

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
  if (own.some((one) => isConst(one.wasThere) || !state.decide(one.wasThere))) return undefined;
  const name = inputs.entryName(map, own.length);
  const wasThere = pool.unknown(1, `${name}.there`);
  const isThere = own.length < inputs.machine.maps[map]!.definition.maxEntries && state.decide(wasThere);
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
    if (state.pushed.has(index)) throw new NotFollowed('a queue that is read after it was written');
    const entry = next(inputs, state, index);
    if (entry === undefined) {
      writeBytes(state, to!, new Array(size).fill(pool.constant(8, 0)));
      return pool.constant(64, -ENOENT);
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

const push: SymbolicHelper = (inputs, state, [map, , flags]) => {
  const { pool } = state;
  const index = queueOf(inputs, map!);
  const wanted = state.number(flags!.term);
  if (wanted !== 0n && wanted !== 2n) return pool.constant(64, -EINVAL);
  const taken = state.entries.some(
    (one) => one.map === index && one.isThere === pool.false && state.decide(one.wasThere),
  );
  if (
    !taken &&
    wanted === 0n &&
    state.decide(pool.unknown(1, `full${inputs.mapNumber(index)}.${state.pushed.get(index) ?? 0}`))
  ) {
    return pool.constant(64, -E2BIG);
  }
  state.pushed.set(index, (state.pushed.get(index) ?? 0) + 1);
  return pool.constant(64, 0);
};

export const QUEUE_HELPERS: Readonly<Record<string, SymbolicHelper>> = {
  bpf_map_pop_elem: taking(true),
  bpf_map_peek_elem: taking(false),
  bpf_map_push_elem: push,
};
