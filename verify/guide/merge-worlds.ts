/** Puts the worlds of kept cases together where they fit each other: a run that visits few worlds is faster than one of many. */
import type { World } from '../../sim/runtime/world.ts';
import { SCALARS } from '../world-parts.ts';
import type { Sequence } from './traced-runs.ts';
import { isSameKey } from './world-edits.ts';

/** Lists that are taken whole or not at all: their parts refer to each other. */
const WHOLE = ['devices', 'routes', 'neighbours', 'sockets'] as const;
const ENTRIES = ['maps', 'slots'] as const;

/**
 * The same sequences, in fewer worlds.
 * @param stillReaches does the sequence at an index reach in another world what it was kept for?
 */
export function mergeWorlds<T extends Sequence>(
  sequences: readonly T[],
  stillReaches: (index: number, world: World) => boolean,
): T[] {
  const groups: { world: World; readonly members: number[] }[] = [];
  for (const [index, { world }] of sequences.entries()) {
    const home = groups.find((group) => {
      const both = group.world === world ? world : union(group.world, world);
      if (both === undefined) return false;
      const members = both === group.world ? [index] : [...group.members, index];
      if (both !== world && !members.every((member) => stillReaches(member, both))) return false;
      group.world = both;
      return true;
    });
    if (home === undefined) groups.push({ world, members: [index] });
    else home.members.push(index);
  }
  const worlds = new Map(
    groups.flatMap(({ world, members }) => members.map((member) => [member, world] as const)),
  );
  return sequences.map((sequence, index) => ({ ...sequence, world: worlds.get(index) ?? sequence.world }));
}

/** Both worlds in one; undefined where they contradict each other. */
export function union(a: World, b: World): World | undefined {
  const result: Record<string, unknown> = { ...a };
  for (const name of WHOLE) {
    if (a[name] !== undefined && b[name] !== undefined && a[name] !== b[name]) return undefined;
    if (b[name] !== undefined) result[name] = b[name];
  }
  for (const name of SCALARS) {
    if (a[name] !== b[name]) return undefined;
  }
  const globals = unionBy(a.globals, b.globals, (x, y) => (isSameKey(x, y) ? x : undefined));
  if (globals === undefined) return undefined;
  if (globals !== NONE) result.globals = globals;
  for (const name of ENTRIES) {
    const merged = unionBy<readonly { readonly key: Uint8Array }[]>(a[name], b[name], unionEntries);
    if (merged === undefined) return undefined;
    if (merged !== NONE) result[name] = merged;
  }
  return result as World;
}

const NONE: Readonly<Record<string, never>> = {};

function unionBy<T>(
  a: Readonly<Record<string, T>> | undefined,
  b: Readonly<Record<string, T>> | undefined,
  merge: (x: T, y: T) => T | undefined,
): Readonly<Record<string, T>> | undefined {
  if (a === undefined && b === undefined) return NONE;
  const result: Record<string, T> = { ...a };
  for (const [name, value] of Object.entries(b ?? {})) {
    const before = result[name];
    const merged = before === undefined ? value : merge(before, value);
    if (merged === undefined) return undefined;
    result[name] = merged;
  }
  return result;
}

interface Entry {
  readonly key: Uint8Array;
  readonly value?: Uint8Array;
  readonly name?: string;
}

function unionEntries(a: readonly Entry[], b: readonly Entry[]): readonly Entry[] | undefined {
  if (a === b) return a;
  if ([...a, ...b].some(({ key }) => key.length === 0)) return unionValues(a, b);
  const result = a.slice();
  for (const entry of b) {
    const before = result.find((one) => isSameKey(one.key, entry.key));
    if (before === undefined) result.push(entry);
    else if (before.name !== entry.name || !isSameKey(before.value ?? NOTHING, entry.value ?? NOTHING))
      return undefined;
  }
  return result;
}

/** Of values without keys: the longer list where it has the shorter one at an end, or both, one after the other. */
function unionValues(a: readonly Entry[], b: readonly Entry[]): readonly Entry[] {
  const [longer, shorter] = a.length < b.length ? [b, a] : [a, b];
  const isIn = (from: number): boolean =>
    shorter.every((one, at) => isSameKey(one.value ?? NOTHING, longer[from + at]!.value ?? NOTHING));
  return isIn(0) || isIn(longer.length - shorter.length) ? longer : [...a, ...b];
}

const NOTHING = new Uint8Array(0);
