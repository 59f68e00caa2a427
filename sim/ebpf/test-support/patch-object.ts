/** For tests: compiled objects with single instructions replaced, as no compiler makes them. */
import { readElf } from '../loader/elf.ts';

/**
 * A copy of the object.
 * @param code bytes of one instruction or several, as they lie in the file
 * @throws {Error} where the object has no such section
 */
export function withCode(
  object: Uint8Array,
  section: string,
  slot: number,
  code: readonly number[],
): Uint8Array {
  const found = readElf(object).sections.find(({ name }) => name === section);
  if (found === undefined) throw new Error(`no section ${section}`);
  const { bytes } = found.data;
  const copy = object.slice();
  copy.set(code, bytes.byteOffset - object.byteOffset + slot * 8);
  return copy;
}
