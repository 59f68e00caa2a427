/** Helpers whose outcome hangs on an order that nobody promises. */
import { calledHelpers } from '../sim/ebpf/called-helpers.ts';
import { linkedObject } from '../sim/ebpf/linked-object.ts';
import type { Program } from '../sim/runtime/program.ts';

const known = new WeakMap<Uint8Array, readonly string[]>();

/** Those that the object calls, where it has a hash map to go through: `bpf_for_each_map_elem`. */
export function unorderedHelpers({ object }: Program): readonly string[] {
  if (object === undefined) return [];
  let names = known.get(object);
  if (names === undefined) {
    names = namesIn(object);
    known.set(object, names);
  }
  return names;
}

function namesIn(bytes: Uint8Array): string[] {
  try {
    const object = linkedObject(bytes);
    if (!object.maps.some(({ type }) => type.includes('HASH'))) return [];
    return [...calledHelpers(object)].flatMap(({ name, effects }) =>
      effects.dependsOn.includes('order') ? [name] : [],
    );
  } catch {
    // An object that does not load fails where it is run, with the reason.
    return [];
  }
}
