/** Tries all mutants that are alive with one test file after the other, and keeps what came of it. */
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Mutant } from './mutants.ts';
import type { Result } from './report.ts';
import type { ResultsLog } from './results-log.ts';
import { closureOf, folderLoadedBy } from './test-order.ts';
import type { Tester } from './tester.ts';
import type { Event, Task } from './worker.ts';

/** What one test file did. */
export interface Run {
  readonly reached: number;
  readonly killed: number;
  readonly alive: number;
  /** Its own, without mutants. */
  readonly milliseconds: number;
}

interface Alive {
  readonly mutant: Mutant;
  /** Milliseconds. */
  left: number;
  reached: boolean;
  /** Test files that reach it and did not notice. */
  readonly tried: Set<string>;
}

export class Sweep {
  readonly #tester: Tester;
  readonly #log: ResultsLog;
  readonly #text: (file: string) => string;
  readonly #count: number;
  readonly #alive = new Map<number, Alive>();
  readonly #dead: Result[] = [];
  readonly #events: string;
  readonly #current: string;

  /** @param allowance milliseconds for each mutant; @param text of a file of the tree */
  constructor(
    tester: Tester,
    directory: string,
    mutants: readonly Mutant[],
    log: ResultsLog,
    allowance: number,
    text: (file: string) => string,
  ) {
    this.#tester = tester;
    this.#log = log;
    this.#text = text;
    this.#count = mutants.length;
    this.#events = join(directory, '.mutation-events');
    this.#current = join(directory, '.mutation-current');
    for (const [id, mutant] of mutants.entries()) {
      const { result, tried } = log.find(mutant);
      if (result !== undefined && result.status !== 'survived' && result.status !== 'unreached')
        this.#dead.push(result);
      else
        this.#alive.set(id, {
          mutant,
          left: allowance,
          reached: result?.status === 'survived',
          tried: new Set(tried),
        });
    }
  }

  /** Undefined where the file can reach no mutant that has not been tried with it. */
  async run(testFile: string): Promise<Run | undefined> {
    const closure = closureOf(testFile, this.#text);
    const folder = folderLoadedBy(this.#text(testFile));
    const isLoaded = (file: string): boolean =>
      closure.has(file) || (folder !== undefined && file.startsWith(`${folder}/`));
    const ids = new Set(
      [...this.#alive].flatMap(([id, { mutant, tried }]) =>
        isLoaded(mutant.file) && !tried.has(testFile) ? [id] : [],
      ),
    );
    if (ids.size === 0) return undefined;
    const before = this.#alive.size;
    const reached = new Set<number>();
    const doubtful = new Set<number>();
    const late = new Set<number>();
    const done: string[] = [];
    let milliseconds = 0;
    for (;;) {
      rmSync(this.#events, { force: true });
      const left: Record<number, number> = {};
      for (const id of ids) {
        const alive = this.#alive.get(id);
        if (alive !== undefined && !doubtful.has(id)) left[id] = alive.left;
      }
      const { failure, endless } = await this.#tester.ask({ task: this.#task({ left, done }), testFile });
      let ended = false;
      let doubts = false;
      milliseconds = 0;
      for (const event of this.#read()) {
        if (event.event === 'end') ended = true;
        else if (event.event === 'done' || event.event === 'fails') {
          milliseconds += event.ms;
          if (event.event === 'fails')
            process.stderr.write(`fails without a mutant: ${testFile}: ${event.test}\n`);
          done.push(event.test);
        } else if (event.event === 'killed') this.#kill(event.id, 'killed', `${testFile}: ${event.test}`);
        else if (event.event === 'spent') {
          const alive = this.#alive.get(event.id);
          if (alive !== undefined) alive.left -= event.ms;
        } else if (event.event === 'doubtful') {
          doubtful.add(event.id);
          doubts = true;
        } else if (event.event === 'late') late.add(event.id);
        else if (event.event === 'reached') reached.add(event.id);
      }
      if (endless !== undefined) this.#kill(endless, 'endless', `${testFile}: endless`);
      else if (ended || !doubts) {
        if (!ended) process.stderr.write(`${testFile} ended early: ${failure}\n`);
        break;
      }
    }
    for (const id of doubtful) {
      if (!this.#alive.has(id)) continue;
      const { failure, endless } = await this.#tester.ask({
        task: this.#task({ left: {}, done: [], fresh: id }),
        testFile,
      });
      if (failure !== undefined || endless !== undefined) this.#kill(id, 'killed', `${testFile}: ${failure}`);
    }
    for (const id of reached) {
      const alive = this.#alive.get(id);
      if (alive === undefined) continue;
      alive.reached = true;
      if (!late.has(id)) alive.tried.add(testFile);
    }
    return {
      reached: reached.size,
      killed: before - this.#alive.size,
      alive: this.#alive.size,
      milliseconds,
    };
  }

  /** All results; those of survivors are kept. */
  finish(): Result[] {
    const open = [...this.#alive.values()].map(({ mutant, reached, tried }) => {
      const result: Result = { mutant, status: reached ? 'survived' : 'unreached' };
      this.#log.add(result, tried);
      return result;
    });
    return [...this.#dead, ...open];
  }

  #task(of: Pick<Task, 'left' | 'done' | 'fresh'>): Task {
    return { count: this.#count, events: this.#events, current: this.#current, ...of };
  }

  #read(): Event[] {
    if (!existsSync(this.#events)) return [];
    const lines = readFileSync(this.#events, 'utf8').split('\n');
    return lines.filter((line) => line !== '').map((line) => JSON.parse(line) as Event);
  }

  #kill(id: number, status: 'killed' | 'endless', by: string): void {
    const alive = this.#alive.get(id);
    if (alive === undefined) return;
    this.#alive.delete(id);
    const result: Result = { mutant: alive.mutant, status, by };
    this.#dead.push(result);
    this.#log.add(result, [by.split(':')[0]!]);
  }
}
