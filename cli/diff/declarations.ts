/** Which maps two builds declare differently: packets need not show it. */
import type { BpfMap } from '../../sim/ebpf/bpf-object.ts';
import { loadObject } from '../../sim/ebpf/object.ts';
import type { Build } from './builds.ts';

/** What a declaration says, by the names that C sources have for it. */
const PARTS: readonly (readonly [name: string, of: (map: BpfMap) => string | number])[] = [
  ['type', ({ type }) => type],
  ['key_size', ({ keySize }) => keySize],
  ['value_size', ({ valueSize }) => valueSize],
  ['max_entries', ({ maxEntries }) => maxEntries],
  ['map_flags', ({ mapFlags }) => mapFlags],
  ['map_extra', ({ mapExtra }) => String(mapExtra)],
  ['pinning', ({ pinning }) => pinning],
];

/** A sentence for each map that both builds have, and declare differently: "map st: max_entries 8192 → 4096". */
export function changedDeclarations(old: Build, next: Build): string[] {
  const others = mapsOf(next);
  return [...mapsOf(old)].flatMap(([name, map]) => {
    const other = others.get(name);
    const changes = other === undefined ? [] : changesBetween(map, other);
    return changes.length === 0 ? [] : [`map ${name}: ${changes.join(', ')}`];
  });
}

function changesBetween(map: BpfMap, other: BpfMap): string[] {
  return PARTS.flatMap(([part, of]) => {
    const [a, b] = [of(map), of(other)];
    return a === b ? [] : [`${part} ${a} → ${b}`];
  });
}

/** Without sections of variables, which are compared variable by variable. */
function mapsOf({ programs }: Build): Map<string, BpfMap> {
  const maps = new Map<string, BpfMap>();
  for (const { program } of programs) {
    for (const map of program.object === undefined ? [] : loadObject(program.object).maps)
      if (map.global === undefined) maps.set(map.name, map);
  }
  return maps;
}
