/** The maps of two builds, which need not have the same ones, or the same variables at the same places. */
import type { BpfMap } from '../../sim/ebpf/bpf-object.ts';
import { linkedObject } from '../../sim/ebpf/linked-object.ts';
import { mapNamed, templateOf } from '../../sim/ebpf/made-maps.ts';
import { type MapSnapshot, sameContents } from '../../sim/runtime/map-snapshot.ts';
import { isArray } from '../../sim/runtime/maps.ts';
import type { Program } from '../../sim/runtime/program.ts';
import { firstMapDifference, type MapDifference } from '../compare-maps.ts';
import type { BuildPair } from './pair.ts';

export interface MapState {
  /** The maps after the case. */
  readonly now: readonly MapSnapshot[];
  /** The maps before it. */
  readonly start: readonly MapSnapshot[];
}

/** What of one map differs. */
export type PairMapDifference =
  | { readonly is: 'entry'; readonly map: string; readonly difference: MapDifference }
  /** A global variable: `.bss: hits`. */
  | {
      readonly is: 'variable';
      readonly map: string;
      readonly old: Uint8Array;
      readonly new: Uint8Array;
      /** Where it lies in the section of each build. */
      readonly offsets: { readonly old: number; readonly new: number };
    }
  /** Packets change a map, or a variable, that the other build does not have, or has in another form. */
  | {
      readonly is: 'only in' | 'other form';
      readonly what: 'map' | 'variable';
      readonly map: string;
      readonly build: 'old' | 'new';
    };

/** The first map that differs, in order of name; undefined where all that can be compared agree. */
export function pairMapDifference(
  pair: BuildPair,
  old: MapState,
  next: MapState,
): PairMapDifference | undefined {
  const maps = { old: mapsOf(pair.old), new: mapsOf(pair.new) };
  const made = [...old.now, ...next.now].flatMap(({ definition: { name } }) =>
    templateOf(name) === undefined ? [] : [name],
  );
  const names = [...new Set([...maps.old.keys(), ...maps.new.keys(), ...made])].sort();
  for (const name of names) {
    const definitions = { old: namedIn(maps.old, name), new: namedIn(maps.new, name) };
    const before = named(old.now, name);
    const after = named(next.now, name);
    const difference =
      definitions.old?.global !== undefined || definitions.new?.global !== undefined
        ? (variableDifference(definitions, before, after) ??
          unmatchedVariable(definitions, old, 'old', before) ??
          unmatchedVariable({ old: definitions.new, new: definitions.old }, next, 'new', after))
        : contentDifference(name, definitions, { old, new: next }, before, after);
    if (difference !== undefined) return difference;
  }
  return undefined;
}

/** Do both builds have these maps, in the same form, so that one world fits both? */
export function haveBoth({ old, new: next }: BuildPair, names: readonly string[]): boolean {
  const [a, b] = [mapsOf(old), mapsOf(next)];
  return names.every((name) => {
    const [one, other] = [namedIn(a, name), namedIn(b, name)];
    return one !== undefined && other !== undefined && one.type === other.type && hasSameForm(one, other);
  });
}

type Definitions = { readonly old: BpfMap | undefined; readonly new: BpfMap | undefined };

function contentDifference(
  map: string,
  { old, new: next }: Definitions,
  states: { readonly old: MapState; readonly new: MapState },
  before: MapSnapshot | undefined,
  after: MapSnapshot | undefined,
): PairMapDifference | undefined {
  if (old !== undefined && next !== undefined && hasSameForm(old, next)) {
    if (before === undefined || after === undefined) return undefined;
    const difference = firstMapDifference([before], [after]);
    return difference === undefined ? undefined : { is: 'entry', map, difference };
  }
  const is = old === undefined || next === undefined ? 'only in' : 'other form';
  if (isChanged(states.old, before)) return { is, what: 'map', map, build: 'old' };
  if (isChanged(states.new, after)) return { is, what: 'map', map, build: 'new' };
  return undefined;
}

function hasSameForm(a: BpfMap, b: BpfMap): boolean {
  return a.keySize === b.keySize && a.valueSize === b.valueSize && isArray(a.type) === isArray(b.type);
}

function isChanged({ start }: MapState, now: MapSnapshot | undefined): boolean {
  if (now === undefined) return false;
  const before = named(start, now.definition.name);
  return before === undefined || !sameContents(before, now);
}

/** Variables that both have, in the same size; where each lies is the compiler's business. */
function variableDifference(
  { old, new: next }: Definitions,
  before: MapSnapshot | undefined,
  after: MapSnapshot | undefined,
): PairMapDifference | undefined {
  if (old?.global === undefined || next?.global === undefined || old.global.readOnly) return undefined;
  if (before === undefined || after === undefined) return undefined;
  for (const [variable, { offset, size }] of old.global.variables) {
    const other = next.global.variables.get(variable);
    if (other === undefined || other.size !== size) continue;
    const was = bytesOf(before, old, offset, size);
    const is = bytesOf(after, next, other.offset, size);
    if (Buffer.compare(was, is) !== 0) {
      const offsets = { old: offset, new: other.offset };
      return { is: 'variable', map: `${old.name}: ${variable}`, old: was, new: is, offsets };
    }
  }
  return undefined;
}

/** A variable of the first of the two that packets changed, and the other one has none of that size to hold it against. */
function unmatchedVariable(
  { old: own, new: other }: Definitions,
  { start }: MapState,
  build: 'old' | 'new',
  now: MapSnapshot | undefined,
): PairMapDifference | undefined {
  if (own?.global === undefined || own.global.readOnly || now === undefined) return undefined;
  const before = named(start, own.name);
  if (before === undefined) return undefined;
  for (const [variable, { offset, size }] of own.global.variables) {
    const same = other?.global?.variables.get(variable);
    if (same?.size === size) continue;
    if (Buffer.compare(bytesOf(before, own, offset, size), bytesOf(now, own, offset, size)) === 0) continue;
    const is = same === undefined ? 'only in' : 'other form';
    return { is, what: 'variable', map: `${own.name}: ${variable}`, build };
  }
  return undefined;
}

/** An array's snapshot leaves out values that are all zero. */
function bytesOf(snapshot: MapSnapshot, { valueSize }: BpfMap, offset: number, size: number): Uint8Array {
  const value = snapshot.count === 0 ? new Uint8Array(valueSize) : snapshot.value(0);
  return value.slice(offset, offset + size);
}

function named(maps: readonly MapSnapshot[], name: string): MapSnapshot | undefined {
  return maps.find(({ definition }) => definition.name === name);
}

/** One of the object's maps, or one that user space makes. */
function namedIn(maps: ReadonlyMap<string, BpfMap>, name: string): BpfMap | undefined {
  return maps.get(name) ?? (templateOf(name) === undefined ? undefined : mapNamed([...maps.values()], name));
}

const known = new WeakMap<Uint8Array, ReadonlyMap<string, BpfMap>>();

function mapsOf({ object }: Program): ReadonlyMap<string, BpfMap> {
  if (object === undefined) return new Map();
  let maps = known.get(object);
  if (maps === undefined) {
    maps = new Map(linkedObject(object).maps.map((map) => [map.name, map]));
    known.set(object, maps);
  }
  return maps;
}
