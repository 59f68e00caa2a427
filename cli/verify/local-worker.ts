/** A worker of `xdpsim verify` in the main process itself: for short runs, where a process takes longer than what it does. */
import { setTimeout } from 'node:timers/promises';
import type { Request } from './messages.ts';
import { VerifyWorker, WorkerKilled } from './verify-worker.ts';
import { VerifyWork } from './work.ts';

export class LocalWorker extends VerifyWorker {
  readonly #work = new VerifyWork(async (answer) => this.receive(answer));
  readonly #doing = new Set<Promise<void>>();
  #isEnded = false;

  get isAlive(): boolean {
    return !this.#isEnded;
  }

  async close(patience: number): Promise<void> {
    this.kill();
    const timer = new AbortController();
    const limit = setTimeout(patience, undefined, { signal: timer.signal }).catch(() => {});
    await Promise.race([this.#end(), limit]);
    timer.abort();
  }

  kill(): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    // It ends with the batch that it is at; nobody waits for its answers.
    this.ask({ do: 'stop', shrinkingToo: true });
    this.breakOff(new WorkerKilled('the worker was ended'));
  }

  protected ask(request: Request): void {
    const done = this.#work.take(request).finally(() => this.#doing.delete(done));
    this.#doing.add(done);
  }

  async #end(): Promise<void> {
    await Promise.all(this.#doing);
    await this.#work.take({ do: 'exit' });
  }
}
