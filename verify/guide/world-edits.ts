/** Small changes of worlds and packets, each a copy. */
import type { MapEntry, World } from '../../sim/runtime/world.ts';

/** The longest frame that is made longer: what every engine takes. */
const MAX_LENGTH = 1514;

/** The frame cut, or lengthened with zeros; undefined where no frame is that long. */
export function resized(packet: Uint8Array, length: number): Uint8Array | undefined {
  if (length < 0 || length > MAX_LENGTH) return undefined;
  if (length <= packet.length) return packet.slice(0, length);
  const longer = new Uint8Array(length);
  longer.set(packet);
  return longer;
}

/** The world with an entry in a map, in the place of what was there under its key. */
export function withEntry(world: World, name: string, entry: MapEntry): World {
  const entries = (world.maps?.[name] ?? []).filter((one) => !isSameKey(one.key, entry.key));
  return { ...world, maps: { ...world.maps, [name]: [...entries, entry] } };
}

export function isSameKey(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, index) => byte === b[index]);
}
