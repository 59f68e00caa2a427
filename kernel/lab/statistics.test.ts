import { expect, it } from 'vitest';
import { type Counters, ratesBetween } from './statistics.ts';

const counters = (at: number, packets: number, bytes: number): Counters => ({
  at,
  actions: [{ action: 'XDP_PASS', packets, bytes }],
  protocols: [{ protocol: 17, packets }],
});

it('divides what came by the time it took', () => {
  const rates = ratesBetween(counters(1000, 100, 10_000), counters(1250, 150, 60_000));
  expect(rates.period).toBe(0.25);
  expect(rates.actions).toEqual([
    { action: 'XDP_PASS', packets: 150, bytes: 60_000, packetsPerSecond: 200, megabitsPerSecond: 1.6 },
  ]);
  expect(rates.protocols).toEqual([{ protocol: 17, packets: 150, packetsPerSecond: 200 }]);
});

it('counts everything as new where the counters began anew', () => {
  const rates = ratesBetween(counters(0, 100, 10_000), counters(1000, 5, 490));
  expect(rates.actions?.[0]?.packetsPerSecond).toBe(5);
});

it('takes rows that were not there before as grown from nothing', () => {
  const before: Counters = { at: 0, actions: undefined, protocols: [] };
  const rates = ratesBetween(before, counters(500, 3, 300));
  expect(rates.actions?.[0]?.packetsPerSecond).toBe(6);
  expect(rates.protocols?.[0]?.packetsPerSecond).toBe(6);
});

it('has no rates where no time has passed', () => {
  const now = counters(7, 3, 300);
  expect(ratesBetween(now, now).actions?.[0]?.packetsPerSecond).toBe(0);
});
