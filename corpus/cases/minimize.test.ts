import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Case } from './case.ts';
import { minimize } from './minimize.ts';

/** A case whose packets' bytes are the points that it reaches. */
function caseOf(...packets: readonly (readonly number[])[]): Case {
  return { program: 'p', world: {}, stimuli: packets.map((bytes) => ({ packet: Uint8Array.from(bytes) })) };
}
function reached(value: Case): Set<string> {
  return new Set(value.stimuli.flatMap(({ packet }) => Array.from(packet, String)));
}
const keep = async (value: Case): Promise<ReadonlySet<string>> => reached(value);

function union(cases: readonly Case[]): Set<string> {
  return new Set(cases.flatMap((value) => [...reached(value)]));
}

describe('minimizing a corpus', () => {
  it('keeps one case that reaches what two do', async () => {
    const both = caseOf([1, 2, 3]);
    expect(await minimize([caseOf([1]), both, caseOf([2, 3])], keep)).toEqual([both]);
  });

  it('of equal cases keeps the one with fewer packets, then fewer bytes, then the first', async () => {
    const short = caseOf([1, 2]);
    expect(await minimize([caseOf([1], [2]), caseOf([1, 1, 2]), short, caseOf([2, 1])], keep)).toEqual([
      short,
    ]);
  });

  it('leaves out cases that reach nothing', async () => {
    expect(await minimize([caseOf(), caseOf([])], keep)).toEqual([]);
  });

  it('leaves out an early choice that later ones made needless', async () => {
    const left = caseOf([1, 2, 9]);
    const right = caseOf([3, 4, 8]);
    expect(await minimize([caseOf([1, 2, 3, 4]), left, right], keep)).toEqual([left, right]);
  });

  it('counts what a case adds to those already chosen, not all that it reaches', async () => {
    const large = caseOf([1, 2, 3, 4, 5, 6]);
    const overlapping = caseOf([1, 2, 3, 4, 7]);
    const other = caseOf([8, 9, 10]);
    const small = caseOf([7, 8]);
    expect(await minimize([large, overlapping, other, small], keep)).toEqual([large, other, small]);
  });

  it('asks for each case once, in order', async () => {
    const cases = [caseOf([1]), caseOf([2]), caseOf([1])];
    const asked: Case[] = [];
    await minimize(cases, async (value) => {
      asked.push(value);
      return reached(value);
    });
    expect(asked).toEqual(cases);
  });

  it('reaches what all cases reach, in their order, and no case could be left out', async () => {
    const corpus = fc.array(fc.array(fc.nat(12), { maxLength: 6 }).map((points) => caseOf(points)));
    await fc.assert(
      fc.asyncProperty(corpus, async (cases) => {
        const chosen = await minimize(cases, keep);
        expect(union(chosen)).toEqual(union(cases));
        expect(chosen).toEqual(cases.filter((value) => chosen.includes(value)));
        for (const needed of chosen) {
          expect(union(chosen.filter((value) => value !== needed)).size).toBeLessThan(union(cases).size);
        }
      }),
      { numRuns: 300, seed: 1 },
    );
  });
});
