/** What a clock of work shows beside one of time. */
import { expect, it } from 'vitest';
import { workClock } from './work-clock.ts';

/** @param steps of time and of work, in milliseconds, between two looks at the clock */
function shown(steps: readonly (readonly [time: number, work: number])[]): number[] {
  let [time, work] = [5000, 70];
  const now = workClock({ time: () => time, work: () => work });
  return steps.map(([passed, done]) => {
    time += passed;
    work += done;
    return now();
  });
}

it('stands still for as long as the process has to wait, but for a tenth', () => {
  expect(
    shown([
      [1000, 1000],
      [1000, 250],
      [1000, 0],
    ]),
  ).toEqual([1000, 1250, 1350]);
});

it('never goes faster than time, however many threads work', () => {
  expect(
    shown([
      [1000, 4000],
      [1000, 0],
      [0, 10],
    ]),
  ).toEqual([1000, 1100, 1100]);
});

it('goes by the work of this process where nobody says otherwise', () => {
  const now = workClock();
  const before = performance.now();
  while (performance.now() - before < 20);
  const at = now();
  expect(at).toBeGreaterThanOrEqual(2);
  expect(at).toBeLessThanOrEqual(performance.now() - before + 20);
});
