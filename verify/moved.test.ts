/** What moves between two runs of the same packets, part by part. */
import { describe, expect, it } from 'vitest';
import { type OutcomeBatch, STATUS } from '../sim/engines/outcome-batch.ts';
import { snapshotOf } from '../sim/runtime/map-snapshot.ts';
import type { MapDefinition } from '../sim/runtime/maps.ts';
import { MovedParts, type RunOutcome } from './moved.ts';
import { type MadeOutcome, outcomes } from './test-support/outcomes.ts';

const run = (output: OutcomeBatch, maps?: RunOutcome['maps']): RunOutcome => ({ output, maps });

/** Three packets, the middle one of which differs; the last runs another entry. */
function moved(a: MadeOutcome, b: MadeOutcome): MovedParts {
  const parts = new MovedParts(3, Uint8Array.of(0, 0, 1));
  parts.enter(run(outcomes({}, a, {})), run(outcomes({}, b, {})));
  return parts;
}

function seen(parts: MovedParts): string {
  const { whole, redirect, trace, skb, bytes } = parts;
  const flags = { whole, redirect, trace, skb };
  return [
    ...Object.entries(flags).flatMap(([name, of]) => (of.includes(1) ? [`${name} ${[...of].join('')}`] : [])),
    ...[...bytes].map(([packet, of]) => `bytes of ${packet}: ${[...of].join('')}`),
  ].join('; ');
}

describe('what moved of a packet', () => {
  it.each<[a: MadeOutcome, b: MadeOutcome, seen: string]>([
    [{}, {}, ''],
    [{ action: 1 }, { action: 2 }, 'whole 010'],
    [{ packet: [1, 2, 3] }, {}, 'whole 010'],
    [{ metadata: [9] }, { metadata: [] }, 'whole 010'],
    [{ metadata: [9], packet: [1, 2, 3] }, {}, 'whole 010'],
    [{ status: STATUS.fault }, {}, 'whole 010'],
    // Of packets that did not run to their end nothing else is looked at.
    [{ status: STATUS.fault, redirect: 1 }, { status: STATUS.fault }, ''],
    [{ redirect: 1 }, {}, 'redirect 010'],
    [{ trace: ['a'] }, {}, 'trace 010'],
    [{ trace: [] }, {}, ''],
    [{ trace: ['a', 'b'] }, { trace: ['a', 'b'] }, ''],
    [{ trace: ['a', 'b'] }, { trace: ['b', 'a'] }, 'trace 010'],
    [{ mark: 1 }, {}, 'skb 010'],
    [{ priority: 1 }, {}, 'skb 010'],
    [{ cb: [0, 1] }, {}, 'skb 010'],
    [{ cb: [4, 1] }, {}, 'skb 010'],
    [{ tstamp: [0, 1] }, {}, 'skb 010'],
    [{ tstamp: [1, 1] }, {}, 'skb 010'],
    [{ packet: [9, 2, 3, 4] }, {}, 'bytes of 1: 1000'],
    [{ packet: [1, 2, 3, 9] }, {}, 'bytes of 1: 0001'],
    [{ metadata: [7, 8] }, { metadata: [7, 9] }, 'bytes of 1: 010000'],
    [{ packet: [9, 9, 3, 4], redirect: 2 }, {}, 'redirect 010; bytes of 1: 1100'],
  ])('%j and %j', (a, b, expected) => {
    const parts = moved(a, b);
    expect(seen(parts)).toBe(expected);
    expect(parts.isEmpty).toBe(expected === '');
    expect([0, 1, 2].map((packet) => parts.has(packet))).toEqual([false, expected !== '', false]);
    // Whichever of the two ran first.
    expect(seen(moved(b, a))).toBe(expected);
  });

  it('adds up over several runs', () => {
    const parts = new MovedParts(1, Uint8Array.of(0));
    parts.enter(run(outcomes({ packet: [1, 2, 3, 4] })), run(outcomes({ packet: [1, 9, 3, 4] })));
    parts.enter(run(outcomes({ packet: [1, 2, 3, 4] })), run(outcomes({ packet: [1, 2, 3, 9] })));
    expect(seen(parts)).toBe('bytes of 0: 0101');
  });
});

describe('a difference of a kind that was seen', () => {
  const kind = (
    a: MadeOutcome,
    b: MadeOutcome,
    first: MadeOutcome,
    second: MadeOutcome,
    packet = 0,
  ): boolean =>
    moved(a, b).isOfAKind(outcomes(first, first, first), outcomes(second, second, second), packet);

  it('is one between the same two actions, either way, of the same entry', () => {
    expect(kind({ action: 1 }, { action: 2 }, { action: 1 }, { action: 2 })).toBe(true);
    expect(kind({ action: 1 }, { action: 2 }, { action: 2 }, { action: 1 })).toBe(true);
    expect(kind({ action: 1 }, { action: 2 }, { action: 1 }, { action: 3 })).toBe(false);
    expect(kind({ action: 1 }, { action: 2 }, { action: 1 }, { action: 2 }, 2)).toBe(false);
    expect(kind({}, {}, { action: 1 }, { action: 2 })).toBe(false);
  });

  it('is one of lengths, of the same entry', () => {
    expect(kind({ packet: [1] }, {}, { packet: [1, 2] }, {})).toBe(true);
    expect(kind({ packet: [1] }, {}, { packet: [1, 2] }, {}, 2)).toBe(false);
    expect(kind({ metadata: [1] }, {}, { packet: [1, 2] }, {})).toBe(true);
    expect(kind({ action: 1 }, {}, { packet: [1, 2] }, {})).toBe(false);
  });

  it('is one in bytes that moved, and in no others, of the same entry', () => {
    const a = { packet: [9, 2, 9, 4] };
    expect(kind(a, {}, { packet: [7, 2, 3, 4] }, {})).toBe(true);
    expect(kind(a, {}, { packet: [7, 2, 7, 4] }, {})).toBe(true);
    expect(kind(a, {}, { packet: [7, 7, 3, 4] }, {})).toBe(false);
    expect(kind(a, {}, { packet: [7, 2, 3, 4] }, {}, 2)).toBe(false);
    expect(kind({}, {}, { packet: [7, 2, 3, 4] }, {})).toBe(false);
  });
});

describe('what moved in maps', () => {
  const definition: MapDefinition = {
    name: 'counts',
    type: 'HASH',
    keySize: 1,
    valueSize: 12,
    maxEntries: 8,
  };
  const map = (...entries: [key: number, ...value: number[]][]): RunOutcome['maps'] => [
    snapshotOf(
      definition,
      entries.map(([key, ...value]) => ({
        key: Uint8Array.of(key),
        value: Uint8Array.from({ length: 12 }, (_, at) => value[at] ?? 0),
      })),
    ),
  ];
  const inMaps = (a: RunOutcome['maps'], b: RunOutcome['maps']): MovedParts => {
    const parts = new MovedParts(0, new Uint8Array(0));
    parts.enter(run(outcomes(), a), run(outcomes(), b));
    return parts;
  };

  it('is a number as a whole', () => {
    const parts = inMaps(map([1, 5], [2, 0, 0, 0, 0, 7]), map([1, 5], [2, 0, 0, 0, 0, 0, 7]));
    expect(parts.maps.get('counts')).toEqual({
      keys: false,
      bytes: Uint8Array.of(0, 0, 0, 0, 1, 1, 1, 1, 0, 0, 0, 0),
    });
    expect(parts.isEmpty).toBe(false);
  });

  it('is all of the map where keys moved, whichever run has them', () => {
    for (const [a, b] of [
      [map([1, 5]), map([1, 5], [2, 5])],
      [map([1, 5], [2, 5]), map([1, 5])],
    ])
      expect(inMaps(a, b).maps.get('counts')).toEqual({ keys: true, bytes: new Uint8Array(12) });
  });

  it('is nothing where they are the same, or where one run shows none', () => {
    expect(inMaps(map([1, 5]), map([1, 5])).isEmpty).toBe(true);
    expect(inMaps(map([1, 5]), undefined).isEmpty).toBe(true);
    expect(inMaps(undefined, map([1, 5])).isEmpty).toBe(true);
    expect(inMaps(map([1, 5]), []).isEmpty).toBe(true);
  });
});
