/** Names of programs in one run: of objects that are called alike, with as much of their paths as tells them apart. */
import { relative, resolve, sep } from 'node:path';
import type { Program } from '../../sim/runtime/program.ts';

/** `a/x.o` and `b/x.o`, where both would be `x.o`. Those of one file keep their names. */
export function toldApart(programs: readonly Program[]): Program[] {
  return programs.map((program) => {
    const own = foldersOf(program);
    if (own === undefined) return program;
    const others = programs.flatMap((one) => {
      const folders = one.name === program.name ? foldersOf(one) : undefined;
      return folders === undefined || folders.join() === own.join() ? [] : [folders];
    });
    const wanted = fewest(own, others);
    return wanted === 0 ? program : { ...program, name: [...own.slice(-wanted), program.name].join('/') };
  });
}

/** The name without what tells it apart: the same in every run. */
export function plainName({ name, definition }: Pick<Program, 'name' | 'definition'>): string {
  return definition === undefined ? name.slice(name.lastIndexOf('/') + 1) : name;
}

/** How many folders, from the last one on, none of the others have. */
function fewest(own: readonly string[], others: readonly (readonly string[])[]): number {
  if (others.length === 0) return 0;
  for (let count = 1; count < own.length; count++) {
    const part = own.slice(-count).join();
    if (!others.some((one) => one.slice(-count).join() === part)) return count;
  }
  return own.length;
}

/** Those that a file of the user's lies in, below the current one where it does; a model has a name of its own. */
function foldersOf({ objectPath, definition }: Program): string[] | undefined {
  if (objectPath === undefined || definition !== undefined) return undefined;
  const full = resolve(objectPath);
  const near = relative('.', full);
  return (near.startsWith('..') ? full : near).split(sep).slice(0, -1);
}
