/** Which kind of model map answers for which type of map. */
import type { MapDefinition } from './maps.ts';
import type { ModelMap } from './model-map.ts';
import { HashModelMap } from './model-map-hash.ts';
import { LpmTrieModelMap } from './model-map-lpm-trie.ts';
import { LruHashModelMap } from './model-map-lru-hash.ts';
import { ArrayOfMapsModel, HashOfMapsModel } from './model-map-map-of-maps.ts';
import { QueueModelMap } from './model-map-queue.ts';
import { RingBufferModelMap } from './model-map-ring-buffer.ts';
import { ArrayModelMap, SlotModelMap } from './model-map-slots.ts';

/**
 * @param named finds another map of the program, for maps of maps
 * @throws {RangeError} for map types that XDP and TC programs cannot use, or that models cannot hold
 */
export function createModelMap(
  definition: MapDefinition,
  named: (name: string) => ModelMap | undefined = () => undefined,
): ModelMap {
  switch (definition.type) {
    case 'ARRAY':
    case 'PERCPU_ARRAY':
      return new ArrayModelMap(definition);
    case 'DEVMAP':
    case 'CPUMAP':
    case 'XSKMAP':
    case 'PROG_ARRAY':
    case 'PERF_EVENT_ARRAY':
      return new SlotModelMap(definition);
    case 'HASH':
    case 'PERCPU_HASH':
    case 'DEVMAP_HASH':
      return new HashModelMap(definition);
    case 'LRU_HASH':
    case 'LRU_PERCPU_HASH':
      return new LruHashModelMap(definition);
    case 'LPM_TRIE':
      return new LpmTrieModelMap(definition);
    case 'QUEUE':
    case 'STACK':
      return new QueueModelMap(definition);
    case 'RINGBUF':
      return new RingBufferModelMap(definition);
    case 'ARRAY_OF_MAPS':
      return new ArrayOfMapsModel(definition, named);
    case 'HASH_OF_MAPS':
      return new HashOfMapsModel(definition, named);
    default:
      throw new RangeError(`map ${definition.name}: a model cannot hold a ${definition.type} map`);
  }
}
