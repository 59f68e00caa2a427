/** Tools that a command waits for: Ctrl-C goes to the whole group, and ends them, too. */

/**
 * @param name of the tool
 * @param signal that ended it; null where it ended by itself
 * @throws {Error} with a property `signal`, by which the command line knows an interruption
 */
export function requireOwnEnd(name: string, signal: NodeJS.Signals | null): void {
  if (signal !== null) throw Object.assign(new Error(`${name} was ended by ${signal}`), { signal });
}
