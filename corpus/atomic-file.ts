/** Files that appear complete or not at all, whatever ends the process meanwhile. */
import { randomBytes } from 'node:crypto';
import { open, realpath, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { atPath } from './system-error.ts';

/**
 * Writes a file beside its place, brings it to disk, then moves it there. After a `kill -9` there is the old file
 * or the new one, and perhaps a hidden `.name.….tmp` beside it.
 *
 * What is not a regular file (`/dev/null`, a named pipe) is written to directly.
 * @throws {NodeJS.ErrnoException} when the file cannot be written; then nothing has changed
 */
export async function writeAtomically(
  path: string,
  pieces: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
): Promise<void> {
  const target = await resolved(path);
  if (target.special) {
    try {
      await writeInto(path, 'w', pieces);
    } catch (error) {
      throw atPath(error, path);
    }
    return;
  }
  const directory = dirname(target.path);
  const unfinished = join(directory, `.${basename(target.path)}.${randomBytes(6).toString('hex')}.tmp`);
  try {
    await writeInto(unfinished, 'wx', pieces);
    await rename(unfinished, target.path);
  } catch (error) {
    await rm(unfinished, { force: true });
    throw atPath(error, path);
  }
  await syncDirectory(directory);
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

/** Behind symbolic links, so that these stay; a file that does not exist yet is where its path says. */
async function resolved(path: string): Promise<{ readonly path: string; readonly special: boolean }> {
  try {
    const real = await realpath(path);
    return { path: real, special: !(await stat(real)).isFile() };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return { path, special: false };
    throw error;
  }
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
