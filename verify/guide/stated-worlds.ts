/** The worlds that guidance starts from: what they state is the user's, or a model's, and differs from what guidance itself sets. */
import type { NamedWorld, Program } from '../../sim/runtime/program.ts';
import type { World } from '../../sim/runtime/world.ts';
import { StatedEntries, statedKeys } from './stated-entries.ts';

export class StatedWorlds {
  readonly all: readonly NamedWorld[];
  /** Keys of the worlds' own entries, by the map's name. */
  readonly keys: ReadonlyMap<string, readonly Uint8Array[]>;
  readonly entries: StatedEntries;
  readonly #hasModel: boolean;
  /** Global variables that a run has written: they are the program's own. */
  readonly #written = new Set<string>();
  readonly #stopping = new Map<string, Uint8Array>();

  constructor({ definition }: Program, worlds: readonly NamedWorld[]) {
    this.all = worlds;
    this.keys = statedKeys(worlds);
    this.entries = new StatedEntries(worlds);
    this.#hasModel = definition !== undefined;
  }

  get first(): World {
    return this.all[0]?.world ?? {};
  }

  has(world: World): boolean {
    return this.all.some((stated) => stated.world === world);
  }

  /** Is it still the very value of a world that everything started from? What guidance sets is a copy. */
  isStated({ globals }: World, name: string): boolean {
    const value = globals?.[name];
    return value !== undefined && this.all.some(({ world }) => world.globals?.[name] === value);
  }

  hasOwnGlobals(world: World): boolean {
    return Object.keys(world.globals ?? {}).some((name) => !this.isStated(world, name));
  }

  withStatedGlobals(world: World): World {
    const { globals = {}, ...rest } = world;
    const stated = Object.entries(globals).filter(([name]) => this.isStated(world, name));
    return stated.length === 0 ? rest : { ...rest, globals: Object.fromEntries(stated) };
  }

  /**
   * Do programs stand in slots into which only guidance has put them? Where the machine stops one of them, no loader could have
   * put it there; the program that calls it is not to blame.
   */
  hasOwnSlots({ slots }: World): boolean {
    return slots !== undefined && this.all.every(({ world }) => world.slots !== slots);
  }

  noteWritten(globals: Iterable<string>): void {
    for (const name of globals) this.#written.add(name);
  }

  /**
   * Is a writable variable left to user space? Not where a model says what the program does, which may well take a variable for what
   * the source initialises it with.
   */
  mayFill(global: string): boolean {
    return !this.#hasModel && !this.#written.has(global);
  }

  /** The machine stopped the program in this world, or did not take it. */
  noteStopping(world: World): void {
    for (const [name, value] of Object.entries(world.globals ?? {}))
      if (!this.#stopping.has(name) && !this.isStated(world, name)) this.#stopping.set(name, value);
  }

  /** Values of variables that were noted, by name. */
  stopping(): Readonly<Record<string, Uint8Array>> {
    return Object.fromEntries(this.#stopping);
  }

  /** How time goes by in these worlds, but for this one: a limit that a trickle never reaches is one. */
  otherClocks({ tick = 0n }: World): Pick<World, 'time' | 'tick'>[] {
    const clocks = new Map<bigint, Pick<World, 'time' | 'tick'>>();
    for (const { world } of this.all) {
      const { time, tick: other = 0n } = world;
      if (other !== tick) clocks.set(other, { ...(time === undefined ? {} : { time }), tick: other });
    }
    return [...clocks.values()];
  }
}
