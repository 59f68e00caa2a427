/** Options that mean nothing in one of a command's modes: whoever gives one is told, and nothing runs as if it counted. */
import type { Command } from 'commander';
import { inputFailure } from '../failure.ts';

/**
 * @param mode the option that says what the command does: `--mutants`
 * @param others names of the options that count there, as in the parsed options; what nobody has thought of does not
 * @throws {Failure} naming all others that were given
 */
export function requireOnly(command: Command, mode: string, others: readonly string[]): void {
  const known = new Set(others);
  const odd = command.options.filter((option) => {
    const name = option.attributeName();
    return option.long !== mode && !known.has(name) && command.getOptionValueSource(name) === 'cli';
  });
  if (odd.length === 0) return;
  const names = odd.map(({ long, short }) => long ?? short);
  throw inputFailure(`${mode} cannot be combined with ${names.join(', ')}`);
}
