/** The world that paths begin in: what user space may have put into maps is unknown, but which maps there are is not. */
import { linkedObject } from '../../sim/ebpf/linked-object.ts';
import { withMapsForPaths } from '../../sim/ebpf/symbolic/inner-maps.ts';
import type { Program } from '../../sim/runtime/program.ts';
import type { World } from '../../sim/runtime/world.ts';

export function worldOfPaths({ object }: Program, world: World): World {
  return object === undefined ? world : withMapsForPaths(linkedObject(object), world);
}
