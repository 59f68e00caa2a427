/**
 * What a lab consists of, between one command and the next: a small JSON file under /run/xdpsim, gone with the next
 * boot as the lab itself is.
 *
 * Everything is written down before it is made and struck out after it is removed, so that whatever a killed
 * command left half-made can be found and torn down.
 */

import {
  closeSync,
  constants,
  fstatSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { EngineError } from '../../sim/engines/engine.ts';
import { ShapeError } from '../../sim/runtime/shape-error.ts';
import type { LabState } from './lab-state.ts';
import { cannotKeepState, STATE_DIRECTORY, UNFINISHED } from './lock.ts';
import { checkLabName, labOption } from './names.ts';
import { parseState } from './state-schema.ts';

/** The state of 254 environments and as many programs is a tenth of it. */
const LARGEST = 1 << 20;

/**
 * @returns undefined where there is no such lab
 * @throws {EngineError} `environment`, where the file is not what a lab writes
 */
export function readState(lab: string): LabState | undefined {
  const path = statePath(lab);
  let fd: number;
  try {
    fd = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') return undefined;
    throw damaged(lab, code === 'ELOOP' ? 'it is a link' : String(code));
  }
  try {
    const { size, uid, isFile } = describe(fd);
    if (!isFile) throw damaged(lab, 'it is no regular file');
    if (uid !== process.geteuid?.()) throw damaged(lab, `it belongs to user ${uid}`);
    if (size > LARGEST) throw damaged(lab, `it has ${size} bytes`);
    return parseState(JSON.parse(readFileSync(fd, 'utf8')), lab);
  } catch (error) {
    if (error instanceof SyntaxError) throw damaged(lab, 'it is truncated, or no JSON');
    if (error instanceof ShapeError) throw damaged(lab, error.message);
    throw error;
  } finally {
    closeSync(fd);
  }
}

function describe(fd: number): { readonly size: number; readonly uid: number; readonly isFile: boolean } {
  const stat = fstatSync(fd);
  return { size: stat.size, uid: stat.uid, isFile: stat.isFile() };
}

/** A file that is there and cannot be used. */
export class DamagedState extends EngineError {}

function damaged(lab: string, problem: string): DamagedState {
  return new DamagedState('environment', `${statePath(lab)} is damaged: ${problem}`, {
    remedy: `remove the lab, which needs no file: xdpsim lab teardown${labOption(lab)}`,
  });
}

/** Replaces the file as a whole: a reader sees the old state or the new one. */
export function writeState(state: LabState): void {
  const path = statePath(state.name);
  const unfinished = unfinishedPath(state.name);
  try {
    // Whatever stands there is nobody's: only the holder of the lock writes.
    rmSync(unfinished, { recursive: true, force: true });
    writeFileSync(unfinished, `${JSON.stringify(state, null, 2)}\n`, { mode: 0o600, flag: 'wx' });
    renameSync(unfinished, path);
  } catch (cause) {
    throw cannotKeepState(cause);
  }
}

export function removeState(lab: string): void {
  rmSync(statePath(lab), { recursive: true, force: true });
  rmSync(unfinishedPath(lab), { recursive: true, force: true });
}

/** Names of all labs that stand. */
export function labNames(): string[] {
  try {
    return readdirSync(STATE_DIRECTORY)
      .filter((file) => file.endsWith('.json'))
      .map((file) => file.slice(0, -'.json'.length))
      .filter(isLabName);
  } catch {
    return [];
  }
}

function isLabName(name: string): boolean {
  try {
    checkLabName(name);
    return true;
  } catch {
    return false;
  }
}

function statePath(lab: string): string {
  // It becomes a part of paths.
  checkLabName(lab);
  return join(STATE_DIRECTORY, `${lab}.json`);
}

function unfinishedPath(lab: string): string {
  checkLabName(lab);
  return join(STATE_DIRECTORY, `${lab}${UNFINISHED}`);
}
