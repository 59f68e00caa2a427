/** What all maps of models have: the kernel's answers for what a kind does not offer. */
import { EINVAL, EOPNOTSUPP } from './errno.ts';
import { indexKey, type MapSnapshot } from './map-snapshot.ts';
import type { MapDefinition } from './maps.ts';
import type { ModelMap } from './model-map.ts';

export abstract class BaseModelMap implements ModelMap {
  readonly definition: MapDefinition;

  constructor(definition: MapDefinition) {
    this.definition = definition;
  }

  lookup(_key: Uint8Array): Uint8Array | undefined {
    return undefined;
  }

  lookupIndex(index: number): Uint8Array | undefined {
    return this.lookup(indexKey(index));
  }

  update(_key: Uint8Array, _value: Uint8Array, _flags?: number): number {
    return -EINVAL;
  }

  delete(_key: Uint8Array): number {
    return -EINVAL;
  }

  push(_value: Uint8Array, _flags?: number): number {
    return -EOPNOTSUPP;
  }

  pop(): Uint8Array | undefined {
    return undefined;
  }

  peek(): Uint8Array | undefined {
    return undefined;
  }

  inner(_key: Uint8Array | number): ModelMap | undefined {
    return undefined;
  }

  output(_sample: Uint8Array): number {
    return -EOPNOTSUPP;
  }

  snapshot(): MapSnapshot | undefined {
    return undefined;
  }
}

/** A key's bytes as a string, for JavaScript's own maps. */
export function nameOf(key: Uint8Array, size: number): string {
  let name = '';
  for (let index = 0; index < size; index++) name += String.fromCharCode(key[index]!);
  return name;
}

/** The number that the first four bytes of a key are. */
export function indexOf(key: Uint8Array): number {
  return (key[0]! | (key[1]! << 8) | (key[2]! << 16) | (key[3]! << 24)) >>> 0;
}
