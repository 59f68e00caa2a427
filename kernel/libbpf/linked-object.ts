/** An object as our own loader links it, for what libbpf does not tell. */

import type { BpfObject } from '../../sim/ebpf/bpf-object.ts';
import { loadObject } from '../../sim/ebpf/object.ts';
import { needsOf } from '../../sim/ebpf/referenced-maps.ts';
import { withSlots } from '../../sim/ebpf/world-slots.ts';
import type { World } from '../../sim/runtime/world.ts';

/** Shrinking opens the same object a thousand times. */
const objects = new WeakMap<Uint8Array, BpfObject>();

/** @throws {ObjectError} for objects that our loader does not take, though libbpf may */
export function linkedObject(elf: Uint8Array): BpfObject {
  const known = objects.get(elf);
  if (known !== undefined) return known;
  const object = loadObject(elf);
  objects.set(elf, object);
  return object;
}

export interface ObjectNeeds {
  /** The functions that tail calls of the entries can reach. */
  readonly targets: ReadonlySet<string>;
  /** The maps that neither they nor the entries refer to. */
  readonly unusedMaps: ReadonlySet<string>;
}

/**
 * What these functions need of the object that they are in; undefined where our loader does not take it.
 * @param entries names of functions
 * @param slots what a world puts into maps of programs and of maps
 */
export function needsOfEntries(
  elf: Uint8Array,
  entries: readonly string[],
  slots?: World['slots'],
): ObjectNeeds | undefined {
  try {
    const object = withSlots(linkedObject(elf), slots);
    const indices = entries.map((name) => object.programs.findIndex((one) => one.function === name));
    const { maps, programs } = needsOf(object, indices);
    return {
      targets: new Set([...programs].map((index) => object.programs[index]!.function)),
      unusedMaps: new Set(object.maps.filter((_, index) => !maps.has(index)).map(({ name }) => name)),
    };
  } catch {
    return undefined;
  }
}
