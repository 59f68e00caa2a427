/** Small changes of worlds and packets, each a copy. */
import { variableAt } from '../../sim/ebpf/analysis/settable-data.ts';
import type { BpfMap } from '../../sim/ebpf/bpf-object.ts';
import type { MapByte } from '../../sim/ebpf/dataflow/inputs.ts';
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

/** The world with another byte in an entry of a map, or in a global variable; undefined where neither has it. */
export function withMapByte(
  world: World,
  field: MapByte,
  value: number,
  maps: readonly BpfMap[],
): World | undefined {
  const map = maps[field.map]!;
  if (map.global !== undefined) {
    const variable = variableAt(map, field.offset);
    if (variable === undefined) return undefined;
    const { name, offset, size } = variable;
    const bytes = (world.globals?.[name] ?? map.global.bytes.subarray(offset, offset + size)).slice();
    bytes[field.offset - offset] = value;
    return { ...world, globals: { ...world.globals, [name]: bytes } };
  }
  const entries = world.maps?.[map.name] ?? [];
  const at = entries.findIndex((entry) => isSameKey(entry.key, field.key));
  const old = entries[at]?.value ?? new Uint8Array(map.valueSize);
  const bytes = old.slice();
  if (field.offset >= bytes.length) return undefined;
  bytes[field.offset] = value;
  return withEntry(world, map.name, { key: field.key, value: bytes });
}

export function isSameKey(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, index) => byte === b[index]);
}
