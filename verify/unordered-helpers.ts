/** Helpers whose outcome hangs on an order that nobody promises. */
import type { BpfObject } from '../sim/ebpf/bpf-object.ts';
import { calledHelpers } from '../sim/ebpf/called-helpers.ts';
import { linkedObject } from '../sim/ebpf/linked-object.ts';
import type { Program } from '../sim/runtime/program.ts';

const known = new WeakMap<Program, readonly string[]>();

/**
 * Those that the program, its subprograms and what it may come to by tail calls have, where the object has a hash map to go
 * through: `bpf_for_each_map_elem`.
 */
export function unorderedHelpers(program: Program): readonly string[] {
  let names = known.get(program);
  if (names === undefined) {
    names = namesIn(program);
    known.set(program, names);
  }
  return names;
}

function namesIn({ object: bytes, entries }: Program): string[] {
  if (bytes === undefined) return [];
  try {
    return unorderedIn(
      linkedObject(bytes),
      entries.flatMap(({ function: name, after = name }) => [name, after]),
    );
  } catch {
    // An object that does not load fails where it is run, with the reason.
    return [];
  }
}

/** Those of single programs of an object. */
export function unorderedIn(object: BpfObject, functions: readonly string[]): string[] {
  if (!object.maps.some(({ type }) => type.includes('HASH'))) return [];
  return [...calledHelpers(object, functions)].flatMap(({ name, effects }) =>
    effects.dependsOn.includes('order') ? [name] : [],
  );
}
