/** Small changes of worlds and packets, each a copy. */
import { variableAt } from '../../sim/ebpf/analysis/variable-at.ts';
import type { BpfMap } from '../../sim/ebpf/bpf-object.ts';
import type { MapByte } from '../../sim/ebpf/dataflow/inputs.ts';
import { MANY_ENTRIES } from '../../sim/ebpf/machine.ts';
import { OLD_MAX_METADATA } from '../../sim/ebpf/packet-area.ts';
import { readU32le } from '../../sim/packet/bytes.ts';
import type { Stimulus } from '../../sim/packet/packet-batch.ts';
import { SEQUENCES } from '../../sim/runtime/maps.ts';
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

/** The longest metadata that a packet is given: what every kernel takes, also where a program puts more in front of it. */
export const MAX_METADATA: number = OLD_MAX_METADATA - 4;

/**
 * With so many bytes of metadata, or as many as come next in whole words. What there was stays where it is in front of the frame; before it
 * there are zeros.
 * @returns undefined where not every kernel takes as much
 */
export function withMetadata({ metadata, ...bare }: Stimulus, length: number): Stimulus | undefined {
  const isLess = length < (metadata?.length ?? 0);
  const whole = (isLess ? Math.floor(length / 4) : Math.ceil(length / 4)) * 4;
  if (whole > MAX_METADATA) return undefined;
  if (whole === 0) return bare;
  const bytes = new Uint8Array(whole);
  const kept = metadata?.subarray(Math.max(0, metadata.length - whole)) ?? bytes.subarray(0, 0);
  bytes.set(kept, whole - kept.length);
  return { ...bare, metadata: bytes };
}

/** The world with an entry in a map, in the place of what was there under its key. */
export function withEntry(world: World, name: string, entry: MapEntry): World {
  const entries = (world.maps?.[name] ?? []).filter((one) => !isSameKey(one.key, entry.key));
  return { ...world, maps: { ...world.maps, [name]: [...entries, entry] } };
}

/** The elements of a queue or stack in the order in which they come out; of such an order, how a world states it. */
function inOrder(type: BpfMap['type'], entries: readonly MapEntry[]): readonly MapEntry[] {
  return type === 'STACK' ? entries.toReversed() : entries;
}

/** The world in which other elements of a queue or stack come out, in this order. */
function withElements(world: World, { name, type }: BpfMap, elements: readonly MapEntry[]): World {
  return { ...world, maps: { ...world.maps, [name]: inOrder(type, elements) } };
}

function elementsOf(world: World, { name, type }: BpfMap): readonly MapEntry[] {
  return inOrder(type, world.maps?.[name] ?? []);
}

/** The world with one more element in a queue or stack, zeros, which comes out last; undefined where there is no room. */
export function withElement(world: World, map: BpfMap): World | undefined {
  const elements = elementsOf(world, map);
  if (elements.length >= map.maxEntries) return undefined;
  return withElements(world, map, [...elements, withoutKey(new Uint8Array(map.valueSize))]);
}

/** The world in which a queue or stack has an element less than it would take for this one; undefined: it is none of the world's. */
export function withoutElement(world: World, map: BpfMap, key: Uint8Array): World | undefined {
  const elements = elementsOf(world, map);
  const position = key.length === 0 ? elements.length : readU32le(key, 0);
  return position < elements.length ? withElements(world, map, elements.slice(0, position)) : undefined;
}

/** Elements that a queue or stack is given: more would make each start dear. */
const MAX_ELEMENTS = MANY_ENTRIES - 1;

/** The world in which queues and stacks that hold something hold the same again and again: every packet may take one. */
export function withMoreElements(world: World, maps: readonly BpfMap[]): World {
  const more = Object.entries(world.maps ?? {}).flatMap(([name, entries]) => {
    const map = maps.find((one) => one.name === name);
    if (map === undefined || !SEQUENCES.has(map.type) || entries.length === 0) return [];
    const size = Math.min(map.maxEntries, MAX_ELEMENTS);
    if (entries.length >= size) return [];
    const own = inOrder(map.type, entries);
    const elements = Array.from({ length: size }, (_, at) => own[at % own.length]!);
    return [[name, inOrder(map.type, elements)] as const];
  });
  return more.length === 0 ? world : { ...world, maps: { ...world.maps, ...Object.fromEntries(more) } };
}

/** An entry of a map without keys. */
export function withoutKey(value: Uint8Array): MapEntry {
  return { key: new Uint8Array(0), value };
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
  if (SEQUENCES.has(map.type)) return withElementByte(world, map, field, value);
  const entries = world.maps?.[map.name] ?? [];
  const at = entries.findIndex((entry) => isSameKey(entry.key, field.key));
  const old = entries[at]?.value ?? new Uint8Array(map.valueSize);
  const bytes = old.slice();
  if (field.offset >= bytes.length) return undefined;
  bytes[field.offset] = value;
  return withEntry(world, map.name, { key: field.key, value: bytes });
}

function withElementByte(world: World, map: BpfMap, field: MapByte, value: number): World | undefined {
  const elements = elementsOf(world, map);
  const position = readU32le(field.key, 0);
  const bytes = elements[position]?.value.slice();
  if (bytes === undefined || field.offset >= bytes.length) return undefined;
  bytes[field.offset] = value;
  return withElements(world, map, elements.with(position, withoutKey(bytes)));
}

export function isSameKey(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, index) => byte === b[index]);
}
