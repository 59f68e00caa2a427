/** Can a program read bytes of its stack that it never wrote? */
import { reachOf } from '../ebpf/analysis/reach.ts';
import type { BpfObject } from '../ebpf/bpf-object.ts';
import { ObjectError } from '../ebpf/object.ts';
import type { Program } from '../runtime/program.ts';
import { knownObject } from './machine-program.ts';

const known = new WeakMap<Program, boolean>();

/** As far as can be told without running it: a program of which nothing can be told may. */
export function mayReadUnwritten(program: Program): boolean {
  let may = known.get(program);
  if (may === undefined) {
    may = mayRead(program);
    known.set(program, may);
  }
  return may;
}

function mayRead({ object: bytes, entries }: Program): boolean {
  if (bytes === undefined) return false;
  let object: BpfObject;
  try {
    object = knownObject(bytes);
  } catch (error) {
    if (error instanceof ObjectError) return true;
    throw error;
  }
  return entries.some(({ function: name, hook }) => {
    const source = object.programs.find((one) => one.function === name);
    if (source === undefined) return true;
    return reachOf({ object, world: {} }, source, hook === 'xdp' ? 'xdp' : 'tc').readsUnwritten.size > 0;
  });
}
