/**
 * Relatives of a packet: the same from or to another host or interface, of another flow, with other data. What a program decides by
 * one number it decides for them alike, or, where it asks for more than that number, for none of them; what it decides by a hash
 * of many fields, as samplers and load balancers do, comes out for each of them anew, and of one packet says nothing.
 */
import { IPPROTO } from '../../sim/packet/numbers.ts';
import type { World } from '../../sim/runtime/world.ts';
import type { Fate, IsSame } from './fate.ts';
import { headerSize, networkAt, repaired, transportOf } from './variants.ts';

/** One thing that is different. */
export interface Relative {
  readonly field: string;
  readonly packet: Uint8Array;
}

/** Bytes that stay as they are. */
export interface Kept {
  readonly at: number;
  readonly size: number;
}

/** What a relative comes to: the same is special, nothing is, or something else is. */
export type Held = 'same' | 'nothing' | 'otherwise';

/** What a packet tells, whose fates with the one kind of numbers and with the other are these: each kind has to come to one thing. */
export function heldOf(as: readonly Fate[], other: readonly Fate[], isSame: IsSame): Held {
  const areAlike = (fates: readonly Fate[]): boolean => fates.every((fate) => isSame(fate, fates[0]!));
  if (!areAlike(as) || !areAlike(other)) return 'otherwise';
  return isSame(as[0]!, other[0]!) ? 'nothing' : 'same';
}

/** Of each byte: no two differ in the same bits alone, and none leaves the lowest ones as they are. */
const CHANGES = [0x15, 0x2a, 0x5b, 0x3f, 0x07, 0x61];
/** Fields that have to be as they are, too: an address, say. More of them are the fields of a hash. */
const MOST_CONDITIONS = 1;
/** Nobody asks for a value of this one: where it counts at all, it counts in a hash. */
const NO_CONDITION = 'identification';

const MAC_SIZE = 6;
const IPV6_SIZE = 40;
const FRAGMENT = 44;
/** Of addresses, what tells hosts of a network, and interfaces of a maker, apart. */
const HOST_SIZES: Readonly<Record<4 | 6, number>> = { 4: 1, 6: 2 };
const MAC_HOST_SIZE = 3;
const WITH_PORTS: ReadonlySet<number> = new Set([IPPROTO.TCP, IPPROTO.UDP, IPPROTO.SCTP]);

/**
 * Does it hold of relatives, too?
 * @param look what a relative comes to
 */
export async function holdsOfRelatives(
  packet: Uint8Array,
  kept: Kept,
  look: (relative: Uint8Array) => Promise<Held>,
): Promise<boolean> {
  const conditions = new Set<string>();
  for (const relative of relativesOf(packet, kept)) {
    const held = await look(relative.packet);
    if (held === 'otherwise') return false;
    if (held === 'nothing') conditions.add(relative.field);
    if (isOfHash(conditions)) return false;
  }
  return true;
}

function isOfHash(conditions: ReadonlySet<string>): boolean {
  return conditions.size > MOST_CONDITIONS || conditions.has(NO_CONDITION);
}

/** By these nobody tells flows apart. */
const OUTSIDE_FLOWS: ReadonlySet<string> = new Set([
  'destination MAC',
  'source MAC',
  'identification',
  'TTL',
  'DSCP',
  'data',
]);

/** Other random keys of the kernel's flow hash: they differ in each of the bits that choose among two, four or eight. */
const OTHER_HASHES = CHANGES.map((change) => Math.imul(change, 0x0101_0101));

/**
 * Worlds whose kernel comes to other flow hashes (`bpf_get_hash_recalc`). Whatever their hash decides comes out otherwise in some of
 * them: it says nothing of the bytes that are hashed.
 */
export function withOtherHashes(world: World): World[] {
  return OTHER_HASHES.map((other) => ({ ...world, hashSeed: ((world.hashSeed ?? 0) ^ other) >>> 0 }));
}

/**
 * Two packets that differ where no header is, and come to different ends: is that so for other frames of the flow, too, and
 * whatever the kernel's own hash of flows comes to? Whoever takes a wrong place for that of ports may hash them, but a hash of
 * whatever is in the frame says nothing of a place.
 * @param kept where they differ
 * @param fate undefined where a packet does not run to its end
 */
export async function partsRelatives<T>(
  world: World,
  [one, other]: readonly [Uint8Array, Uint8Array],
  kept: Kept,
  fateIn: (world: World, packet: Uint8Array) => Promise<T | undefined>,
  isSame: (one: T, other: T) => boolean,
): Promise<boolean> {
  const fate = (packet: Uint8Array): Promise<T | undefined> => fateIn(world, packet);
  const [own, others] = [await fate(one), await fate(other)];
  if (own === undefined || others === undefined) return false;
  for (const around of withOtherHashes(world)) {
    const [here, there] = [await fateIn(around, one), await fateIn(around, other)];
    if (here === undefined || there === undefined) return false;
    if (!isSame(here, own) || !isSame(there, others)) return false;
  }
  const twins = [...relativesOf(other, kept)];
  const conditions = new Set<string>();
  for (const [index, { field, packet }] of [...relativesOf(one, kept)].entries()) {
    const twin = twins[index];
    if (twin?.field !== field || !OUTSIDE_FLOWS.has(field)) continue;
    const [here, there] = [await fate(packet), await fate(twin.packet)];
    if (here === undefined || there === undefined) return false;
    if (isSame(here, own) && isSame(there, others)) continue;
    if (!isSame(here, there)) return false;
    conditions.add(field);
    if (isOfHash(conditions)) return false;
  }
  return true;
}

/** No key of flows has these: what finds another entry for another one goes by a hash of all the frame, or of the header. */
const IN_NO_KEY: ReadonlySet<string> = new Set(['identification', 'TTL']);

/** Relatives of the very same flow, for whatever keeps flows apart. */
export function* sameFlowOf(packet: Uint8Array, kept: Kept): Generator<Uint8Array, void, void> {
  for (const relative of relativesOf(packet, kept)) if (IN_NO_KEY.has(relative.field)) yield relative.packet;
}

/** Several for each field that does not overlap with what is kept, their checksums right. */
export function* relativesOf(packet: Uint8Array, kept: Kept): Generator<Relative, void, void> {
  const fields = [...fieldsOf(packet)].filter(
    ({ at, size }) =>
      size > 0 && at + size <= packet.length && (at + size <= kept.at || at >= kept.at + kept.size),
  );
  for (const change of CHANGES) {
    for (const { field, at, size, bits = 0xff } of fields) {
      const copy = packet.slice();
      for (let index = at; index < at + size; index++) copy[index]! ^= change & bits;
      yield { field, packet: repaired(copy, kept.at) };
    }
  }
}

interface Field extends Kept {
  readonly field: string;
  /** Which bits of each byte are the field's; default: all. */
  readonly bits?: number;
}

function* fieldsOf(packet: Uint8Array): Generator<Field, void, void> {
  if (packet.length < 2 * MAC_SIZE) return;
  const isGroup = (packet[0]! & 1) !== 0;
  if (!isGroup) yield { field: 'destination MAC', at: MAC_SIZE - MAC_HOST_SIZE, size: MAC_HOST_SIZE };
  yield { field: 'source MAC', at: 2 * MAC_SIZE - MAC_HOST_SIZE, size: MAC_HOST_SIZE };
  const network = networkAt(packet);
  if (network === undefined) return;
  const version = packet[network]! >> 4 === 4 ? 4 : 6;
  const [source, length] = version === 4 ? [network + 12, 4] : [network + 8, 16];
  const size = HOST_SIZES[version];
  yield* outsideFlows(packet, network, version);
  yield { field: 'source address', at: source + length - size, size };
  yield { field: 'destination address', at: source + 2 * length - size, size };
  const transport = transportOf(packet);
  if (transport === undefined || !WITH_PORTS.has(transport.protocol)) return;
  yield { field: 'source port', at: transport.at, size: 2 };
  yield { field: 'destination port', at: transport.at + 2, size: 2 };
  const header =
    transport.protocol === IPPROTO.TCP
      ? (packet[transport.at + 12]! >> 4) * 4
      : headerSize(transport.protocol);
  yield {
    field: 'data',
    at: transport.at + header,
    size: Math.max(0, transport.end - transport.at - header),
  };
}

/** Fields of IP headers that no flow is told by, and that a hash of all the header takes in. */
function* outsideFlows(packet: Uint8Array, network: number, version: 4 | 6): Generator<Field, void, void> {
  yield { field: 'TTL', at: network + (version === 4 ? 8 : 7), size: 1 };
  if (version === 4) {
    // The two bits of congestion are no part of it.
    yield { field: 'DSCP', at: network + 1, size: 1, bits: 0xfc };
    yield { field: 'identification', at: network + 4, size: 2 };
    return;
  }
  yield { field: 'DSCP', at: network, size: 1, bits: 0x0f };
  const fragment = fragmentHeaderAt(packet, network);
  if (fragment !== undefined) yield { field: 'identification', at: fragment + 4, size: 4 };
}

/** Where IPv6's header of fragments lies, right behind the first one. */
function fragmentHeaderAt(packet: Uint8Array, network: number): number | undefined {
  return packet[network + 6] === FRAGMENT ? network + IPV6_SIZE : undefined;
}
