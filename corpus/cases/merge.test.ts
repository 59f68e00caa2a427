import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { SkbTunnel, Stimulus } from '../../sim/packet/packet-batch.ts';
import type { Case } from './case.ts';
import { contentKey, merge } from './merge.ts';

function caseOf(stimuli: readonly Stimulus[], rest: Partial<Case> = {}): Case {
  return { program: 'p', world: {}, stimuli, ...rest };
}
const one = caseOf([{ packet: Uint8Array.of(1) }]);
const two = caseOf([{ packet: Uint8Array.of(2) }]);

describe('merging corpora', () => {
  it('keeps each case once, in order of first appearance, with its first note', () => {
    const noted = { ...one, note: { summary: 'first' } };
    expect(merge([two, noted], [one, two], [])).toEqual([two, noted]);
  });

  it.each([
    [
      'an absent field and its default',
      { packet: Uint8Array.of(1), ingressIfindex: 1, rxQueueIndex: 0, entry: 0 },
    ],
    ['no metadata and empty metadata', { packet: Uint8Array.of(1), metadata: new Uint8Array(0) }],
  ])('makes no difference between %s', (_what, stimulus) => {
    expect(merge([one], [caseOf([stimulus])])).toHaveLength(1);
  });

  it('makes no difference between worlds whose fields come in another order', () => {
    const world = { time: 1n, cpu: 2 };
    expect(merge([{ ...one, world }], [{ ...one, world: { cpu: 2, time: 1n } }])).toHaveLength(1);
  });

  it.each([
    ['programs', { ...one, program: 'q' }],
    ['worlds', { ...one, world: { cpu: 1 } }],
    ['devices', caseOf([{ packet: Uint8Array.of(1), ingressIfindex: 2 }])],
    ['queues', caseOf([{ packet: Uint8Array.of(1), rxQueueIndex: 1 }])],
    ['entries', caseOf([{ packet: Uint8Array.of(1), entry: 1 }])],
    ['tunnels', caseOf([{ packet: Uint8Array.of(1), skb: { tunnel: {} } }])],
    ['sequences', caseOf([{ packet: Uint8Array.of(1) }, { packet: Uint8Array.of(1) }])],
    [
      'sides between metadata and packet',
      caseOf([{ packet: new Uint8Array(0), metadata: Uint8Array.of(1) }]),
    ],
  ])('keeps cases with different %s apart', (_what, other) => {
    expect(merge([one], [other])).toEqual([one, other]);
  });

  it('keeps frames out of different tunnels apart, and others not', () => {
    const outOf = (tunnel: SkbTunnel): Case => caseOf([{ packet: Uint8Array.of(1), skb: { tunnel } }]);
    expect(merge([outOf({ id: 1, ttl: 2 })], [outOf({ ttl: 2, id: 1 })])).toHaveLength(1);
    expect(merge([outOf({ id: 1 })], [outOf({ ttl: 1 })], [outOf({ id: 2 })])).toHaveLength(3);
  });

  it('merging a corpus with itself changes nothing, and merging is the same in one step or two', () => {
    const cases = fc.array(
      fc
        .array(fc.record({ packet: fc.uint8Array({ maxLength: 2 }), entry: fc.nat(1) }), { maxLength: 2 })
        .map((stimuli) => caseOf(stimuli)),
    );
    fc.assert(
      fc.property(cases, cases, (left, right) => {
        const merged = merge(left, right);
        expect(merge(merged, merged, left)).toEqual(merged);
        expect(merge(merge(left), merge(right))).toEqual(merged);
        expect(new Set(merged.map(contentKey)).size).toBe(merged.length);
      }),
      { seed: 1 },
    );
  });

  it('names contents the same on every machine', () => {
    // printf '["p",{}][1,0,1,0,0]\\1' | sha256sum
    expect(contentKey(one)).toBe('a85b8b8169c92576fb8b1327aea6b90f');
  });
});
