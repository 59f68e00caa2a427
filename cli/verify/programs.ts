/** The programs of a `VerifyPlan`, one after the other, on workers: processes that can be ended at any moment, or this one. */
import type { SavedCase } from '../../corpus/cases/case.ts';
import type { Program } from '../../sim/runtime/program.ts';
import { Collector, type Progress } from '../../verify/collector.ts';
import type { EngineFailure } from '../../verify/engine-side.ts';
import type { ProgramReport } from '../../verify/report.ts';
import { totalPackets } from '../../verify/run.ts';
import { EXIT, Failure, toFailure } from '../failure.ts';
import { DistributedRun } from './distributed-run.ts';
import { LocalWorker } from './local-worker.ts';
import type { Opened } from './messages.ts';
import type { VerifyPlan } from './plan.ts';
import { saveBelow, tidy } from './saved-cases.ts';
import { type VerifyWorker, WorkerKilled } from './verify-worker.ts';
import { startWorker } from './worker-process.ts';

export interface Watch {
  readonly signal: AbortSignal;
  readonly onProgress: (progress: Progress) => void;
}

/** Milliseconds in which a worker removes what it has made. */
const CLOSING = 10_000;
const HURRIED_CLOSING = 100;

const NOTHING_OPENED: Opened = { programs: [], left: [], warnings: [] };

export class Verifier {
  readonly #plan: VerifyPlan;
  readonly #size: number | 'here';
  readonly #signal: AbortSignal;
  #workers: VerifyWorker[] = [];

  /** @param workers how many processes, or that this one does it */
  constructor(plan: VerifyPlan, workers: number | 'here', signal: AbortSignal) {
    this.#plan = plan;
    this.#size = workers;
    this.#signal = signal;
  }

  /**
   * Starts the workers.
   * @returns the programs, without their models; none where that was interrupted
   * @throws {Failure} why they cannot be run
   */
  async open(): Promise<Opened> {
    const kill = (): void => this.kill();
    this.#signal.addEventListener('abort', kill);
    try {
      return await this.#start();
    } catch (error) {
      this.kill();
      if (error instanceof WorkerKilled) return NOTHING_OPENED;
      throw error;
    } finally {
      this.#signal.removeEventListener('abort', kill);
    }
  }

  /**
   * @param index of the program in the plan
   * @param cases that run before all others
   * @throws {Failure} when the first program cannot even begin
   */
  async verify(
    index: number,
    program: Program,
    watch: Watch,
    cases: readonly SavedCase[] = [],
  ): Promise<ProgramReport> {
    const { seed, maxDivergences, directory, seconds } = this.#plan;
    const total = totalPackets(this.#plan);
    const collector = new Collector({
      program,
      seed,
      maxDivergences,
      total,
      save: saveBelow(directory),
      ...watch,
      ...(seconds === undefined ? {} : { seconds }),
    });
    try {
      await tidy(directory, program);
      if (this.#workers.some((worker) => !worker.isAlive)) await this.#start();
      await new DistributedRun(this.#workers, collector, total, watch.signal).run(index, cases, seconds);
    } catch (error) {
      this.kill();
      // What the user has to put right before anything can run is no report.
      if (index === 0 && collector.packets === 0 && error instanceof Failure) throw error;
      if (!(error instanceof WorkerKilled)) collector.fail(failureOf(error));
    }
    return collector.report();
  }

  /** Ends all workers, whatever they are doing. */
  kill(): void {
    for (const worker of this.#workers) worker.kill();
  }

  /** Ends all workers; nothing that they have made is left. */
  async close(): Promise<void> {
    const patience = this.#signal.aborted ? HURRIED_CLOSING : CLOSING;
    await Promise.all(this.#workers.map((worker) => worker.close(patience)));
  }

  async #start(): Promise<Opened> {
    const alive = this.#workers.filter((worker) => worker.isAlive);
    // Those that have been ended are waited for, and cleaned up after.
    const ended = this.#workers.filter((worker) => !worker.isAlive);
    await Promise.all(ended.map((worker) => worker.close(0)));
    const here = this.#size === 'here';
    const lacking = (this.#size === 'here' ? 1 : this.#size) - alive.length;
    const fresh = Array.from({ length: lacking }, () => (here ? new LocalWorker() : startWorker()));
    this.#workers = [...alive, ...fresh];
    const [first] = await Promise.all(fresh.map((worker) => worker.open(this.#plan)));
    return first ?? NOTHING_OPENED;
  }
}

function failureOf(error: unknown): EngineFailure {
  const failure = toFailure(error);
  if (failure === undefined) {
    return {
      kind: 'internal',
      message: error instanceof Error ? (error.stack ?? error.message) : String(error),
    };
  }
  const { message, remedy, log, exitCode } = failure;
  const kind = exitCode === EXIT.input ? 'input' : exitCode === EXIT.environment ? 'environment' : 'internal';
  return {
    kind,
    message,
    ...(remedy === undefined ? {} : { remedy }),
    ...(log === undefined ? {} : { log }),
  };
}
