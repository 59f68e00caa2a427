/**
 * Vitest's runner, that runs each test once without and then once with each mutant that it reaches, in one process.
 *
 * What is reached while modules are loaded, or by hooks, is changed by loading all modules anew: after all tests,
 * the whole file is run with each such mutant, up to the first failure.
 *
 * A failure counts if the test still passes without the mutant afterwards. Where it does not (the mutant left something
 * behind, or the test cannot be run twice) the process ends, and the parent tries these mutants in a fresh one each.
 */
import { appendFileSync, writeFileSync } from 'node:fs';
import { type File, getFn, startTests, type Test, type VitestRunner } from '@vitest/runner';
import { inject, TestRunner, vi } from 'vitest';
import { type Switch, theSwitch } from './switch.ts';
import type { Event, Task } from './worker.ts';

/** Milliseconds that this process has computed: a busy machine does not make a mutant's tests longer. */
function computed(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

interface Named {
  readonly name: string;
  readonly suite?: Named | undefined;
}
const fullName = (task: Named): string =>
  task.suite === undefined ? task.name : `${fullName(task.suite)} > ${task.name}`;

/** `context.skip()` ends a test by an error. */
const isSkip = (error: unknown): boolean =>
  (error as { code?: string } | undefined)?.code === 'VITEST_PENDING';

export default class MutationRunner extends TestRunner {
  readonly #task: Task = inject('mutation');
  readonly #switch: Switch = theSwitch(this.#task.count);
  /** By mutant; those that are dead have none. */
  readonly #left = new Map(Object.entries(this.#task.left).map(([id, ms]) => [Number(id), ms]));
  /** To be tried with modules loaded anew. */
  readonly #anew = new Set<number>();
  #milliseconds = 0;
  #passes = 0;
  #sequence = 0;

  #say(event: Event): void {
    appendFileSync(this.#task.events, `${JSON.stringify(event)}\n`);
  }

  #starts(id: number, ms: number, passes: number): void {
    writeFileSync(this.#task.current, `${process.pid} ${++this.#sequence} ${id} ${Math.ceil(ms)}`);
    this.#switch.put(id, passes);
  }

  #ends(): void {
    this.#switch.take();
    writeFileSync(this.#task.current, '');
  }

  /** Those whose place was reached; the marks are taken away. */
  #reached(): number[] {
    const { reached } = this.#switch;
    const ids: number[] = [];
    for (let id = reached.indexOf(1); id >= 0; id = reached.indexOf(1, id + 1))
      if (this.#left.has(id)) ids.push(id);
    reached.fill(0);
    return ids;
  }

  async #attempt(test: Test): Promise<unknown> {
    try {
      await super.onBeforeTryTask(test);
      await getFn(test)();
      super.onAfterTryTask(test);
      if (test.result?.state === 'fail') throw new Error('a soft assertion failed');
      return undefined;
    } catch (error) {
      return isSkip(error) ? undefined : (error ?? new Error('nothing was thrown'));
    }
  }

  async runTask(test: Test): Promise<void> {
    if (this.#task.fresh !== undefined) return await getFn(test)();
    const name = fullName(test);
    for (const id of this.#reached()) this.#anew.add(id);
    const begun = computed();
    this.#switch.passes = 0;
    const error = await this.#attempt(test);
    const ms = computed() - begun;
    const passes = this.#switch.passes;
    this.#milliseconds += ms;
    this.#passes += passes;
    const reached = this.#reached();
    if (error !== undefined) {
      this.#say({ event: 'fails', test: name, ms });
      throw error;
    }
    if (!this.#task.done.includes(name)) await this.#mutate(test, name, reached, ms, passes);
    this.#say({ event: 'done', test: name, ms });
  }

  async #mutate(test: Test, name: string, ids: readonly number[], ms: number, passes: number): Promise<void> {
    const failed: number[] = [];
    for (const id of ids) {
      const left = this.#left.get(id)!;
      this.#say({ event: 'reached', id, test: name });
      if (this.#anew.has(id)) continue;
      if (left < ms) {
        this.#say({ event: 'late', id, test: name, ms });
        continue;
      }
      const begun = computed();
      this.#starts(id, ms, passes);
      const error = await this.#attempt(test);
      const wasReached = this.#switch.reached[id] === 1;
      this.#ends();
      this.#switch.reached.fill(0);
      if (error !== undefined) failed.push(id);
      // What a test keeps from its first run is not made again.
      else if (!wasReached) this.#anew.add(id);
      const took = computed() - begun;
      this.#left.set(id, left - took);
      this.#say({ event: 'spent', id, ms: took });
    }
    if (failed.length === 0) return;
    const after = await this.#attempt(test);
    for (const id of failed) {
      this.#say({ event: after === undefined ? 'killed' : 'doubtful', id, test: name });
      this.#left.delete(id);
    }
    if (after !== undefined) {
      this.#say({ event: 'done', test: name, ms });
      process.exit(9);
    }
    this.#switch.reached.fill(0);
  }

  override async onAfterRunFiles(...files: [] | [File[]]): Promise<void> {
    if (this.#task.fresh === undefined) await this.#runAnew((files[0] as File[])[0]!.filepath);
    super.onAfterRunFiles();
  }

  /** All that the file's loading reaches, and what a second run did not reach again. */
  async #runAnew(path: string): Promise<void> {
    for (const id of this.#reached()) this.#anew.add(id);
    const failed: [id: number, test: string][] = [];
    for (const id of this.#anew) {
      const left = this.#left.get(id);
      if (left === undefined || this.#task.done.includes(`anew ${id}`)) continue;
      this.#say({ event: 'reached', id, test: '' });
      if (left < this.#milliseconds) {
        this.#say({ event: 'late', id, test: '', ms: this.#milliseconds });
        continue;
      }
      const begun = computed();
      this.#starts(id, this.#milliseconds + 1000, this.#passes);
      const failure = await this.#whole(path);
      this.#ends();
      this.#say({ event: 'spent', id, ms: computed() - begun });
      // A failure counts once the file has passed without a mutant. Where a later mutant ends the process before that, this one is tried again.
      if (failure !== undefined) failed.push([id, failure]);
      else this.#say({ event: 'done', test: `anew ${id}`, ms: 0 });
    }
    if (failed.length > 0) {
      const after = await this.#whole(path);
      for (const [id, test] of failed)
        this.#say({ event: after === undefined ? 'killed' : 'doubtful', id, test });
    }
    this.#say({ event: 'end' });
  }

  /** Loads all modules anew and runs the file up to its first failure, whose name this returns. */
  async #whole(path: string): Promise<string | undefined> {
    vi.resetModules();
    let failed: string | undefined;
    const own: VitestRunner = Object.assign(Object.create(TestRunner.prototype), this, {
      onTaskUpdate: async () => {},
      onCollected: undefined,
      onBeforeCollect: undefined,
      onBeforeRunFiles: undefined,
      onAfterRunFiles: undefined,
      onCollectStart: TestRunner.prototype.onCollectStart,
      runTask: async (test: Test): Promise<void> => {
        if (failed !== undefined) return;
        const error = await this.#attempt(test);
        if (error === undefined) return;
        failed = fullName(test);
      },
    });
    Object.defineProperty(own, 'moduleRunner', {
      value: (this as unknown as { moduleRunner: unknown }).moduleRunner,
    });
    const [file] = await startTests([path], own);
    if (failed === undefined && file?.result?.state === 'fail')
      failed = file.result.errors?.[0]?.message.split('\n')[0] ?? 'the file';
    return failed;
  }
}
