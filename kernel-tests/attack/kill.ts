/** One signal sent to one command under attack. */
import type { Target } from './kill-targets.ts';

export const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGKILL'] as const;

/**
 * `once`, `twice`: as `kill PID` does; `group`: as Ctrl-C does, which goes to all processes of the command;
 * `stopped`: after the command has been stopped for a while (Ctrl-Z); `part`: SIGKILL to any one of its processes;
 * `step`: SIGKILL after a change that it has made.
 */
export type Way = 'once' | 'twice' | 'group' | 'stopped' | 'part' | { readonly step: number };

export interface Kill {
  readonly index: number;
  readonly seed: string;
  readonly target: Target;
  readonly signal: (typeof SIGNALS)[number];
  readonly way: Way;
  /** Milliseconds after its start. */
  readonly delay: number;
  readonly folder: string;
  /** What stood on the machine before. */
  readonly before: Set<string>;
}
