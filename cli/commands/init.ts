/** `xdpsim init`: a configuration file for the folder. */
import { type Command, Option } from 'commander';
import { writeAtomically } from '../../corpus/files/atomic-file.ts';
import { programByName } from '../../sim/programs/index.ts';
import { commandText } from '../../verify/explain/command.ts';
import { isSource } from '../compile/compile-source.ts';
import { configText, findPrograms, initialConfig } from '../config/initial.ts';
import { findConfig } from '../config/load.ts';
import { inputFailure } from '../failure.ts';
import { parseObjectName, programsOfObject } from '../input/program-source.ts';
import { isThere, readText } from '../input/read-file.ts';
import { reportLine } from '../output.ts';

export function registerInit(program: Command): void {
  program
    .command('init')
    .description('write a configuration file for xdpsim check: which programs, worlds and thresholds')
    .argument('[object...]', 'the programs to list; default: every *.bpf.c and other XDP or TC object below')
    .addOption(
      new Option('--format <format>', 'the kind of file').choices(['json', 'js', 'ts']).default('json'),
    )
    .option('--force', 'replace the file that is there')
    .action(run);
}

async function run(
  named: readonly string[],
  { format, force }: { readonly format: 'json' | 'js' | 'ts'; readonly force?: boolean },
): Promise<void> {
  // A module whatever the package.json says, if there is any.
  const path = `xdpsim.config.${format === 'js' ? 'mjs' : format}`;
  const there = isThere(path) ? path : findConfig('.');
  if (there !== undefined && (force !== true || there !== path)) {
    throw inputFailure(
      `${there}: is there already`,
      there === path ? '--force replaces it.' : 'A folder has one configuration file: remove that one first.',
    );
  }
  for (const name of named) requireProgram(name);
  const programs = named.length > 0 ? named : findPrograms('.');
  const text = configText(initialConfig(programs), format);
  await writeAtomically(path, [new TextEncoder().encode(text)]);
  const found = programs.length === 1 ? '1 program' : `${programs.length} programs`;
  reportLine(`${path}: ${found}; next: ${commandText('check')}`);
}

/**
 * What is listed must be something that `check` can read; whether a source compiles is for `check` to say.
 * @throws {Failure}
 */
function requireProgram(name: string): void {
  if (programByName(name) !== undefined) return;
  const file = parseObjectName(name);
  if (!isThere(file.path)) throw inputFailure(`${name}: no such file`);
  if (isSource(file.path)) readText(file.path);
  else programsOfObject(file);
}
