import { describe, expect, it } from 'vitest';
import type { ProofAid } from '../../verify/prove/aid.ts';
import { aidText } from './aid-text.ts';

const AID: ProofAid = {
  cases: [],
  shown: 0,
  impossible: [],
  paths: 2,
  beyond: 0,
  doubt: undefined,
  seconds: 0.5,
};
const WAY = { function: 'main', instruction: 3, taken: true };

describe('what a proof gave, in words', () => {
  it('says of ways that nobody here can go whose they are', () => {
    const who = 'drivers that take no metadata';
    const one = aidText({ ...AID, elsewhere: [{ ...WAY, who }] });
    expect(one).toBe(
      `2 paths followed in 0.5 s, 0 of them have a packet; one way of a branch is for ${who} only, and does not count`,
    );
    const room = { ...WAY, instruction: 5, who: 'frames with less room in front of them' };
    expect(aidText({ ...AID, elsewhere: [{ ...WAY, who }, room] })).toContain(
      `; 2 ways of branches are for ${who} and ${room.who} only, and do not count`,
    );
  });

  it('counts paths that have a packet, not packets', () => {
    const one = { program: 'p', world: {}, stimuli: [] };
    const many = { ...AID, cases: [one, one, one] };
    expect(aidText({ ...many, shown: 2 })).toBe('2 paths followed in 0.5 s, a packet for each');
    expect(aidText({ ...many, shown: 1 })).toBe('2 paths followed in 0.5 s, 1 of them has a packet');
  });

  it('says of TC frames that those in one piece were followed', () => {
    expect(aidText({ ...AID, impossible: [WAY, WAY], areLinear: true })).toContain(
      '; 2 ways of branches are proved unreachable for frames in one piece',
    );
  });

  it('says nothing of ways where there are none', () => {
    expect(aidText(AID)).toBe('2 paths followed in 0.5 s, 0 of them have a packet');
    expect(aidText({ ...AID, impossible: [WAY] })).toContain('; one way of a branch is proved unreachable');
  });
});
