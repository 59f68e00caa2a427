/**
 * What surrounds a program, from the command line: `--world FILE`, `--map NAME=FILE`, `--max-entries NAME=N` and
 * `--aim NAME=VALUE`. Every command that runs an object takes them, and every engine gets the same.
 */
import { Option } from 'commander';
import type { BpfMap } from '../../sim/ebpf/bpf-object.ts';
import { type BoundWorld, bindWorld } from '../../sim/ebpf/world-file/bind.ts';
import { type WorldFileShape, worldFileShape } from '../../sim/ebpf/world-file/shape.ts';
import type { WorldTarget } from '../../sim/ebpf/world-file/target.ts';
import { InputError } from '../../sim/runtime/input-error.ts';
import { parseJsonc } from '../../sim/runtime/jsonc.ts';
import { mergedHints, type NamedWorld, type Program } from '../../sim/runtime/program.ts';
import { parse } from '../../sim/runtime/schema.ts';
import type { World } from '../../sim/runtime/world.ts';
import { worldsOf } from '../../verify/batch-plan.ts';
import { Failure, inputFailure } from '../failure.ts';
import { parseAims } from './aim.ts';
import { readMaps, targetOf } from './map-file.ts';
import { withMaxEntries } from './max-entries.ts';
import { repeated } from './options.ts';
import { readText } from './read-file.ts';

export interface WorldOptions {
  readonly world?: string;
  readonly map: readonly string[];
  readonly maxEntries: readonly string[];
  readonly aim: readonly string[];
}

/** `--world` */
export function worldOption(): Option {
  return new Option(
    '--world <file>',
    'maps, devices, routes, globals and hints, as JSON with comments (`xdpsim world init` writes one to start from)',
  );
}

/** `--map` */
export function mapOption(): Option {
  return many('--map <name=file>', 'the initial contents of a map, as JSON; may be repeated');
}

/** `--max-entries` */
export function maxEntriesOption(): Option {
  return many(
    '--max-entries <name=n>',
    'the size of a map, as a loader sets it: in place of what it declares, or where it leaves that to its loader',
  );
}

/** `--aim` */
export function aimOption(): Option {
  return many(
    '--aim <name=value,...>',
    'values for packets to aim at, like port=34567,address=203.0.113.7,vlan=100',
  );
}

function many(flags: string, description: string): Option {
  return new Option(flags, description).default([]).argParser(repeated);
}

/** What of parsed options these are. */
export function surroundingsOf({ world, map, maxEntries, aim }: WorldOptions): WorldOptions {
  return { ...(world === undefined ? {} : { world }), map, maxEntries, aim };
}

/** A program in the surroundings that the user describes. */
export interface PlacedProgram {
  /** With the sizes of its maps, and what packets aim at. */
  readonly program: Program;
  /** A world with what the user states in the place of its own. */
  readonly inWorld: (world: World) => World;
}

/**
 * @throws {Failure} naming the option, or the file and the place in it, that does not fit a program
 */
export function placePrograms(programs: readonly Program[], options: WorldOptions): PlacedProgram[] {
  const shape = options.world === undefined ? undefined : readWorldFile(options.world);
  const aims = parseAims(options.aim);
  // Programs of one object share what was read for it: maps may have millions of entries.
  const read = new Map<unknown, { bound: BoundWorld | undefined; maps: Pick<World, 'maps' | 'slots'> }>();
  return withMaxEntries(programs, options.maxEntries).map((sized) => {
    const key = sized.object ?? sized;
    let known = read.get(key);
    if (known === undefined) {
      known = named(sized, programs, () => {
        const target = targetOf(sized);
        const bound =
          shape === undefined ? undefined : bind(options.world!, shape, withSizes(target, sized.maxEntries));
        return { bound, maps: readMaps(options.map, target) };
      });
      read.set(key, known);
    }
    const { bound, maps } = known;
    const hints = mergedHints(bound?.hints ?? {}, aims);
    // What the command line says counts more than what the file says.
    const maxEntries = { ...bound?.maxEntries, ...sized.maxEntries };
    const program: Program = {
      ...sized,
      ...(Object.keys(maxEntries).length === 0 ? {} : { maxEntries }),
      ...(Object.keys(hints).length === 0 ? {} : { hints }),
    };
    return { program, inWorld: (world) => merge(merge(world, bound?.world ?? {}), maps) };
  });
}

/** The worlds that generated packets meet: the program's, each with what the user states. */
export function worldsIn({ program, inWorld }: PlacedProgram): NamedWorld[] {
  return worldsOf(program).map(({ name, world }) => ({ name, world: inWorld(world) }));
}

/** The options as words of a command line, for commands that repeat something; sizes are the program's own. */
export function worldWords({ world, map, aim }: WorldOptions): string[] {
  return [
    ...(world === undefined ? [] : ['--world', world]),
    ...map.flatMap((one) => ['--map', one]),
    ...aim.flatMap((one) => ['--aim', one]),
  ];
}

/** Is anything said? */
export function statesWorld({ world, map, aim }: WorldOptions): boolean {
  return world !== undefined || map.length > 0 || aim.length > 0;
}

/** What does not fit one of several programs says which, unless it says what to do already. */
function named<T>({ name, commandLine = [name] }: Program, programs: readonly Program[], place: () => T): T {
  try {
    return place();
  } catch (error) {
    if (programs.length === 1 || !(error instanceof Failure) || error.remedy !== undefined) throw error;
    const remedy = `This is about ${commandLine[0]}: --world and --map are for all programs that are named.`;
    throw inputFailure(error.message, remedy);
  }
}

function readWorldFile(path: string): WorldFileShape {
  const text = readText(path);
  return inFile(path, () => parse(worldFileShape, parseJsonc(text)));
}

function bind(path: string, shape: WorldFileShape, target: WorldTarget): BoundWorld {
  return inFile(path, () => bindWorld(shape, target));
}

/** Puts the file's name before what is wrong in it. */
function inFile<T>(path: string, make: () => T): T {
  try {
    return make();
  } catch (error) {
    if (error instanceof InputError) throw inputFailure(`${path}: ${error.message}`);
    throw error;
  }
}

/** The sizes that the command line states count already when entries are counted. */
function withSizes(target: WorldTarget, sizes: Program['maxEntries'] = {}): WorldTarget {
  const sized = <T extends BpfMap>(map: T): T =>
    Object.hasOwn(sizes, map.name) ? { ...map, maxEntries: sizes[map.name]! } : map;
  const maps = target.maps.map((map) =>
    map.inner === undefined ? sized(map) : { ...sized(map), inner: sized(map.inner) },
  );
  return { ...target, maps };
}

/** Lists and single values replace the world's, maps and globals one by one. */
function merge(world: World, own: World): World {
  const { maps, slots, globals, ...rest } = own;
  return {
    ...world,
    ...rest,
    ...(maps === undefined ? {} : { maps: { ...world.maps, ...maps } }),
    ...(slots === undefined ? {} : { slots: { ...world.slots, ...slots } }),
    ...(globals === undefined ? {} : { globals: { ...world.globals, ...globals } }),
  };
}
