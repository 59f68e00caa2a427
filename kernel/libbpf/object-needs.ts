/** What programs need of the object that they are in, as our own loader links it: libbpf does not tell. */

import { linkedObject } from '../../sim/ebpf/linked-object.ts';
import { needsOf } from '../../sim/ebpf/referenced-maps.ts';
import { withSlots } from '../../sim/ebpf/world-slots.ts';
import type { World } from '../../sim/runtime/world.ts';

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
  slots: NonNullable<World['slots']> = {},
): ObjectNeeds | undefined {
  try {
    const object = withSlots(linkedObject(elf), { slots });
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
