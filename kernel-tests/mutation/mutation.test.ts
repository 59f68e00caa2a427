import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { chooseTests } from './choose-tests.ts';
import { equivalentsIn, isEquivalent } from './equivalents.ts';
import { mutantsOf } from './mutants.ts';
import type { Recording } from './recording.ts';
import { insert, loopGuards, marked, regionAt, regionsOf } from './regions.ts';
import { folderOf, type Result, score } from './report.ts';
import { ResultsLog } from './results-log.ts';
import { interval, sample, samplePerFolder } from './sample.ts';

const changes = (text: string): string[] => mutantsOf('a.ts', text).map(({ change }) => change);

describe('the mutants of a file', () => {
  it.each([
    ['const a = b < c;', ['< → <=']],
    ['const a = b >= c;', ['>= → >']],
    ['const a = b !== c;', ['!== → ===']],
    ['const a = b && !c;', ['&& → ||', '!c → c']],
    ['const a = b ?? c;', ['b ?? c → b']],
    ['const a = b >>> 0xff;', ['>>> → >>', '0xff → 0x100']],
    ['const a = -b - 1_000n;', ['- → +', '-b → b', '1_000n → 1001n']],
    ['a += b;', ['a += b; → ;', '+= → -=']],
    ['i++;', ['i++; → ;', 'i++ → i--']],
    ['const a = b ? true : c;', ['b → true', 'b → false', 'true → false']],
    ['if (a) b(); else { c(); }', ['a → true', 'a → false', '{ c(); } → {}', 'b(); → ;', 'c(); → ;']],
    ['while (a) b();', ['a → false', 'b(); → ;']],
    ['for (const a of b) { c(a); }', ['{ c(a); } → {}', 'c(a); → ;']],
    ['function f() { return a; }', ['{ return a; } → {}']],
    ['function f() { return; }', ['{ return; } → {}', 'return; → ;']],
    ['throw a;', ['throw a; → ;']],
  ])('%s', (text, expected) => {
    expect(changes(text)).toEqual(expected);
  });

  it.each([
    'type A = 1 | 2;',
    'interface A { readonly a: 1 }',
    "import { a } from './b.ts';",
    "export { a } from './b.ts';",
    "const a = 'text' + b;",
    // biome-ignore lint/suspicious/noTemplateCurlyInString: the text of a program
    'const a = `${b} and ${c}` + d;',
    'const a = { 1: b };',
    'const a = { hints: { ports: [1] }, examples: () => [packet(1)] };',
    'class A extends B { constructor() { super(); } }',
  ])('are none in %s', (text) => {
    expect(changes(text)).toEqual([]);
  });

  it('say where they are', () => {
    const [mutant] = mutantsOf('a.ts', 'const a =\n  b < c;\n');
    expect(mutant).toMatchObject({ line: 2, column: 5, source: 'b < c;', mutator: 'boundary' });
  });
});

describe('regions', () => {
  const text = 'const f = (a) => a + 1;\nfunction g(b) { if (b) { h(); } return b; }\n';

  it('are the innermost bodies around a place', () => {
    const regions = regionsOf('a.ts', text);
    const around = (part: string): string => {
      const { start, end } = regions[regionAt(regions, text.indexOf(part))]!;
      return text.slice(start, end);
    };
    expect(regions).toHaveLength(4);
    expect(around('const')).toBe(text);
    expect(around('1')).toBe('a + 1');
    expect(around('return')).toBe(' if (b) { h(); } return b; }');
    expect(around('h()')).toBe(' h(); }');
  });

  it('are marked when they are entered', () => {
    const run = new Function('m', 'h', `${marked('a.ts', text, 'm')} return [f, g];`);
    const marks: number[] = [];
    const [f, g] = run(marks, () => {});
    expect(marks).toEqual([1]);
    expect(f(1)).toBe(2);
    expect(marks[1]).toBe(1);
    g(false);
    expect([marks[2], marks[3]]).toEqual([1, undefined]);
    g(true);
    expect(marks[3]).toBe(1);
  });

  it('of loops end by an error when they do not end by themselves', () => {
    const endless = 'for (;;) i++;\nwhile (j) { k(); }';
    const guarded = insert(endless, loopGuards('a.ts', endless));
    expect(guarded.match(/endless loop/g)).toHaveLength(2);
    expect(() => new Function(guarded)).not.toThrow();
  });
});

describe('a sample', () => {
  const mutants = mutantsOf('a.ts', Array.from({ length: 200 }, (_, index) => `f(${index});`).join('\n'));

  it('is the same for the same seed, and another for another', () => {
    expect(sample(mutants, 20, '1')).toEqual(sample(mutants, 20, '1'));
    expect(sample(mutants, 20, '1')).not.toEqual(sample(mutants, 20, '2'));
  });

  it('of fewer is its beginning', () => {
    expect(sample(mutants, 50, '1').slice(0, 20)).toEqual(sample(mutants, 20, '1'));
  });

  it('per folder takes one of each in turn, as many as there are', () => {
    const files = ['sim/a/b/c/d.ts', 'sim/a/b/e.ts', 'verify/f.ts'];
    const all = files.flatMap((file) => mutantsOf(file, 'f(1);'));
    const chosen = samplePerFolder(all, folderOf, 3, '1').map(({ file }) => folderOf(file));
    expect(chosen).toEqual(['sim/a/b', 'verify', 'sim/a/b', 'verify', 'sim/a/b']);
    expect(chosen.length).toBeLessThan(all.length);
  });

  it('has an interval (Wilson 1927) that narrows as it grows', () => {
    const [low, high] = interval(85, 100);
    expect([low.toFixed(3), high.toFixed(3)]).toEqual(['0.767', '0.907']);
    expect(interval(850, 1000)[0]).toBeGreaterThan(low);
    expect(interval(0, 0)).toEqual([0, 1]);
  });
});

describe('the tests of a mutant', () => {
  const recording = (testFile: string, ms: number, reached: number[], outside: number[] = []): Recording => ({
    testFile,
    outside: { 'sim/a/b.ts': outside },
    tests: { one: { ms, reached: { 'sim/a/b.ts': reached } }, other: { ms, reached: {} } },
  });
  const chosen = (allowance: number, ...recordings: Recording[]): string[] =>
    chooseTests(recordings, 'sim/a/b.ts', 4, allowance).map(
      ({ testFile, names }) => `${testFile}: ${names.join(', ')}`,
    );

  it('are those that reach it, or all of a file that reaches it while it is loaded', () => {
    expect(chosen(9999, recording('x.test.ts', 10, [4]), recording('y.test.ts', 10, [5]))).toEqual([
      'x.test.ts: one',
    ]);
    expect(chosen(9999, recording('x.test.ts', 10, [], [4]))).toEqual(['x.test.ts: one, other']);
  });

  it('come nearest first, the quicker ones before the slower ones', () => {
    expect(
      chosen(
        99_999,
        recording('verify/far.test.ts', 10, [4]),
        recording('sim/a/slow.test.ts', 4000, [4]),
        recording('sim/a/quick.test.ts', 10, [4]),
        recording('sim/a/b.test.ts', 10, [4]),
      ).map((line) => line.split(':')[0]),
    ).toEqual(['sim/a/b.test.ts', 'sim/a/quick.test.ts', 'verify/far.test.ts', 'sim/a/slow.test.ts']);
  });

  it('fit the allowance, but for the first', () => {
    expect(chosen(100, recording('x.test.ts', 5000, [4]), recording('y.test.ts', 6000, [4]))).toEqual([
      'x.test.ts: one',
    ]);
  });
});

describe('results that are kept', () => {
  const [mutant, other] = mutantsOf('sim/a.ts', 'f(1);');
  const choices = [
    { testFile: 'sim/a.test.ts', names: ['one'], ms: 1 },
    { testFile: 'sim/b.test.ts', names: ['two'], ms: 1 },
  ];
  const texts = { 'sim/a.ts': 'f(1);', 'sim/a.test.ts': 'one', 'sim/b.test.ts': 'two' };

  it.each([
    ['nothing', {}, true, true],
    ['the source', { 'sim/a.ts': ' f(1);' }, false, false],
    ['the test that failed', { 'sim/a.test.ts': 'other' }, false, false],
    ['a test that did not fail', { 'sim/b.test.ts': 'other' }, true, false],
  ])('hold until what decided has changed: %s', (_what, changes, killed, survived) => {
    const directory = mkdtempSync(join(tmpdir(), 'xdpsim-results-'));
    try {
      const path = join(directory, 'results.jsonl');
      const textOf = (all: Readonly<Record<string, string>>) => (file: string) => all[file] ?? '';
      const before = new ResultsLog(path, textOf(texts));
      before.add({ mutant: mutant!, status: 'killed', by: 'sim/a.test.ts: one' }, choices);
      before.add({ mutant: other!, status: 'survived' }, choices);
      const after = new ResultsLog(path, textOf({ ...texts, ...changes }));
      expect(after.find(mutant!, choices)?.status).toBe(killed ? 'killed' : undefined);
      expect(after.find(other!, choices)?.status).toBe(survived ? 'survived' : undefined);
      // Another test is reason to try a survivor once more.
      expect(after.find(other!, choices.slice(1))).toBeUndefined();
    } finally {
      rmSync(directory, { recursive: true, force: true });
    }
  });
});

describe('the list of equivalent mutants', () => {
  const markdown = [
    '| file | line | change | why |',
    '| --- | --- | --- | --- |',
    '| sim/a.ts | `a \\|\\| b` | `\\|\\| → &&` | both are the same |',
    '| not a file | `b` | `c` | d |',
  ].join('\n');

  it('is read from a table', () => {
    expect(equivalentsIn(markdown)).toEqual([
      { file: 'sim/a.ts', source: 'a || b', change: '|| → &&', reason: 'both are the same' },
    ]);
  });

  it('in docs/testing.md names mutants that are there', () => {
    const list = equivalentsIn(readFileSync('docs/testing.md', 'utf8'));
    expect(list.length).toBeGreaterThan(0);
    for (const each of list) {
      const mutants = mutantsOf(each.file, readFileSync(each.file, 'utf8'));
      expect(
        mutants.some((mutant) => isEquivalent(mutant, [each])),
        `${each.file}: ${each.change}`,
      ).toBe(true);
    }
  });

  it('names mutants by file, line and change', () => {
    const [mutant] = mutantsOf('sim/a.ts', 'const c = a || b;');
    const list = equivalentsIn(markdown);
    expect(isEquivalent(mutant!, list)).toBe(true);
    expect(isEquivalent({ ...mutant!, file: 'sim/b.ts' }, list)).toBe(false);
    expect(isEquivalent({ ...mutant!, change: '|| → ??' }, list)).toBe(false);
    expect(isEquivalent({ ...mutant!, source: 'a || c' }, list)).toBe(false);
  });
});

it('scores what was killed among what is not equivalent', () => {
  const [mutant] = mutantsOf('sim/a.ts', 'a < b');
  const result = (status: Result['status']): Result => ({ mutant: mutant!, status });
  expect(score((['killed', 'endless', 'survived', 'unreached', 'equivalent'] as const).map(result))).toMatch(
    /^50\.0 % \(2 of 4;/,
  );
});
