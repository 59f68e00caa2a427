/** One worker process as the main process sees it: started, asked, and ended at any moment. */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { createRequire } from 'node:module';
import { extname } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { removeThingsOf } from '../../kernel/process/leftovers.ts';
import type { EngineName } from '../../sim/engines/register.ts';
import type { BatchRange } from '../../verify/batch-plan.ts';
import type { Investigator } from '../../verify/collector.ts';
import type { EngineFailure } from '../../verify/engine-side.ts';
import type { Investigation } from '../../verify/investigate.ts';
import type { Found, Segment } from '../../verify/segment.ts';
import { EXIT, environmentFailure, Failure, inputFailure } from '../failure.ts';
import { interrupt, isInterruption } from '../interrupt.ts';
import { reportLine } from '../output.ts';
import { killTree } from '../process-tree.ts';
import { Inbox } from './inbox.ts';
import type { Answer, Opened, Request, SentFailure } from './messages.ts';
import type { VerifyPlan } from './plan.ts';

/** Milliseconds for a process that has been killed. */
const LAST_PATIENCE = 100;

/** A worker was ended by us, or by whoever interrupts the run: what it was asked is not going to be answered, and nobody needs to be told why. */
export class WorkerKilled extends Error {}

export class VerifyWorkerProcess {
  readonly #child: ChildProcess;
  readonly #answers = new Inbox<Answer>();
  /** While a run waits to go on, the worker looks into what it found: those answers go by themselves. */
  readonly #investigation = new Inbox<Answer>();
  readonly #exit: Promise<unknown>;
  #isKilled = false;
  #isOver = false;
  #hasCrashed = false;
  #module: string | undefined;
  /** Node's own last words: shown for no end that we can explain. */
  #lastWords: string[] | undefined;
  #emptyLines = 0;

  constructor() {
    this.#child = start();
    this.#exit = once(this.#child, 'exit');
    // What a user's module prints must not get into our own output.
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      // There is none where no pipe could be made; `error` follows.
      if (stream) createInterface(stream).on('line', (line) => this.#print(line));
    }
    this.#child.on('message', (answer: Answer) => this.#receive(answer));
    this.#child.on('exit', (code, signal) => {
      this.#isOver = true;
      this.#hasCrashed = signal !== null;
      if (isInterruption(signal)) {
        interrupt('part ended');
        this.#breakOff(new WorkerKilled(`the worker was ended by ${signal}`));
      } else this.#breakOff(this.#reason(code, signal));
    });
    this.#child.on('error', (error) => this.#breakOff(error));
  }

  /** Can it still be asked? */
  get isAlive(): boolean {
    return !this.#isOver && !this.#isKilled;
  }

  /** @throws {Failure} why the programs cannot be run */
  async open(plan: VerifyPlan): Promise<Opened> {
    this.#ask({ do: 'open', plan });
    const answer = await this.#answers.take();
    if (answer.is !== 'programs') throw unexpected(answer);
    return answer;
  }

  /** @returns an empty segment: which engines run here */
  async begin(program: number): Promise<Segment> {
    this.#ask({ do: 'begin', program });
    return this.#segment();
  }

  /** The saved cases, or a part of the generated packets. */
  async *run(range: BatchRange | 'saved cases'): AsyncGenerator<Segment, void, undefined> {
    this.#ask(range === 'saved cases' ? { do: 'replay' } : { do: 'run', range });
    for (;;) {
      const answer = await this.#answers.take();
      if (answer.is === 'done') return;
      if (answer.is !== 'segment') throw unexpected(answer);
      yield answer.segment;
    }
  }

  /** After a segment with something found: go on with the rest. */
  goOn(): void {
    this.#ask({ do: 'go on' });
  }

  /** @param shrinkingToo a divergence is not made any smaller either */
  stop(shrinkingToo: boolean): void {
    this.#ask({ do: 'stop', shrinkingToo });
  }

  async restart(failed: ReadonlyMap<EngineName, EngineFailure>): Promise<void> {
    this.#ask({ do: 'restart', failed });
    const answer = await this.#answers.take();
    if (answer.is !== 'done') throw unexpected(answer);
  }

  async investigate(found: Found, onSmaller: Parameters<Investigator>[1]): Promise<Investigation> {
    this.#ask({ do: 'investigate', found });
    for (;;) {
      const answer = await this.#investigation.take();
      if (answer.is === 'smaller') await onSmaller(answer.case, answer.finding);
      else if (answer.is === 'investigated') return answer.investigation;
      else throw unexpected(answer);
    }
  }

  /** @returns a segment with what failed in closing the sessions */
  async finish(): Promise<Segment> {
    this.#ask({ do: 'finish' });
    return this.#segment();
  }

  /**
   * Ends it in its own way, and after so many milliseconds in ours. What one makes that is ended by force is removed
   * in its place.
   */
  async close(patience: number): Promise<void> {
    if (!this.#isOver && !this.#isKilled) {
      this.#ask({ do: 'exit' });
      await this.#isGone(patience);
    }
    if (!this.#isOver) this.kill();
    if (!(await this.#isGone(LAST_PATIENCE))) this.#abandon();
    if (this.#isKilled || this.#hasCrashed) removeThingsOf(this.#child.pid!);
  }

  /** Ends it whatever it is doing. */
  kill(): void {
    if (this.#isOver) return;
    this.#isKilled = true;
    killTree(this.#child.pid!);
    // Its exit may take a while, and whoever waits for an answer gets none.
    this.#breakOff(new WorkerKilled('the worker was ended'));
  }

  async #isGone(patience: number): Promise<boolean> {
    if (this.#isOver) return true;
    const timer = new AbortController();
    await Promise.race([
      this.#exit,
      setTimeout(patience, undefined, { signal: timer.signal }).catch(() => {}),
    ]);
    timer.abort();
    return this.#isOver;
  }

  /** The kernel is still busy with its end: nobody waits for that. */
  #abandon(): void {
    this.#child.unref();
    this.#child.channel?.unref();
    this.#child.stdout?.destroy();
    this.#child.stderr?.destroy();
  }

  async #segment(): Promise<Segment> {
    const answer = await this.#answers.take();
    if (answer.is !== 'segment') throw unexpected(answer);
    return answer.segment;
  }

  #ask(request: Request): void {
    // One that has ended meanwhile is noticed by whoever waits for the answer.
    if (this.#child.connected) this.#child.send(request, () => {});
  }

  #receive(answer: Answer): void {
    if (answer.is === 'importing') this.#module = answer.module;
    else if (answer.is === 'failed') this.#breakOff(received(answer.failure));
    else if (answer.is === 'smaller' || answer.is === 'investigated') this.#investigation.put(answer);
    else this.#answers.put(answer);
  }

  #breakOff(error: unknown): void {
    this.#answers.breakOff(error);
    this.#investigation.breakOff(error);
  }

  #print(line: string): void {
    if (/^<--- Last few GCs|^FATAL ERROR:|^#$/.test(line)) this.#lastWords ??= [];
    if (this.#lastWords !== undefined) this.#lastWords.push(line);
    else if (line === '') this.#emptyLines++;
    else {
      // Node's last words begin with empty lines.
      for (; this.#emptyLines > 0; this.#emptyLines--) reportLine('');
      reportLine(line);
    }
  }

  #reason(code: number | null, signal: NodeJS.Signals | null): Error {
    const words = this.#lastWords?.join('\n') ?? '';
    // Without a word, Node and V8 abort only where memory or a thread for the compiler is refused.
    const isSilent = words === '' && (signal === 'SIGABRT' || signal === 'SIGTRAP');
    if (/out of memory|process OOM|allocation failed/i.test(words) || isSilent || signal === 'SIGKILL') {
      return environmentFailure(
        'not enough memory',
        'Free some, use fewer --workers, or allow more: NODE_OPTIONS=--max-old-space-size=8192 (MB)',
      );
    }
    if (signal === null && this.#module !== undefined) {
      return inputFailure(
        `${this.#module}: ends the process (exit code ${code})`,
        'a module that defines a program must not call process.exit',
      );
    }
    const how = signal === null ? `ended with code ${code}` : `was ended by ${signal}`;
    return new Failure(EXIT.defect, `a worker process ${how}: this is a defect of xdpsim`, {
      ...(words === '' ? {} : { log: words }),
    });
  }
}

let early: VerifyWorkerProcess | undefined;

/** Starts a worker while the rest of the command is being loaded: both take about as long. */
export function startEarly(): void {
  early = new VerifyWorkerProcess();
}

/** The one that was started early, then new ones. */
export function startWorker(): VerifyWorkerProcess {
  const worker = early ?? new VerifyWorkerProcess();
  early = undefined;
  return worker;
}

/** Ends the one that was started early, if the command has come to its end without. */
export function endUnused(): void {
  early?.kill();
  early = undefined;
}

function start(): ChildProcess {
  const ending = extname(import.meta.url);
  // In the bundle, each process has a file of its own beside it.
  const file = ending === '.cjs' ? './verify-worker.cjs' : `./worker${ending}`;
  return fork(fileURLToPath(new URL(file, import.meta.url)), [], {
    serialization: 'advanced',
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    // Run from its sources, the worker needs a loader.
    ...(ending === '.ts' ? { execArgv: ['--import', loader()] } : {}),
  });
}

function loader(): string {
  return pathToFileURL(createRequire(import.meta.url).resolve('tsx')).href;
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
