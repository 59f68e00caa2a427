/** Maps as objects define them: with BTF in `.maps`, or as plain structs in `maps` (libbpf before 1.0). */
import { BPF_MAP_TYPE, type MapType } from '../../runtime/maps.ts';
import type { BpfMap, MapInitializer } from '../bpf-object.ts';
import { BTF_KIND, BTF_LINKAGE_GLOBAL, type Btf, type BtfMember } from '../btf.ts';
import { ObjectError } from '../object-error.ts';
import {
  type ElfRelocation,
  type ElfSection,
  type ElfSymbol,
  R_BPF_64_ABS64,
  SHN_UNDEF,
  STT_FUNC,
} from './elf.ts';

/** A map, and where it is defined: relocations name the place. */
export interface PlacedMap {
  readonly map: BpfMap;
  readonly section: number;
  /** Bytes from the section's begin. */
  readonly offset: number;
  /** Bytes that the definition takes there. */
  readonly size: number;
  /** Offset of the array `values` inside the definition, where it has one. */
  readonly valuesOffset: number | undefined;
  readonly initial: MapInitializer[];
}

/** Finds maps by place. */
export class MapPlaces {
  readonly #byStart: ReadonlyMap<string, number>;
  readonly #sorted: readonly PlacedMap[];

  /** @param maps numbered as instructions will number them */
  constructor(maps: readonly PlacedMap[]) {
    this.#byStart = new Map(maps.map((map, index) => [`${map.section}+${map.offset}`, index]));
    this.#sorted = [...maps].sort((a, b) => a.section - b.section || a.offset - b.offset);
  }

  /** The number of the map that begins exactly there. */
  at(section: number, offset: number): number | undefined {
    return this.#byStart.get(`${section}+${offset}`);
  }

  /** The map whose definition covers that byte. */
  around(section: number, offset: number): PlacedMap | undefined {
    let low = 0;
    let high = this.#sorted.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const { section: its, offset: start } = this.#sorted[middle]!;
      if (its < section || (its === section && start <= offset)) low = middle + 1;
      else high = middle;
    }
    const before = this.#sorted[low - 1];
    return before?.section === section && offset < before.offset + before.size ? before : undefined;
  }
}

const TYPE_NAMES: ReadonlyMap<number, MapType> = new Map(
  Object.entries(BPF_MAP_TYPE).map(([name, number]) => [number, name as MapType]),
);

/** The name of a map type's number. */
export function mapTypeName(number: number, where: string): MapType {
  const name = TYPE_NAMES.get(number);
  if (name === undefined || number === BPF_MAP_TYPE.UNSPEC) {
    throw new ObjectError(where, 'a known map type', `type ${number}`);
  }
  return name;
}

/** More than there are to state; a hostile struct has many, and many maps have it. */
const MOST_FIELDS = 32;

/** What a definition in BTF says, as it is read. */
interface PacketBuilder {
  type: number | undefined;
  keySize: number | undefined;
  valueSize: number | undefined;
  keyType: number | undefined;
  valueType: number | undefined;
  maxEntries: number;
  mapFlags: number;
  mapExtra: bigint;
  pinning: number;
  inner: BpfMap | undefined;
  valuesOffset: number | undefined;
}

/** The maps of section `.maps`, in the order of BTF's DATASEC, which is that of the source. */
export function readBtfMaps(section: ElfSection, btf: Btf | undefined): PlacedMap[] {
  const dataSection = btf?.find(section.name, BTF_KIND.DATASEC);
  if (btf === undefined || dataSection === undefined) {
    throw new ObjectError(
      section.data.where,
      'its variables in BTF',
      'none (compile with -g, GCC with -gbtf)',
    );
  }
  return btf.variables(dataSection).map((variable): PlacedMap => {
    const name = btf.name(variable.typeId);
    const where = `map ${name}`;
    if (btf.kind(variable.typeId) !== BTF_KIND.VAR) {
      throw new ObjectError(where, 'a variable', btf.kindName(variable.typeId));
    }
    if (btf.linkage(variable.typeId) !== BTF_LINKAGE_GLOBAL) {
      throw new ObjectError(where, 'a global variable', 'a static or extern one');
    }
    if (variable.offset + variable.size > section.size) {
      throw new ObjectError(
        where,
        `a place in the ${section.size} bytes of ${section.name}`,
        `offset ${variable.offset}`,
      );
    }
    const builder = readDefinition(btf, btf.resolve(btf.target(variable.typeId)), name, false);
    const initial: MapInitializer[] = [];
    return {
      map: finish(builder, name, initial),
      section: section.index,
      offset: variable.offset,
      size: variable.size,
      valuesOffset: builder.valuesOffset,
      initial,
    };
  });
}

function readDefinition(btf: Btf, struct: number, name: string, isInner: boolean): PacketBuilder {
  const where = `map ${name}`;
  if (btf.kind(struct) !== BTF_KIND.STRUCT)
    throw new ObjectError(where, 'a struct as its definition', btf.kindName(struct));
  const builder: PacketBuilder = {
    type: undefined,
    keySize: undefined,
    valueSize: undefined,
    keyType: undefined,
    valueType: undefined,
    maxEntries: 0,
    mapFlags: 0,
    mapExtra: 0n,
    pinning: 0,
    inner: undefined,
    valuesOffset: undefined,
  };
  if (btf.vlen(struct) > MOST_FIELDS) {
    throw new ObjectError(where, `at most ${MOST_FIELDS} fields`, `${btf.vlen(struct)}`);
  }
  const members = btf.members(struct);
  for (const [index, member] of members.entries()) {
    readAttribute(btf, builder, member, name, isInner);
    if (member.name === 'values' && index !== members.length - 1) {
      throw new ObjectError(where, 'field values at the end', 'fields behind it');
    }
  }
  return builder;
}

function readAttribute(
  btf: Btf,
  builder: PacketBuilder,
  member: BtfMember,
  name: string,
  isInner: boolean,
): void {
  const where = `map ${name}, field ${member.name}`;
  switch (member.name) {
    case 'type':
      builder.type = Number(numberOf(btf, member.typeId, where));
      return;
    case 'max_entries':
      builder.maxEntries = Number(numberOf(btf, member.typeId, where));
      return;
    case 'map_flags':
      builder.mapFlags = Number(numberOf(btf, member.typeId, where));
      return;
    case 'map_extra':
      builder.mapExtra = numberOf(btf, member.typeId, where);
      return;
    case 'numa_node':
      numberOf(btf, member.typeId, where);
      return;
    case 'key_size':
      builder.keySize = agree(builder.keySize, Number(numberOf(btf, member.typeId, where)), where);
      return;
    case 'value_size':
      builder.valueSize = agree(builder.valueSize, Number(numberOf(btf, member.typeId, where)), where);
      return;
    case 'key':
      builder.keyType = pointedTo(btf, member.typeId, where);
      builder.keySize = agree(builder.keySize, sizeOf(btf, builder.keyType, where), where);
      return;
    case 'value':
      builder.valueType = pointedTo(btf, member.typeId, where);
      builder.valueSize = agree(builder.valueSize, sizeOf(btf, builder.valueType, where), where);
      return;
    case 'pinning':
      builder.pinning = Number(numberOf(btf, member.typeId, where));
      if (isInner && builder.pinning !== 0) throw new ObjectError(where, 'no pinning of an inner map', 'one');
      if (builder.pinning > 1) throw new ObjectError(where, '0 (none) or 1 (by name)', `${builder.pinning}`);
      return;
    case 'values':
      readValues(btf, builder, member, name, isInner);
      return;
    default:
      throw new ObjectError(`map ${name}`, 'the fields that libbpf knows', `a field ${member.name}`);
  }
}

/** libbpf refuses what has no size, too: with clang 14 it is what only the template of inner maps names. */
function sizeOf(btf: Btf, typeId: number, where: string): number {
  const type = btf.resolve(typeId);
  if (btf.kind(type) === BTF_KIND.FWD) {
    const remedy = 'use the type elsewhere, too: for a global variable, say';
    throw new ObjectError(where, `the members of ${btf.name(type)}`, `its name alone (${remedy})`);
  }
  return btf.sizeOf(typeId);
}

/** `__array(values, …)`: the template of inner maps, or the programs of a prog array. */
function readValues(
  btf: Btf,
  builder: PacketBuilder,
  member: BtfMember,
  name: string,
  isInner: boolean,
): void {
  const where = `map ${name}, field values`;
  const ofMaps = builder.type === BPF_MAP_TYPE.ARRAY_OF_MAPS || builder.type === BPF_MAP_TYPE.HASH_OF_MAPS;
  const ofPrograms = builder.type === BPF_MAP_TYPE.PROG_ARRAY;
  if (!ofMaps && !ofPrograms)
    throw new ObjectError(where, 'a map of maps or a prog array', `map type ${builder.type ?? 'none'}`);
  if (isInner) throw new ObjectError(where, 'one level of inner maps', 'more');
  builder.valueSize = agree(builder.valueSize, 4, where);
  const array = btf.resolve(member.typeId);
  if (btf.kind(array) !== BTF_KIND.ARRAY || btf.array(array).count !== 0) {
    throw new ObjectError(where, 'an array without a length', btf.kindName(array));
  }
  const template = btf.resolve(pointedTo(btf, btf.resolve(btf.array(array).elementType), where));
  builder.valuesOffset = member.bitOffset / 8;
  if (ofMaps) {
    const innerName = `${name}.inner`;
    builder.inner = finish(readDefinition(btf, template, innerName, true), innerName, []);
  } else if (btf.kind(template) !== BTF_KIND.FUNC_PROTO) {
    throw new ObjectError(where, 'pointers to functions', `pointers to ${btf.kindName(template)}`);
  }
}

/** `__uint(name, N)` is `int (*name)[N]`; `__ulong(name, N)` an enum of one value. */
function numberOf(btf: Btf, typeId: number, where: string): bigint {
  const id = btf.resolve(typeId);
  const kind = btf.kind(id);
  if (kind === BTF_KIND.ENUM || kind === BTF_KIND.ENUM64) {
    const value = btf.enumerators(id)[0]?.value;
    if (value !== undefined) return BigInt.asUintN(64, value);
  }
  const array = pointedTo(btf, id, where);
  if (btf.kind(array) !== BTF_KIND.ARRAY)
    throw new ObjectError(where, 'a number (__uint)', btf.kindName(array));
  return BigInt(btf.array(array).count);
}

function pointedTo(btf: Btf, typeId: number, where: string): number {
  if (btf.kind(typeId) !== BTF_KIND.PTR) throw new ObjectError(where, 'a pointer', btf.kindName(typeId));
  return btf.target(typeId);
}

function agree(before: number | undefined, now: number, where: string): number {
  if (before !== undefined && before !== now)
    throw new ObjectError(where, `the ${before} bytes stated before`, `${now}`);
  return now;
}

function finish(builder: PacketBuilder, name: string, initial: MapInitializer[]): BpfMap {
  if (builder.type === undefined) throw new ObjectError(`map ${name}`, 'a field type', 'none');
  return {
    name,
    type: mapTypeName(builder.type, `map ${name}`),
    typeNumber: builder.type,
    keySize: builder.keySize ?? 0,
    valueSize: builder.valueSize ?? 0,
    maxEntries: builder.maxEntries,
    mapFlags: builder.mapFlags,
    mapExtra: builder.mapExtra,
    pinning: builder.pinning === 1 ? 'by-name' : 'none',
    inner: builder.inner,
    initial,
    keyType: builder.keyType,
    valueType: builder.valueType,
    global: undefined,
  };
}

/** Takes the static initialisers of `.maps`: pointers to maps or functions in the arrays `values`. */
export function readInitializers(
  section: ElfSection,
  relocations: readonly ElfRelocation[],
  maps: readonly PlacedMap[],
  places: MapPlaces,
): void {
  for (const { offset, type, symbol } of relocations) {
    const where = `${section.data.where} +0x${offset.toString(16)}`;
    if (type !== R_BPF_64_ABS64) throw new ObjectError(where, 'a relocation R_BPF_64_ABS64', `type ${type}`);
    const placed = places.around(section.index, offset);
    if (placed?.valuesOffset === undefined) throw new ObjectError(where, 'a map with values', 'none there');
    const slot = (offset - placed.offset - placed.valuesOffset) / 8;
    if (slot < 0 || !Number.isInteger(slot))
      throw new ObjectError(where, 'a slot of the values', `offset ${offset}`);
    if (placed.map.maxEntries > 0 && slot >= placed.map.maxEntries) {
      throw new ObjectError(
        where,
        `a slot below ${placed.map.maxEntries} of map ${placed.map.name}`,
        `${slot}`,
      );
    }
    if (placed.map.type === 'PROG_ARRAY') {
      const isProgram = symbol.type === STT_FUNC && symbol.section !== SHN_UNDEF;
      if (!isProgram) throw new ObjectError(where, 'a program of this object', describe(symbol));
      placed.initial.push({ key: slot, name: symbol.name });
    } else {
      const target = places.at(symbol.section, symbol.value);
      if (target === undefined) throw new ObjectError(where, 'a map of this object', describe(symbol));
      placed.initial.push({ key: slot, name: maps[target]!.map.name });
    }
  }
}

function describe(symbol: ElfSymbol): string {
  return symbol.name === '' ? `symbol ${symbol.index}` : symbol.name;
}
