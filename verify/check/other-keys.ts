/**
 * Packets that go on only where a map has an entry for them, and that no run has given one: the test makes up the entry that leads a
 * packet on, and what the same line does to packets of the other IP version, of another protocol or in a tunnel, which look up other
 * keys, stays unseen. Such packets are made, and each key that they look up gets the value that led the first one on.
 */
import type { Engine } from '../../sim/engines/engine.ts';
import { asReceived } from '../../sim/engines/received.ts';
import { packet as build } from '../../sim/packet/build.ts';
import type { Stimulus } from '../../sim/packet/packet-batch.ts';
import type { Program } from '../../sim/runtime/program.ts';
import type { World } from '../../sim/runtime/world.ts';
import { withEntry } from '../guide/world-edits.ts';
import { plainEntries } from './map-words.ts';
import { CaseRunner, type Sighting, traceOf } from './probe.ts';
import { networkAt, type Transport, transportOf } from './variants.ts';

/** Worlds that are looked at, and packets of which it is asked whether the program changes them. */
const MAX_WORLDS = 8;
const MAX_ASKED = 128;
/** Lookups of one packet that are answered, one behind the other. */
const MAX_LOOKUPS = 3;

const LOOKUP = 'bpf_map_lookup_elem';

const TCP = 6;
const UDP = 17;
const SYN = 2;
const ACK = 0x10;
const TCP_FLAGS = 13;
/** Bytes of the addresses of the link. */
const MACS = 12;

/**
 * A packet of each kind that looks up a key in a map which leads packets on, in a world that has an entry for it.
 * @param led packets that worlds with such entries were made for
 */
export async function withOtherKeys(
  program: Program,
  engine: Engine,
  led: readonly Sighting[],
): Promise<Sighting[]> {
  const found: Sighting[] = [];
  for (const { world, stimulus } of await eachOtherwise(program, engine, led))
    found.push(...(await inOneWorld(program, world, stimulus)));
  return found;
}

/** Of those that the program changes, one for each of the maps that have entries, and of the places that it changes. */
async function eachOtherwise(
  program: Program,
  engine: Engine,
  led: readonly Sighting[],
): Promise<Sighting[]> {
  const runner = new CaseRunner(program, engine);
  const found = new Map<string, Sighting>();
  try {
    for (const { world, stimulus } of led.slice(0, MAX_ASKED)) {
      const maps = new Set(plainEntries(program, world).map(({ map }) => map));
      if (maps.size === 0 || networkAt(stimulus.packet) === undefined) continue;
      const left = (await runner.outcome(world, stimulus))?.packet;
      if (left === undefined || Buffer.compare(left, stimulus.packet) === 0) continue;
      const key = `${[...maps].sort()} ${stimulus.packet.length - left.length} ${placesChanged(stimulus.packet, left)}`;
      if (!found.has(key)) found.set(key, { world, stimulus });
      if (found.size >= MAX_WORLDS) break;
    }
    return [...found.values()];
  } finally {
    await runner.close();
  }
}

function placesChanged(came: Uint8Array, left: Uint8Array): string {
  return came.length === left.length ? [...came.keys()].filter((at) => came[at] !== left[at]).join() : '';
}

/** All in the same world, which has all of their entries. */
async function inOneWorld(program: Program, first: World, stimulus: Stimulus): Promise<Sighting[]> {
  let world = first;
  const found: Stimulus[] = [];
  for (const made of packetsLike(stimulus)) {
    const other = asReceived(program, made);
    const filled = await withItsEntries(program, first, world, other);
    if (filled === undefined) continue;
    world = filled;
    found.push(other);
  }
  return found.map((one) => ({ world, stimulus: one }));
}

/**
 * @param first has the values that the packet at hand is to find, too
 * @returns undefined where the packet does not ask for any
 */
async function withItsEntries(
  program: Program,
  first: World,
  known: World,
  stimulus: Stimulus,
): Promise<World | undefined> {
  const values = new Map(
    plainEntries(program, first).map(({ map, entry }) => [map, first.maps![map]![entry]!.value]),
  );
  let world = known;
  for (let lookups = 0; ; lookups++) {
    const trace = await traceOf(program, { world, stimuli: [stimulus] });
    const asked = (trace?.steps ?? []).flatMap(({ call }) =>
      call?.name === LOOKUP && call.key !== undefined && values.has(call.key.map.name)
        ? [{ ...call.key, isFound: call.result !== 0n }]
        : [],
    );
    const missed = asked.find(
      ({ map, isFound }) => !isFound && (world.maps?.[map.name]?.length ?? 0) < map.maxEntries,
    );
    if (missed === undefined || lookups === MAX_LOOKUPS)
      return asked.some(({ isFound }) => isFound) ? world : undefined;
    const { map, bytes } = missed;
    world = withEntry(world, map.name, { key: bytes.slice(), value: values.get(map.name)! });
  }
}

/**
 * Sound packets of both IP versions, TCP and UDP, with the ports of a packet and with what it holds where it is of the protocol, and in
 * IP once more.
 */
export function packetsLike(stimulus: Stimulus): Stimulus[] {
  const { packet } = stimulus;
  if (networkAt(packet) === undefined) return [];
  const transport = transportOf(packet);
  const link = build.ethernet();
  const packets: Uint8Array[] = [];
  for (const inner of transportsLike(packet, transport)) {
    for (const ip of [link.ipv4(), link.ipv6(), link.ipv4().ipv4()]) {
      const made = inner(ip).bytes();
      made.set(packet.subarray(0, MACS));
      packets.push(made);
    }
  }
  return packets.map((one) => ({ ...stimulus, packet: one }));
}

type Stack = ReturnType<typeof build.ethernet>;

function transportsLike(packet: Uint8Array, transport: Transport | undefined): ((ip: Stack) => Stack)[] {
  const isTcp = transport?.protocol === TCP;
  const hasPorts = isTcp || transport?.protocol === UDP;
  const at = transport?.at ?? 0;
  const ports = hasPorts
    ? { sourcePort: word(packet, at), destinationPort: word(packet, at + 2) }
    : { sourcePort: 40_000, destinationPort: 80 };
  const size = isTcp ? (packet[at + 12]! >> 4) * 4 : 8;
  const data = hasPorts ? packet.slice(at + size, transport!.end) : new Uint8Array(0);
  const rest = data.length > 0 ? data : Uint8Array.of(1, 2, 3, 4, 5);
  const flags = new Set([...(isTcp ? [packet[at + TCP_FLAGS]!] : []), SYN, ACK]);
  return [
    ...[...flags].map((one) => (ip: Stack) => ip.tcp({ ...ports, flags: one }).payload(rest)),
    (ip) => ip.udp(ports).payload(rest),
  ];
}

function word(packet: Uint8Array, at: number): number {
  return (packet[at]! << 8) | packet[at + 1]!;
}
