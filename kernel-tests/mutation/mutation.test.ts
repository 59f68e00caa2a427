import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import ts from 'typescript';
import { describe, expect, it } from 'vitest';
import { equivalentsIn, isEquivalent } from './equivalents.ts';
import { mutantsOf } from './mutants.ts';
import { folderOf, type Result, score } from './report.ts';
import { ResultsLog } from './results-log.ts';
import { interval, sample, samplePerFolder } from './sample.ts';
import { withAlternatives } from './schemata.ts';
import { Switch } from './switch.ts';
import { closureOf, folderLoadedBy, ordered } from './test-order.ts';

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

describe('alternatives in one text', () => {
  const numbered = (text: string) => mutantsOf('a.ts', text).map((mutant, id) => ({ id, mutant }));

  /** What `f` returns with each of its mutants in, by their changes; `''` without. */
  function results(text: string, ...values: readonly unknown[]): Record<string, unknown> {
    const mutants = numbered(text);
    const one = new Switch(mutants.length);
    const f = new Function('__mutation', '__mutant', `${withAlternatives('a.ts', text, mutants)}; return f;`);
    const run = (): unknown => {
      try {
        return f(one, one.ask)(...values);
      } catch (error) {
        return error instanceof Error ? error.message : error;
      }
    };
    const all: Record<string, unknown> = { '': run() };
    for (const { id, mutant } of mutants) {
      one.put(id, 0);
      all[mutant.change] = run();
      one.take();
    }
    return all;
  }

  it('nest: the change of a part and the change of the whole', () => {
    expect(results('function f(a, b) { return a + b * 2 < 9; }', 3, 3)).toEqual({
      '': false,
      '{ return a + b * 2 < 9; } → {}': undefined,
      '< → <=': true,
      '+ → -': true,
      '* → /': true,
      '2 → 3': false,
      '9 → 10': true,
    });
  });

  it('leave statements and bodies out', () => {
    const text =
      'function f(list) { let n = 0; for (const x of list) { n += x; } if (n) throw n; else { n = "none"; } return n; }';
    expect(results(text, [1, 1])).toMatchObject({
      '': 2,
      '{ n += x; } → {}': 'none',
      'n += x; → ;': 'none',
      '+= → -=': -2,
      'n → false': 'none',
      'throw n; → ;': 2,
    });
    expect(results(text, [])).toMatchObject({ '': 'none', '{ n = "none"; } → {}': 0 });
  });

  it('stand where TypeScript has more than JavaScript', () => {
    expect(withAlternatives('a.ts', 'f({ a, b: 1 as const });', numbered('f({ a, b: 1 as const });'))).toBe(
      '{if(!(__mutant(0))){f({ a, b: (__mutant(1)?(2):(1)) as const });}}',
    );
  });

  it('end endless loops by an error', () => {
    expect(results('function f(a) { let i = 0; while (i < a) i++; return i; }', 5)).toMatchObject({
      '': 5,
      'i++ → i--': 'endless loop',
    });
  });

  it('note what is reached', () => {
    const text = 'if (a) b = 1; else b = 2;';
    const one = new Switch(9);
    new Function('__mutation', '__mutant', 'a', `let b; ${withAlternatives('a.ts', text, numbered(text))}`)(
      one,
      one.ask,
      true,
    );
    const changed = numbered(text)
      .filter(({ id }) => one.reached[id] === 1)
      .map(({ mutant }) => mutant.change);
    expect(changed).toEqual(['a → true', 'a → false', 'b = 1; → ;', '1 → 2']);
  });

  it('leave no mutant of a real file out', () => {
    for (const file of ['sim/packet/ipv4.ts', 'sim/ebpf/object.ts', 'sim/ebpf/interpreter/execute.ts']) {
      const text = readFileSync(file, 'utf8');
      const mutants = numbered(text);
      const out = withAlternatives(file, text, mutants);
      const ids = new Set([...out.matchAll(/__mutant\((\d+)\)/g)].map(([, id]) => Number(id)));
      expect(mutants.filter(({ id }) => !ids.has(id))).toEqual([]);
      const { diagnostics } = ts.transpileModule(out, { reportDiagnostics: true });
      expect(diagnostics).toEqual([]);
    }
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

describe('the tests', () => {
  it('are tried from the bytes upwards, quick ones first', () => {
    const files = [
      'verify/a.test.ts',
      'sim/ebpf/a.test.ts',
      'sim/packet/slow.test.ts',
      'sim/packet/z.test.ts',
    ];
    expect(ordered(files, new Map([['sim/packet/slow.test.ts', 9]]))).toEqual([
      'sim/packet/z.test.ts',
      'sim/packet/slow.test.ts',
      'sim/ebpf/a.test.ts',
      'verify/a.test.ts',
    ]);
  });

  it('reach what they import, directly or not', () => {
    const texts: Readonly<Record<string, string>> = {
      'a/a.test.ts': "import { b } from './b.ts';\nimport type { E } from 'elsewhere';",
      'a/b.ts': "export * from '../c/c.ts';\nconst d = await import('./d.ts');",
      'c/c.ts': "import '../a/b.ts';",
    };
    expect([...closureOf('a/a.test.ts', (file) => texts[file] ?? '')]).toEqual([
      'a/a.test.ts',
      'a/b.ts',
      'c/c.ts',
      'a/d.ts',
    ]);
  });

  it('may load a whole folder by its name', () => {
    expect(folderLoadedBy("const lines = await tablesOf('sim');")).toBe('sim');
    expect(folderLoadedBy("import { tablesOf } from './tables.ts';")).toBeUndefined();
  });
});

describe('results that are kept', () => {
  const [mutant, other] = mutantsOf('sim/a.ts', 'f(1);');
  const testFiles = ['sim/a.test.ts', 'sim/b.test.ts'];
  const texts = { 'sim/a.ts': 'f(1);', 'sim/a.test.ts': 'one', 'sim/b.test.ts': 'two' };

  it.each([
    ['nothing', {}, true, testFiles],
    ['the source', { 'sim/a.ts': ' f(1);' }, false, []],
    ['the test that failed', { 'sim/a.test.ts': 'other' }, false, ['sim/b.test.ts']],
    ['a test that did not fail', { 'sim/b.test.ts': 'other' }, true, ['sim/a.test.ts']],
  ])('hold until what decided has changed: %s', (_what, changes, killed, tried) => {
    const directory = mkdtempSync(join(tmpdir(), 'xdpsim-results-'));
    try {
      const path = join(directory, 'results.jsonl');
      const textOf = (all: Readonly<Record<string, string>>) => (file: string) => all[file] ?? '';
      const before = new ResultsLog(path, textOf(texts));
      before.add({ mutant: mutant!, status: 'killed', by: 'sim/a.test.ts: one' }, ['sim/a.test.ts']);
      before.add({ mutant: other!, status: 'survived' }, testFiles);
      const after = new ResultsLog(path, textOf({ ...texts, ...changes }));
      expect(after.find(mutant!).result?.status).toBe(killed ? 'killed' : undefined);
      expect([...after.find(other!).tried]).toEqual(tried);
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
    const markdown = readFileSync('docs/testing.md', 'utf8');
    const list = equivalentsIn(markdown);
    // A bar that nobody escaped makes a row one of more cells, which is passed over.
    expect(list.length).toBe(markdown.match(/^\| (sim|verify)\/\S+\.ts \|/gm)?.length);
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
