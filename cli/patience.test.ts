import { describe, expect, it } from 'vitest';
import { Patience, REPORT, SILENCE, WHATEVER_COMES, waitedForProcessor } from './patience.ts';

/** A clock that is set by hand, and a process that waits as the test says. */
class Made {
  now = 0;
  waited = 0;
  readonly patience = new Patience(
    () => this.waited,
    () => this.now,
  );
}

describe('the patience with a process that was asked to end', () => {
  it('is over soon where nothing is heard', () => {
    const made = new Made();
    made.now = SILENCE - 1;
    expect(made.patience.isOver).toBe(false);
    made.now = SILENCE;
    expect(made.patience.isOver).toBe(true);
  });

  it('lasts as long as there are signs of life, but not for ever', () => {
    const made = new Made();
    while (made.now + SILENCE / 2 < REPORT) {
      made.now += SILENCE / 2;
      expect(made.patience.isOver).toBe(false);
      made.patience.sign();
    }
    made.now = REPORT;
    expect(made.patience.isOver).toBe(true);
  });

  it('does not count the time in which others have the processor, within limits', () => {
    const made = new Made();
    made.now = 10 * SILENCE;
    made.waited = 9 * SILENCE + 1;
    expect(made.patience.isOver).toBe(false);
    made.waited = 9 * SILENCE;
    expect(made.patience.isOver).toBe(true);
    made.now = WHATEVER_COMES;
    made.waited = WHATEVER_COMES;
    expect(made.patience.isOver).toBe(true);
  });
});

it('counts nothing for a process that is gone', () => {
  expect(waitedForProcessor(0x7fff_ffff)).toBe(0);
});
