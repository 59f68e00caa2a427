/** All maps of an object, numbered: the defined ones first, then those that hold global variables. */

import type { BpfMap } from '../bpf-object.ts';
import type { Btf } from '../btf.ts';
import { ObjectError } from '../object-error.ts';
import { dataMap, globalMap, isDataSection } from './data-sections.ts';
import type { ElfFile, ElfRelocation } from './elf.ts';
import type { Externs } from './externs.ts';
import { legacyMapsSection, readLegacyMaps } from './legacy-maps.ts';
import { MapPlaces, type PlacedMap, readBtfMaps, readInitializers } from './map-definitions.ts';

/** What all global variables may take together: a hostile file asks for everything there is. */
const LARGEST_DATA = 64 * 1024 * 1024;

export const MAPS_SECTION = '.maps';

export interface CollectedMaps {
  readonly maps: readonly BpfMap[];
  readonly places: MapPlaces;
  readonly mapSections: ReadonlySet<number>;
  /** By index of the data section. */
  readonly dataMaps: ReadonlyMap<number, { readonly map: number; readonly size: number }>;
  readonly kconfigMap: number | undefined;
}

/** Reads every map. @throws {ObjectError} for the first malformed definition */
export function collectMaps(
  elf: ElfFile,
  btf: Btf | undefined,
  relocations: ReadonlyMap<number, readonly ElfRelocation[]>,
  externs: Externs,
): CollectedMaps {
  let placed: PlacedMap[] = [];
  const mapSections = new Set<number>();
  const legacy = elf.sections.find((section) => section.name === legacyMapsSection);
  if (legacy !== undefined) {
    mapSections.add(legacy.index);
    placed = readLegacyMaps(elf, legacy, btf);
  }
  const section = elf.sections.find((each) => each.name === MAPS_SECTION);
  if (section !== undefined) {
    mapSections.add(section.index);
    placed = placed.concat(readBtfMaps(section, btf));
  }
  const places = new MapPlaces(placed);
  if (section !== undefined) readInitializers(section, relocations.get(section.index) ?? [], placed, places);

  const maps = placed.map((each) => each.map);
  const names = new Set<string>();
  const dataMaps = new Map<number, { map: number; size: number }>();
  let data = 0;
  for (const each of elf.sections) {
    if (!isDataSection(each) || each.size === 0) continue;
    data += each.size;
    if (data > LARGEST_DATA)
      throw new ObjectError(each.data.where, `at most ${LARGEST_DATA} bytes of global variables`, `${data}`);
    if (names.has(each.name)) throw new ObjectError(each.data.where, 'one section of that name', 'two');
    names.add(each.name);
    dataMaps.set(each.index, { map: maps.length, size: each.size });
    maps.push(dataMap(elf, each, btf));
  }
  let kconfigMap: number | undefined;
  if (externs.kconfig.length > 0) {
    kconfigMap = maps.length;
    maps.push(globalMap('.kconfig', externs.kconfig, true, undefined, new Map()));
  }
  return { maps, places, mapSections, dataMaps, kconfigMap };
}
