/** A world file for one object: names become numbers, and what is written becomes bytes by the object's types. */

import { prefixFromText } from '../../packet/addresses.ts';
import { DEFAULT_DEVICES } from '../../runtime/default-world.ts';
import { createFib } from '../../runtime/fib-lookup.ts';
import { nearestName } from '../../runtime/nearest-name.ts';
import { type GeneratorHints, mergedHints } from '../../runtime/program.ts';
import { LOOPBACK } from '../../runtime/route-entry.ts';
import { pathText, ShapeError } from '../../runtime/shape-error.ts';
import { SocketTable } from '../../runtime/sockets.ts';
import type { Device, MapEntry, MapSlot, Route, World } from '../../runtime/world.ts';
import { hintsOfWorld } from '../../runtime/world-hints.ts';
import { encodeValue } from '../btf-encode.ts';
import { mapNamed } from '../made-maps.ts';
import { holdsNames } from '../world-slots.ts';
import { entriesOfMap, slotsOfMap } from './map-contents.ts';
import type { DeviceShape, WorldFileShape } from './shape.ts';
import type { WorldTarget } from './target.ts';

export interface BoundWorld {
  /** Only what the file states: it takes the place of these parts of another world. */
  readonly world: World;
  readonly hints: GeneratorHints;
  /** Sizes of maps that leave theirs to the loader, by name. */
  readonly maxEntries: Readonly<Record<string, number>>;
}

/** @throws {ShapeError} naming the place in the file that does not fit the object, and what would */
export function bindWorld(shape: WorldFileShape, target: WorldTarget): BoundWorld {
  // None are none that are stated.
  const devices = (shape.devices ?? []).length === 0 ? undefined : devicesOf(shape.devices!);
  const known = devices ?? DEFAULT_DEVICES;
  const ifindexOf = (name: string): number | undefined => known.find((one) => one.name === name)?.ifindex;
  const requireDevice = (name: string, place: string): number => {
    const ifindex = ifindexOf(name);
    if (ifindex !== undefined) return ifindex;
    const names = known.map((one) => one.name);
    throw new ShapeError(place, `no device is called “${name}”; ${hintAt(name, names)}`);
  };
  const maxEntries = maxEntriesOf(shape, target);
  const world: World = {
    ...(devices === undefined ? {} : { devices }),
    ...(shape.routes === undefined
      ? {}
      : { routes: shape.routes.map((one, at) => routeOf(one, requireDevice, `routes[${at}]`)) }),
    ...(shape.neighbours === undefined
      ? {}
      : {
          neighbours: shape.neighbours.map(({ device, ...rest }, at) => ({
            ...rest,
            ifindex: requireDevice(device, `neighbours[${at}].device`),
          })),
        }),
    ...(shape.sockets === undefined
      ? {}
      : {
          sockets: shape.sockets.map(({ device, ...rest }, at) => ({
            ...rest,
            ...(device === undefined ? {} : { ifindex: requireDevice(device, `sockets[${at}].device`) }),
          })),
        }),
    ...contentsOf(shape, target, ifindexOf, maxEntries),
    ...(shape.globals === undefined ? {} : { globals: globalsOf(shape.globals, target, ifindexOf) }),
    ...(shape.time === undefined ? {} : { time: shape.time }),
    ...(shape.tick === undefined ? {} : { tick: shape.tick }),
    ...(shape.randomSeed === undefined ? {} : { randomSeed: shape.randomSeed }),
    ...(shape.hashSeed === undefined ? {} : { hashSeed: shape.hashSeed }),
    ...(shape.cpu === undefined ? {} : { cpu: shape.cpu }),
    ...(shape.egress === undefined ? {} : { egressIfindex: requireDevice(shape.egress, 'egress') }),
  };
  checkNetwork(world);
  const { ingress, ...aims } = shape.hints ?? {};
  const hints = mergedHints(hintsOfWorld(world), aims);
  if (ingress === undefined) return { world, hints, maxEntries };
  const ingressIfindexes = ingress.map((name, at) =>
    name === LOOPBACK.name ? LOOPBACK.ifindex : requireDevice(name, `hints.ingress[${at}]`),
  );
  return { world, hints: { ...hints, ingressIfindexes }, maxEntries };
}

function hintAt(name: string, known: readonly string[]): string {
  const near = nearestName(name, known);
  return near === undefined ? `there is ${known.join(', ') || 'none'}` : `did you mean “${near}”?`;
}

const FIRST_IFINDEX = 2;

function devicesOf(shapes: readonly DeviceShape[]): Device[] {
  const taken = new Set(shapes.map((one) => one.ifindex));
  const names = new Set<string>(['lo']);
  const ifindexes = new Set<number>();
  let next = FIRST_IFINDEX;
  return shapes.map(({ ifindex, mac, ...rest }, at) => {
    const { name } = rest;
    if (!/^[^\s/:]{1,15}$/.test(name) || name === '.' || name === '..') {
      throw new ShapeError(
        `devices[${at}].name`,
        'a device’s name has 1 to 15 characters, no blanks, “/” or “:”',
      );
    }
    if (names.has(name)) {
      throw new ShapeError(
        `devices[${at}].name`,
        name === 'lo' ? 'the loopback device is always there' : `a second ${name}`,
      );
    }
    names.add(name);
    if (ifindex === undefined) while (taken.has(next)) next++;
    const number = ifindex ?? next++;
    if (ifindexes.has(number))
      throw new ShapeError(`devices[${at}].ifindex`, `another device has ifindex ${number}`);
    ifindexes.add(number);
    if (mac !== undefined && (mac[0]! & 1) !== 0) {
      throw new ShapeError(`devices[${at}].mac`, 'a device’s MAC address must not be a group address');
    }
    return { ...rest, ifindex: number, mac: mac ?? defaultMac(number) };
  });
}

function defaultMac(ifindex: number): Uint8Array {
  return Uint8Array.of(2, 0, ifindex >>> 24, ifindex >>> 16, ifindex >>> 8, ifindex);
}

function routeOf(
  { device, ...route }: NonNullable<WorldFileShape['routes']>[number],
  requireDevice: (name: string, place: string) => number,
  place: string,
): Route {
  if (route.via !== undefined && route.via.includes(':') !== route.to.includes(':')) {
    throw new ShapeError(`${place}.via`, `${route.via} is of another family than ${route.to}`);
  }
  const { address, length } = prefixFromText(route.to);
  const beyond = address.some(
    (byte, at) => (byte & (0xff >> Math.min(8, Math.max(0, length - at * 8)))) !== 0,
  );
  if (beyond) throw new ShapeError(`${place}.to`, `${route.to} has bits behind its prefix`);
  return { ...route, ...(device === undefined ? {} : { ifindex: requireDevice(device, `${place}.device`) }) };
}

/** What routes, devices and neighbours must mean to each other. */
function checkNetwork(world: World): void {
  try {
    createFib({ ...world, devices: world.devices ?? DEFAULT_DEVICES });
  } catch (error) {
    if (!(error instanceof RangeError) && !(error instanceof SyntaxError)) throw error;
    throw new ShapeError('routes', error.message);
  }
  try {
    new SocketTable(world.sockets ?? []);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    throw new ShapeError('sockets', error.message);
  }
}

function maxEntriesOf({ maxEntries = {} }: WorldFileShape, target: WorldTarget): Record<string, number> {
  const templates = target.maps.map(({ inner }) => inner?.name);
  for (const name of Object.keys(maxEntries))
    if (!templates.includes(name)) requireMap(name, target, pathText(['maxEntries', name], ''));
  return { ...maxEntries };
}

function requireMap(name: string, { maps }: WorldTarget, place: string): WorldTarget['maps'][number] {
  const map = mapNamed(maps, name);
  if (map !== undefined && map.global === undefined) return map;
  if (map !== undefined)
    throw new ShapeError(place, 'is a section of variables: set them by name, under “globals”');
  const known = maps.filter((one) => one.global === undefined).map((one) => one.name);
  throw new ShapeError(place, `the object has no such map; ${hintAt(name, known)}`);
}

function contentsOf(
  { maps: shapes = {} }: WorldFileShape,
  target: WorldTarget,
  ifindexOf: (name: string) => number | undefined,
  maxEntries: Readonly<Record<string, number>>,
): Pick<World, 'maps' | 'slots'> {
  const maps: [string, readonly MapEntry[]][] = [];
  const slots: [string, readonly MapSlot[]][] = [];
  for (const [name, contents] of Object.entries(shapes)) {
    const place = pathText(['maps', name], '');
    const map = requireMap(name, target, place);
    const options = { target, place, ifindexOf, size: maxEntries[name] };
    if (holdsNames(map)) {
      const held = slotsOfMap(contents, map, options);
      slots.push([name, held.slots]);
      maps.push(...Object.entries(held.maps));
    } else maps.push([name, entriesOfMap(contents, map, options)]);
  }
  return {
    ...(maps.length === 0 ? {} : { maps: Object.fromEntries(maps) }),
    ...(slots.length === 0 ? {} : { slots: Object.fromEntries(slots) }),
  };
}

function globalsOf(
  written: Readonly<Record<string, unknown>>,
  { maps, btf }: WorldTarget,
  ifindexOf: (name: string) => number | undefined,
): Record<string, Uint8Array> {
  const variables = new Map(maps.flatMap(({ global }) => [...(global?.variables ?? [])]));
  return Object.fromEntries(
    Object.entries(written).map(([name, json]) => {
      const place = pathText(['globals', name], '');
      const variable = variables.get(name);
      if (variable === undefined) {
        throw new ShapeError(
          place,
          `the object has no such variable; ${hintAt(name, [...variables.keys()])}`,
        );
      }
      const { typeId, size } = variable;
      return [name, encodeValue({ btf, typeId, size }, json, place, { ifindexOf })];
    }),
  );
}
