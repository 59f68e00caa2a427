/** A worker thread of `xdpsim verify --workers`: its share of one program's batches. */
import { parentPort, workerData } from 'node:worker_threads';
import type { Progress } from '../verify/run.ts';
import { toFailure } from './failure.ts';
import { resolvePrograms } from './program-source.ts';
import { verifyHere, type WorkerMessage, type WorkerTask } from './verify-program.ts';

const port = parentPort!;
const post = (message: WorkerMessage): void => port.postMessage(message);
const { plan, program: index, range } = workerData as WorkerTask;
const controller = new AbortController();
port.on('message', () => controller.abort());
try {
  const programs = await resolvePrograms(plan.programs, plan.object);
  const watch = { signal: controller.signal, onProgress: (progress: Progress): void => post({ progress }) };
  post({ report: await verifyHere(programs[index]!, plan, watch, range) });
} catch (error) {
  const failure = toFailure(error);
  if (failure === undefined) {
    post({ error: error instanceof Error ? (error.stack ?? error.message) : String(error) });
  } else {
    const { exitCode, message, remedy, log } = failure;
    post({ failure: { exitCode, message, remedy, log } });
  }
}
port.close();
