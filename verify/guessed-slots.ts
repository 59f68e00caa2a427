/** Programs that guidance has put into empty slots of tail-call maps: a loader may never do so, and reports say it. */
import { readU32le } from '../sim/packet/bytes.ts';
import type { Program } from '../sim/runtime/program.ts';
import type { World } from '../sim/runtime/world.ts';

export interface GuessedSlot {
  readonly map: string;
  readonly index: number;
  /** The function in it. */
  readonly program: string;
}

/** The slots of a world that guidance has filled with programs. */
export function guessedSlots({ slots = {} }: World): GuessedSlot[] {
  return Object.entries(slots).flatMap(([map, list]) =>
    list.flatMap(({ key, name, guessed }) =>
      guessed === true ? [{ map, index: readU32le(key, 0), program: name }] : [],
    ),
  );
}

/** The world with these slots empty. */
export function withoutGuesses(world: World): World {
  const { slots = {}, ...rest } = world;
  const lists = Object.entries(slots).map(
    ([map, list]) => [map, list.filter(({ guessed }) => guessed !== true)] as const,
  );
  const kept = lists.filter(([, list]) => list.length > 0);
  return kept.length === 0 ? rest : { ...rest, slots: Object.fromEntries(kept) };
}

/** " (with parse_tcp in slot 0 of handlers, where the test put it)"; empty where the test put nothing anywhere. */
export function guessText(world: World): string {
  const slots = guessedSlots(world).map(slotText);
  if (slots.length === 0) return '';
  return ` (with ${slots.join(', ')}, where the test put ${slots.length === 1 ? 'it' : 'them'})`;
}

/** "parse_tcp in slot 0 of handlers" */
export function slotText({ map, index, program }: GuessedSlot): string {
  return `${program} in slot ${index} of ${map}`;
}

/** Of the programs, those that this one may tail-call and that are tested by themselves. */
export function testedApart({ object, entries }: Program, all: readonly Program[]): ReadonlySet<string> {
  const own = new Set(entries.map((entry) => entry.function));
  const others = all.filter((one) => one.object !== undefined && one.object === object);
  const functions = others.flatMap((one) => one.entries.map((entry) => entry.function));
  return new Set(functions.filter((name) => !own.has(name)));
}
