/**
 * Results of earlier runs, as lines of JSON: a mutant is not tried again while its source file and the tests that decided
 * about it are what they were.
 */
import { createHash } from 'node:crypto';
import { appendFileSync, existsSync, readFileSync } from 'node:fs';
import type { Choice } from './choose-tests.ts';
import type { Mutant } from './mutants.ts';
import type { Result } from './report.ts';

interface Line extends Result {
  /** Of the source file, and of the test file that failed or of all that did not. */
  readonly hash: string;
}

const keyOf = ({ file, start, end, replacement }: Mutant): string =>
  `${file}\0${start}\0${end}\0${replacement}`;

export class ResultsLog {
  readonly #path: string;
  readonly #text: (file: string) => string;
  readonly #known = new Map<string, Line>();

  /** @param text of a file of the tree; empty where there is none */
  constructor(path: string, text: (file: string) => string) {
    this.#path = path;
    this.#text = text;
    if (!existsSync(path)) return;
    for (const line of readFileSync(path, 'utf8').split('\n')) {
      if (line === '') continue;
      const parsed = JSON.parse(line) as Line;
      this.#known.set(keyOf(parsed.mutant), parsed);
    }
  }

  /** What is known of a mutant that these tests would be tried with. */
  find(mutant: Mutant, choices: readonly Choice[]): Result | undefined {
    const line = this.#known.get(keyOf(mutant));
    if (line === undefined || line.hash !== this.#hashOf(line, choices)) return undefined;
    return { mutant, status: line.status, by: line.by };
  }

  add(result: Result, choices: readonly Choice[]): void {
    appendFileSync(this.#path, `${JSON.stringify({ ...result, hash: this.#hashOf(result, choices) })}\n`);
  }

  #hashOf({ mutant, status, by }: Result, choices: readonly Choice[]): string {
    const deciding =
      status === 'killed' || status === 'endless'
        ? [by?.split(':')[0] ?? '']
        : choices.map(({ testFile, names }) => `${testFile} ${names.join()}`);
    const hash = createHash('sha1').update(this.#text(mutant.file));
    for (const test of deciding) hash.update(`\0${test}\0`).update(this.#text(test.split(' ')[0]!));
    return hash.digest('hex');
  }
}
