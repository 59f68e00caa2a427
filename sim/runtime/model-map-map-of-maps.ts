/** BPF_MAP_TYPE_ARRAY_OF_MAPS and HASH_OF_MAPS (kernel/bpf/map_in_map.c): slots that hold other maps of the program. */
import { indexKey } from './map-snapshot.ts';
import type { MapDefinition } from './maps.ts';
import type { ModelMap } from './model-map.ts';
import { BaseModelMap, indexOf, nameOf } from './model-map-base.ts';

type Named = (name: string) => ModelMap | undefined;

abstract class MapOfMaps extends BaseModelMap {
  readonly #slots = new Map<string, ModelMap>();

  /** @throws {RangeError} where a slot names a map that the program does not have */
  constructor(definition: MapDefinition, named: Named) {
    super(definition);
    for (const { key, map } of definition.holds ?? []) {
      const inner = named(map);
      if (inner === undefined)
        throw new RangeError(`map ${definition.name} holds a map ${map} that is not there`);
      this.#slots.set(this.#nameOf(key), inner);
    }
  }

  override inner(key: Uint8Array | number): ModelMap | undefined {
    return this.#slots.get(this.#nameOf(key));
  }

  #nameOf(key: Uint8Array | number): string {
    return nameOf(typeof key === 'number' ? indexKey(key) : key, this.definition.keySize);
  }
}

export class HashOfMapsModel extends MapOfMaps {}

export class ArrayOfMapsModel extends MapOfMaps {
  override inner(key: Uint8Array | number): ModelMap | undefined {
    const index = typeof key === 'number' ? key : indexOf(key);
    return index < this.definition.maxEntries ? super.inner(index) : undefined;
  }
}
