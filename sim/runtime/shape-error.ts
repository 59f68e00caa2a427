/** A value that has not the shape it should have, and the words for it. */

import { InputError } from './input-error.ts';

/** The message begins with the place: `worlds[0].world: expected an object, got null`. */
export class ShapeError extends InputError {
  /** `worlds[0].world`; empty for the value itself. */
  readonly place: string;
  /** "expected an object, got null". */
  readonly problem: string;

  constructor(place: string, problem: string) {
    super(place === '' ? problem : `${place}: ${problem}`);
    this.name = 'ShapeError';
    this.place = place;
    this.problem = problem;
  }
}

/** `worlds[0].world`: keys of objects behind dots, indexes of lists in brackets. */
export function pathText(keys: readonly unknown[], root: string): string {
  return keys.reduce<string>((place, key) => {
    if (typeof key === 'number') return `${place}[${key}]`;
    const name = String(key);
    const step = /^[\w-]+$/.test(name) ? name : JSON.stringify(name);
    return place === '' ? step : `${place}.${step}`;
  }, root);
}

/** Where reading a property throws; undefined where none does. */
export function throwingPlace(value: unknown): readonly (string | number)[] | undefined {
  return search(value, [], new Set());
}

function search(
  value: unknown,
  path: readonly (string | number)[],
  seen: Set<unknown>,
): readonly (string | number)[] | undefined {
  if (value === null || typeof value !== 'object' || ArrayBuffer.isView(value) || seen.has(value)) return;
  seen.add(value);
  try {
    for (const key of Object.keys(value)) {
      const here = [...path, Array.isArray(value) ? Number(key) : key];
      let item: unknown;
      try {
        item = (value as Record<string, unknown>)[key];
      } catch {
        return here;
      }
      const found = search(item, here, seen);
      if (found !== undefined) return found;
    }
  } catch {
    // A trap of a proxy that lists its keys.
    return path;
  }
  return;
}

/** What something thrown says: it may be anything, and hostile. */
export function reasonOf(error: unknown): string {
  try {
    return error instanceof Error ? String(error.message) : String(error);
  } catch {
    return 'an error that cannot be shown';
  }
}

/** A value as messages show it: short, and without touching anything that may throw. */
export function shown(value: unknown): string {
  switch (typeof value) {
    case 'undefined':
      return 'nothing';
    case 'string':
      return value.length > 40 ? `${JSON.stringify(value.slice(0, 40))}…` : JSON.stringify(value);
    case 'bigint':
      return `${value}n`;
    case 'number':
    case 'boolean':
      return String(value);
    case 'function':
      return 'a function';
    case 'symbol':
      return 'a symbol';
    default:
      if (value === null) return 'null';
      if (Array.isArray(value)) return 'a list';
      return ArrayBuffer.isView(value) ? `${value.byteLength} bytes` : 'an object';
  }
}
