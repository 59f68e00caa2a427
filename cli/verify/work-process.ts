/** A worker of `xdpsim verify` in a process of its own, where the main process can end it whatever it is doing. */
import { runningKernel } from '../../kernel/libbpf/kernel-facts.ts';
import { useKernel } from '../../sim/engines/process-kernel.ts';
import { EXIT, inputFailure } from '../failure.ts';
import { leaveEndsToParent } from '../input/program-module.ts';
import { compileLess } from '../warm.ts';
import type { Answer, Request } from './messages.ts';
import { toSent, VerifyWork } from './work.ts';

/** After so many packets of a program, code that counts is compiled. */
const WARM_PACKETS = 100_000;

/** Packets of the last program that ran so far; undefined before it, since each program brings code of its own, and once they are enough. */
let ran: number | undefined;
let programs = 0;
/** The user's module that was imported last. */
let module: string | undefined;
useKernel(runningKernel);
const work = new VerifyWork(post);

leaveEndsToParent();
process.on('uncaughtException', (error) => endWith(error, EXIT.defect));
process.on('message', (request: Request) => void take(request));

function post(answer: Answer): Promise<void> {
  if (answer.is === 'importing') module = answer.module;
  else if (answer.is === 'programs') programs = answer.programs.length;
  else if (answer.is === 'segment') count(answer.segment.report.packets);
  return new Promise((resolve) => process.send!(answer, undefined, {}, () => resolve()));
}

/** Other workers have use for the time that it takes V8 to compile what few packets need. */
function count(packets: number): void {
  if (ran === undefined) return;
  ran += packets;
  if (ran < WARM_PACKETS) return;
  compileLess();
  ran = undefined;
}

async function take(request: Request): Promise<void> {
  if (request.do === 'exit') process.exit();
  if (request.do === 'begin') ran = request.program === programs - 1 ? 0 : undefined;
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
