import { describe, expect, it } from 'vitest';
import { runText } from '../test-support/run-text.ts';
import { VERIFIER_CASES } from '../test-support/verifier-cases.ts';

const metadata = new Uint8Array(8);

// Whether each engine stops what it should is asked in `engines/unchecked.test.ts`; here it is why.
describe('the interpreter stops', () => {
  for (const { name, text, hook, maps, world, reason } of VERIFIER_CASES) {
    if (reason === undefined) continue;
    it(name, () => {
      const { violation } = runText(text, {
        hook: hook ?? 'xdp',
        maps: maps ?? [],
        world: world ?? {},
        metadata,
      });
      expect(violation?.reason).toMatch(reason);
    });
  }
});
