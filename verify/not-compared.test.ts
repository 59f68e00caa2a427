import { expect, it } from 'vitest';
import { sumNotCompared } from './not-compared.ts';

it('adds up the packets of the same gap, and keeps engines apart', () => {
  expect(
    sumNotCompared([
      { what: 'short frames', engine: 'testrun', packets: 3 },
      { what: 'redirect target', engine: 'testrun' },
      { what: 'short frames', engine: 'veth', packets: 1 },
      { what: 'short frames', engine: 'testrun', packets: 4 },
      { what: 'redirect target', engine: 'testrun' },
    ]),
  ).toEqual([
    { what: 'short frames', engine: 'testrun', packets: 7 },
    { what: 'redirect target', engine: 'testrun' },
    { what: 'short frames', engine: 'veth', packets: 1 },
  ]);
});

it('says of a gap that is about all packets somewhere that it is about all of them', () => {
  const all = { what: 'maps', engine: 'veth' } as const;
  const some = { ...all, packets: 5 };
  expect(sumNotCompared([some, all])).toEqual([all]);
  expect(sumNotCompared([all, some])).toEqual([all]);
});
