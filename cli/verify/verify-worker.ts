/** A worker of `xdpsim verify` as the main process sees it: opened, asked, and ended at any moment. */
import type { SavedCase } from '../../corpus/cases/case.ts';
import type { EngineName } from '../../sim/engines/register.ts';
import type { BatchRange } from '../../verify/batch-plan.ts';
import type { Investigator } from '../../verify/collector.ts';
import type { EngineFailure } from '../../verify/engine-side.ts';
import type { Investigation } from '../../verify/investigate.ts';
import type { Found, Segment } from '../../verify/segment.ts';
import { Failure } from '../failure.ts';
import { Inbox } from './inbox.ts';
import type { Answer, Opened, Request, SentFailure } from './messages.ts';
import type { VerifyPlan } from './plan.ts';

/**
 * A worker was ended by us, or by whoever interrupts the run: what it was asked is not going to be answered, and nobody
 * needs to be told why.
 */
export class WorkerKilled extends Error {}

export abstract class VerifyWorker {
  readonly #answers = new Inbox<Answer>();
  /** While a run waits to go on, the worker looks into what it found: those answers go by themselves. */
  readonly #investigation = new Inbox<Answer>();
  /** The user's module that was imported last. */
  protected module: string | undefined;

  /** Can it still be asked? */
  abstract get isAlive(): boolean;

  /** Ends it in its own way, and after so many milliseconds in ours. Nothing that it has made is left. */
  abstract close(patience: number): Promise<void>;

  /** Ends it whatever it is doing. */
  abstract kill(): void;

  protected abstract ask(request: Request): void;

  /** @throws {Failure} why the programs cannot be run */
  async open(plan: VerifyPlan): Promise<Opened> {
    this.ask({ do: 'open', plan });
    const answer = await this.#answers.take();
    if (answer.is !== 'programs') throw unexpected(answer);
    return answer;
  }

  /**
   * @param cases that run before all others
   * @returns an empty segment: which engines run here
   */
  async begin(program: number, cases: readonly SavedCase[]): Promise<Segment> {
    this.ask({ do: 'begin', program, cases });
    return this.#segment();
  }

  /** The saved cases, or a part of the generated packets. */
  async *run(range: BatchRange | 'saved cases'): AsyncGenerator<Segment, void, undefined> {
    this.ask(range === 'saved cases' ? { do: 'replay' } : { do: 'run', range });
    for (;;) {
      const answer = await this.#answers.take();
      if (answer.is === 'done') return;
      if (answer.is !== 'segment') throw unexpected(answer);
      yield answer.segment;
    }
  }

  /** After a segment with something found: go on with the rest. */
  goOn(): void {
    this.ask({ do: 'go on' });
  }

  /** @param shrinkingToo a divergence is not made any smaller either */
  stop(shrinkingToo: boolean): void {
    this.ask({ do: 'stop', shrinkingToo });
  }

  async restart(failed: ReadonlyMap<EngineName, EngineFailure>): Promise<void> {
    this.ask({ do: 'restart', failed });
    const answer = await this.#answers.take();
    if (answer.is !== 'done') throw unexpected(answer);
  }

  async investigate(found: Found, onSmaller: Parameters<Investigator>[1]): Promise<Investigation> {
    this.ask({ do: 'investigate', found });
    for (;;) {
      const answer = await this.#investigation.take();
      if (answer.is === 'smaller') await onSmaller(answer.case, answer.finding);
      else if (answer.is === 'investigated') return answer.investigation;
      else throw unexpected(answer);
    }
  }

  /** @returns a segment with what failed in closing the sessions */
  async finish(): Promise<Segment> {
    this.ask({ do: 'finish' });
    return this.#segment();
  }

  async #segment(): Promise<Segment> {
    const answer = await this.#answers.take();
    if (answer.is !== 'segment') throw unexpected(answer);
    return answer.segment;
  }

  protected receive(answer: Answer): void {
    if (answer.is === 'importing') this.module = answer.module;
    else if (answer.is === 'failed') this.breakOff(received(answer.failure));
    else if (answer.is === 'smaller' || answer.is === 'investigated') this.#investigation.put(answer);
    else this.#answers.put(answer);
  }

  protected breakOff(error: unknown): void {
    this.#answers.breakOff(error);
    this.#investigation.breakOff(error);
  }
}

function received(failure: SentFailure): Error {
  if ('defect' in failure) {
    const error = new Error(failure.defect);
    error.stack = failure.defect;
    return error;
  }
  const { exitCode, message, remedy, log } = failure;
  return new Failure(exitCode, message, {
    ...(remedy === undefined ? {} : { remedy }),
    ...(log === undefined ? {} : { log }),
  });
}

function unexpected(answer: Answer): Error {
  return new Error(`a worker answered with "${answer.is}"`);
}
