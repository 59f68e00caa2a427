import { expect, it } from 'vitest';
import { Random, seedFromText } from '../../corpus/generate/random.ts';
import { CaseQueue, type Kept } from './case-queue.ts';

const kept = (cost: number, fresh: readonly number[] = []): Kept => ({
  sequence: { world: {}, stimuli: [{ packet: Uint8Array.of(cost) }] },
  ...{ fresh, changes: new Set<string>(), cost },
});

it('follows in order what it keeps and what is only to be followed, and keeps the former', () => {
  const queue = new CaseQueue();
  const [first, last] = [kept(1), kept(2)];
  queue.keep(first);
  queue.add(kept(3).sequence, 'everywhere');
  queue.keep(last);
  expect([queue.next(), queue.next()?.where, queue.next(), queue.next()]).toEqual([
    first,
    'everywhere',
    last,
    undefined,
  ]);
  expect(queue.kept).toEqual([first, last]);
});

it('returns each kept case once to be solved', () => {
  const queue = new CaseQueue();
  const [first, last] = [kept(1), kept(2)];
  queue.keep(first);
  expect(queue.takeUnsolved()).toEqual([first.sequence]);
  queue.keepKnown(last.sequence, 2);
  expect([queue.takeUnsolved(), queue.takeUnsolved()]).toEqual([[last.sequence], []]);
});

it('has the shortest cases first, and draws those whose rarest way few went', () => {
  const queue = new CaseQueue();
  for (const one of [kept(30, [1]), kept(10, [1, 2]), kept(20, [1])]) queue.keep(one);
  expect(queue.shortest().map(({ stimuli }) => stimuli[0]!.packet[0])).toEqual([10, 20, 30]);
  const random = new Random();
  random.start(seedFromText('rare'), 0);
  const draws = Array.from({ length: 300 }, () => queue.drawRare(random, (way) => (way === 2 ? 1 : 100)));
  const rare = draws.filter(({ cost }) => cost === 10).length;
  // One of three is it, of three draws: 19 of 27.
  expect(rare / draws.length).toBeCloseTo(19 / 27, 1);
});
