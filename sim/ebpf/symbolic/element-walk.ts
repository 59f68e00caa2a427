/**
 * `bpf_for_each_map_elem` on a path (kernel/bpf/arraymap.c, hashtab.c): through every element of an array, and through the
 * entries of a hash table in any order: those that the path knows of, and a few others, of which it knows nothing.
 */
import { EINVAL } from '../../runtime/errno.ts';
import { ARRAYS } from '../../runtime/maps.ts';
import { addBlock, blockPointer } from './access.ts';
import { enter, type Following } from './frames.ts';
import { Impossible } from './impossible.ts';
import type { Inputs } from './inputs.ts';
import { findEntry, TABLES } from './map-entries.ts';
import { mayHaveHeldMore, mustHaveHeldMore } from './map-room.ts';
import { PathMemory } from './path-memory.ts';
import {
  type ElementVisit,
  type MapEntryState,
  NotFollowed,
  type PathState,
  PathViolation,
} from './path-state.ts';
import type { Value } from './path-value.ts';
import type { Term } from './term.ts';

/** Entries that a walk meets besides those that the path has asked for. */
const MOST_OTHERS = 2;

export function callForEach(inputs: Inputs, state: PathState): void {
  const { pool, registers } = state;
  const [map, callback, context, flags] = [registers[1], registers[2], registers[3], registers[4]];
  if (callback?.region?.kind !== 'function' || context === undefined || flags === undefined)
    throw new PathViolation('bpf_for_each_map_elem without a function');
  if (map?.region?.kind !== 'map') throw new NotFollowed('a walk through a map that nobody knows');
  const { map: index } = map.region;
  const { type } = inputs.machine.maps[index]!.definition;
  if (!ARRAYS.has(type) && !(TABLES.has(type) && type.endsWith('HASH')))
    throw new NotFollowed(`a walk through a map of type ${type}`);
  const isKnown = state.decide(pool.equal(flags.term, pool.constant(64, 0)));
  const known = state.entries.flatMap((one, position) =>
    one.map === index && !ARRAYS.has(type) && state.decide(one.isThere) ? [position] : [],
  );
  const visit = {
    kind: 'element',
    target: callback.region.target,
    map: index,
    context,
    visited: 0,
    walk: state.walks,
    known,
    others: 0,
  } as const;
  const next: Following = isKnown
    ? nextElement(inputs, state, visit)
    : { result: pool.constant(64, -EINVAL) };
  state.walks++;
  for (let number = 1; number <= 5; number++) registers[number] = undefined;
  if ('result' in next) {
    registers[0] = { term: next.result, region: undefined };
    state.slot++;
    return;
  }
  for (const [number, value] of next.registers.entries()) registers[number + 1] = value;
  enter(state, visit.target, state.slot + 1, next.callback);
}

/** What comes behind a visit, unless the function has said that it is enough. */
export function behindVisit(inputs: Inputs, state: PathState, visit: ElementVisit): Following {
  const { pool } = state;
  const goesOn = state.decide(pool.equal(state.registers[0]!.term, pool.constant(64, 0)));
  return goesOn ? nextElement(inputs, state, visit) : { result: pool.constant(64, visit.visited) };
}

function nextElement(inputs: Inputs, state: PathState, visit: ElementVisit): Following {
  const { definition } = inputs.machine.maps[visit.map]!;
  const isArray = ARRAYS.has(definition.type);
  if (isArray && visit.visited >= definition.maxEntries)
    return { result: state.pool.constant(64, visit.visited) };
  const met = isArray ? { entry: element(inputs, state, visit), visit } : nextEntry(inputs, state, visit);
  if (met === undefined) {
    state.wholly = new Set([...state.wholly, visit.map]);
    return { result: state.pool.constant(64, visit.visited) };
  }
  return {
    callback: { ...met.visit, visited: visit.visited + 1 },
    registers: [
      {
        term: state.pool.constant(64, inputs.machine.maps[visit.map]!.address),
        region: { kind: 'map', map: visit.map },
      },
      keyPointer(state, visit.map, met.entry.key),
      blockPointer(state, met.entry.block),
      visit.context,
    ],
  };
}

/** A key, which the function may read. */
function keyPointer(state: PathState, map: number, key: readonly Term[]): Value {
  const memory = new PathMemory();
  for (const [at, byte] of key.entries()) memory.setByte(at, byte);
  const size = key.length;
  const block = addBlock(state, { what: 'map key', map, size, writable: false, name: undefined, memory });
  return blockPointer(state, block);
}

function element(inputs: Inputs, state: PathState, { map, visited }: ElementVisit): MapEntryState {
  const key = [0, 1, 2, 3].map((at) => state.pool.constant(8, (visited >>> (8 * at)) & 0xff));
  return findEntry(inputs, state, map, key)!.entry;
}

/** The entry of a hash table that comes next; undefined: that was the last one. */
function nextEntry(
  inputs: Inputs,
  state: PathState,
  visit: ElementVisit,
): { readonly entry: MapEntryState; readonly visit: ElementVisit } | undefined {
  const { pool } = state;
  const { map, walk, visited, others } = visit;
  const { known } = visit;
  const { name, definition } = inputs.machine.maps[map]!;
  const mayBeOther = others < MOST_OTHERS && !state.wholly.has(map) && mayHaveHeldMore(inputs, state, map);
  if (!state.wholly.has(map)) {
    state.assume(
      `a walk through map ${name} meets at most ${MOST_OTHERS} entries that the program has not looked up before`,
    );
  }
  // The order is another program's own.
  const place = `${inputs.isSecond ? 'second.' : ''}walk${walk}.${visited}`;
  if (mayBeOther && state.decide(pool.unknown(1, `${place}.other`))) {
    const own = state.entries.filter((one) => one.map === map);
    const ordinal = own.length;
    const key = Array.from({ length: definition.keySize }, (_, at) =>
      pool.unknown(8, `${inputs.entryName(map, ordinal)}.key.${at}`),
    );
    const isNew = pool.all(
      own.map((one) => pool.not(pool.all(key.map((byte, at) => pool.equal(byte, one.key[at]!))))),
    );
    if (!state.decide(isNew)) throw new Impossible();
    return {
      entry: otherEntry(inputs, state, map, key, ordinal),
      visit: { ...visit, known, others: others + 1 },
    };
  }
  for (const [index, position] of known.entries()) {
    const isLast = index === known.length - 1;
    if (!isLast && !state.decide(pool.unknown(1, `${place}.${index}`))) continue;
    const left = known.filter((one) => one !== position);
    return { entry: state.entries[position]!, visit: { ...visit, known: left } };
  }
  if (mustHaveHeldMore(inputs, state, map)) throw new Impossible();
  return undefined;
}

/** An entry that was there when the packet came. */
function otherEntry(
  inputs: Inputs,
  state: PathState,
  map: number,
  key: readonly Term[],
  ordinal: number,
): MapEntryState {
  const { pool } = state;
  const live = inputs.machine.maps[map]!;
  const block = addBlock(state, {
    what: 'map value',
    map,
    size: live.valueSize,
    writable: live.programWritable,
    name: inputs.entryName(map, ordinal),
    memory: new PathMemory(),
  });
  const entry: MapEntryState = { map, key, wasThere: pool.true, isThere: pool.true, block };
  state.entries = [...state.entries, entry];
  return entry;
}
