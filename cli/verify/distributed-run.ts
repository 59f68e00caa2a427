/**
 * One program's run on workers. They take pieces of it in turn; what they hand over is put together in the
 * order of the batches, so that report, findings and the end of the run are the same for any number of workers.
 */
import type { SavedCase } from '../../corpus/cases/case.ts';
import type { BatchRange } from '../../verify/batch-plan.ts';
import type { Collector, Investigator } from '../../verify/collector.ts';
import { Pieces } from '../../verify/pieces.ts';
import type { Found, Segment } from '../../verify/segment.ts';
import { Inbox } from './inbox.ts';
import { type VerifyWorker, WorkerKilled } from './verify-worker.ts';

/** What one worker does next: the saved cases, then pieces of the generated packets. */
class Job {
  readonly worker: VerifyWorker;
  readonly segments: Inbox<Segment | 'done'> = new Inbox();
  /** Handed over and not yet put together. */
  waiting = 0;
  /** Resolves when the worker is done with it. */
  pumped: Promise<void> = Promise.resolve();

  constructor(worker: VerifyWorker) {
    this.worker = worker;
  }
}

/** How many jobs, for each worker, may be ahead of what has been put together. */
const AHEAD = 4;
/** Milliseconds that workers get to end what they are doing: when a person waits, and when nobody does. */
const SHORT_PATIENCE = 400;
const LONG_PATIENCE = 2000;

export class DistributedRun {
  readonly #workers: readonly VerifyWorker[];
  readonly #collector: Collector;
  readonly #pieces: Pieces;
  readonly #signal: AbortSignal;
  /** In the order of the batches. */
  #jobs: Job[] = [];
  /** The job that is being put together. */
  #at = 0;
  #isStopping = false;
  /** Nobody takes a job meanwhile. */
  #isPaused = false;
  readonly #loops = new Map<VerifyWorker, Promise<void>>();
  readonly #changes = new Set<() => void>();
  #killTimer: NodeJS.Timeout | undefined;

  constructor(workers: readonly VerifyWorker[], collector: Collector, total: number, signal: AbortSignal) {
    this.#workers = workers;
    this.#collector = collector;
    this.#pieces = new Pieces(total, workers.length);
    this.#signal = signal;
  }

  /**
   * @param cases that run before all others
   * @param seconds after how long to stop
   * @throws {Failure} when a worker cannot go on; what was collected until then stays
   */
  async run(program: number, cases: readonly SavedCase[], seconds: number | undefined): Promise<void> {
    const onAbort = (): void => {
      this.#forbear();
      this.#stop(SHORT_PATIENCE);
    };
    this.#signal.addEventListener('abort', onAbort);
    const timer = seconds === undefined ? undefined : setTimeout(() => this.#stop(), seconds * 1000);
    try {
      if (this.#signal.aborted) onAbort();
      const [first] = await Promise.all(this.#workers.map((worker) => worker.begin(program, cases)));
      await this.#collector.take(first!, this.#investigator(this.#workers[0]!));
      this.#start(this.#workers);
      await this.#merge();
      await this.#finish();
    } catch (error) {
      if (!(error instanceof WorkerKilled)) throw error;
    } finally {
      clearTimeout(timer);
      this.#forbear();
      this.#signal.removeEventListener('abort', onAbort);
      this.#isStopping = true;
      this.#changed();
    }
  }

  /** Puts together what workers hand over. */
  async #merge(): Promise<void> {
    for (this.#at = 0; ; this.#at++) {
      this.#changed();
      while (this.#at >= this.#jobs.length) {
        if (this.#loops.size === 0) return;
        await this.#change();
      }
      const job = this.#jobs[this.#at]!;
      for (;;) {
        const segment = await nextOf(job);
        if (segment === undefined) break;
        const failed = await this.#collector.take(segment, this.#investigator(job.worker));
        if (this.#collector.hasEnough()) return;
        if (this.#collector.isOver()) this.#stop();
        else if (failed) await this.#restartOthers(job);
        if (segment.waits) job.worker.goOn();
      }
    }
  }

  #start(workers: readonly VerifyWorker[]): void {
    for (const worker of workers) {
      const loop = this.#work(worker).finally(() => {
        this.#loops.delete(worker);
        this.#changed();
      });
      this.#loops.set(worker, loop);
    }
  }

  async #work(worker: VerifyWorker): Promise<void> {
    for (;;) {
      while (!this.#isStopping && (this.#isPaused || this.#isFarAhead())) await this.#change();
      const task = this.#task(this.#jobs.length);
      if (this.#isStopping || task === undefined) return;
      const job = new Job(worker);
      this.#jobs.push(job);
      this.#changed();
      job.pumped = this.#pump(job, task);
      await job.pumped;
      if (!worker.isAlive) return;
    }
  }

  async #pump(job: Job, task: BatchRange | 'saved cases'): Promise<void> {
    try {
      for await (const segment of job.worker.run(task)) {
        job.waiting += segment.report.packets;
        job.segments.put(segment);
        this.#collector.progress(this.#ahead());
      }
      job.segments.put('done');
    } catch (error) {
      // Whoever puts it together learns of it when its turn comes.
      job.segments.breakOff(error);
    }
  }

  #isFarAhead(): boolean {
    return this.#jobs.length >= this.#at + AHEAD * this.#workers.length;
  }

  #task(number: number): BatchRange | 'saved cases' | undefined {
    return number === 0 ? 'saved cases' : this.#pieces.at(number - 1);
  }

  /**
   * An engine failed in this job. Whatever the others have done behind it they did with that engine: they do it again
   * without.
   */
  async #restartOthers(job: Job): Promise<void> {
    const others = this.#workers.filter((worker) => worker !== job.worker && worker.isAlive);
    this.#isPaused = true;
    for (const worker of others) worker.stop(false);
    await Promise.all(this.#jobs.slice(this.#at + 1).map((later) => later.pumped));
    this.#jobs.length = this.#at + 1;
    const failures = this.#collector.failures();
    await Promise.all(others.map((worker) => worker.restart(failures)));
    this.#isPaused = false;
    this.#changed();
  }

  #investigator(worker: VerifyWorker): Investigator {
    return async (found: Found, onSmaller) => {
      const last = { case: found.case, finding: found.finding };
      if (this.#signal.aborted) return { ...last, state: found.savedIn === undefined ? 'found' : 'saved' };
      try {
        return await worker.investigate(found, async (smaller, finding) => {
          last.case = smaller;
          last.finding = finding;
          await onSmaller(smaller, finding);
        });
      } catch (error) {
        if (!(error instanceof WorkerKilled)) throw error;
        return { ...last, state: 'cut short' };
      }
    };
  }

  async #finish(): Promise<void> {
    this.#stop(LONG_PATIENCE);
    await Promise.all(this.#loops.values());
    if (!this.#signal.aborted) this.#forbear();
    for (const worker of this.#workers) {
      if (worker.isAlive) await this.#collector.take(await worker.finish(), this.#investigator(worker));
    }
  }

  /** @param patience milliseconds after which workers that are still at it are ended; default: they may take their time */
  #stop(patience?: number): void {
    if (patience !== undefined && this.#killTimer === undefined) {
      this.#killTimer = setTimeout(() => {
        for (const worker of this.#workers) worker.kill();
      }, patience);
    }
    this.#isStopping = true;
    for (const worker of this.#workers) worker.stop(this.#signal.aborted);
    this.#changed();
  }

  #forbear(): void {
    clearTimeout(this.#killTimer);
    this.#killTimer = undefined;
  }

  #ahead(): number {
    return this.#jobs.slice(this.#at).reduce((sum, job) => sum + job.waiting, 0);
  }

  #change(): Promise<void> {
    return new Promise((resolve) => this.#changes.add(resolve));
  }

  #changed(): void {
    for (const resolve of this.#changes) resolve();
    this.#changes.clear();
  }
}

/** @returns undefined where the job is done, or was ended from outside */
async function nextOf(job: Job): Promise<Segment | undefined> {
  try {
    const segment = await job.segments.take();
    if (segment === 'done') return undefined;
    job.waiting -= segment.report.packets;
    return segment;
  } catch (error) {
    if (error instanceof WorkerKilled) return undefined;
    throw error;
  }
}
