/** Can a program read bytes of its stack that it never wrote? */
import { reachOf } from '../ebpf/analysis/reach.ts';
import type { BpfObject, BpfProgram } from '../ebpf/bpf-object.ts';
import { makesTailCalls } from '../ebpf/called-helpers.ts';
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
    const kind = hook === 'xdp' ? 'xdp' : 'tc';
    return [source, ...tailCalledBy(object, source, kind)].some(
      (one) => reachOf({ object, world: {} }, one, kind).readsUnwritten.size > 0,
    );
  });
}

/** The programs that tail calls may lead to: what is in a slot, a world or user space may say at any time. */
function tailCalledBy(object: BpfObject, caller: BpfProgram, kind: 'xdp' | 'tc'): BpfProgram[] {
  if (!makesTailCalls(object, caller)) return [];
  // One whose section says nothing is what its caller is.
  return object.programs.filter(
    (one) => one !== caller && (one.hook === undefined || (one.hook === 'xdp') === (kind === 'xdp')),
  );
}
