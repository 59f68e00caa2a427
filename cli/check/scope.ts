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

/** @throws {Failure} where nothing is left: a check that judges nothing would pass whatever the program does */
export function requireSomething(scope: Scope): void {
  if (RULES.some(({ id }) => isOn(scope, id))) return;
  const only = scope.only.length === 0 ? '' : `only ${listed(scope.only)} ${are(scope.only)} asked for, and `;
  throw inputFailure(
    `no invariant is left to judge: ${only}${listed(scope.off)} ${are(scope.off)} switched off`,
    'Leave out one of --only and --off, or of "off" in the configuration.',
  );
}

/**
 * What is not judged, a sentence each.
 * @param reasons of those that the configuration switches off; the command line needs none
 */
export function notJudged({ off, only }: Scope, reasons: ReadonlyMap<string, string> = new Map()): string[] {
  const bare = off.filter((name) => !reasons.has(name));
  return [
    ...(only.length === 0 ? [] : [`only ${listed(only)} ${are(only)} judged (--only)`]),
    ...(bare.length === 0 ? [] : [`${listed(bare)} ${are(bare)} switched off (--off)`]),
    ...[...reasons].map(([name, reason]) => `${name} is switched off: ${reason}`),
  ];
}

/** "a", "a and b", "a, b and c" */
function listed(names: readonly string[]): string {
  const each = [...new Set(names)];
  const last = each.pop()!;
  return each.length === 0 ? last : `${each.join(', ')} and ${last}`;
}

function are(names: readonly string[]): string {
  return new Set(names).size === 1 ? 'is' : 'are';
}
