/** All objects that are kept as files: built-in programs, programs on helpers, faulty ones, and those of the loader's tests. */
import { readdirSync, readFileSync } from 'node:fs';
import { basename } from 'node:path';
import type { BpfObject } from '../bpf-object.ts';
import { loadObject } from '../object.ts';

const FOLDERS: readonly URL[] = [
  new URL('../../../bpf/built/', import.meta.url),
  new URL('../../engines/test-support/recorded/', import.meta.url),
  new URL('../../../verify/check/recorded/', import.meta.url),
  new URL('./', import.meta.url),
];

/** Types alone, against which others are relocated; and one whose maps get their sizes from a world. */
const APART: readonly string[] = ['core-target.o', 'world-file.o'];

export interface NamedObject {
  readonly name: string;
  readonly object: BpfObject;
}

/** Each loaded anew. */
export function everyObject(): NamedObject[] {
  return FOLDERS.flatMap((folder) =>
    readdirSync(folder)
      .filter((file) => file.endsWith('.o') && !APART.includes(file))
      .sort()
      .map((file) => ({
        name: basename(file, '.o'),
        object: loadObject(new Uint8Array(readFileSync(new URL(file, folder)))),
      })),
  );
}

/** Everything in a value that can be seen, as one line: numbers of any size, maps, sets and typed arrays, too. */
export function textOf(value: unknown): string {
  return JSON.stringify(value, (_key, each: unknown) => {
    if (typeof each === 'bigint') return `${each}n`;
    if (typeof each === 'number' && !Number.isFinite(each)) return `${each}`;
    if (each instanceof Map) return { map: [...each] };
    if (each instanceof Set) return { set: [...each] };
    if (ArrayBuffer.isView(each)) return [...(each as Uint8Array)].join(' ');
    return each;
  });
}
