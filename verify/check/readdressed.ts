/**
 * The same packet to or from other hosts, in a world whose maps know these in the place of the first: what was seen with one address
 * alone, since the test made an entry for one, may be chance.
 */
import type { MapEntry, World } from '../../sim/runtime/world.ts';
import type { Sighting } from './probe.ts';
import { networkAt, repaired } from './variants.ts';

/** What the last byte of the address becomes: this in exclusive or. */
const OTHERS: readonly number[] = [0x15, 0x2a];
/** Places of the two addresses in an IPv4 header. */
const ADDRESSES: readonly number[] = [12, 16];

/**
 * None of a packet whose outermost header is another one, or has not that address.
 * @param address four bytes, as packets have them
 */
export function readdressed({ world, stimulus }: Sighting, address: Uint8Array): Sighting[] {
  const { packet } = stimulus;
  const network = networkAt(packet);
  if (network === undefined || packet[network]! >> 4 !== 4) return [];
  const places = ADDRESSES.map((at) => network + at).filter((at) => isAt(packet, at, address));
  if (places.length === 0) return [];
  return OTHERS.map((bits) => {
    const other = address.slice();
    other[3]! ^= bits;
    const copy = packet.slice();
    for (const at of places) copy.set(other, at);
    return {
      world: withKeys(world, address, other),
      stimulus: { ...stimulus, packet: repaired(copy, places[0]!) },
    };
  });
}

/** With another address in keys; what is in values is no part of the packet. */
function withKeys(world: World, address: Uint8Array, other: Uint8Array): World {
  if (world.maps === undefined) return world;
  const maps = Object.entries(world.maps).map(([name, entries]) => [
    name,
    entries.map((entry): MapEntry => ({ ...entry, key: exchanged(entry.key, address, other) })),
  ]);
  return { ...world, maps: Object.fromEntries(maps) };
}

function exchanged(key: Uint8Array, address: Uint8Array, other: Uint8Array): Uint8Array {
  const copy = key.slice();
  for (let at = 0; at + address.length <= key.length; at++) if (isAt(key, at, address)) copy.set(other, at);
  return copy;
}

function isAt(bytes: Uint8Array, at: number, wanted: Uint8Array): boolean {
  return Buffer.compare(bytes.subarray(at, at + wanted.length), wanted) === 0;
}
