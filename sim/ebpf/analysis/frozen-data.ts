/** What a machine's programs can only read, and nobody changes: `.rodata`, frozen before they are loaded. */
import type { World } from '../../runtime/world.ts';
import type { BpfObject } from '../bpf-object.ts';

/** @returns the bytes of a map, by its index; undefined: they may change */
export function frozenData({
  object,
  world,
}: {
  readonly object: BpfObject;
  readonly world: World;
}): (map: number) => Uint8Array | undefined {
  return (index) => {
    const map = object.maps[index];
    if (map?.global?.readOnly !== true || world.maps?.[map.name] !== undefined) return undefined;
    return map.global.bytes;
  };
}
