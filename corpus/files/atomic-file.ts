/** Files that appear complete or not at all, whatever ends the process meanwhile. */
import { readdirSync, readFileSync, readlinkSync, rmSync } from 'node:fs';
import { type FileHandle, open, readlink, realpath, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { InputError } from '../../sim/runtime/input-error.ts';
import { randomHex } from './random-hex.ts';
import { atPath } from './system-error.ts';

/**
 * Writes a file beside its place, brings it to disk, then moves it there. After a `kill -9` there is the old file
 * or the new one, and perhaps a hidden `.name.….tmp` beside it, which the next one that writes there removes.
 *
 * What is not a regular file (`/dev/null`, a named pipe) is written to directly.
 * @throws {InputError} where a compiled object stands there
 * @throws {NodeJS.ErrnoException} when the file cannot be written; then nothing has changed
 */
export async function writeAtomically(
  path: string,
  pieces: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
): Promise<void> {
  const target = await resolved(path);
  await refuseObject(path);
  if (target.special) {
    try {
      await writeInto(path, 'w', pieces);
    } catch (error) {
      throw atPath(error, path);
    }
    return;
  }
  const directory = dirname(target.path);
  await removeUnfinished(directory);
  const unfinished = unfinishedBeside(target.path);
  begun(unfinished);
  try {
    await writeInto(unfinished, 'wx', pieces);
    await rename(unfinished, target.path);
  } catch (error) {
    await rm(unfinished, { force: true });
    throw atPath(error, path);
  } finally {
    ended(unfinished);
  }
  await syncDirectory(directory);
}

/**
 * Makes sure that a file can be written, before the work whose result it is to hold: its folder is there, takes files
 * of that name, and what stands there is no directory.
 * @throws {NodeJS.ErrnoException} as `writeAtomically` would
 */
export async function requireWritable(path: string): Promise<void> {
  await refuseObject(path);
  try {
    const target = await resolved(path);
    if (target.special) {
      if ((await stat(target.path)).isDirectory()) {
        const message = `EISDIR: illegal operation on a directory, open '${path}'`;
        throw Object.assign(new Error(message), { code: 'EISDIR', syscall: 'open', path });
      }
      return;
    }
    // A name that is too long is so without the rest of a temporary one, too.
    await stat(target.path).catch((error) => {
      if (error.code !== 'ENOENT') throw error;
    });
    const unfinished = unfinishedBeside(target.path);
    begun(unfinished);
    try {
      await (await open(unfinished, 'wx')).close();
    } finally {
      await rm(unfinished, { force: true });
      ended(unfinished);
    }
  } catch (error) {
    throw atPath(error, path);
  }
}

/**
 * Where `writeAtomically` puts a file: behind links, those of its folder included. Undefined for what is no regular file.
 * @throws {NodeJS.ErrnoException} where that cannot be told
 */
export async function realPlace(path: string): Promise<string | undefined> {
  const target = await resolved(path);
  if (target.special) return undefined;
  const folder = await realpath(dirname(target.path)).catch(() => resolve(dirname(target.path)));
  return join(folder, basename(target.path));
}

const ELF_MAGIC = '\x7fELF';

/**
 * Nothing that is written here is a compiled object: who names one as output (`verify --junit my.o`) means it as input.
 * @throws {InputError}
 */
export async function refuseObject(path: string): Promise<void> {
  let file: FileHandle;
  try {
    // Opening a named pipe would wait for who writes to it.
    if (!(await stat(path)).isFile()) return;
    file = await open(path, 'r');
  } catch {
    // It is not there yet, or cannot be read: writing says what is wrong.
    return;
  }
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(4), 0, 4, 0);
    if (bytesRead === 4 && buffer.toString('latin1') === ELF_MAGIC)
      throw new InputError(`${path}: is a compiled object, which is not written over; name another file`);
  } finally {
    await file.close();
  }
}

function unfinishedBeside(path: string): string {
  const stem = basename(path).slice(0, MAX_STEM);
  return join(dirname(path), `.${stem}.${ownMark()}-${randomHex(4)}.tmp`);
}

/** Leaves room for the rest of the name, where names have at most 255 bytes of UTF-8. */
const MAX_STEM = 60;

/** Files that this process is writing. */
const unfinishedFiles = new Set<string>();
let listener: (path: string, isFinished: boolean) => void = () => {};

/**
 * Calls back when a file is begun, and when it is finished or given up: for a process that removes what this one
 * leaves behind when it is killed.
 */
export function onUnfinishedFile(call: (path: string, isFinished: boolean) => void): void {
  listener = call;
}

function begun(path: string): void {
  if (unfinishedFiles.size === 0) process.on('exit', removeOwn);
  unfinishedFiles.add(path);
  listener(path, false);
}

function ended(path: string): void {
  unfinishedFiles.delete(path);
  listener(path, true);
  if (unfinishedFiles.size === 0) process.off('exit', removeOwn);
}

/** However the process ends, as long as it can still do something. */
function removeOwn(): void {
  for (const path of unfinishedFiles) rmSync(path, { force: true });
}

/** pid, start time in clock ticks since boot, and PID namespace of the process that writes the file. */
const TEMPORARY = /^\..+\.(\d+)-(\d+)-(\d+)-[0-9a-f]{8}\.tmp$/;
/** Where the process cannot be looked for (another container's), its file must not have changed for so long. */
const FOREIGN_MS = 3_600_000;

const swept = new Set<string>();

/** Removes what processes that are dead now left unfinished in a folder. Looks once in each. */
export async function removeUnfinished(directory: string): Promise<void> {
  if (swept.has(directory)) return;
  swept.add(directory);
  let names: string[];
  try {
    // A folder that is not there, as a rule: sooner known than asked of a thread.
    names = readdirSync(directory);
  } catch {
    // There is no such folder, or it cannot be read: who writes there will be told.
    return;
  }
  for (const name of names) {
    const match = TEMPORARY.exec(name);
    if (match === null) continue;
    const path = join(directory, name);
    const [, pid, start, namespace] = match.map(Number) as [number, number, number, number];
    try {
      const isDead =
        namespace !== 0 && namespace === pidNamespace()
          ? startTime(pid) !== start
          : Date.now() - (await stat(path)).mtimeMs > FOREIGN_MS;
      if (isDead) await rm(path, { force: true });
    } catch {
      // Another one was faster, or it is not ours to remove.
    }
  }
}

let mark: string | undefined;

function ownMark(): string {
  mark ??= `${process.pid}-${startTime(process.pid) ?? 0}-${pidNamespace()}`;
  return mark;
}

/** Field 22 of proc_pid_stat(5); undefined for no such process, and where there is no /proc. */
function startTime(pid: number): number | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'latin1');
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
    return fields[0] === 'Z' || fields[0] === 'X' ? undefined : Number(fields[19]);
  } catch {
    return undefined;
  }
}

/** Its inode number; 0 where there is none to ask: there every file is judged by its age. */
function pidNamespace(): number {
  try {
    return Number(/\d+/.exec(readlinkSync('/proc/self/ns/pid'))?.[0] ?? 0);
  } catch {
    return 0;
  }
}

async function writeInto(
  path: string,
  flags: 'w' | 'wx',
  pieces: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
): Promise<void> {
  const file = await open(path, flags);
  try {
    for await (const piece of pieces) await file.writeFile(piece);
    if (flags === 'wx') await file.sync();
  } finally {
    await file.close();
  }
}

/** As many links as Linux follows (path_resolution(7)). */
const MAX_LINKS = 40;

/** Behind symbolic links, so that these stay, dangling ones included; a file that does not exist yet is where its path says. */
async function resolved(path: string): Promise<{ readonly path: string; readonly special: boolean }> {
  let at = path;
  for (let links = 0; links < MAX_LINKS; links++) {
    try {
      const real = await realpath(at);
      return { path: real, special: !(await stat(real)).isFile() };
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    }
    let to: string;
    try {
      to = await readlink(at);
    } catch {
      return { path: at, special: false };
    }
    at = resolve(dirname(at), to);
  }
  throw Object.assign(new Error(`ELOOP: too many symbolic links, open '${path}'`), { code: 'ELOOP', path });
}

/** Makes the new name itself durable; where directories cannot be opened (Windows) the system does it. */
async function syncDirectory(directory: string): Promise<void> {
  if (process.platform === 'win32') return;
  const handle = await open(directory);
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
