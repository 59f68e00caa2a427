/** The commands that repeat a divergence. */
import type { Program } from '../../sim/runtime/program.ts';
import type { Divergence } from '../report.ts';

/** How many packets `verify` generates when it is not told. */
const DEFAULT_RUNS = 20_000;

/**
 * One command a line, ready for a shell.
 * @param maps the `--map` options that `verify` was given; a saved case has them in its world
 */
export function repeatCommands(
  program: Program,
  divergence: Divergence,
  maps: readonly string[] = [],
): string[] {
  const { engines, seen, file } = divergence;
  const named = program.commandLine ?? [program.name];
  const names = engines.filter((name) => name !== 'oracle').join(',');
  const commands: string[] = [];
  if ('seed' in seen) {
    const filled = maps.flatMap((map) => ['--map', map]);
    const runs = seen.packet >= DEFAULT_RUNS ? ['--runs', String(seen.packet + 1)] : [];
    commands.push(
      command('verify', ...named, ...filled, '--engines', names, '--seed', String(seen.seed), ...runs),
    );
  }
  const capture = file ?? ('file' in seen && !seen.file.startsWith('example: ') ? seen.file : undefined);
  if (capture !== undefined && program.object !== undefined) {
    commands.push(command('run', ...named, '--packet', capture));
  }
  return commands;
}

function command(...words: readonly string[]): string {
  return ['npx xdpsim', ...words.map(quoted)].join(' ');
}

function quoted(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}
