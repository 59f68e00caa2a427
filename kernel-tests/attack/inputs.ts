/** Damaged inputs by the million: every one is taken, or refused with an error that is a sentence. */
import { fork } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import type { InputNews, InputTask, KindCount } from './input-worker.ts';
import type { Tally } from './tally.ts';

/** A process reads so many: imported modules stay in its memory. */
const PIECE = 20_000;
/** Milliseconds without news: 64 inputs take far less. */
const PATIENCE = 30_000;
/** Milliseconds until a process has loaded everything, on a machine that is busy with other things. */
const PATIENCE_TO_START = 120_000;

export interface InputAttack {
  readonly count: number;
  readonly seed: string;
  /** Kinds with this in their names. */
  readonly kind: string;
  readonly scratch: string;
}

/** @returns what became of the inputs of each kind */
export async function attackInputs(
  { count, seed, kind, scratch }: InputAttack,
  tally: Tally,
  onProgress: (done: number) => void,
): Promise<ReadonlyMap<string, KindCount>> {
  const counts = new Map<string, KindCount>();
  let next = 0;
  let done = 0;
  const reader = async (): Promise<void> => {
    while (next < count) {
      let from = next;
      const to = Math.min(count, from + PIECE);
      next = to;
      while (from < to) {
        const reached = await readPiece({ seed, kind, from, to, scratch }, tally, counts);
        done += reached - from;
        from = reached;
        onProgress(done);
      }
    }
  };
  await Promise.all(Array.from({ length: availableParallelism() }, reader));
  return counts;
}

/** @returns the index to go on with */
function readPiece(task: InputTask, tally: Tally, counts: Map<string, KindCount>): Promise<number> {
  const script = fileURLToPath(new URL('./input-worker.ts', import.meta.url));
  const child = fork(script, [JSON.stringify(task)], { execArgv: ['--import', 'tsx'] });
  return new Promise((resolve) => {
    let at = task.from;
    let isDone = false;
    const kill = (): boolean => child.kill('SIGKILL');
    let timer = setTimeout(kill, PATIENCE_TO_START);
    child.on('message', (news: InputNews) => {
      clearTimeout(timer);
      timer = setTimeout(kill, PATIENCE);
      if ('crash' in news) tally.fault('crashes', `input ${news.at} of seed ${task.seed}: ${news.crash}`);
      else if ('slow' in news) tally.fault('slow', `input ${news.at} of seed ${task.seed}: ${news.slow}`);
      else if ('at' in news) at = news.at;
      else {
        isDone = true;
        for (const [kind, { taken, refused }] of Object.entries(news.counts)) {
          const sum = counts.get(kind) ?? { taken: 0, refused: 0 };
          counts.set(kind, { taken: sum.taken + taken, refused: sum.refused + refused });
        }
      }
    });
    child.on('exit', (code, signal) => {
      clearTimeout(timer);
      const next = isDone ? task.to : Math.min(task.to, at + 64);
      tally.tries += next - task.from;
      if (!isDone) {
        tally.fault(
          signal === 'SIGKILL' ? 'hangs' : 'crashes',
          `inputs ${at} to ${at + 63} of seed ${task.seed}: ended with ${signal ?? code}`,
        );
      }
      resolve(next);
    });
  });
}
