import type { BpfMap, GlobalVariable } from '../bpf-object.ts';

/** The variable of a data section that a byte belongs to. */
export function variableAt(
  map: BpfMap,
  offset: number,
): (GlobalVariable & { readonly name: string }) | undefined {
  for (const [name, variable] of map.global?.variables ?? [])
    if (offset >= variable.offset && offset < variable.offset + variable.size) return { name, ...variable };
  return undefined;
}
