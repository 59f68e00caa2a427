/** An object as our own loader links it, for what libbpf does not tell. */
import { type BpfObject, loadObject } from '../sim/ebpf/object.ts';

/** Shrinking opens the same object a thousand times. */
const objects = new WeakMap<Uint8Array, BpfObject>();

/** @throws {ObjectError} for objects that our loader does not take, though libbpf may */
export function linkedObject(elf: Uint8Array): BpfObject {
  const known = objects.get(elf);
  if (known !== undefined) return known;
  const object = loadObject(elf);
  objects.set(elf, object);
  return object;
}

/** The functions that its maps of programs start with; undefined where our loader does not take it. */
export function tailCallTargets(elf: Uint8Array): ReadonlySet<string> | undefined {
  try {
    const maps = linkedObject(elf).maps.filter((map) => map.type === 'PROG_ARRAY');
    return new Set(maps.flatMap((map) => map.initial.map(({ name }) => name)));
  } catch {
    return undefined;
  }
}
