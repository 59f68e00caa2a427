/** Directories for output, made with those above them where they are missing. */
import { mkdir, stat } from 'node:fs/promises';
import { dirname } from 'node:path';

/**
 * Makes a directory unless it is there. Node's own `mkdir` with `recursive` never returns below a file system that makes
 * no directories and answers ENOENT, such as /proc.
 * @throws {NodeJS.ErrnoException} with the path that could not be made; EEXIST where a file has its name
 */
export async function makeDirectory(path: string): Promise<void> {
  try {
    await make(path);
  } catch (error) {
    const above = dirname(path);
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT' || above === path) throw error;
    await makeDirectory(above);
    await make(path);
  }
}

async function make(path: string): Promise<void> {
  try {
    await mkdir(path);
  } catch (error) {
    const isThere = (error as NodeJS.ErrnoException).code === 'EEXIST';
    if (!isThere || !(await stat(path)).isDirectory()) throw error;
  }
}
