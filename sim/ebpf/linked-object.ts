/** Objects that are looked at and not changed: each is read once, however often it is asked for. */
import type { BpfObject } from './bpf-object.ts';
import { loadObject } from './object.ts';

const objects = new WeakMap<Uint8Array, BpfObject>();

/**
 * The object as it is linked without a kernel. Whoever changes something of it needs one of his own (`loadObject`).
 * @param elf bytes that stay as they are
 * @throws {ObjectError}
 */
export function linkedObject(elf: Uint8Array): BpfObject {
  const known = objects.get(elf);
  if (known !== undefined) return known;
  const object = loadObject(elf);
  objects.set(elf, object);
  return object;
}
