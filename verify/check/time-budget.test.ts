/** Time that a check may take, and its shares. */
import { expect, it } from 'vitest';
import { TimeBudget } from './time-budget.ts';

it('no part takes more than its share of what is left, and what one leaves is the others', () => {
  let now = 1000;
  const budget = new TimeBudget(8, () => now);
  expect(budget).toMatchObject({ isLimited: true, left: 8, isOver: false });
  budget.allot(1 / 4);
  expect(budget.left).toBe(2);
  now += 3000;
  expect(budget).toMatchObject({ left: 0, isOver: true });
  budget.allot(1 / 2);
  expect(budget.left).toBe(2.5);
  now += 500;
  budget.allot(1);
  expect(budget.left).toBe(4.5);
  now += 60_000;
  budget.allot(1);
  expect(budget).toMatchObject({ left: 0, isOver: true });
});

it('who was given no time has no end', () => {
  const budget = new TimeBudget();
  budget.allot(1 / 4);
  expect(budget).toMatchObject({ isLimited: false, left: Number.POSITIVE_INFINITY, isOver: false });
});
