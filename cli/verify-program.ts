/** One program of a `VerifyPlan`: here, or spread over worker threads. */
import { Worker } from 'node:worker_threads';
import { removeOwnOnExit } from '../kernel/leftovers.ts';
import type { NamedWorld, Program } from '../sim/runtime/program.ts';
import { type BatchRange, worldsOf } from '../verify/batch-plan.ts';
import { mergeReports, type ProgramReport } from '../verify/report.ts';
import { type Progress, verify } from '../verify/run.ts';
import { chooseEngines, createEngine } from './engines.ts';
import { Failure } from './failure.ts';
import { mapsOf, withMaps } from './map-file.ts';
import { casesOf, saveBelow } from './saved-cases.ts';
import type { VerifyPlan } from './verify-plan.ts';

export interface Watch {
  readonly signal: AbortSignal;
  readonly onProgress: (progress: Progress) => void;
}

/** @param range which batches; cases are replayed by the one that has the first */
export function verifyHere(
  program: Program,
  plan: VerifyPlan,
  watch: Watch,
  range?: BatchRange,
): Promise<ProgramReport> {
  const replays = range === undefined || range.from === 0;
  return verify({
    program,
    engines: chooseEngines(plan.engines, plan.live).engines,
    seed: plan.seed,
    witness: createEngine('vm'),
    kernel: createEngine('testrun'),
    maxDivergences: plan.maxDivergences,
    shrink: plan.shrinkSeconds === 0 ? false : { maxSeconds: plan.shrinkSeconds },
    save: saveBelow(plan.directory),
    ...watch,
    ...(replays ? { cases: casesOf(program, [plan.directory]) } : {}),
    ...(plan.maps.length === 0 ? {} : { worlds: worldsWith(program, plan.maps) }),
    ...(range === undefined ? {} : { range }),
    ...(plan.runs === undefined ? {} : { runs: plan.runs }),
    ...(plan.seconds === undefined ? {} : { seconds: plan.seconds }),
  });
}

/** The program's worlds with the maps of `--map` options in each. */
function worldsWith(program: Program, maps: readonly string[]): NamedWorld[] {
  const definitions = mapsOf(program);
  return worldsOf(program).map(({ name, world }) => ({ name, world: withMaps(world, maps, definitions) }));
}

/** What a worker is started with. */
export interface WorkerTask {
  readonly plan: VerifyPlan;
  /** Which of the plan's programs. */
  readonly program: number;
  readonly range: BatchRange;
}

export type WorkerMessage =
  | { readonly progress: Progress }
  | { readonly report: ProgramReport }
  /** What ends a command with a code of its own. */
  | {
      readonly failure: {
        readonly exitCode: number;
        readonly message: string;
        readonly remedy: string | undefined;
        readonly log: string | undefined;
      };
    }
  /** A defect: the stack. */
  | { readonly error: string };

/**
 * The same packets as `verifyHere`, batch k by worker k modulo their number. Each worker stops at its own first
 * divergences; of each kind the earliest is reported.
 */
export async function verifyInWorkers(
  index: number,
  workers: number,
  plan: VerifyPlan,
  watch: Watch,
): Promise<ProgramReport> {
  const latest = new Map<number, Progress>();
  const parts = Array.from({ length: workers }, (_, worker) =>
    runWorker(
      { plan, program: index, range: { from: worker, to: Number.POSITIVE_INFINITY, step: workers } },
      watch.signal,
      (progress) => {
        latest.set(worker, progress);
        watch.onProgress(sumProgress([...latest.values()]));
      },
    ),
  );
  return mergeReports(await Promise.all(parts));
}

function runWorker(
  task: WorkerTask,
  signal: AbortSignal,
  onProgress: (progress: Progress) => void,
): Promise<ProgramReport> {
  const worker = startWorker(task);
  const abort = (): void => worker.postMessage('abort');
  signal.addEventListener('abort', abort);
  return new Promise<ProgramReport>((resolve, reject) => {
    worker.on('message', (message: WorkerMessage) => {
      if ('progress' in message) onProgress(message.progress);
      else if ('report' in message) resolve(message.report);
      else if ('failure' in message) {
        const { exitCode, message: text, remedy, log } = message.failure;
        reject(new Failure(exitCode, text, { remedy, log }));
      } else reject(new Error(message.error));
    });
    worker.on('error', reject);
    worker.on('exit', () => reject(new Error('a worker ended without a report')));
  }).finally(() => signal.removeEventListener('abort', abort));
}

let cleaning = false;

function startWorker(workerData: WorkerTask): Worker {
  if (!cleaning) {
    cleaning = true;
    removeOwnOnExit();
  }
  if (!import.meta.url.endsWith('.ts')) {
    return new Worker(new URL('./verify-worker.js', import.meta.url), { workerData });
  }
  // Run from its sources, the worker needs the loader that the main thread has.
  const source = JSON.stringify(new URL('./verify-worker.ts', import.meta.url).href);
  const start = `import('tsx/esm/api').then(({ register }) => { register(); return import(${source}); });`;
  return new Worker(start, { eval: true, workerData });
}

function sumProgress(parts: readonly Progress[]): Progress {
  const [first] = parts;
  return {
    program: first!.program,
    packets: parts.reduce((sum, part) => sum + part.packets, 0),
    total: first!.total,
    seconds: Math.max(...parts.map((part) => part.seconds)),
    divergences: parts.reduce((sum, part) => sum + part.divergences, 0),
    shrinking: parts.some((part) => part.shrinking),
  };
}
