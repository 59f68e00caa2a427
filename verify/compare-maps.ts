/** The maps that two engines hold after a case, side by side. */
import { compareBytes, type MapDefinition, type MapSnapshot } from '../sim/runtime/maps.ts';

export interface MapDifference {
  /** The map's name. */
  readonly map: string;
  readonly definition: MapDefinition;
  readonly key: Uint8Array;
  /** The value, or undefined where there is no entry. */
  readonly expected: Uint8Array | undefined;
  readonly got: Uint8Array | undefined;
}

/**
 * The first entry that differs, in order of map name and key bytes. Only maps of the same name in both lists are
 * looked at, and of these only the specified ones where a specification is given.
 */
export function firstMapDifference(
  expected: readonly MapSnapshot[],
  got: readonly MapSnapshot[],
  specified?: readonly MapDefinition[],
): MapDifference | undefined {
  for (const snapshot of expected) {
    const { definition } = snapshot;
    if (specified !== undefined && !isNamed(specified, definition.name)) continue;
    const other = got.find((candidate) => candidate.definition.name === definition.name);
    if (other === undefined) continue;
    const difference = firstEntryDifference(snapshot, other);
    if (difference !== undefined) return { map: definition.name, definition, ...difference };
  }
  return undefined;
}

/** The specified maps (without a specification: all that either side has) that one of the sides cannot show. */
export function mapsNotCompared(
  expected: readonly MapSnapshot[],
  got: readonly MapSnapshot[],
  specified?: readonly MapDefinition[],
): string[] {
  const names = new Set(
    specified?.map((definition) => definition.name) ??
      [...expected, ...got].map((snapshot) => snapshot.definition.name),
  );
  const missing = (side: readonly MapSnapshot[], name: string): boolean =>
    !side.some((snapshot) => snapshot.definition.name === name);
  return [...names].filter((name) => missing(expected, name) || missing(got, name)).sort();
}

function isNamed(definitions: readonly MapDefinition[], name: string): boolean {
  return definitions.some((definition) => definition.name === name);
}

/** Both lists are sorted by key, so one walk over the two finds an entry that only one side has. */
function firstEntryDifference(
  a: MapSnapshot,
  b: MapSnapshot,
): { key: Uint8Array; expected: Uint8Array | undefined; got: Uint8Array | undefined } | undefined {
  let left = 0;
  let right = 0;
  while (left < a.entries.length || right < b.entries.length) {
    const expected = a.entries[left];
    const got = b.entries[right];
    const order = expected === undefined ? 1 : got === undefined ? -1 : compareBytes(expected.key, got.key);
    if (order < 0) return { key: expected!.key, expected: expected!.value, got: undefined };
    if (order > 0) return { key: got!.key, expected: undefined, got: got!.value };
    if (compareBytes(expected!.value, got!.value) !== 0) {
      return { key: expected!.key, expected: expected!.value, got: got!.value };
    }
    left++;
    right++;
  }
  return undefined;
}
