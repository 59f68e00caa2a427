/**
 * Maps of section `maps`, as they were written before BTF: `struct bpf_map_def` (libbpf before 1.0, the kernel's
 * samples) and `struct bpf_elf_map` (iproute2).
 */

import type { BpfMap, MapInitializer } from '../bpf-object.ts';
import { BTF_KIND, type Btf } from '../btf.ts';
import { BPF_F_NUMA_NODE } from '../maps/live-map.ts';
import { ObjectError } from '../object-error.ts';
import { type ElfFile, type ElfSection, type ElfSymbol, STT_NOTYPE, STT_OBJECT } from './elf.ts';
import { mapTypeName, type PlacedMap } from './map-definitions.ts';

/** Its name; with a dot in front it holds BTF definitions. */
export const legacyMapsSection = 'maps';

/** `struct bpf_map_def`: type, key_size, value_size, max_entries, map_flags. */
const DEFINITION_SIZE = 20;
/** `struct bpf_elf_map`: the same, then id, pinning, inner_id, inner_idx. */
const IPROUTE2_SIZE = 36;
/** As it was before maps in maps: iproute2 takes shorter definitions, and what they lack for 0 (`bpf_fetch_maps_end`). */
const IPROUTE2_LEAST = 24;
/** iproute2's `PIN_GLOBAL_NS`: pinned by name; its `PIN_OBJECT_NS` pins for each object apart. */
const PIN_NONE = 0;

interface LegacyMap {
  readonly symbol: ElfSymbol;
  readonly map: BpfMap;
  readonly initial: MapInitializer[];
  readonly size: number;
  readonly id: number;
  readonly innerId: number;
  /** The slot of its outer map that it fills from the start; -1: none. */
  readonly innerIndex: number;
}

/** The maps of a `maps` section, in order of their offset. */
export function readLegacyMaps(elf: ElfFile, section: ElfSection, btf: Btf | undefined): PlacedMap[] {
  const symbols = (elf.symbolsBySection.get(section.index) ?? [])
    .filter((symbol) => symbol.name !== '')
    .filter((symbol) => symbol.type === STT_OBJECT || symbol.type === STT_NOTYPE)
    .sort((a, b) => a.value - b.value);
  const builders = symbols.map((symbol, index) => {
    const end = symbols[index + 1]?.value ?? section.size;
    return readDefinition(section, symbol, end - symbol.value, btf);
  });
  const byId = new Map(
    builders.filter((builder) => builder.id !== 0).map((builder) => [builder.id, builder]),
  );
  return builders.map((builder): PlacedMap => {
    const inner = builder.innerId === 0 ? undefined : byId.get(builder.innerId);
    if (inner !== undefined && inner.innerIndex >= 0) {
      builder.initial.push({ key: inner.innerIndex, name: inner.map.name });
    }
    return {
      map: { ...builder.map, inner: inner?.map },
      section: section.index,
      offset: builder.symbol.value,
      size: builder.size,
      valuesOffset: undefined,
      initial: builder.initial,
    };
  });
}

function readDefinition(
  section: ElfSection,
  symbol: ElfSymbol,
  size: number,
  btf: Btf | undefined,
): LegacyMap {
  const { data } = section;
  const at = symbol.value;
  const where = `map ${symbol.name} (section ${section.name})`;
  if (size < DEFINITION_SIZE) {
    throw new ObjectError(where, `a definition of at least ${DEFINITION_SIZE} bytes`, `${size}`);
  }
  const word = (index: number): number => data.u32(at + index * 4, `a field of map ${symbol.name}`);
  /** The number of a field behind the fifth; 0: a shorter definition has none. */
  const later = (index: number): number => (size < (index + 1) * 4 ? 0 : word(index));
  const fromIproute2 = isFromIproute2(size, word(4), later(6));
  if (!fromIproute2) {
    for (let offset = at + DEFINITION_SIZE; offset < at + size; offset++) {
      if (data.u8(offset, `a field of map ${symbol.name}`) !== 0) {
        throw new ObjectError(
          where,
          `${DEFINITION_SIZE} known bytes and zeros`,
          `a field at +0x${(offset - at).toString(16)}`,
        );
      }
    }
  }
  const annotation = annotationOf(symbol.name, btf);
  const initial: MapInitializer[] = [];
  return {
    symbol,
    size,
    initial,
    id: fromIproute2 ? later(5) : 0,
    innerId: fromIproute2 ? later(7) : 0,
    innerIndex: fromIproute2 ? later(8) | 0 : -1,
    map: {
      name: symbol.name,
      type: mapTypeName(word(0), where),
      typeNumber: word(0),
      keySize: word(1),
      valueSize: word(2),
      maxEntries: word(3),
      mapFlags: word(4),
      mapExtra: 0n,
      pinning: fromIproute2 && later(6) !== PIN_NONE ? 'by-name' : 'none',
      inner: undefined,
      initial,
      keyType: annotation?.key,
      valueType: annotation?.value,
      global: undefined,
    },
  };
}

/**
 * A shorter definition is iproute2's where it says something that only iproute2's says: in the kernel's samples the NUMA node stands
 * where that is pinned, and counts with its flag alone.
 */
function isFromIproute2(size: number, flags: number, pinning: number): boolean {
  if (size === IPROUTE2_SIZE) return true;
  const isShort = size >= IPROUTE2_LEAST && size < IPROUTE2_SIZE && size % 4 === 0;
  return isShort && pinning !== PIN_NONE && (flags & BPF_F_NUMA_NODE) === 0;
}

/** `BPF_ANNOTATE_KV_PAIR` leaves a struct `____btf_map_NAME` with members key and value. */
function annotationOf(name: string, btf: Btf | undefined): { key: number; value: number } | undefined {
  const struct = btf?.find(`____btf_map_${name}`, BTF_KIND.STRUCT);
  if (btf === undefined || struct === undefined) return undefined;
  const members = btf.members(struct);
  const key = members.find((member) => member.name === 'key')?.typeId;
  const value = members.find((member) => member.name === 'value')?.typeId;
  return key === undefined || value === undefined ? undefined : { key, value };
}
