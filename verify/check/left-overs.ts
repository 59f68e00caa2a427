/**
 * Does what an earlier packet left in scratch memory decide on a later one? Programs keep in an element of a per-CPU array what their
 * stack has no room for, and overlook that the element still holds the last packet's: ports, say, that only TCP and UDP have.
 *
 * A byte is scratch where some packet reads what it has written itself, or where all fill in the same part of the element, and where
 * none reads it first and writes it then, as counters and buckets do. A packet that reads such a byte and has not written it finds what was left there; that counts where it comes to something else
 * in an element that a packet of the same program really leaves than in one of zeros. Caches, which look first whose value it is,
 * read what they have not written of every packet, and come to the same with and without it.
 */
import { linkedObject } from '../../sim/ebpf/linked-object.ts';
import type { Engine } from '../../sim/engines/engine.ts';
import { STATUS } from '../../sim/engines/outcome-batch.ts';
import { equalWhole } from '../../sim/packet/bytes.ts';
import type { Hook } from '../../sim/runtime/actions.ts';
import { type MapSnapshot, sameContents } from '../../sim/runtime/map-snapshot.ts';
import type { Program } from '../../sim/runtime/program.ts';
import type { World } from '../../sim/runtime/world.ts';
import { insteadOf } from '../instead.ts';
import { type Outcome, outcomeAt } from '../outcome.ts';
import { entriesBehindOthers } from './other-types.ts';
import { CaseRunner, inBareWorld, type Seen, type Sighting, traceOf } from './probe.ts';
import { type ElementUse, type ScratchUse, scratchUse } from './scratch-use.ts';
import { TracedInstructions } from './traced-instructions.ts';

/** Packets of each entry that are looked at, and pairs of them that are tried. */
const MAX_PACKETS = 64;
const MAX_PAIRS = 96;

interface Run {
  readonly outcome: Outcome;
  readonly maps: readonly MapSnapshot[];
}

interface Used extends Sighting {
  readonly use: ScratchUse;
}

/** Bytes of an element that a packet reads and others leave. */
interface Stale {
  readonly id: string;
  readonly element: ElementUse;
  readonly bytes: readonly number[];
}

export class LeftOvers {
  readonly #program: Program;
  readonly #isGiven: boolean;
  readonly #maps: ReadonlySet<string>;

  /** @param isGiven has the user said what the worlds are? */
  constructor(program: Program, isGiven: boolean) {
    this.#program = program;
    this.#isGiven = isGiven;
    this.#maps = perCpuArrays(program);
  }

  /** One for each entry: of programs behind others, nobody knows who has filled the element before. */
  async find(machine: Engine, sightings: readonly Sighting[]): Promise<Seen[]> {
    if (this.#maps.size === 0) return [];
    const behind = entriesBehindOthers(this.#program);
    const runner = new CaseRunner(this.#program, machine);
    const found: Seen[] = [];
    try {
      for (const entry of this.#program.entries.keys()) {
        if (behind.has(entry)) continue;
        const own = sightings.filter(({ stimulus }) => (stimulus.entry ?? 0) === entry);
        for (const inWorld of this.#isGiven ? [asSeen] : [inBareWorld, asSeen]) {
          const seen = await this.#first(runner, own.map(inWorld));
          if (seen === undefined) continue;
          found.push(seen);
          break;
        }
      }
    } finally {
      await runner.close();
    }
    return found;
  }

  async #first(runner: CaseRunner, sightings: readonly Sighting[]): Promise<Seen | undefined> {
    const used = await this.#used(sightings);
    let pairs = 0;
    for (const later of used) {
      for (const stale of staleIn(later.use, used)) {
        const left = new Set<string>();
        for (const earlier of used.filter(({ use }) => isLeftBy(use, stale, used))) {
          const value = await this.#leftBy(runner, later.world, earlier, stale);
          const text = value === undefined ? '' : value.join();
          if (value === undefined || left.has(text)) continue;
          left.add(text);
          if (pairs++ >= MAX_PAIRS) return undefined;
          const seen = await this.#show(runner, earlier, later, stale, value);
          if (seen !== undefined) return seen;
        }
      }
    }
    return undefined;
  }

  async #used(sightings: readonly Sighting[]): Promise<Used[]> {
    const used: Used[] = [];
    for (const { world: seen, stimulus } of sightings.slice(0, MAX_PACKETS)) {
      if (!this.#isGiven && seen.slots !== undefined) continue;
      const world = this.#withoutScratch(seen);
      const use = await this.#useOf({ world, stimulus });
      if (use !== undefined && use.size > 0) used.push({ world, stimulus, use });
    }
    return used;
  }

  /** What a test put into such arrays, no packet left there. */
  #withoutScratch({ maps, ...rest }: World): World {
    if (maps === undefined || this.#isGiven) return maps === undefined ? rest : { ...rest, maps };
    return {
      ...rest,
      maps: Object.fromEntries(Object.entries(maps).filter(([name]) => !this.#maps.has(name))),
    };
  }

  /** The element with those bytes that a packet leaves there, and zeros; undefined where these are zeros as well. */
  async #leftBy(
    runner: CaseRunner,
    world: World,
    { stimulus }: Used,
    { element, bytes }: Stale,
  ): Promise<Uint8Array | undefined> {
    const ran = await runner.run(world, [stimulus]);
    if (ran?.maps === undefined || ran.output.status[0] !== STATUS.ran) return undefined;
    const map = ran.maps.find(({ definition }) => definition.name === element.map);
    const own = [...(map?.kept() ?? [])].find(({ key }) => equalWhole(key, element.key));
    const value = new Uint8Array(element.size);
    for (const at of bytes) value[at] = own?.value[at] ?? 0;
    return value.some((byte) => byte !== 0) ? value : undefined;
  }

  async #show(
    runner: CaseRunner,
    earlier: Used,
    later: Used,
    stale: Stale,
    value: Uint8Array,
  ): Promise<Seen | undefined> {
    const { element, bytes } = stale;
    const { world, stimulus } = later;
    const { map, key } = element;
    // Everything else is as it is: clock, chance, other maps.
    const filled = { ...world, maps: { ...world.maps, [map]: [{ key, value }] } };
    const usual = await this.#run(runner, world, [later]);
    const otherwise = await this.#run(runner, filled, [later]);
    if (usual === undefined || otherwise === undefined) return undefined;
    const { hook } = this.#program.entries[stimulus.entry ?? 0]!;
    const entries = otherMap(otherwise, usual, map);
    const isOther = areOther(otherwise.outcome, usual.outcome);
    const behind = await this.#run(runner, world, [earlier, later]);
    if (behind === undefined || (!isOther && entries === undefined)) return undefined;
    if (isOther && !areOther(behind.outcome, usual.outcome)) return undefined;
    const does = isOther
      ? said(hook, behind.outcome, usual.outcome)
      : `leaves something else in map ${entries}`;
    // What is left there, and written anew where there is something: a bucket that some packets fill.
    if (await this.#isUpdated({ world: filled, stimulus }, stale)) return undefined;
    const source = bytes.map((at) => element.readFirst.get(at)).find((line) => line !== undefined);
    const [first, last] = [bytes[0]!, bytes.at(-1)!];
    const place = first === last ? `byte ${first}` : `bytes ${first} to ${last}`;
    return {
      world,
      stimuli: [earlier.stimulus, stimulus],
      engine: runner.engine,
      got: behind.outcome,
      ...(source === undefined ? {} : { source }),
      breach: {
        invariant: 'uninitialized/left-over',
        at: 0,
        size: 0,
        expected: 'the same whatever packet came before',
        got: `${place} of an element of ${map} as the packet before left them`,
        sentence: `behind another packet the program ${does}: it reads ${place} of an element of ${map}, which it has not written for this packet`,
      },
    };
  }

  async #isUpdated({ world, stimulus }: Sighting, { id, bytes }: Stale): Promise<boolean> {
    const use = (await this.#useOf({ world, stimulus }))?.get(id);
    return use === undefined || bytes.some((at) => isUpdated(use, at));
  }

  async #useOf({ world, stimulus }: Sighting): Promise<ScratchUse | undefined> {
    const trace = await traceOf(this.#program, { world, stimuli: [stimulus] });
    return trace === undefined ? undefined : scratchUse(new TracedInstructions(this.#program), trace);
  }

  async #run(runner: CaseRunner, world: World, packets: readonly Used[]): Promise<Run | undefined> {
    const ran = await runner.run(
      world,
      packets.map(({ stimulus }) => stimulus),
    );
    if (ran === undefined) return undefined;
    const outcome = outcomeAt(ran.output, packets.length - 1);
    return outcome.status === 'ran' ? { outcome, maps: ran.maps ?? [] } : undefined;
  }
}

/** Does something else become of the packet? */
function areOther(one: Outcome, other: Outcome): boolean {
  return (
    one.action !== other.action || one.redirect !== other.redirect || !equalWhole(one.packet, other.packet)
  );
}

function said(hook: Hook, now: Outcome, usual: Outcome): string {
  const isSameWay = now.action === usual.action && now.redirect === usual.redirect;
  return isSameWay ? 'lets the packet go with other bytes' : insteadOf(hook, now, usual);
}

/** The name of a map, other than the one with the element, that holds something else. */
function otherMap(one: Run, other: Run, but: string): string | undefined {
  const differs = one.maps.find(
    (map, index) => !sameContents(map, other.maps[index]!) && map.definition.name !== but,
  );
  return differs?.definition.name;
}

const asSeen = (sighting: Sighting): Sighting => sighting;

/** What a packet reads that it has not written, and that is scratch. */
function staleIn(use: ScratchUse, all: readonly Used[]): Stale[] {
  return [...use].flatMap(([id, element]) => {
    const others = all.flatMap((one) => one.use.get(id) ?? []);
    const areAllFilled = isFilledByAll(others);
    const bytes = [...element.readFirst.keys()]
      .filter((at) => areAllFilled || others.some(({ readBack }) => readBack.has(at)))
      .filter((at) => !others.some((other) => isUpdated(other, at)))
      .sort((a, b) => a - b);
    return bytes.length === 0 ? [] : [{ id, element, bytes }];
  });
}

/** Is it read first and written then, as a counter is? */
function isUpdated({ readFirst, written }: ElementUse, at: number): boolean {
  return readFirst.has(at) && written.has(at);
}

/**
 * Does every packet fill in the same part of an element, and none update any? A compiler that keeps in a register what a packet has
 * written need not read it back.
 */
function isFilledByAll(uses: readonly ElementUse[]): boolean {
  if (uses.some((use) => [...use.readFirst.keys()].some((at) => isUpdated(use, at)))) return false;
  // Some only look the element up.
  const [first, ...others] = uses.filter(({ readFirst, written }) => readFirst.size + written.size > 0);
  const filled = [...(first?.writtenFirst ?? [])];
  return filled.some((at) => others.every(({ writtenFirst }) => writtenFirst.has(at)));
}

/** Does a packet write such bytes, and treat all of the element as its own? Padding, which nobody writes, does not count. */
function isLeftBy(use: ScratchUse, { id, bytes }: Stale, all: readonly Used[]): boolean {
  const own = use.get(id);
  if (own === undefined || !bytes.some((at) => own.writtenFirst.has(at))) return false;
  return ![...own.readFirst.keys()].some((at) =>
    all.some((one) => one.use.get(id)?.written.has(at) === true),
  );
}

function perCpuArrays({ object }: Program): ReadonlySet<string> {
  if (object === undefined) return new Set();
  return new Set(
    linkedObject(object)
      .maps.filter(({ type }) => type === 'PERCPU_ARRAY')
      .map(({ name }) => name),
  );
}
