/**
 * The names that a run gives to everything it makes outside its own process: `xdpsim-<pid>-<start>-<space>-<n>`.
 *
 * `start` is the time at which the process started, in clock ticks since boot (field 22 of proc_pid_stat(5)): pid
 * and start time together never come again in one PID namespace before the next boot. `space` says which PID
 * namespace of which boot the two were counted in, since processes of other containers see the same /run/netns and
 * the same /tmp, but not the process: what a name says of its maker can be checked only from the same place.
 */
import { readFileSync, readlinkSync } from 'node:fs';

const NAME = /^xdpsim-(\d+)-(\d+)-([0-9a-f]{12})-\d+$/;

/**
 * What a name says of its maker: it lives, it is dead, or it cannot be told from here, because it ran in another PID
 * namespace or before the last boot.
 */
export type Maker = 'living' | 'dead' | 'unknown';

/** Where pids are looked up. */
export interface PidView {
  /** The PID namespace and the boot that the caller belongs to, in 12 hexadecimal digits. */
  readonly space: string;
  /** Does /proc show the processes of that namespace? After `unshare --pid` it still shows those of its parent. */
  readonly complete: boolean;
  /** Start time of a living process in clock ticks since boot; undefined for none, and for one that has been ended. */
  startTime(pid: number): number | undefined;
}

/** The process is getting shut down (include/linux/sched.h). */
const PF_EXITING = 0x4;

let ownPrefix: string | undefined;
let counter = 0;

/** A name that no other living run uses: at most 60 characters, safe as a file name. Unique within this thread only. */
export function nextRunName(): string {
  return `${runPrefix()}${counter++}`;
}

/** What all names of this process begin with, the last hyphen included; the same in all of its threads. */
export function runPrefix(): string {
  ownPrefix ??= `xdpsim-${process.pid}-${ownStartTime()}-${ownSpace()}-`;
  return ownPrefix;
}

/** All names that another process of this PID namespace gives, whenever it started. */
export function namesOf(pid: number): RegExp {
  return new RegExp(`^xdpsim-${pid}-\\d+-${ownSpace()}-\\d+$`);
}

/** Undefined for a name that no run gives. */
export function makerOf(name: string, view: PidView = ownView()): Maker | undefined {
  const match = NAME.exec(name);
  if (match === null) return undefined;
  const [, pid, start, space] = match;
  if (space !== view.space || !view.complete) return 'unknown';
  return view.startTime(Number(pid)) === Number(start) ? 'living' : 'dead';
}

function ownView(): PidView {
  return { space: ownSpace(), complete: readLink('/proc/self') === String(process.pid), startTime };
}

let space: string | undefined;

function ownSpace(): string {
  // The number of the first PID namespace is the same on every machine: the boot tells them apart.
  space ??= `${digits(readText('/proc/sys/kernel/random/boot_id'))}${digits(readLink('/proc/self/ns/pid'))}`;
  return space;
}

function digits(text: string): string {
  // Not loaded before: most runs make no name.
  const { createHash } = process.getBuiltinModule('node:crypto');
  return createHash('sha256').update(text).digest('hex').slice(0, 6);
}

function startTime(pid: number): number | undefined {
  return startOfLiving(readText(`/proc/${pid}/stat`));
}

/**
 * @param stat a line of proc_pid_stat(5), or nothing where there is no such process
 * @returns undefined for a process that is gone, or that only the kernel still takes apart: with devices and programs that can last a second
 */
export function startOfLiving(stat: string): number | undefined {
  const [state, flags, start] = fieldsOf(stat);
  const isGone = state === '' || state === 'Z' || state === 'X' || (flags & PF_EXITING) !== 0;
  return isGone ? undefined : start;
}

/** By /proc/self, which is this process whatever it is called there. */
function ownStartTime(): number {
  return fieldsOf(readText('/proc/self/stat'))[2];
}

function fieldsOf(stat: string): readonly [state: string, flags: number, start: number] {
  // The second field is the command's name in parentheses and may itself hold spaces and parentheses.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return [fields[0] ?? '', Number(fields[6] ?? 0), Number(fields[19] ?? 0)];
}

/** Empty where there is no such file. */
function readText(path: string): string {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    return '';
  }
}

function readLink(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return '';
  }
}
