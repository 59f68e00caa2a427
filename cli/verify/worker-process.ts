/** One worker process as the main process sees it: started, asked, and ended at any moment. */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { createRequire } from 'node:module';
import { extname } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { removeThingsOf } from '../../kernel/process/leftovers.ts';
import { EXIT, environmentFailure, Failure, inputFailure } from '../failure.ts';
import { interrupt, isInterruption } from '../interrupt.ts';
import { reportLine } from '../output.ts';
import { killTree } from '../process-tree.ts';
import type { Answer, Request } from './messages.ts';
import { VerifyWorker, WorkerKilled } from './verify-worker.ts';

/** Milliseconds for a process that has been killed. */
const LAST_PATIENCE = 100;

export class VerifyWorkerProcess extends VerifyWorker {
  readonly #child: ChildProcess;
  readonly #exit: Promise<unknown>;
  #isKilled = false;
  #isOver = false;
  #hasCrashed = false;
  /** Node's own last words: shown for no end that we can explain. */
  #lastWords: string[] | undefined;
  #emptyLines = 0;

  constructor() {
    super();
    this.#child = start();
    this.#exit = once(this.#child, 'exit');
    // What a user's module prints must not get into our own output.
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      // There is none where no pipe could be made; `error` follows.
      if (stream) createInterface(stream).on('line', (line) => this.#print(line));
    }
    this.#child.on('message', (answer: Answer) => this.receive(answer));
    this.#child.on('exit', (code, signal) => {
      this.#isOver = true;
      this.#hasCrashed = signal !== null;
      if (isInterruption(signal)) {
        interrupt('part ended');
        this.breakOff(new WorkerKilled(`the worker was ended by ${signal}`));
      } else this.breakOff(this.#reason(code, signal));
    });
    this.#child.on('error', (error) => this.breakOff(error));
  }

  get isAlive(): boolean {
    return !this.#isOver && !this.#isKilled;
  }

  /**
   * Ends it in its own way, and after so many milliseconds in ours. What one makes that is ended by force is removed
   * in its place.
   */
  async close(patience: number): Promise<void> {
    if (!this.#isOver && !this.#isKilled) {
      this.ask({ do: 'exit' });
      await this.#isGone(patience);
    }
    if (!this.#isOver) this.kill();
    if (!(await this.#isGone(LAST_PATIENCE))) this.#abandon();
    if (this.#isKilled || this.#hasCrashed) removeThingsOf(this.#child.pid!);
  }

  kill(): void {
    if (this.#isOver) return;
    this.#isKilled = true;
    killTree(this.#child.pid!);
    // Its exit may take a while, and whoever waits for an answer gets none.
    this.breakOff(new WorkerKilled('the worker was ended'));
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

  protected ask(request: Request): void {
    // One that has ended meanwhile is noticed by whoever waits for the answer.
    if (this.#child.connected) this.#child.send(request, () => {});
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
    if (signal === null && this.module !== undefined) {
      return inputFailure(
        `${this.module}: ends the process (exit code ${code})`,
        'a module that defines a program must not call process.exit',
      );
    }
    const how = signal === null ? `ended with code ${code}` : `was ended by ${signal}`;
    return new Failure(EXIT.defect, `a worker process ${how}: this is a defect of xdpsim`, {
      ...(words === '' ? {} : { log: words }),
    });
  }
}

const early: VerifyWorkerProcess[] = [];

/** Starts workers while the rest of the command is being loaded: both take about as long. */
export function startEarly(workers: number): void {
  for (let index = 0; index < workers; index++) early.push(new VerifyWorkerProcess());
}

/** Those that were started early, then new ones. */
export function startWorker(): VerifyWorkerProcess {
  return early.shift() ?? new VerifyWorkerProcess();
}

/** Ends those that were started early, if the command has come to its end without. */
export function endUnused(): void {
  for (const worker of early.splice(0)) worker.kill();
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
