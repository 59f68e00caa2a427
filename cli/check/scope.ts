/** Which invariants a check judges, and what the report says of those that it does not. */
import { nearestName } from '../../sim/runtime/nearest-name.ts';
import { isKnownRule, isNamed, RULES } from '../../verify/invariants/rules.ts';
import { inputFailure } from '../failure.ts';

/** Names of invariants, or of groups of them. */
export interface Scope {
  /** Those that are not judged. */
  readonly off: readonly string[];
  /** Those that alone are judged; none: all. */
  readonly only: readonly string[];
}

/** Is an invariant judged, by `--only` and `--off`? */
export function isOn({ off, only }: Scope, id: string): boolean {
  if (off.some((name) => isNamed(id, name))) return false;
  return only.length === 0 || only.some((name) => isNamed(id, name));
}

/**
 * @param place what messages put before a name: `--off `, or a file's name and a field
 * @throws {Failure} for the first that no invariant and no group has
 */
export function requireRules(place: string, names: readonly string[]): void {
  const unknown = names.find((name) => !isKnownRule(name));
  if (unknown === undefined) return;
  const groups = [...new Set(RULES.map(({ id }) => id.split('/')[0]!))];
  const near = nearestName(unknown, [...groups, ...RULES.map(({ id }) => id)]);
  const meant = near === undefined ? '' : `; did you mean ${near}?`;
  throw inputFailure(
    `${place}${unknown}: no such invariant${meant}; groups: ${groups.join(', ')}`,
    'docs/invariants.md lists all of them',
  );
}
