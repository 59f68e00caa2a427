/** Tools that a command waits for: Ctrl-C goes to the whole group, and ends them, too. */

/** A signal ended a tool; by `signal` the command line knows an interruption. */
export class ToolEnded extends Error {
  readonly signal: NodeJS.Signals;

  constructor(name: string, signal: NodeJS.Signals) {
    super(`${name} was ended by ${signal}`);
    this.name = 'ToolEnded';
    this.signal = signal;
  }
}

/**
 * @param name of the tool
 * @param signal that ended it; null where it ended by itself
 * @throws {ToolEnded} where a signal did
 */
export function requireOwnEnd(name: string, signal: NodeJS.Signals | null): void {
  if (signal !== null) throw new ToolEnded(name, signal);
}
