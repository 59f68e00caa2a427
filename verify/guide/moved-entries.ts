/**
 * Entries that go with their packets: where another value is solved for an input that the key of a lookup is made of, the entry
 * that guidance has put there for it moves to the new key. Else what a program asks about the key of an entry that it has found
 * could go the way of the first such entry only.
 */
import type { BpfMap } from '../../sim/ebpf/bpf-object.ts';
import { byteOf, evaluate, fieldsOf, type Operand } from '../../sim/ebpf/dataflow/expression.ts';
import type { FlowCall } from '../../sim/ebpf/dataflow/flow-trace.ts';
import type { InputField } from '../../sim/ebpf/dataflow/inputs.ts';
import { readU32le } from '../../sim/packet/bytes.ts';
import type { MapEntry, MapSlot, World } from '../../sim/runtime/world.ts';
import type { Background } from './background.ts';
import { askedFor } from './stated-entries.ts';
import { isSameKey } from './world-edits.ts';

/** What an input is after a change; undefined: what it was. */
export type ValueNow = (field: InputField) => bigint | undefined;

interface Move {
  readonly name: string;
  readonly from: Uint8Array;
  readonly to: Uint8Array;
}

type Keyed = MapEntry | MapSlot;

/** Maps that take any key; of the others it is an index. */
const BY_KEY: ReadonlySet<BpfMap['type']> = new Set<BpfMap['type']>([
  ...(['HASH', 'LRU_HASH', 'PERCPU_HASH', 'LRU_PERCPU_HASH', 'LPM_TRIE'] as const),
  ...(['HASH_OF_MAPS', 'DEVMAP_HASH', 'BLOOM_FILTER'] as const),
]);

/** The world in which lookups that found an entry of guidance's own find it under the keys that they have now. */
export function withMovedEntries(world: World, now: ValueNow, background: Background): World {
  if (world.maps === undefined && world.slots === undefined) return world;
  const { machine } = background;
  const { moves, staying } = movesOf(now, background);
  if (moves.length === 0) return world;
  // Another lookup may still ask for the old key: then it is a copy, as far as there is room.
  const stays = ({ name, from }: Move): boolean =>
    staying.some((one) => one.name === name && isSameKey(one.from, from));
  const sizes = new Map(machine.object.maps.map(({ name, maxEntries }) => [name, maxEntries] as const));
  const { maps, slots } = world;
  return {
    ...world,
    ...(maps === undefined ? {} : { maps: movedIn(maps, moves, stays, sizes) }),
    ...(slots === undefined ? {} : { slots: movedIn(slots, moves, stays, sizes) }),
  };
}

/** What asks for another key than it did, and what asks for the same. */
function movesOf(
  now: ValueNow,
  { machine, calls, isStatedEntry }: Background,
): { readonly moves: readonly Move[]; readonly staying: readonly Omit<Move, 'to'>[] } {
  const moves: Move[] = [];
  const staying: Omit<Move, 'to'>[] = [];
  for (const call of calls) {
    const map = machine.object.maps[call.map];
    if (!call.found || map === undefined || map.global !== undefined) continue;
    const { name, type, maxEntries } = map;
    const to = keyAfter(call, now);
    if (to === undefined || isSameKey(to, call.key)) staying.push({ name, from: call.key });
    else if (isStatedEntry(call.map, call.key) || isStatedEntry(call.map, to)) continue;
    // An index that the map does not have finds nothing.
    else if (BY_KEY.has(type) || readU32le(to, 0) < maxEntries) moves.push({ name, from: call.key, to });
  }
  return { moves, staying };
}

/** The key that the call has with the changed inputs; undefined where it is not known what it is made of. */
function keyAfter({ key, keyParts }: FlowCall, now: ValueNow): Uint8Array | undefined {
  const changed = new Map<InputField, bigint>();
  for (const field of new Set(keyParts.flatMap((part) => [...fieldsOf(part)]))) {
    const value = now(field);
    if (value !== undefined) changed.set(field, value);
  }
  const parts = partsOf(key, keyParts);
  return parts && Uint8Array.from(parts, (part) => Number(evaluate(part, changed) & 0xffn));
}

/** An index is one value, any other key is known byte by byte. */
function partsOf(key: Uint8Array, keyParts: readonly Operand[]): readonly Operand[] | undefined {
  const [index] = keyParts;
  if (index !== undefined && keyParts.length === 1 && key.length === 4)
    return Array.from(key, (_, at) => byteOf(index, at));
  return keyParts.length === key.length && key.length > 0 ? keyParts : undefined;
}

function movedIn<T extends Keyed>(
  lists: Readonly<Record<string, readonly T[]>>,
  moves: readonly Move[],
  stays: (move: Move) => boolean,
  sizes: ReadonlyMap<string, number>,
): Readonly<Record<string, readonly T[]>> {
  const result = { ...lists };
  for (const name of new Set(moves.map((move) => move.name))) {
    const before = lists[name];
    if (before === undefined) continue;
    const own = moves.filter((move) => move.name === name);
    const gone = own.filter((move) => !stays(move));
    const after = before.filter((one) => !gone.some(({ from }) => isSameKey(from, askedFor(one))));
    for (const { from, to } of own) {
      const entry = before.find((one) => isSameKey(askedFor(one), from));
      const isThere = after.some((one) => isSameKey(askedFor(one), to));
      if (entry !== undefined && !isThere && after.length < (sizes.get(name) ?? 0))
        after.push(entry.key.length === 0 ? { ...entry, value: to } : { ...entry, key: to });
    }
    result[name] = after;
  }
  return result;
}
