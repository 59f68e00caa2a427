/** A world as a list of parts that can be left out one by one. */
import type { World } from '../sim/runtime/world.ts';

/** One thing in a world: an element of a list, an entry of a map, a global, or a scalar. */
export type WorldPart =
  | { readonly of: 'devices' | 'routes' | 'neighbours'; readonly index: number }
  | { readonly of: 'maps'; readonly name: string; readonly index: number }
  | { readonly of: 'globals'; readonly name: string }
  | { readonly of: 'time' | 'tick' | 'randomSeed' | 'hashSeed' | 'stackFill' | 'cpu' };

/** Everything in the world, what depends on other things after them. */
export function partsOfWorld(world: World): WorldPart[] {
  const parts: WorldPart[] = [];
  for (const of of ['devices', 'neighbours', 'routes'] as const) {
    world[of]?.forEach((_, index) => void parts.push({ of, index }));
  }
  for (const [name, entries] of Object.entries(world.maps ?? {})) {
    entries.forEach((_, index) => void parts.push({ of: 'maps', name, index }));
  }
  for (const name of Object.keys(world.globals ?? {})) parts.push({ of: 'globals', name });
  for (const of of ['time', 'tick', 'randomSeed', 'hashSeed', 'stackFill', 'cpu'] as const)
    if (world[of] !== undefined) parts.push({ of });
  return parts;
}

/** The world with these of its parts; what is left empty is absent. */
export function worldOfParts(world: World, parts: readonly WorldPart[]): World {
  const has = (of: WorldPart['of'], index?: number, name?: string): boolean =>
    parts.some(
      (part) =>
        part.of === of &&
        (!('index' in part) || part.index === index) &&
        (!('name' in part) || part.name === name),
    );
  const list = <T>(of: 'devices' | 'routes' | 'neighbours', items: readonly T[] | undefined): readonly T[] =>
    items?.filter((_, index) => has(of, index)) ?? [];
  const devices = list('devices', world.devices);
  const routes = list('routes', world.routes);
  const neighbours = list('neighbours', world.neighbours);
  const maps = Object.entries(world.maps ?? {})
    .map(([name, entries]) => [name, entries.filter((_, index) => has('maps', index, name))] as const)
    .filter(([, entries]) => entries.length > 0);
  const globals = Object.entries(world.globals ?? {}).filter(([name]) => has('globals', undefined, name));
  return {
    ...(devices.length > 0 ? { devices } : {}),
    ...(routes.length > 0 ? { routes } : {}),
    ...(neighbours.length > 0 ? { neighbours } : {}),
    ...(maps.length > 0 ? { maps: Object.fromEntries(maps) } : {}),
    ...(globals.length > 0 ? { globals: Object.fromEntries(globals) } : {}),
    ...(world.time !== undefined && has('time') ? { time: world.time } : {}),
    ...(world.tick !== undefined && has('tick') ? { tick: world.tick } : {}),
    ...(world.randomSeed !== undefined && has('randomSeed') ? { randomSeed: world.randomSeed } : {}),
    ...(world.hashSeed !== undefined && has('hashSeed') ? { hashSeed: world.hashSeed } : {}),
    ...(world.stackFill !== undefined && has('stackFill') ? { stackFill: world.stackFill } : {}),
    ...(world.cpu !== undefined && has('cpu') ? { cpu: world.cpu } : {}),
  };
}
