import { describe, expect, it } from 'vitest';
import { isOn, notJudged, requireSomething } from './scope.ts';

const all = { off: [], only: [] };

describe('what is not judged', () => {
  it('is said of the command line in a sentence for each option, and of a configuration with the reason', () => {
    expect(notJudged({ off: ['checksum', 'ttl/step'], only: [] })).toEqual([
      'checksum and ttl/step are switched off (--off)',
    ]);
    expect(notJudged({ off: [], only: ['ttl'] })).toEqual(['only ttl is judged (--only)']);
    expect(notJudged({ off: ['ttl/step', 'reply'], only: ['ttl'] }, new Map([['reply', 'a probe']]))).toEqual(
      ['only ttl is judged (--only)', 'ttl/step is switched off (--off)', 'reply is switched off: a probe'],
    );
  });

  it('is nothing where nothing was said', () => {
    expect(notJudged(all)).toEqual([]);
  });
});

describe('a check that would judge nothing', () => {
  it('is refused', () => {
    expect(() => requireSomething({ off: ['ttl'], only: ['ttl'] })).toThrow(
      'no invariant is left to judge: only ttl is asked for, and ttl is switched off',
    );
    expect(() => requireSomething({ off: ['ttl', 'reply'], only: ['ttl/step', 'reply'] })).toThrow(
      'only ttl/step and reply are asked for, and ttl and reply are switched off',
    );
  });

  it('is none while one invariant is left', () => {
    for (const scope of [all, { off: ['ttl/step'], only: ['ttl'] }, { off: ['ttl'], only: ['ttl', 'reply'] }])
      expect(() => requireSomething(scope)).not.toThrow();
    expect(isOn({ off: ['ttl/step'], only: ['ttl'] }, 'ttl/expired')).toBe(true);
    expect(isOn({ off: ['ttl/step'], only: ['ttl'] }, 'ttl/step')).toBe(false);
  });
});
