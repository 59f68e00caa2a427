/** A worker of `xdpsim verify` in a process of its own, where the main process can end it whatever it is doing. */
import { EXIT, inputFailure } from '../failure.ts';
import { leaveEndsToParent } from '../input/program-module.ts';
import type { Answer, Request } from './messages.ts';
import { toSent, VerifyWork } from './work.ts';

/** The user's module that was imported last. */
let module: string | undefined;
const work = new VerifyWork(post);

leaveEndsToParent();
process.on('uncaughtException', (error) => endWith(error, EXIT.defect));
process.on('message', (request: Request) => void take(request));

function post(answer: Answer): Promise<void> {
  if (answer.is === 'importing') module = answer.module;
  return new Promise((resolve) => process.send!(answer, undefined, {}, () => resolve()));
}

async function take(request: Request): Promise<void> {
  if (request.do === 'exit') process.exit();
  if (request.do !== 'open') return work.take(request);
  // Nothing else keeps the process alive now: a module that never finishes loading lets it end, which is noticed.
  process.channel?.unref();
  process.setSourceMapsEnabled(true);
  process.on('beforeExit', neverLoaded);
  await work.take(request);
  process.off('beforeExit', neverLoaded);
  process.channel?.ref();
}

function neverLoaded(): void {
  const failure = inputFailure(
    `${module}: never finishes loading`,
    'an `await` at its top level waits for something that does not happen',
  );
  endWith(failure, failure.exitCode);
}

function endWith(error: unknown, code: number): void {
  void post({ is: 'failed', failure: toSent(error) }).then(() => process.exit(code));
}
