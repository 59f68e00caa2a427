/** The maps that a definition lists, held against those of its object: what does not fit would never be compared. */
import type { BpfMap } from '../../sim/ebpf/bpf-object.ts';
import { isMapOfMaps, type MapDefinition, type MapType } from '../../sim/runtime/maps.ts';
import { nearestName } from '../../sim/runtime/nearest-name.ts';
import type { ProgramDefinition } from '../../sim/runtime/program.ts';

/** Maps without values of a size that a model could mean: records of any length, programs, and other maps. */
const WITHOUT_VALUES: ReadonlySet<MapType> = new Set<MapType>([
  'RINGBUF',
  'USER_RINGBUF',
  'PERF_EVENT_ARRAY',
  'PROG_ARRAY',
]);
/** Maps without keys, too. */
const WITHOUT_KEYS: ReadonlySet<MapType> = new Set<MapType>(['RINGBUF', 'USER_RINGBUF', 'PERF_EVENT_ARRAY']);

type Sizes = Pick<MapDefinition, 'type' | 'keySize' | 'valueSize'>;

/**
 * What is wrong with the first map that the object has otherwise, or not at all. How many entries a map has is not looked
 * at: loaders choose that. Nor are maps of the object that the definition does not list.
 * @param object its name, for the message
 * @returns `maps[0]: …`; undefined where all fit
 */
export function mapProblem(
  declared: readonly MapDefinition[],
  own: readonly BpfMap[],
  object: string,
): string | undefined {
  // Maps inside a map of maps may be user space's, of which the object has no more than a template.
  const held = new Set(declared.flatMap(({ holds = [] }) => holds.map(({ map }) => map)));
  for (const [index, one] of declared.entries()) {
    const same = own.find(({ name }) => name === one.name);
    if (same === undefined && held.has(one.name)) continue;
    if (same === undefined) return `maps[${index}].name: ${absentText(one.name, own, object)}`;
    if (isAlike(one, same)) continue;
    return `maps[${index}]: “${one.name}” is ${shapeText(one)} here, and ${shapeText(same)} in ${object}`;
  }
  return undefined;
}

/**
 * What is wrong with the first world that fills a map, or sets a variable, that is not there: no engine could make it, whatever the
 * packets are. Unlike maps that are only compared, these are needed of another object (`--object`), too.
 * @param object its name, for the message
 * @returns `worlds[0].world.maps: …`; undefined where all can be made
 */
export function worldProblem(
  { worlds, maps }: Pick<ProgramDefinition, 'worlds' | 'maps'>,
  own: readonly BpfMap[],
  object: string,
): string | undefined {
  const held = new Set(maps.flatMap(({ holds = [] }) => holds.map(({ map }) => map)));
  const variables = own.flatMap(({ global }) => [...(global?.variables.keys() ?? [])]);
  for (const [index, { world }] of worlds.entries()) {
    for (const name of Object.keys(world.maps ?? {})) {
      const place = `worlds[${index}].world.maps`;
      if (!held.has(name) && !own.some((map) => map.name === name))
        return `${place}: ${absentText(name, own, object)}`;
      if (!maps.some((map) => map.name === name))
        return `${place}: “${name}” is none of the definition’s maps: list it there`;
    }
    for (const name of Object.keys(world.globals ?? {}))
      if (!variables.includes(name))
        return `worlds[${index}].world.globals: ${object} has no variable “${name}”; ${othersText(name, variables)}`;
  }
  return undefined;
}

/**
 * The maps that another object than the definition's (`--object`) has as another kind, or with other sizes: a sentence each. What they hold
 * can agree, and they still do something else where they are full, or where several CPUs count.
 * @param object its name
 */
export function otherMaps(
  declared: readonly MapDefinition[],
  own: readonly BpfMap[],
  object: string,
): string[] {
  return declared.flatMap((one) => {
    const same = own.find(({ name }) => name === one.name);
    if (same === undefined || isAlike(one, same)) return [];
    return [`map “${one.name}” is ${shapeText(same)} in ${object}, and ${shapeText(one)} in the model`];
  });
}

function isAlike(a: Sizes, b: Sizes): boolean {
  if (a.type !== b.type) return false;
  if (a.keySize !== b.keySize && !WITHOUT_KEYS.has(a.type)) return false;
  return a.valueSize === b.valueSize || WITHOUT_VALUES.has(a.type) || isMapOfMaps(a.type);
}

/** "limiter.o has no map “bucket”; did you mean “buckets”?" */
function absentText(name: string, own: readonly BpfMap[], object: string): string {
  const names = own.filter(({ global }) => global === undefined).map((map) => map.name);
  return `${object} has no map “${name}”; ${othersText(name, names)}`;
}

function othersText(name: string, names: readonly string[]): string {
  const near = nearestName(name, names);
  const has = names.length === 0 ? 'none at all' : names.join(', ');
  return near === undefined ? `it has ${has}` : `did you mean “${near}”?`;
}

function shapeText({ type, keySize, valueSize }: Sizes): string {
  return `${type} with keySize ${keySize} and valueSize ${valueSize}`;
}
