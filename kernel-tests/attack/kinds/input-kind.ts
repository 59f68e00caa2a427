/** What the attack knows of one kind of input. */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { packageFile } from '../../../kernel/package-file.ts';
import type { Damage } from '../damage/damage.ts';

export interface InputKind {
  readonly name: string;
  /** Of all inputs, in parts of the sum of all shares. */
  readonly share: number;
  /** Good ones. */
  readonly seeds: readonly Uint8Array[];
  readonly damage: Damage;
  /**
   * Reads it the way commands do.
   * @param scratch a folder for those that are read from files
   */
  readonly read: (bytes: Uint8Array, scratch: string) => Promise<unknown> | unknown;
}

export const textOf = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);
export const bytesOf = (value: string): Uint8Array => new TextEncoder().encode(value);

export function filesIn(folder: string, pattern: RegExp): Uint8Array[] {
  return readdirSync(packageFile(folder))
    .filter((name) => pattern.test(name))
    .map((name) => new Uint8Array(readFileSync(join(packageFile(folder), name))));
}

/** The input as a file; the next one takes its place. */
export function asFile(bytes: Uint8Array, scratch: string, ending: string): string {
  const path = join(scratch, `${process.pid}${ending}`);
  writeFileSync(path, bytes);
  return path;
}
