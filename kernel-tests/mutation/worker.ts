/** Runs in vitest's workers, before each test file: records what each test reaches, or skips those that are not selected. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, afterEach, beforeEach, expect, inject } from 'vitest';
import type { RecordedTest, Recording } from './recording.ts';

declare module 'vitest' {
  interface ProvidedContext {
    mutation: Task;
  }
}

export type Task =
  /** Regions of each file that is recorded; each test file's result goes to `directory`. */
  | {
      readonly mode: 'record';
      readonly directory: string;
      readonly regions: Readonly<Record<string, number>>;
    }
  /** Names of the tests to run, by test file. */
  | { readonly mode: 'run'; readonly selected: Readonly<Record<string, readonly string[]>> };

interface Named {
  readonly name: string;
  readonly suite?: Named | undefined;
}

const fullName = (task: Named): string =>
  task.suite === undefined ? task.name : `${fullName(task.suite)} > ${task.name}`;

const task = inject('mutation');
const testFile = expect.getState().testPath!.slice(process.cwd().length + 1);

if (task.mode === 'record') record(task.directory, Object.entries(task.regions));
else select(task.selected[testFile] ?? []);

function record(directory: string, regions: readonly (readonly [file: string, count: number])[]): void {
  const marks = regions.map(([, count]) => new Uint8Array(count));
  for (const [index, bytes] of marks.entries())
    (globalThis as Record<string, unknown>)[`__reached${index}`] = bytes;

  const takeMarks = (into: Record<string, number[]>): void => {
    for (const [index, bytes] of marks.entries()) {
      const known = into[regions[index]![0]] ?? [];
      for (let region = bytes.indexOf(1); region >= 0; region = bytes.indexOf(1, region + 1))
        known.push(region);
      if (known.length > 0) into[regions[index]![0]] = [...new Set(known)];
      bytes.fill(0);
    }
  };

  const outside: Record<string, number[]> = {};
  const tests: Record<string, RecordedTest> = {};
  let started = 0;
  beforeEach(() => {
    takeMarks(outside);
    started = performance.now();
  });
  afterEach((context) => {
    const name = fullName(context.task);
    const reached = tests[name]?.reached ?? {};
    takeMarks(reached);
    tests[name] = { ms: (tests[name]?.ms ?? 0) + performance.now() - started, reached };
  });
  afterAll(() => {
    takeMarks(outside);
    mkdirSync(directory, { recursive: true });
    const recording: Recording = { testFile, outside, tests };
    writeFileSync(join(directory, `${testFile.replaceAll('/', '__')}.json`), JSON.stringify(recording));
  });
}

function select(names: readonly string[]): void {
  const selected = new Set(names);
  // The smallest counterexample is of no interest here.
  fc.configureGlobal({ ...fc.readConfigureGlobal(), endOnFailure: true });
  (globalThis as Record<string, unknown>).__mutationLoops = 0;
  beforeEach((context) => {
    if (!selected.has(fullName(context.task))) context.skip();
  });
}
