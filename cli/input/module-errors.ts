/** Modules of the user's that this process has loaded: what they throw, whenever it is, is theirs. */
import { resolve } from 'node:path';

const modules: string[] = [];

/** Has errors that come out of the module attributed to it. */
export function rememberModule(path: string): void {
  modules.push(path);
}

/** What such an error is called: with the module's name, and the place in it. Undefined for errors of others. */
export function moduleProblem(error: unknown): string | undefined {
  if (!(error instanceof Error) || error.stack === undefined) return undefined;
  for (const module of modules) {
    const path = resolve(module);
    const line = error.stack
      .split('\n')
      .find((one) => one.includes(path) || one.includes(encodeURIComponent(path)));
    if (line === undefined) continue;
    // Without source maps the place is one in generated code.
    const place = line.includes('data:text/javascript') ? undefined : /:(\d+:\d+)\)?$/.exec(line)?.[1];
    return `${module}${place === undefined ? '' : `:${place}`}: ${error.name}: ${error.message}`;
  }
  return undefined;
}
