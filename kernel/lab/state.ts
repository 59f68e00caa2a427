/**
 * What a lab consists of, between one command and the next: a small JSON file under /run/xdpsim, gone with the next
 * boot as the lab itself is.
 *
 * Everything is written down before it is made and struck out after it is removed, so that whatever a killed
 * command left half-made can be found and torn down.
 */
import {
  closeSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { EngineError } from '../../sim/engines/engine.ts';
import type { Hook } from '../../sim/runtime/actions.ts';
import { LOCK_EX, lastErrorName, libc } from '../libc.ts';

const DIRECTORY = '/run/xdpsim';

/** One namespace with a device inside, and that device's peer outside. */
export interface EnvironmentState {
  readonly name: string;
  /** From 1; the addresses follow from it. */
  readonly number: number;
  /** As `ip netns` knows it. */
  readonly namespace: string;
  readonly ipv4: boolean;
  readonly vlan: boolean;
}

/** How a program is attached to a device. */
export type AttachMode = 'native' | 'generic' | 'tcx' | 'clsact';

/** A program that the lab has attached. */
export interface AttachmentState {
  /** The outer device, in the lab's namespace. */
  readonly device: string;
  readonly function: string;
  readonly hook: Hook;
  readonly mode: AttachMode;
  /** The kernel's number of the program. */
  readonly id: number;
  /** The object's file, for people. */
  readonly object: string;
}

export interface LabState {
  readonly version: 1;
  readonly name: string;
  /** Where the outer devices stand: a namespace of the lab's own, or the host's. */
  readonly namespace: string | 'host';
  /** The bpffs directory below which maps are pinned, one directory for each device. */
  readonly pinRoot: string;
  readonly environments: readonly EnvironmentState[];
  readonly attachments: readonly AttachmentState[];
}

/** Undefined where there is no such lab. */
export function readState(lab: string): LabState | undefined {
  let text: string;
  try {
    text = readFileSync(statePath(lab), 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
  let state: Partial<LabState> | null;
  try {
    state = JSON.parse(text) as Partial<LabState> | null;
  } catch {
    state = null;
  }
  if (state?.version === 1) return state as LabState;
  throw new EngineError('environment', `${statePath(lab)} is not what a lab writes`, {
    remedy: `remove it, then tear the lab down: xdpsim lab teardown --lab ${lab}`,
  });
}

/** Replaces the file as a whole: a reader sees the old state or the new one. */
export function writeState(state: LabState): void {
  const path = statePath(state.name);
  writeFileSync(`${path}.new`, `${JSON.stringify(state, null, 2)}\n`, { mode: 0o600 });
  renameSync(`${path}.new`, path);
}

export function removeState(lab: string): void {
  rmSync(statePath(lab), { force: true });
}

/** Names of all labs that stand. */
export function labNames(): string[] {
  try {
    return readdirSync(DIRECTORY)
      .filter((file) => file.endsWith('.json'))
      .map((file) => file.slice(0, -'.json'.length));
  } catch {
    return [];
  }
}

/**
 * Calls `change` while no other command changes a lab. The lock is the directory's own, and goes with the process
 * however it ends. `change` must be synchronous.
 */
export function locked<T>(change: () => T): T {
  mkdirSync(DIRECTORY, { recursive: true, mode: 0o700 });
  const fd = openSync(DIRECTORY, 'r');
  try {
    if (libc().flock(fd, LOCK_EX) !== 0) {
      throw new EngineError('environment', `${DIRECTORY} cannot be locked: ${lastErrorName()}`);
    }
    return change();
  } finally {
    closeSync(fd);
  }
}

function statePath(lab: string): string {
  return join(DIRECTORY, `${lab}.json`);
}
