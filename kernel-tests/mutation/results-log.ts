/**
 * Results of earlier runs, as lines of JSON: a mutant that was killed is not tried again while its source file and the
 * test that noticed are what they were, and a survivor only with tests that are new or have changed.
 */
import { createHash } from 'node:crypto';
import { appendFileSync, existsSync, readFileSync } from 'node:fs';
import type { Mutant } from './mutants.ts';
import type { Result } from './report.ts';

interface Line extends Result {
  /** Of the source file. */
  readonly source: string;
  /** Hashes of the test files that were tried, but for those that do not reach the mutant. */
  readonly tried: Readonly<Record<string, string>>;
}

export interface Known {
  readonly result?: Result;
  /** Test files that did not notice, and have not changed. */
  readonly tried: ReadonlySet<string>;
}

const keyOf = ({ file, start, end, replacement }: Mutant): string =>
  `${file}\0${start}\0${end}\0${replacement}`;

export class ResultsLog {
  readonly #path: string | undefined;
  readonly #text: (file: string) => string;
  readonly #known = new Map<string, Line>();
  readonly #hashes = new Map<string, string>();

  /** @param text of a file of the tree; empty where there is none */
  constructor(path: string | undefined, text: (file: string) => string) {
    this.#path = path;
    this.#text = text;
    if (path === undefined || !existsSync(path)) return;
    for (const line of readFileSync(path, 'utf8').split('\n')) {
      if (line === '') continue;
      const parsed = JSON.parse(line) as Line;
      this.#known.set(keyOf(parsed.mutant), parsed);
    }
  }

  #hash(file: string): string {
    const known = this.#hashes.get(file);
    if (known !== undefined) return known;
    const hash = createHash('sha1').update(this.#text(file)).digest('hex').slice(0, 12);
    this.#hashes.set(file, hash);
    return hash;
  }

  find(mutant: Mutant): Known {
    const line = this.#known.get(keyOf(mutant));
    if (line === undefined || line.source !== this.#hash(mutant.file)) return { tried: new Set() };
    const { status, by } = line;
    const same = (file: string): boolean => line.tried[file] === this.#hash(file);
    if (status === 'killed' || status === 'endless')
      return same(by!.split(':')[0]!)
        ? { result: { mutant, status, by }, tried: new Set() }
        : { tried: new Set() };
    return { result: { mutant, status }, tried: new Set(Object.keys(line.tried).filter(same)) };
  }

  add(result: Result, testFiles: Iterable<string>): void {
    if (this.#path === undefined) return;
    const tried = Object.fromEntries([...testFiles].map((file) => [file, this.#hash(file)]));
    const line: Line = { ...result, source: this.#hash(result.mutant.file), tried };
    appendFileSync(this.#path, `${JSON.stringify(line)}\n`);
  }
}
