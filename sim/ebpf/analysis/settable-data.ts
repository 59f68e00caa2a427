/**
 * Variables that user space may give values: constants that a loader sets before the program runs (`const volatile`), and
 * writable ones. Others are tables of the program's own.
 */
import type { BpfMap, BpfObject, GlobalVariable } from '../bpf-object.ts';
import { BTF_KIND } from '../btf.ts';

/** The variable of a data section that a byte belongs to. */
export function variableAt(
  map: BpfMap,
  offset: number,
): (GlobalVariable & { readonly name: string }) | undefined {
  for (const [name, variable] of map.global?.variables ?? [])
    if (offset >= variable.offset && offset < variable.offset + variable.size) return { name, ...variable };
  return undefined;
}

/** Is the byte one of a constant that a loader may set? */
export function isSettable({ btf }: BpfObject, map: BpfMap, offset: number): boolean {
  const found = variableAt(map, offset);
  if (found === undefined || btf === undefined || map.global?.readOnly !== true) return false;
  let id = found.typeId;
  while (id !== undefined && id > 0) {
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
export function isFillable({ btf }: BpfObject, map: BpfMap, offset: number): boolean {
  const found = variableAt(map, offset);
  if (found?.typeId === undefined || btf === undefined || map.global?.readOnly !== false) return false;
  const initial = map.global.bytes.subarray(found.offset, found.offset + found.size);
  return initial.every((byte) => byte === 0) || SINGLE.has(btf.kind(btf.resolve(found.typeId)));
}

/** Kinds of types that are one number. */
const SINGLE: ReadonlySet<number> = new Set([BTF_KIND.INT, BTF_KIND.ENUM, BTF_KIND.ENUM64]);

/** Read-only bytes that whoever loads the program may set. */
export function openConstants(object: BpfObject): (map: number, offset: number) => boolean {
  const open = object.maps.map((map) =>
    Uint8Array.from({ length: map.global?.readOnly === true ? map.global.bytes.length : 0 }, (_, at) =>
      isSettable(object, map, at) ? 1 : 0,
    ),
  );
  return (map, offset) => open[map]?.[offset] === 1;
}
