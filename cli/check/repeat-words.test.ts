import { expect, it } from 'vitest';
import type { CheckPlan } from './plans.ts';
import { repeatWords } from './repeat-words.ts';

const PLAN: CheckPlan = {
  programs: ['my.o'],
  surroundings: { map: [], maxEntries: [], aim: [] },
  seed: 's',
  asKernels: [],
  sweeps: true,
  shrinkSeconds: 3,
  thresholds: {},
  directory: '/found',
  off: [],
  only: [],
};
const wordsOf = (more: Partial<CheckPlan>, report?: string, config?: string | false): string =>
  repeatWords({ ...PLAN, ...more }, { report, config }).join(' ');

it.each<[more: Partial<CheckPlan>, words: string]>([
  [{}, ''],
  [{ sweeps: false }, '--no-sweeps'],
  [{ seconds: 90 }, '--time 90s'],
  [{ off: ['ttl'], only: ['checksum'] }, '--off ttl --only checksum'],
  [{ thresholds: { strict: true } }, '--strict'],
  [
    { surroundings: { world: 'w.jsonc', map: ['m=f'], maxEntries: [], aim: ['port 7'] } },
    '--world w.jsonc --map m=f --aim port 7',
  ],
])('has what decides what is found, and no more: %j', (more, words) => {
  expect(wordsOf(more)).toBe(words);
});

it('has the files that the command line names', () => {
  expect(wordsOf({}, 'found', 'my.config.json')).toBe('--report found --config my.config.json');
  expect(wordsOf({}, undefined, false)).toBe('--no-config');
});
