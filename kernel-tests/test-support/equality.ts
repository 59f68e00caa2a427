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
      isObject(one) && isObject(other) && isDeepStrictEqual(one, other) ? true : undefined,
  ]);
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null;
}
