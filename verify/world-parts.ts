/** A world as a list of parts that can be left out one by one. */
import type { World } from '../sim/runtime/world.ts';

/** One thing in a world: an element of a list, an entry of a map, a global, or a scalar. */
export type WorldPart =
  | { readonly of: 'devices' | 'routes' | 'neighbours' | 'sockets'; readonly index: number }
  | { readonly of: 'maps' | 'slots'; readonly name: string; readonly index: number }
  | { readonly of: 'globals'; readonly name: string }
  | { readonly of: (typeof SCALARS)[number] };

/** Parts of a world that are one value each. */
export const SCALARS = [
  'time',
  'tick',
  'randomSeed',
  'hashSeed',
  'stackFill',
  'kernelFill',
  'cpu',
  'egressIfindex',
] as const;

/** Everything in the world, what depends on other things after them. */
export function partsOfWorld(world: World): WorldPart[] {
  const parts: WorldPart[] = [];
  for (const of of ['devices', 'neighbours', 'routes', 'sockets'] as const) {
    world[of]?.forEach((_, index) => void parts.push({ of, index }));
  }
  for (const of of ['maps', 'slots'] as const) {
    for (const [name, entries] of Object.entries<readonly unknown[]>(world[of] ?? {})) {
      entries.forEach((_, index) => void parts.push({ of, name, index }));
    }
  }
  for (const name of Object.keys(world.globals ?? {})) parts.push({ of: 'globals', name });
  for (const of of SCALARS) if (world[of] !== undefined) parts.push({ of });
  return parts;
}

/** The world with these of its parts; what is left empty is absent. */
export function worldOfParts(world: World, parts: readonly WorldPart[]): World {
  const kept = new Map<string, Set<number>>();
  for (const part of parts) {
    const place = placeOf(part.of, 'name' in part ? part.name : '');
    let indices = kept.get(place);
    if (indices === undefined) {
      indices = new Set();
      kept.set(place, indices);
    }
    if ('index' in part) indices.add(part.index);
  }
  const has = (of: WorldPart['of'], name: string = ''): boolean => kept.has(placeOf(of, name));
  // There may be a million entries: they are looked up, not searched.
  const list = <T>(items: readonly T[] | undefined, of: WorldPart['of'], name: string = ''): readonly T[] => {
    const indices = kept.get(placeOf(of, name));
    return indices === undefined ? [] : (items?.filter((_, index) => indices.has(index)) ?? []);
  };
  const devices = list(world.devices, 'devices');
  const routes = list(world.routes, 'routes');
  const neighbours = list(world.neighbours, 'neighbours');
  const sockets = list(world.sockets, 'sockets');
  const lists = <T>(all: Readonly<Record<string, readonly T[]>> | undefined, of: 'maps' | 'slots') =>
    Object.entries(all ?? {})
      .map(([name, entries]) => [name, list(entries, of, name)] as const)
      .filter(([, entries]) => entries.length > 0);
  const maps = lists(world.maps, 'maps');
  const slots = lists(world.slots, 'slots');
  const globals = Object.entries(world.globals ?? {}).filter(([name]) => has('globals', name));
  return {
    ...(devices.length > 0 ? { devices } : {}),
    ...(routes.length > 0 ? { routes } : {}),
    ...(neighbours.length > 0 ? { neighbours } : {}),
    ...(sockets.length > 0 ? { sockets } : {}),
    ...(maps.length > 0 ? { maps: Object.fromEntries(maps) } : {}),
    ...(slots.length > 0 ? { slots: Object.fromEntries(slots) } : {}),
    ...(globals.length > 0 ? { globals: Object.fromEntries(globals) } : {}),
    ...(world.time !== undefined && has('time') ? { time: world.time } : {}),
    ...(world.tick !== undefined && has('tick') ? { tick: world.tick } : {}),
    ...(world.randomSeed !== undefined && has('randomSeed') ? { randomSeed: world.randomSeed } : {}),
    ...(world.hashSeed !== undefined && has('hashSeed') ? { hashSeed: world.hashSeed } : {}),
    ...(world.stackFill !== undefined && has('stackFill') ? { stackFill: world.stackFill } : {}),
    ...(world.kernelFill !== undefined && has('kernelFill') ? { kernelFill: world.kernelFill } : {}),
    ...(world.cpu !== undefined && has('cpu') ? { cpu: world.cpu } : {}),
    ...(world.egressIfindex !== undefined && has('egressIfindex')
      ? { egressIfindex: world.egressIfindex }
      : {}),
  };
}

function placeOf(of: WorldPart['of'], name: string): string {
  return `${of} ${name}`;
}
