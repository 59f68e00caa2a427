/**
 * Worlds that the guidance has made up and that the kernel takes. A `const volatile` variable is known to the verifier: with a
 * value that nobody has set it may refuse what it accepts with the object's own. So it may a program in a slot, or an entry.
 * No loader comes that far, and what shows in such a world is no fault of the program.
 */
import { type Engine, EngineError } from '../../sim/engines/engine.ts';
import type { NamedWorld, Program } from '../../sim/runtime/program.ts';
import type { World } from '../../sim/runtime/world.ts';
import { partsOfWorld, type WorldPart, worldOfParts } from '../world-parts.ts';
import type { Guidance } from './guide.ts';
import { isSameKey } from './world-edits.ts';

/** A value of a global variable with which the kernel refuses the program, though it takes it without. */
export interface RefusedValue {
  readonly variable: string;
  readonly value: Uint8Array;
  readonly error: EngineError;
}

export interface KernelToAsk {
  /** All of which have to load: two builds, say. */
  readonly programs: readonly Program[];
  /** The worlds that the guidance started from: what they state stays, refused or not. */
  readonly worlds: readonly NamedWorld[];
  /** Absent: nobody can be asked. */
  readonly kernel?: Engine | undefined;
  /** Hears of each variable for which a value had to be left out, once. */
  readonly onRefused?: (value: RefusedValue) => void;
}

/** The guidance with worlds that the kernel refuses less what it refuses in them. Where it refuses them anyway, they stay. */
export async function withPossibleWorlds(guidance: Guidance, asked: KernelToAsk): Promise<Guidance> {
  const heard = new Set<string>();
  const cases = await inPossibleWorlds(guidance.cases, asked, heard);
  await hearOfStopping(guidance.stopping ?? {}, asked, heard);
  return { ...guidance, cases };
}

/** Does the verifier refuse what the machine stops? */
async function hearOfStopping(
  values: NonNullable<Guidance['stopping']>,
  { programs, worlds, kernel, onRefused }: KernelToAsk,
  heard: Set<string>,
): Promise<void> {
  if (kernel === undefined || onRefused === undefined) return;
  const start = worlds[0]?.world ?? {};
  for (const [variable, value] of Object.entries(values)) {
    if (heard.has(variable)) continue;
    heard.add(variable);
    const globals = { ...start.globals, [variable]: value };
    for (const program of programs) {
      if (!kernel.availability(program).available) continue;
      const error = await refusalOf(kernel, program, { ...start, globals });
      // With the start’s own values it has to load: else nothing is known of this one.
      if (error === undefined || (await refusalOf(kernel, program, start)) !== undefined) continue;
      onRefused({ variable, value, error });
      break;
    }
  }
}

/** The same for any cases. */
export async function inPossibleWorlds<T extends { readonly world: World }>(
  cases: readonly T[],
  asked: KernelToAsk,
  heard: Set<string> = new Set(),
): Promise<T[]> {
  const possible = new Map<World, World>(asked.worlds.map(({ world }) => [world, world]));
  const list: T[] = [];
  for (const one of cases) {
    let world = possible.get(one.world);
    if (world === undefined) {
      world = await possibleWorld(one.world, asked, heard);
      possible.set(one.world, world);
    }
    list.push(world === one.world ? one : { ...one, world });
  }
  return list;
}

async function possibleWorld(world: World, asked: KernelToAsk, heard: Set<string>): Promise<World> {
  const { programs, worlds, kernel, onRefused } = asked;
  if (kernel === undefined) return world;
  const able = programs.filter((program) => kernel.availability(program).available);
  const refusal = async (one: World): Promise<EngineError | undefined> => {
    for (const program of able) {
      const error = await refusalOf(kernel, program, one);
      if (error !== undefined) return error;
    }
    return undefined;
  };
  const takes = async (one: World): Promise<boolean> => (await refusal(one)) === undefined;
  const parts = partsOfWorld(world);
  const base = startOf(world, worlds);
  const stays = parts.filter((part) => !isLoaded(part) || isStated(part, world, base));
  if (stays.length === parts.length || (await takes(world))) return world;
  const withParts = (more: readonly WorldPart[]): World => {
    const kept = new Set([...stays, ...more]);
    return worldOfParts(
      world,
      parts.filter((part) => kept.has(part)),
    );
  };
  if (!(await takes(withParts([])))) return world;
  const made = parts.filter((part) => !stays.includes(part));
  const fitting = await most(made, (some) => takes(withParts(some)));
  for (const part of made) {
    if (onRefused === undefined || part.of !== 'globals' || fitting.includes(part) || heard.has(part.name))
      continue;
    heard.add(part.name);
    const error = await refusal(withParts([...fitting, part]));
    if (error !== undefined) onRefused({ variable: part.name, value: world.globals![part.name]!, error });
  }
  return withParts(fitting);
}

/** As many of them as go together, those that come first before others. */
async function most<T>(
  items: readonly T[],
  suit: (some: readonly T[]) => Promise<boolean>,
  before: readonly T[] = [],
): Promise<readonly T[]> {
  if (items.length === 0 || (await suit([...before, ...items]))) return [...before, ...items];
  if (items.length === 1) return before;
  const middle = items.length >> 1;
  return most(items.slice(middle), suit, await most(items.slice(0, middle), suit, before));
}

/** @returns undefined, too, where neither object nor world is to blame: what the kernel lacks for the object says nothing about them */
async function refusalOf(kernel: Engine, program: Program, world: World): Promise<EngineError | undefined> {
  try {
    await (await kernel.open(program, world)).close();
    return undefined;
  } catch (error) {
    if (!(error instanceof EngineError)) throw error;
    return error.ofWorld || (error.kind === 'input' && !error.lacking) ? error : undefined;
  }
}

/** Is it something that the kernel gets with the program? */
function isLoaded({ of }: WorldPart): boolean {
  return of === 'globals' || of === 'slots' || of === 'maps';
}

/** The world that it was made of, as far as its globals show: they are never changed where a world states them. */
function startOf({ globals = {} }: World, worlds: readonly NamedWorld[]): World {
  const own = ({ world }: NamedWorld): [string, Uint8Array][] => Object.entries(world.globals ?? {});
  const fitting = worlds.filter((one) =>
    own(one).every(([name, bytes]) => globals[name] !== undefined && isSameKey(bytes, globals[name])),
  );
  fitting.sort((a, b) => own(b).length - own(a).length);
  return fitting[0]?.world ?? {};
}

function isStated(part: WorldPart, world: World, base: World): boolean {
  if (part.of === 'globals') return base.globals?.[part.name] !== undefined;
  if (part.of === 'maps') {
    const { key, value } = world.maps![part.name]![part.index]!;
    const stated = base.maps?.[part.name] ?? [];
    return stated.some((one) => isSameKey(one.key, key) && isSameKey(one.value, value));
  }
  if (part.of === 'slots') {
    const { key, name } = world.slots![part.name]![part.index]!;
    return (base.slots?.[part.name] ?? []).some((one) => isSameKey(one.key, key) && one.name === name);
  }
  return true;
}
