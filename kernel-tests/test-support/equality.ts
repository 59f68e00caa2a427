/**
 * What is identical is equal, whatever a matcher goes by: native code tells so many times faster than vitest does, which goes
 * through every byte of an array as a key of its own. Where it is not identical, vitest decides as ever, and shows what differs.
 * vitest loads this before every test file (`setupFiles`).
 */
import { isDeepStrictEqual } from 'node:util';
import { expect } from 'vitest';

const DONE = Symbol.for('xdpsim.equality');
/** Processes that files share have one list of testers. */
const marks = globalThis as { [DONE]?: true };

if (marks[DONE] === undefined) {
  marks[DONE] = true;
  expect.addEqualityTesters([
    (one: unknown, other: unknown): true | undefined =>
      isObject(one) && isObject(other) && isDeepStrictEqual(one, other) && isOpen(one) ? true : undefined,
  ]);
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null;
}

/**
 * Holds nothing but data: what a class keeps in private fields (an URL, what is iterated over), native code does not compare
 * and vitest may.
 * @param depth what is deeper, or a circle, is left to vitest
 */
function isOpen(value: unknown, depth = 30): boolean {
  if (!isObject(value) || ArrayBuffer.isView(value)) return typeof value !== 'function';
  if (depth === 0) return false;
  const within = (one: unknown): boolean => isOpen(one, depth - 1);
  if (Array.isArray(value)) return value.every(within);
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype === Map.prototype) return [...(value as Map<unknown, unknown>)].every(within);
  if (prototype === Set.prototype) return [...(value as Set<unknown>)].every(within);
  return (prototype === Object.prototype || prototype === null) && Object.values(value).every(within);
}
