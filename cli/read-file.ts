/** Files that the user names: read whole, with errors that name them. */
import { lstatSync, readFileSync } from 'node:fs';
import { atPath } from '../corpus/system-error.ts';

/** @throws {NodeJS.ErrnoException} with the path, also where reading itself fails */
export function readBytes(path: string): Uint8Array {
  try {
    return new Uint8Array(readFileSync(path));
  } catch (error) {
    throw atPath(error, path);
  }
}

/** The same as text; bytes that are no UTF-8 become U+FFFD. */
export function readText(path: string): string {
  return new TextDecoder().decode(readBytes(path));
}

/**
 * Is there something of this name? Also true where it cannot be reached (a circle of links, no right to search): opening
 * it then says why.
 */
export function isThere(path: string): boolean {
  try {
    lstatSync(path);
    return true;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    return (
      code !== 'ENOENT' && code !== 'ENOTDIR' && code !== 'ERR_INVALID_ARG_VALUE' && code !== 'ENAMETOOLONG'
    );
  }
}
