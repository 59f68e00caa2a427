/** Which pairs of packets are compared: neither version of IP crowds out the other. */
import { expect, it } from 'vitest';
import { RIGHT_PACKETS } from '../test-support/right-packets.ts';
import { type OfAction, sharedPairs } from './transport-sightings.ts';

const sightings = (count: number): OfAction => ({
  all: Array.from({ length: count }, () => ({ world: {}, stimulus: { packet: RIGHT_PACKETS.UDP! } })),
  changed: [],
  unchanged: [],
});
const kind = (count: number): ReadonlyMap<number, OfAction> =>
  new Map([
    [1, sightings(count)],
    [2, sightings(count)],
  ]);

function counts(kinds: readonly (readonly [string, number])[], most: number): Record<string, number> {
  const seen: Record<string, number> = {};
  const packets = new Map(kinds.map(([name, count]) => [name, kind(count)] as const));
  for (const one of sharedPairs(packets, most)) seen[one.kind] = (seen[one.kind] ?? 0) + 1;
  return seen;
}

it('the version that comes last has half of the pairs', () => {
  expect(
    counts(
      [
        ['6 6 0', 6],
        ['6 17 0', 6],
        ['4 6 0', 6],
      ],
      40,
    ),
  ).toEqual({ '6 6 0': 20, '4 6 0': 20 });
});

it('what one version leaves is the other’s', () => {
  const seen = counts(
    [
      ['6 6 0', 1],
      ['4 6 0', 6],
    ],
    40,
  );
  expect(seen['6 6 0']).toBe(12);
  expect(seen['6 6 0']! + seen['4 6 0']!).toBe(40);
});

it('one version alone has all of them', () => {
  expect(counts([['4 6 0', 6]], 30)).toEqual({ '4 6 0': 30 });
});
