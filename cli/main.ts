#!/usr/bin/env node
/**
 * The `xdpsim` command. Nothing is imported before the `try`: loading can fail, too (too many open files, no memory,
 * a file that is missing), and is reported like any other error.
 */

// A reader that has seen enough (`xdpsim programs | head`) is no error.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(0);
  end(Object.assign(error, { syscall: 'standard output' }));
});
// Nobody is left who could be told.
process.stderr.on('error', () => {});
// With a listener, a file above `ulimit -f` makes `write` fail with EFBIG instead of ending the process.
process.on('SIGXFSZ', () => {});
// What is thrown outside the command's own promises.
process.on('uncaughtException', (error) => end(error));

let report = (error: unknown): number => {
  process.stderr.write(`xdpsim: cannot be loaded: ${error instanceof Error ? error.message : error}\n`);
  return 3;
};

function end(error: unknown): void {
  process.exit(report(error));
}

try {
  report = (await import('./failure.ts')).reportError;
  const { runCommand } = await import('./command.ts');
  await runCommand(process.argv);
} catch (error) {
  process.exitCode = report(error);
}
