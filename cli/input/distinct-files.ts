/** Two results in one file, or a result in place of what is read: one of them would be lost. */
import type { Command } from 'commander';
import { realPlace } from '../../corpus/files/atomic-file.ts';
import { inputFailure } from '../failure.ts';
import { isThere } from './read-file.ts';

/** Options that name a file to write, whatever the command. Every other file that a command line names is read. */
const OUTPUTS: readonly string[] = ['out', 'write', 'fix', 'writeBad', 'junit', 'sarif', 'coverage'];

/** Named as the user did: the option, and its value where it was given. */
type NamedOutput = readonly [option: string, path: string];

/**
 * Refuses a command line whose results would replace a file that it names elsewhere: packets, worlds, maps, objects, sources.
 * @throws {Failure}
 */
export async function requireApart(command: Command): Promise<void> {
  const outputs: NamedOutput[] = [];
  const read: unknown[] = [...command.args];
  for (const option of command.options) {
    const name = option.attributeName();
    const value: unknown = command.getOptionValue(name);
    if (!OUTPUTS.includes(name)) read.push(value);
    else if (typeof value === 'string') outputs.push([option.long ?? name, value]);
  }
  if (outputs.length > 0) await requireDistinctFiles(outputs, read.flatMap(filesIn));
}

/** What is there of the files that an argument may name: FILE, FILE:FUNCTION or NAME=FILE. */
function filesIn(value: unknown): readonly string[] {
  if (Array.isArray(value)) return value.flatMap(filesIn);
  if (typeof value !== 'string') return [];
  return [value, value.replace(/:[^:]*$/, ''), value.slice(value.indexOf('=') + 1)].filter(isThere);
}

/**
 * Refuses outputs that lie in the same place as another output or an input, whatever their names. What is no regular file
 * (`/dev/null`, a named pipe) takes any number, and so does standard output.
 * @throws {Failure}
 */
async function requireDistinctFiles(
  outputs: readonly NamedOutput[],
  inputs: readonly string[],
): Promise<void> {
  const read = new Set((await Promise.all(inputs.map(placeOf))).filter((place) => place !== undefined));
  const written = new Map<string, string>();
  for (const [option, path] of outputs) {
    const place = await placeOf(path);
    if (place === undefined) continue;
    if (read.has(place)) {
      throw inputFailure(
        `${option} names a file that is read: ${path}`,
        'Give the output a name of its own.',
      );
    }
    const other = written.get(place);
    if (other !== undefined) throw inputFailure(`${other} and ${option} name the same file`);
    written.set(place, option);
  }
}

/** Undefined where nothing can be lost there, or where it cannot be told: writing says why. */
async function placeOf(path: string): Promise<string | undefined> {
  if (path === '-') return undefined;
  try {
    return await realPlace(path);
  } catch {
    return undefined;
  }
}
