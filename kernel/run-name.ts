/**
 * The names that a run gives to everything it makes outside its own process: `xdpsim-<pid>-<start>-<n>`, where
 * `start` is the time at which the process started, in clock ticks since boot (field 22 of proc_pid_stat(5)).
 * Pid and start time together never come again before the next boot, so that anyone can tell from the name
 * alone whether the maker still lives.
 */
import { readFileSync } from 'node:fs';

const NAME = /^xdpsim-(\d+)-(\d+)-(\d+)$/;

let ownPrefix: string | undefined;
let counter = 0;

/** A name that no other living run uses: at most 45 characters, safe as a file name. Unique within this thread only. */
export function nextRunName(): string {
  return `${runPrefix()}${counter++}`;
}

/** What all names of this process begin with, the last hyphen included. */
export function runPrefix(): string {
  ownPrefix ??= `xdpsim-${process.pid}-${startTime(process.pid) ?? 0}-`;
  return ownPrefix;
}

/** Is this the name of something that a run made which is dead now? A living run's, or a foreign name: no. */
export function isLeftoverName(name: string): boolean {
  const match = NAME.exec(name);
  if (match === null) return false;
  return startTime(Number(match[1])) !== Number(match[2]);
}

/** Start time of a living process in clock ticks since boot; undefined for none, and for one that waits to be reaped. */
function startTime(pid: number): number | undefined {
  let stat: string;
  try {
    stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
  } catch {
    return undefined;
  }
  // The second field is the command's name in parentheses and may itself hold spaces and parentheses.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const state = fields[0];
  return state === 'Z' || state === 'X' ? undefined : Number(fields[19]);
}
