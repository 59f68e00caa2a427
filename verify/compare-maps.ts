/** The maps that two engines hold after a case, side by side. */
import {
  differingEntries,
  type EntryDifference,
  type MapSnapshot,
  sameContents,
} from '../sim/runtime/map-snapshot.ts';
import type { MapDefinition } from '../sim/runtime/maps.ts';

export interface MapDifference extends EntryDifference {
  /** The map's name. */
  readonly map: string;
  readonly definition: MapDefinition;
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
    if (sameContents(snapshot, other)) continue;
    const [difference] = differingEntries(snapshot, other);
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
