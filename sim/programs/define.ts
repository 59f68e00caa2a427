/** How a program is defined: with worlds and examples that are made when they are first read. */
import type { Example, NamedWorld, ProgramDefinition } from '../runtime/program.ts';

interface Made {
  readonly worlds: () => readonly NamedWorld[];
  readonly examples: () => readonly Example[];
}

/**
 * Every run of the command loads all programs, and reads the examples of the few that it tests: to build the frames of
 * all of them would take longer than anything else at its start.
 */
export function define({
  worlds,
  examples,
  ...rest
}: Omit<ProgramDefinition, keyof Made> & Made): ProgramDefinition {
  let madeWorlds: readonly NamedWorld[] | undefined;
  let madeExamples: readonly Example[] | undefined;
  return {
    ...rest,
    get worlds() {
      madeWorlds ??= worlds();
      return madeWorlds;
    },
    get examples() {
      madeExamples ??= examples();
      return madeExamples;
    },
  };
}
