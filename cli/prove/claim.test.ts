import { expect, it } from 'vitest';
import { claimText, framesText } from './claim.ts';

it('says of which frames it is proved, and why not of others', () => {
  expect(framesText({ hook: 'xdp', longest: 3520 })).toBe('frames of up to 3,520 bytes');
  expect(framesText({ hook: 'tc-egress', longest: 128 })).toBe('linear frames of up to 128 bytes');
  expect(claimText({ hook: 'xdp', longest: 128, longer: 'the time was up', ownAssumptions: [] })).toBe(
    'proved equal for frames of up to 128 bytes (not known for longer ones: the time was up)',
  );
});

it('names what this proof takes for granted', () => {
  const ownAssumptions = ['prefixes of map t do not cover each other', 'map h is not full'];
  expect(claimText({ hook: 'xdp', longest: 3520, ownAssumptions })).toBe(
    'proved equal for frames of up to 3,520 bytes, assuming that prefixes of map t do not cover each other, and that map h is not full',
  );
});
