/** Two results in one file, or a result in place of what is read: one of them would be lost. */
import { realPlace } from '../../corpus/files/atomic-file.ts';
import { inputFailure } from '../failure.ts';

/** Named as the user did: the option, and its value where it was given. */
export type NamedOutput = readonly [option: string, path: string | undefined];

/**
 * Refuses outputs that lie in the same place as another output or an input, whatever their names. What is no regular file
 * (`/dev/null`, a named pipe) takes any number, and so does standard output.
 * @throws {Failure}
 */
export async function requireDistinctFiles(
  outputs: readonly NamedOutput[],
  inputs: readonly string[] = [],
): Promise<void> {
  const read = new Set((await Promise.all(inputs.map(placeOf))).filter((place) => place !== undefined));
  const written = new Map<string, string>();
  for (const [option, path] of outputs) {
    const place = path === undefined ? undefined : await placeOf(path);
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

/** Undefined where nothing can be lost there. */
async function placeOf(path: string): Promise<string | undefined> {
  return path === '-' ? undefined : realPlace(path);
}
