/** Entries of maps that differ, in the terms of the C source: field by field, by the map's BTF. */

import type { BpfMap, BpfObject } from '../../sim/ebpf/bpf-object.ts';
import type { Btf } from '../../sim/ebpf/btf.ts';
import { toJson } from '../../sim/ebpf/btf-value.ts';
import { dependsOn } from '../../sim/ebpf/called-helpers.ts';
import { linkedObject } from '../../sim/ebpf/linked-object.ts';
import { mapNamed } from '../../sim/ebpf/made-maps.ts';
import { ObjectError } from '../../sim/ebpf/object.ts';
import { isArray } from '../../sim/runtime/maps.ts';
import type { Program } from '../../sim/runtime/program.ts';
import type { MapEntry } from '../../sim/runtime/world.ts';
import type { MapDifference } from '../compare-maps.ts';

/** What of one entry differs. */
export interface MapEntryText {
  readonly map: string;
  readonly key: string;
  /** Those that differ; one with an empty name where the value has no parts, or there is no entry. */
  readonly fields: readonly FieldText[];
}

export interface FieldText {
  /** As C names it inside the value: `packets`, `last[2].seen`; `(padding)` where no field differs. */
  readonly field: string;
  readonly expected: string;
  readonly got: string;
  /** Does one of the two look like a time, in a program that reads a clock? */
  readonly isClock: boolean;
}

const NO_ENTRY = 'no entry';
/** No name in C has parentheses. */
const PADDING = '(padding)';
/** Nanoseconds, from a second after boot to some day in this century. */
const FIRST_TIME = 1e9;
const LAST_TIME = 4e18;

export function mapEntryText(program: Program, difference: MapDifference): MapEntryText {
  const { map, key, expected, got } = difference;
  const object = objectOf(program);
  const definition = object === undefined ? undefined : mapNamed(object.maps, map);
  const keyText = partText(object, definition?.keyType, key) ?? keyWithoutType(difference);
  if (expected === undefined || got === undefined) {
    const text = (value: Uint8Array | undefined): string =>
      value === undefined ? NO_ENTRY : (partText(object, definition?.valueType, value) ?? withoutType(value));
    return {
      map,
      key: keyText,
      fields: [{ field: '', expected: text(expected), got: text(got), isClock: false }],
    };
  }
  const parts = { expected: partsOf(object, definition, expected), got: partsOf(object, definition, got) };
  const names = new Set([...parts.expected.keys(), ...parts.got.keys()]);
  const readsClock = object !== undefined && dependsOn(object, ['clock']);
  const fields: FieldText[] = [];
  for (const field of names) {
    const one = parts.expected.get(field) ?? 'absent';
    const other = parts.got.get(field) ?? 'absent';
    if (one === other) continue;
    fields.push({ field, expected: one, got: other, isClock: readsClock && (isTime(one) || isTime(other)) });
  }
  if (fields.length === 0) fields.push(sizesOf(expected, got) ?? paddingOf(expected, got));
  return { map, key: keyText, fields };
}

/** The numbers of two values. */
export interface Numbers {
  readonly expected: readonly bigint[];
  readonly got: readonly bigint[];
}

/** The fields of both values, where the object says which there are and each of them is a number. */
export function numbersOf(program: Program, { map, expected, got }: MapDifference): Numbers | undefined {
  const object = objectOf(program);
  const definition = object === undefined ? undefined : mapNamed(object.maps, map);
  if (expected === undefined || got === undefined) return undefined;
  if (plainValue(object?.btf, definition?.valueType, expected) === undefined) return undefined;
  const numbers = (value: Uint8Array): bigint[] | undefined => {
    const texts = [...partsOf(object, definition, value, false).values()];
    return texts.every((text) => /^-?\d+$/.test(text)) ? texts.map(BigInt) : undefined;
  };
  const [wanted, counted] = [numbers(expected), numbers(got)];
  return wanted === undefined || counted === undefined ? undefined : { expected: wanted, got: counted };
}

/** Values of different sizes, as another object than the model's may have them. */
function sizesOf(expected: Uint8Array, got: Uint8Array): FieldText | undefined {
  if (expected.length === got.length) return undefined;
  const text = ({ length }: Uint8Array): string => `a value of ${length} byte${length === 1 ? '' : 's'}`;
  return { field: '', expected: text(expected), got: text(got), isClock: false };
}

/** The bytes that differ and belong to no field. */
function paddingOf(expected: Uint8Array, got: Uint8Array): FieldText {
  const at = [...expected.keys()].filter((offset) => expected[offset] !== got[offset]);
  const text = (value: Uint8Array): string => `0x${hexOf(Uint8Array.from(at, (offset) => value[offset]!))}`;
  return { field: PADDING, expected: text(expected), got: text(got), isClock: false };
}

export function isPadding({ field }: FieldText): boolean {
  return field === PADDING;
}

/** "rules[1].packets", "rules[1]": where a field of an entry lies. */
export function fieldPath({ map, key }: MapEntryText, { field }: FieldText): string {
  if (field === PADDING) return `${map}[${key}] ${field}`;
  return `${map}[${key}]${field === '' || field.startsWith('[') ? field : `.${field}`}`;
}

/** `KEY = VALUE`, in the terms of the C source. */
export function entryText(program: Program, map: string, { key, value }: MapEntry): string {
  const object = objectOf(program);
  const definition = object === undefined ? undefined : mapNamed(object.maps, map);
  const text = (type: number | undefined, bytes: Uint8Array): string =>
    partText(object, type, bytes) ?? withoutType(bytes);
  // Of a queue there is nothing but values.
  const name = key.length === 0 ? '' : `${text(definition?.keyType, key)} = `;
  return `${name}${text(definition?.valueType, value)}`;
}

/** What a global variable holds. */
export function globalText(program: Program, variable: string, bytes: Uint8Array): string {
  return typedGlobalText(program, variable, bytes) ?? withoutType(bytes);
}

/** The same, where the object says of which type it is. */
export function typedGlobalText(program: Program, variable: string, bytes: Uint8Array): string | undefined {
  const object = objectOf(program);
  const found = object?.maps
    .map(({ global }) => global?.variables.get(variable))
    .find((one) => one !== undefined);
  return partText(object, found?.typeId, bytes);
}

/** A value of a map, where the object says of which type its values are. */
export function typedValueText(program: Program, map: string, bytes: Uint8Array): string | undefined {
  return partText(objectOf(program), valueTypeOf(program, map), bytes);
}

/** The same, field by field: one with an empty name where the value has no parts. */
export function valueFields(
  program: Program,
  map: string,
  bytes: Uint8Array | undefined,
): ReadonlyMap<string, string> | undefined {
  const plain = bytes && plainValue(objectOf(program)?.btf, valueTypeOf(program, map), bytes);
  if (plain === undefined) return undefined;
  const parts = new Map<string, string>();
  flatten('', plain, parts);
  return parts;
}

/** What a Bloom filter holds are bits, whatever the type of what it is told. */
function valueTypeOf(program: Program, map: string): number | undefined {
  const definition = mapNamed(objectOf(program)?.maps ?? [], map);
  return definition?.type === 'BLOOM_FILTER' ? undefined : definition?.valueType;
}

const objects = new WeakMap<Uint8Array, BpfObject | null>();

/** The program's object, read once; undefined where there is none that can be read. */
function objectOf({ object: bytes }: Program): BpfObject | undefined {
  if (bytes === undefined) return undefined;
  let object = objects.get(bytes);
  if (object === undefined) {
    try {
      object = linkedObject(bytes);
    } catch (error) {
      if (!(error instanceof ObjectError)) throw error;
      object = null;
    }
    objects.set(bytes, object);
  }
  return object ?? undefined;
}

function isTime(text: string): boolean {
  const value = Number(text);
  return value >= FIRST_TIME && value <= LAST_TIME;
}

/** A value's fields and what they hold, in text. */
function partsOf(
  object: BpfObject | undefined,
  map: BpfMap | undefined,
  value: Uint8Array,
  addresses?: boolean,
): Map<string, string> {
  const plain = plainValue(object?.btf, map?.valueType, value, addresses);
  const parts = new Map<string, string>();
  if (plain === undefined) parts.set('', withoutType(value));
  else flatten('', plain, parts);
  return parts;
}

function partText(
  object: BpfObject | undefined,
  type: number | undefined,
  bytes: Uint8Array,
): string | undefined {
  const plain = plainValue(object?.btf, type, bytes);
  return plain === undefined ? undefined : typeof plain === 'string' ? plain : JSON.stringify(plain);
}

/** @param addresses whether a `__be32` is shown as an IPv4 address, and not as a number */
function plainValue(
  btf: Btf | undefined,
  type: number | undefined,
  bytes: Uint8Array,
  addresses: boolean = true,
): unknown {
  if (btf === undefined || type === undefined || type === 0) return undefined;
  try {
    return toJson(btf, type, bytes, { addresses });
  } catch (error) {
    // A type that does not fit the bytes is none.
    if (error instanceof ObjectError) return undefined;
    throw error;
  }
}

function flatten(path: string, value: unknown, parts: Map<string, string>): void {
  if (Array.isArray(value)) {
    for (const [index, item] of value.entries()) flatten(`${path}[${index}]`, item, parts);
  } else if (typeof value === 'object' && value !== null) {
    for (const [name, item] of Object.entries(value))
      flatten(path === '' ? name : `${path}.${name}`, item, parts);
  } else {
    parts.set(path, String(value));
  }
}

/** The key of every array is a u32. */
function keyWithoutType({ definition, key }: MapDifference): string {
  return isArray(definition.type) ? withoutType(key) : `0x${hexOf(key)}`;
}

/** Bytes without a type: a number where they have a number's size, in the order of the machine. */
export function withoutType(bytes: Uint8Array): string {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length === 4) return String(view.getUint32(0, true));
  if (bytes.length === 0) return 'nothing';
  if (bytes.length % 8 !== 0 || bytes.length > 64) return `0x${hexOf(bytes)}`;
  const words = Array.from({ length: bytes.length / 8 }, (_, index) => view.getBigUint64(index * 8, true));
  return words.join(', ');
}

function hexOf(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}
