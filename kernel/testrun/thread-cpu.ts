/** On which CPU the calling thread runs. */
import { syscalls } from './syscalls.ts';

let pinned: number | undefined;
/** Where it may run otherwise. */
let free: Uint8Array = new Uint8Array();

/**
 * From now on the thread runs on one CPU only. On a busy machine each change may have to wait for the CPU: nothing is done
 * where the thread is there already.
 * @throws {EngineError} `environment`, where it may not run there
 */
export function pinThread(cpu: number): void {
  if (pinned === cpu) return;
  const sys = syscalls();
  if (pinned === undefined) free = sys.affinity();
  const only = new Uint8Array(free.length);
  only[cpu >> 3] = 1 << (cpu & 7);
  sys.setAffinity(only);
  pinned = cpu;
}

/** Is the CPU there, and one that the thread may run on? */
export function mayRunOn(cpu: number): boolean {
  const cpus = pinned === undefined ? syscalls().affinity() : free;
  return ((cpus[cpu >> 3] ?? 0) & (1 << (cpu & 7))) !== 0;
}

/** The thread runs wherever it could before. */
export function releaseThread(): void {
  if (pinned === undefined) return;
  syscalls().setAffinity(free);
  pinned = undefined;
}
