/** Contents of maps that a model knows nothing of: nobody can say what should come of packets that meet them. */
import type { Program } from '../../sim/runtime/program.ts';
import type { World } from '../../sim/runtime/world.ts';

/**
 * The same cases without what was put into maps, to reach a branch, that the program's definition does not list; all of
 * it where there is no definition, and so no model.
 */
export function inWorldsOfModel<T extends { readonly world: World }>(
  { definition }: Program,
  cases: readonly T[],
): readonly T[] {
  if (definition === undefined) return cases;
  const listed = new Set(definition.maps.map(({ name }) => name));
  const known = new Map<World, World>();
  return cases.map((one) => {
    const world = known.get(one.world) ?? withoutOthers(one.world, listed);
    known.set(one.world, world);
    return world === one.world ? one : { ...one, world };
  });
}

function withoutOthers(world: World, listed: ReadonlySet<string>): World {
  const { maps, ...rest } = world;
  if (maps === undefined || Object.keys(maps).every((name) => listed.has(name))) return world;
  const left = Object.entries(maps).filter(([name]) => listed.has(name));
  return left.length === 0 ? rest : { ...rest, maps: Object.fromEntries(left) };
}
