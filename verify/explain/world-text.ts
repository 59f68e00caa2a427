/** What surrounds a program in a case, in one line. */
import type { Program } from '../../sim/runtime/program.ts';
import type { MapEntry, World } from '../../sim/runtime/world.ts';
import { entryText, globalText, withoutType } from './map-text.ts';

/** Characters of a map's entries; of more, only their number is told. */
const MAX_ENTRIES = 80;

/** "device right (ifindex 12), map limits: 7 = 100, enabled = 1"; empty where there is nothing. */
export function worldText(program: Program, world: World): string {
  const slots = Object.entries(world.slots ?? {}).flatMap(([map, list]) =>
    list.map(
      ({ key, name, guessed }) =>
        `map ${map}: ${name} at ${withoutType(key)}${guessed === true ? ', put there by the test' : ''}`,
    ),
  );
  return [
    ...(world.devices ?? []).map(({ name, ifindex }) => `device ${name} (ifindex ${ifindex})`),
    ...(world.egressIfindex === undefined
      ? []
      : [`in a device map’s entry of ifindex ${world.egressIfindex}`]),
    ...(world.routes ?? []).map(
      ({ to, type, ifindex }) =>
        `route ${to}${type === undefined ? '' : ` ${type}`}${ifindex === undefined ? '' : ` ifindex ${ifindex}`}`,
    ),
    ...(world.neighbours ?? []).map(({ address, ifindex }) => `neighbour ${address} (ifindex ${ifindex})`),
    ...Object.entries(world.maps ?? {}).map(([name, entries]) => mapText(program, name, entries)),
    ...slots,
    ...Object.entries(world.globals ?? {}).map(
      ([name, value]) => `${name} = ${globalText(program, name, value)}`,
    ),
  ].join(', ');
}

function mapText(program: Program, name: string, entries: readonly MapEntry[]): string {
  const number = `map ${name} (${entries.length})`;
  if (entries.length === 0) return number;
  const text = entries.map((entry) => entryText(program, name, entry)).join(', ');
  return text.length > MAX_ENTRIES ? number : `map ${name}: ${text}`;
}
