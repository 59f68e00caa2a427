/** Which maps and variables of two objects are the same: by name, where their forms agree. */

import type { Machine } from '../../../sim/ebpf/machine.ts';
import type { MapNaming } from '../../../sim/ebpf/symbolic/inputs.ts';
import { isArray } from '../../../sim/runtime/maps.ts';

/** Numbers of maps that only the second object has begin here. */
const OWN = 100_000;

/** How the second object's maps are called in terms: as those of the first, where they are the same. */
export function namingAfter(first: Machine, second: Machine): MapNaming {
  const partner = second.maps.map(({ name, definition, source }) => {
    const index = first.maps.findIndex((one) => one.name === name);
    const other = first.maps[index];
    if (other === undefined || (other.source.global === undefined) !== (source.global === undefined))
      return undefined;
    if (source.global !== undefined) return index;
    const isSame =
      other.definition.type === definition.type &&
      other.definition.keySize === definition.keySize &&
      other.valueSize === second.maps.find((one) => one.name === name)!.valueSize &&
      other.definition.maxEntries === definition.maxEntries &&
      isArray(other.definition.type) === isArray(definition.type);
    return isSame ? index : undefined;
  });
  return {
    number: (map) => partner[map] ?? OWN + map,
    map: (number) => {
      if (number >= OWN) return number - OWN;
      const map = partner.indexOf(number);
      return map < 0 ? undefined : map;
    },
    global: (map, at) => {
      const other = partner[map];
      const own = second.maps[map]!.source.global;
      const theirs = other === undefined ? undefined : first.maps[other]!.source.global;
      if (own === undefined || theirs === undefined || other === undefined) return undefined;
      for (const [name, { offset, size }] of own.variables) {
        if (at < offset || at >= offset + size) continue;
        const same = theirs.variables.get(name);
        return same?.size === size ? { number: other, at: same.offset + at - offset } : undefined;
      }
      return undefined;
    },
  };
}
