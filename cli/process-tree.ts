/** Ends a process by force, and with it what it has started. */
import { readdirSync, readFileSync } from 'node:fs';

/** Where processes cannot be listed (not on Linux), only the process itself is ended. */
export function killTree(pid: number): void {
  // Stopped first: one that runs could start another while they are counted.
  signal(pid, 'SIGSTOP');
  const all = descendants(pid);
  signal(pid, 'SIGKILL');
  for (const one of all) signal(one, 'SIGKILL');
}

function descendants(pid: number): number[] {
  const children = childrenOf(pid);
  return [...children, ...children.flatMap(descendants)];
}

/** A process's children are listed by the thread that started them (proc_pid_children(5)). */
function childrenOf(pid: number): number[] {
  try {
    return readdirSync(`/proc/${pid}/task`).flatMap((thread) =>
      readFileSync(`/proc/${pid}/task/${thread}/children`, 'latin1').split(' ').filter(Boolean).map(Number),
    );
  } catch {
    return [];
  }
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch {
    // It has ended by itself.
  }
}
