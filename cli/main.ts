#!/usr/bin/env node
/**
 * The `xdpsim` command. Everything else is imported in `start`: loading can fail, too (too many open files, no memory,
 * a file that is missing), and is reported like any other error.
 */
import { listenToErrors } from './standard-streams.ts';

let report = (error: unknown): number => {
  process.stderr.write(`xdpsim: cannot be loaded: ${error instanceof Error ? error.message : error}\n`);
  return 3;
};
/** Ends the run with a report of what was done. @returns false where nothing is running that could */
let endRun = (): boolean => false;
let lost: Error | undefined;

listenToErrors('stdout', (error) => {
  // A reader that has seen enough (`xdpsim verify | head`) ends the run like Ctrl-C, and changes no exit code.
  if (error.code === 'EPIPE') {
    endRun();
    return;
  }
  if (lost !== undefined) return;
  lost = error;
  const code = report(Object.assign(error, { syscall: 'standard output' }));
  process.on('exit', () => {
    process.exitCode = code;
  });
  endRun();
});
// Nobody is left who could be told.
listenToErrors('stderr', () => {});
// With a listener, a file above `ulimit -f` makes `write` fail with EFBIG instead of ending the process.
process.on('SIGXFSZ', () => {});
// Nothing is left to do, and all is written: Node would take its heap apart piece by piece now, for some 20 ms. Others who listen
// for this have something to say, or to do.
process.once('beforeExit', () => {
  if (process.listenerCount('beforeExit') === 0) process.exit();
});
// What is thrown outside the command's own promises.
process.on('uncaughtException', (error) => process.exit(report(error)));

async function start(): Promise<void> {
  report = (await import('./failure.ts')).reportError;
  const { interrupt, listenForSignals } = await import('./interrupt.ts');
  const { isSupervised, obeySupervisor, supervise } = await import('./supervisor.ts');
  endRun = () => interrupt('output closed');
  const isObeying = await obeySupervisor();
  if (!isObeying) listenForSignals();
  const args = process.argv.slice(2);
  if (!isObeying && isSupervised(args)) process.exitCode = await supervise();
  else if (args[0] === 'verify' && !args.some((arg) => arg === '--help' || arg === '-h')) await verify();
  else await (await import('./command.ts')).runCommand(process.argv);
}

async function verify(): Promise<void> {
  const { workersToStart } = await import('./verify/starts-early.ts');
  const workers = workersToStart(process.argv.slice(3));
  if (workers === 0) return (await import('./command.ts')).runCommand(process.argv);
  const { startEarly, endUnused } = await import('./verify/worker-process.ts');
  startEarly(workers);
  try {
    await (await import('./command.ts')).runCommand(process.argv);
  } finally {
    endUnused();
  }
}

// No `await`: the bundle is a script.
start().catch((error: unknown) => {
  // Of a standard output that is closed or cannot be written the handler above has heard.
  if ((error as NodeJS.ErrnoException).code !== 'EPIPE' && error !== lost) process.exitCode = report(error);
});
