/**
 * Does a program take the data of later fragments for ports, and make entries of maps under them? Two fragments that differ in
 * nothing but the data where a first one has its ports must come to entries under the same keys: flows, bans and counters that
 * nobody finds again fill the map instead. In an array they must come to the same elements: another class is counted there.
 */
import { linkedObject } from '../../sim/ebpf/linked-object.ts';
import type { Engine } from '../../sim/engines/engine.ts';
import { STATUS } from '../../sim/engines/outcome-batch.ts';
import { equalWhole } from '../../sim/packet/bytes.ts';
import type { Stimulus } from '../../sim/packet/packet-batch.ts';
import { differingEntries, type MapSnapshot } from '../../sim/runtime/map-snapshot.ts';
import { isArray } from '../../sim/runtime/maps.ts';
import type { Program } from '../../sim/runtime/program.ts';
import type { World } from '../../sim/runtime/world.ts';
import type { SourcePlaceWithText } from '../outcome.ts';
import { withData } from './fragment-reads.ts';
import { callsAny } from './judging.ts';
import {
  CaseRunner,
  partingLine,
  type Seen,
  type Sighting,
  simplest,
  simplestWorld,
  sourceOf,
  traceOf,
} from './probe.ts';
import { sameFlowOf, withOtherHashes } from './relatives.ts';
import type { OfAction, TransportSightings } from './transport-sightings.ts';
import { isLater, LATER, LATER_WORDS, laterFragment, transportOf } from './variants.ts';

const UPDATE = 'bpf_map_update_elem';
const LOOKUP = 'bpf_map_lookup_elem';
/** Packets of a protocol that make entries by their ports: each is tried in fragments of all offsets. */
const MAX_DECISIVE = 3;
/** Bytes of ports. */
const PORTS = 4;

/** A map in which two packets make entries under different keys, or write to other elements. */
interface Apart {
  readonly map: string;
  /** An array has all of its entries from the start: nothing is made, and it does not fill up. */
  readonly isArray: boolean;
}

export class FragmentKeys {
  readonly #isGiven: boolean;
  readonly #sightings: TransportSightings;

  /** @param isGiven has the user said what the worlds are? */
  constructor(isGiven: boolean, sightings: TransportSightings) {
    this.#isGiven = isGiven;
    this.#sightings = sightings;
  }

  /** A fragment whose data goes into a key; undefined where none does. */
  async find(program: Program, machine: Engine): Promise<Seen | undefined> {
    if (!callsAny(program, ({ name }) => name === UPDATE) && !hasArrays(program)) return undefined;
    const runner = new CaseRunner(program, machine);
    try {
      for (const byAction of this.#sightings.short.values()) {
        const seen = await this.#ofKind(program, runner, [...byAction.values()].flatMap(sightingsOf));
        if (seen !== undefined) return seen;
      }
      return undefined;
    } finally {
      await runner.close();
    }
  }

  async #ofKind(
    program: Program,
    runner: CaseRunner,
    sightings: readonly Sighting[],
  ): Promise<Seen | undefined> {
    let decisive = 0;
    for (const { world, stimulus } of sightings) {
      if (transportOf(stimulus.packet) === undefined) continue;
      // What ports do not matter to in a whole packet, they do not matter to in a fragment.
      if ((await keysApart(runner, world, stimulus)) === undefined) continue;
      for (const word of decisive++ < MAX_DECISIVE ? LATER_WORDS : [LATER]) {
        const packet = laterFragment(stimulus.packet, word);
        if (packet === undefined) continue;
        const seen = await this.#show(program, runner, { world, stimulus: { ...stimulus, packet } });
        if (seen !== undefined) return seen;
      }
    }
    return undefined;
  }

  /** The smallest such fragment; undefined where this one is none. */
  async #show(program: Program, runner: CaseRunner, sighting: Sighting): Promise<Seen | undefined> {
    const apart = async (inside: World, fragment: Stimulus): Promise<Apart | undefined> => {
      const at = transportOf(fragment.packet, true);
      return at === undefined || !isLater(at) ? undefined : keysApart(runner, inside, fragment);
    };
    const isApart = async (inside: World, one: Stimulus): Promise<boolean> =>
      (await apart(inside, one)) !== undefined;
    const first = await apart(sighting.world, sighting.stimulus);
    if (first === undefined || (await isOfHash(runner, sighting, first.map))) return undefined;
    const world = await simplestWorld(sighting, this.#isGiven, isApart);
    const small = await simplest(sighting.stimulus, (simpler) => isApart(world, simpler));
    const found = await apart(world, small);
    const got = await runner.outcome(world, small);
    const at = transportOf(small.packet, true)?.at;
    if (found === undefined || got === undefined || at === undefined) return undefined;
    const other = { ...small, packet: withData(small, otherPorts(small, at))!.packet };
    const source = found.isArray
      ? await keyIn(program, world, small, other)
      : await updateIn(program, world, small);
    const place = found.isArray
      ? `counts in another element of array ${found.map}, or writes there`
      : `makes its entry of map ${found.map} under another key`;
    const key = found.isArray ? 'element' : 'key';
    const what = found.isArray ? 'array' : 'map';
    return {
      ...{ world, stimuli: [small], engine: runner.engine, got },
      ...(source === undefined ? {} : { source }),
      breach: {
        ...{ invariant: 'fragments/ports-read', at, size: 0 },
        expected: `the same ${key} for any data`,
        got: `another ${key} of ${what} ${found.map} with other data`,
        sentence: `with ${Buffer.from(otherPorts(small, at)).toString('hex')} in place of the fragment's first bytes the program ${place}`,
      },
    };
  }
}

function sightingsOf({ all, changed, unchanged }: OfAction): Sighting[] {
  return [...new Set([...all, ...unchanged, ...changed])];
}

/** The map in which a packet makes entries under other keys, or under one where it made none, with other ports. */
async function keysApart(runner: CaseRunner, world: World, stimulus: Stimulus): Promise<Apart | undefined> {
  const at = transportOf(stimulus.packet, true)?.at;
  const other = at === undefined ? undefined : withData(stimulus, otherPorts(stimulus, at));
  if (other === undefined) return undefined;
  const runs: (readonly MapSnapshot[])[] = [];
  for (const one of [stimulus, other]) {
    const ran = await runner.run(world, [one]);
    if (ran?.maps === undefined || ran.output.status[0] !== STATUS.ran) return undefined;
    runs.push(ran.maps);
  }
  const [own, others] = runs as [readonly MapSnapshot[], readonly MapSnapshot[]];
  const map = own.find((one, index) => haveOtherKeys(one, others[index]!));
  return map && { map: map.definition.name, isArray: isArray(map.definition.type) };
}

/**
 * Does the map hold other keys as well where the packet is of the same flow, or where the kernel hashes flows otherwise? Then it is a hash of
 * whatever is in the frame, or of what the kernel knows to leave out, and says nothing of ports.
 */
async function isOfHash(runner: CaseRunner, { world, stimulus }: Sighting, map: string): Promise<boolean> {
  const contents = async (inside: World, packet: Uint8Array): Promise<MapSnapshot | undefined> => {
    const ran = await runner.run(inside, [{ ...stimulus, packet }]);
    return ran?.output.status[0] === STATUS.ran
      ? ran.maps?.find(({ definition }) => definition.name === map)
      : undefined;
  };
  const own = await contents(world, stimulus.packet);
  const kept = { at: transportOf(stimulus.packet, true)!.at, size: PORTS };
  const others = [
    ...[...sameFlowOf(stimulus.packet, kept)].map((packet) => ({ inside: world, packet })),
    ...withOtherHashes(world).map((inside) => ({ inside, packet: stimulus.packet })),
  ];
  for (const { inside, packet } of others) {
    const there = await contents(inside, packet);
    if (own === undefined || there === undefined || haveOtherKeys(own, there)) return true;
  }
  return false;
}

/** Has it arrays of its own, besides its variables? */
function hasArrays({ object }: Program): boolean {
  if (object === undefined) return false;
  return linkedObject(object).maps.some(({ type, global }) => global === undefined && isArray(type));
}

/** Both ports with one bit the other way. */
function otherPorts({ packet }: Stimulus, at: number): Uint8Array {
  const ports = packet.slice(at, at + PORTS);
  for (const low of [1, 3]) ports[low]! ^= 1;
  return ports;
}

/**
 * Has either map an entry that the other one lacks? An array has all of its entries: there it takes one in each that holds
 * something where the other holds zeros, so that a value which only differs is none.
 */
function haveOtherKeys(a: MapSnapshot, b: MapSnapshot): boolean {
  if (a.definition.keySize === 0) return false;
  const isEmpty = (value: Uint8Array | undefined): boolean =>
    value === undefined || (isArray(a.definition.type) && value.every((byte) => byte === 0));
  let [more, less] = [false, false];
  for (const { expected, got } of differingEntries(a, b)) {
    less ||= isEmpty(got);
    more ||= isEmpty(expected);
  }
  return isArray(a.definition.type) ? more && less : more || less;
}

/** The line at which the ways of two packets part; where they go the same, that of the last lookup with another key. */
async function keyIn(
  program: Program,
  world: World,
  one: Stimulus,
  other: Stimulus,
): Promise<SourcePlaceWithText | undefined> {
  const [a, b] = [
    await traceOf(program, { world, stimuli: [one] }),
    await traceOf(program, { world, stimuli: [other] }),
  ];
  if (a === undefined || b === undefined) return undefined;
  const isSameWay = a.steps.every((step, at) => b.steps[at]?.instruction === step.instruction);
  if (!isSameWay) return partingLine(program, world, one, other);
  const source = a.steps.findLast(
    ({ call }, at) => call?.name === LOOKUP && !isSameKey(call.given, b.steps[at]?.call?.given),
  )?.source;
  return source === undefined || source.line === 0 ? undefined : sourceOf(source);
}

function isSameKey(a: Uint8Array | undefined, b: Uint8Array | undefined): boolean {
  return a === undefined || b === undefined ? a === b : equalWhole(a, b);
}

/** The line of the last entry that was made. */
async function updateIn(
  program: Program,
  world: World,
  stimulus: Stimulus,
): Promise<SourcePlaceWithText | undefined> {
  const trace = await traceOf(program, { world, stimuli: [stimulus] });
  const source = trace?.steps.findLast(({ call }) => call?.name === UPDATE)?.source;
  return source === undefined || source.line === 0 ? undefined : sourceOf(source);
}
