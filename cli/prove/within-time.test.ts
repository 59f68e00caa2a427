/** Questions that may take no longer than all of them together. */
import { expect, it } from 'vitest';
import { withinTime } from './within-time.ts';

it('a question gets what is left, and one that comes late a moment', async () => {
  let now = 500;
  const given: (number | undefined)[] = [];
  const solver = withinTime(
    {
      check: async (_, most) => {
        given.push(most);
        return { status: 'unknown', reason: 'asked' };
      },
    },
    1000,
    () => now,
  );
  for (const at of [500, 1200.5, 1495, 9000]) {
    now = at;
    await solver.check([]);
  }
  await solver.check([], 7);
  expect(given).toEqual([1000, 300, 20, 20, 7]);
});
