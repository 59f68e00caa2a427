/** What runs leave on a machine: names, links, processes, unfinished files. */
import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';

/** In the environment of every process that an attack starts, and so of their children. */
export const MARK = 'XDPSIM_ATTACK';

/** How long the kernel may take to end processes that are dying. */
const DYING_MS = 3000;

/** Processes with the mark that still live. */
export async function remainingProcesses(mark: string): Promise<number[]> {
  const end = performance.now() + DYING_MS;
  for (;;) {
    const pids = processesWith(mark);
    if (pids.length === 0 || performance.now() > end) return pids;
    await wait(20);
  }
}

/** All processes with the mark, in the order of their numbers. */
export function processesWith(mark: string): number[] {
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name) && isMarked(name, mark));
  return pids.map(Number).sort((a, b) => a - b);
}

function isMarked(pid: string, mark: string): boolean {
  try {
    return readFileSync(`/proc/${pid}/environ`, 'latin1').includes(`${MARK}=${mark}\0`);
  } catch {
    return false;
  }
}

const PLACES = ['/run/netns', '/run/xdpsim', '/sys/fs/bpf', tmpdir()];
/** One for all of the machine, other attacks included. */
const TRACE_INSTANCES = '/sys/kernel/tracing/instances';

/** Names of runs in the places where they make things, and links of the host's namespace. */
export function traces(): Set<string> {
  const found = new Set<string>();
  for (const folder of PLACES) {
    for (const name of namesIn(folder)) if (/^(xdpsim|attack)-/.test(name)) found.add(join(folder, name));
  }
  for (const name of namesIn(TRACE_INSTANCES)) {
    if (name.startsWith(`xdpsim-attack-${process.pid}-`)) found.add(join(TRACE_INSTANCES, name));
  }
  const links = spawnSync('ip', ['-o', 'link'], { encoding: 'utf8' }).stdout ?? '';
  for (const line of links.split('\n')) if (line !== '') found.add(`link ${line.split(':')[1]?.trim()}`);
  return found;
}

/** Files that were not finished. */
export function unfinishedFiles(folder: string): string[] {
  return namesIn(folder, true).filter((name) => name.endsWith('.tmp'));
}

export function namesIn(folder: string, recursive: boolean = false): string[] {
  try {
    return readdirSync(folder, { recursive, encoding: 'utf8' });
  } catch {
    return [];
  }
}
