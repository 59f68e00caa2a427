#!/usr/bin/env node
/** The `xdpsim` command. */
import { readFileSync } from 'node:fs';
import { Command, CommanderError } from 'commander';
import { packageFile } from '../kernel/package-file.ts';
import { commands } from './commands/index.ts';
import { EXIT, toFailure } from './failure.ts';

// A reader that has seen enough (`xdpsim programs | head`) is no error.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(EXIT.agreed);
  throw error;
});

const { version } = JSON.parse(readFileSync(packageFile('package.json'), 'utf8')) as { version: string };

const program = new Command('xdpsim')
  .description('Holds compiled XDP and TC programs against their models, in userspace and in the real kernel')
  .version(version, '-V, --version')
  .helpCommand(true)
  .showHelpAfterError('(see xdpsim --help)')
  .exitOverride();
for (const register of commands) register(program);
for (const command of program.commands) command.exitOverride();

try {
  await program.parseAsync();
} catch (error) {
  process.exitCode = report(error);
}

/** @returns the exit code */
function report(error: unknown): number {
  // Commander has printed its message; --help and --version end with code 0.
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.agreed : EXIT.input;
  const failure = toFailure(error);
  if (failure === undefined) {
    console.error(error);
    console.error('xdpsim: this is a defect of xdpsim itself; please report the lines above');
    return EXIT.defect;
  }
  if (failure.log !== undefined) console.error(failure.log.trimEnd());
  console.error(`xdpsim: ${failure.message}`);
  if (failure.remedy !== undefined) console.error(`        ${failure.remedy}`);
  return failure.exitCode;
}
