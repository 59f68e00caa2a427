/**
 * Variables that user space may give values: constants that a loader sets before the program runs (`const volatile`), and
 * writable ones. Others are tables of the program's own. Types say which is which; of a variable without one, the instructions do.
 */
import type { BpfMap, BpfObject, GlobalVariable } from '../bpf-object.ts';
import { BTF_KIND, type Btf } from '../btf.ts';
import { variableAt } from './variable-at.ts';
import { useOf } from './variable-uses.ts';

/** Is the byte one of a constant that a loader may set? */
export function isSettable(object: BpfObject, map: BpfMap, offset: number): boolean {
  return isConstantOf(object, map, offset, 'regarded');
}

/**
 * May what a read-only byte holds be the loader's to say? So it is of those that are settable, and of those that nobody can tell from
 * them: constants without a type that are only copied.
 */
export function mayBeLoaders(object: BpfObject, map: BpfMap, offset: number): boolean {
  return isConstantOf(object, map, offset, 'fixed');
}

/** @param use what tells of a variable without a type that it is the loader's */
function isConstantOf(object: BpfObject, map: BpfMap, offset: number, use: 'regarded' | 'fixed'): boolean {
  const found = variableAt(map, offset);
  if (found === undefined || map.global?.readOnly !== true) return false;
  const { btf } = object;
  if (btf !== undefined && found.typeId !== undefined) return isVolatile(btf, found.typeId);
  if (MERGED.test(map.name)) return false;
  const uses = useOf(object, map, found);
  return uses[use] || (uses.indexed && isZero(map, found));
}

/** Sections of constants that the compiler may merge with others of the same contents: none of them is volatile. */
const MERGED = /^\.rodata\.(cst|str)\d/;

function isZero({ global }: BpfMap, { offset, size }: GlobalVariable): boolean {
  return global!.bytes.subarray(offset, offset + size).every((byte) => byte === 0);
}

function isVolatile(btf: Btf, typeId: number): boolean {
  let id = typeId;
  while (id > 0) {
    const kind = btf.kind(id);
    if (kind === BTF_KIND.VOLATILE) return true;
    // Of an array, the elements are what is volatile.
    if (kind === BTF_KIND.ARRAY) id = btf.array(id).elementType;
    else if (kind === BTF_KIND.CONST || kind === BTF_KIND.TYPEDEF) id = btf.target(id);
    else return false;
  }
  return false;
}

/**
 * Is the byte one of a variable that programs may write, and that user space can be meant to fill? Programs of the object that do
 * write it are not looked for here. What the author has filled in with more than a single number is a table of the program's own.
 */
export function isFillable(object: BpfObject, map: BpfMap, offset: number): boolean {
  const found = variableAt(map, offset);
  if (found === undefined || map.global?.readOnly !== false) return false;
  const { btf } = object;
  if (isZero(map, found)) return true;
  if (btf === undefined || found.typeId === undefined) return useOf(object, map, found).whole;
  return SINGLE.has(btf.kind(btf.resolve(found.typeId)));
}

/** Kinds of types that are one number. */
const SINGLE: ReadonlySet<number> = new Set([BTF_KIND.INT, BTF_KIND.ENUM, BTF_KIND.ENUM64]);

/** Are there read-only bytes that whoever loads the program may set? */
export function hasOpenConstants(object: BpfObject): boolean {
  const isOpen = openConstants(object);
  return object.maps.some(
    ({ global }, map) => global?.readOnly === true && global.bytes.some((_, at) => isOpen(map, at)),
  );
}

/** Read-only bytes that whoever loads the program may set. */
export function openConstants(object: BpfObject): (map: number, offset: number) => boolean {
  const open = object.maps.map((map) =>
    Uint8Array.from({ length: map.global?.readOnly === true ? map.global.bytes.length : 0 }, (_, at) =>
      isSettable(object, map, at) ? 1 : 0,
    ),
  );
  return (map, offset) => open[map]?.[offset] === 1;
}
