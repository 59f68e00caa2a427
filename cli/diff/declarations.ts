/** Which maps and variables two builds declare differently: packets need not show it. */
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

/**
 * A sentence for the license, and for each map and variable that both builds have, and declare differently: "map st: max_entries 8192 → 4096",
 * "variable seen: 4 → 8 bytes". What of such a variable is not compared, a proof says.
 */
export function changedDeclarations(old: Build, next: Build): string[] {
  const others = mapsOf(next);
  const maps = [...mapsOf(old)].flatMap(([name, map]) => {
    const other = others.get(name);
    const changes = other === undefined ? [] : changesBetween(map, other);
    return changes.length === 0 ? [] : [`map ${name}: ${changes.join(', ')}`];
  });
  const licenses = [licenseOf(old), licenseOf(next)];
  const license = licenses[0] === licenses[1] ? [] : [`license: ${licenses.join(' → ')}`];
  const sizes = variablesOf(next);
  const variables = [...variablesOf(old)].flatMap(([name, size]) => {
    const other = sizes.get(name);
    return other === undefined || other === size ? [] : [`variable ${name}: ${size} → ${other} bytes`];
  });
  return [...license, ...maps, ...variables];
}

function changesBetween(map: BpfMap, other: BpfMap): string[] {
  return PARTS.flatMap(([part, of]) => {
    const [a, b] = [of(map), of(other)];
    return a === b ? [] : [`${part} ${a} → ${b}`];
  });
}

/** As it stands in the object that the programs are of. */
function licenseOf({ programs }: Build): string {
  const object = programs.find(({ program }) => program.object !== undefined)?.program.object;
  return object === undefined ? '' : JSON.stringify(loadObject(object).license);
}

/** Bytes of each variable that programs may write. */
function variablesOf({ programs }: Build): Map<string, number> {
  const sizes = new Map<string, number>();
  for (const { program } of programs) {
    for (const { global } of program.object === undefined ? [] : loadObject(program.object).maps)
      if (global?.readOnly === false) for (const [name, { size }] of global.variables) sizes.set(name, size);
  }
  return sizes;
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
