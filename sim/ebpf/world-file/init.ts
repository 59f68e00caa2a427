/** Writes a world file to start from: every map and global of an object with its type, and examples to uncomment. */
import { leavesSizeToLoader, maxEntriesOf } from '../../runtime/map-sizes.ts';
import { isArray, isMapOfMaps } from '../../runtime/maps.ts';
import type { BpfMap, GlobalVariable } from '../bpf-object.ts';
import type { Btf } from '../btf.ts';
import { typeText } from '../btf-type-text.ts';
import { toJson } from '../btf-value.ts';
import { madeName, mapNamed } from '../made-maps.ts';
import { mapProblem, programProblem } from '../world-slots.ts';
import { UNFILLED } from './map-contents.ts';
import { sampleOf } from './sample.ts';
import type { WorldTarget } from './target.ts';

export interface InitOptions {
  /** What the first line calls the object. */
  readonly name: string;
  /** Where the JSON Schema lies, for editors. */
  readonly schema?: string;
  /** Examples that count, instead of comments: a test reads them. */
  readonly plain?: boolean;
}

/** Longer examples say less than the type. */
const MAX_EXAMPLE = 400;

/** As it is written, the file states nothing: what is in it becomes true line by line, where the user uncomments it. */
export function initialWorldFile(target: WorldTarget, { name, schema, plain = false }: InitOptions): string {
  const example = (line: string): string => (plain ? line : `// ${line}`);
  const maps = target.maps.filter((map) => map.global === undefined);
  const globals = target.maps.flatMap(({ name: section, global }) =>
    [...(global?.variables ?? [])].map(([variable, place]) => ({
      section,
      variable,
      place,
      bytes: global!.bytes,
    })),
  );
  const shown = globals.filter(({ variable }) => !/[.]|____fmt/.test(variable));
  const lines = [
    `// What surrounds the programs of ${oneLine(name)}. All lines are examples: remove the // in front of what you need.`,
    '// How values are written: docs/worlds.md.',
    '{',
    ...(schema === undefined ? [] : [`  "$schema": ${JSON.stringify(schema)},`, '']),
    '  // Network devices; without any, there are dev2 to dev8.',
    `  ${example('"devices": [')}`,
    `  ${example('  { "name": "eth0", "addresses": ["192.0.2.2/24"], "forwarding": true },')}`,
    `  ${example('  { "name": "eth1", "addresses": ["10.0.0.1/24", "2001:db8::1/64"], "forwarding": true },')}`,
    `  ${example('],')}`,
    `  ${example('"routes": [{ "to": "0.0.0.0/0", "via": "192.0.2.1", "device": "eth0" }],')}`,
    `  ${example('"neighbours": [{ "device": "eth0", "address": "192.0.2.1", "mac": "02:00:00:00:00:01" }],')}`,
    '',
    ...(maps.length === 0
      ? ['  // The object has no maps.']
      : ['  "maps": {', ...maps.flatMap((map) => mapLines(map, target, example)), '  },']),
    '',
    ...(shown.length === 0
      ? ['  // The object has no global variables.']
      : [
          '  // With the values that the object gives them.',
          '  "globals": {',
          ...shown.map((one) => `    ${globalLine(one, target.btf, example)}`),
          '  },',
        ]),
    '',
    ...sizeLines(maps, example),
    '  // What the clock shows to the first packet, and by how much it moves on from packet to packet.',
    `  ${example('"time": "1h",')}`,
    `  ${example('"tick": "1ms",')}`,
    '',
    '  // What generated packets aim at.',
    `  ${example('"hints": { "ports": [80], "addresses": ["10.0.0.1"], "vlans": [100], "tcpOptions": ["mss"] },')}`,
    '}',
    '',
  ];
  return lines.join('\n');
}

function mapLines(map: BpfMap, target: WorldTarget, example: (line: string) => string): string[] {
  const { inner } = map;
  return [
    '',
    `    // ${map.name}: ${kindText(map)}`,
    ...partLines(map, target.btf),
    ...(inner === undefined
      ? []
      : [
          `    //   each slot holds a map: ${kindText(inner)}`,
          ...partLines(inner, target.btf).map((line) => line.replace('//', '//  ')),
        ]),
    ...exampleLines(map, target).map((line) =>
      line.startsWith('//') ? `    ${line}` : `    ${example(line)}`,
    ),
  ];
}

/** "HASH, 32 entries at most" */
function kindText(map: BpfMap): string {
  return `${map.type}, ${maxEntriesOf(map)} ${isArray(map.type) ? 'entries' : 'entries at most'}`;
}

/** What keys and values are made of; the value of a map of maps is a map. */
function partLines(map: BpfMap, btf: Btf | undefined): string[] {
  const type = (id: number | undefined, size: number): string =>
    btf === undefined || id === undefined ? `${size} bytes` : oneLine(typeText(btf, id));
  const hasValue = map.valueSize > 0 && map.inner === undefined;
  return [
    ...(map.keySize === 0 ? [] : [`    //   key:   ${type(map.keyType, map.keySize)}`]),
    ...(hasValue ? [`    //   value: ${type(map.valueType, map.valueSize)}`] : []),
  ];
}

/** An entry of the map, or a comment that says why there is none. */
function exampleLines(map: BpfMap, target: WorldTarget): string[] {
  const name = JSON.stringify(map.name);
  const reason = UNFILLED.get(map.type);
  if (reason !== undefined) return [`//   cannot be filled: ${reason}`];
  if (map.type === 'PROG_ARRAY' || isMapOfMaps(map.type)) return slotLines(map, target);
  const key = keySample(map, target.btf);
  const isOfDevices = map.type === 'DEVMAP' || map.type === 'DEVMAP_HASH';
  if (isOfDevices) return ['//   the name of a device, or its ifindex', `${name}: { "0": 2 },`];
  const hex = `{ "hex": "${'00'.repeat(Math.min(map.valueSize, 64))}" }`;
  const value = short(target.btf, map.valueType) ?? hex;
  if (map.valueSize > 64 && value.startsWith('{ "hex"')) return [`//   its values are too long to be shown`];
  if (map.keySize === 0) return [`${name}: [{ "value": ${value} }],`];
  if (key.startsWith('"')) return [`${name}: { ${key}: ${value} },`];
  return [`${name}: [`, `  { "key": ${key}, "value": ${value} },`, '],'];
}

function slotLines(map: BpfMap, target: WorldTarget): string[] {
  const object = { ...target, license: '', kernelVersion: undefined, kfuncs: [], variables: [] };
  const fitting =
    map.type === 'PROG_ARRAY'
      ? target.programs
          .filter((one) => one.hook !== undefined && programProblem(object, map, one.function) === undefined)
          .map((one) => one.function)
      : target.maps
          .filter((one) => mapProblem(object, map, one.name) === undefined && one !== map)
          .map((one) => one.name);
  const [first] = fitting;
  if (first === undefined && map.inner !== undefined) return madeLines(map, target);
  if (first === undefined) {
    const what =
      map.type === 'PROG_ARRAY'
        ? 'no function of the object fits'
        : 'no map of the object has the shape of its inner map';
    return [`//   ${what}`];
  }
  const known = `//   one of ${fitting.slice(0, 8).join(', ')}${fitting.length > 8 ? ', …' : ''}`;
  return [known, `${slotOf(map, target, JSON.stringify(first))},`];
}

/** A slot that holds a map which user space makes: what is in it stands in the place of a name. */
function madeLines(outer: BpfMap, target: WorldTarget): string[] {
  const inner = mapNamed([outer], madeName(outer.name, 0))!;
  const lines = exampleLines(inner, target);
  const [comment] = lines;
  if (comment === undefined || lines.length > 3 || comment.startsWith('//'))
    return ['//   none of the object’s fits: {} is a new one, and empty', `${slotOf(outer, target, '{}')},`];
  const contents = lines
    .map((line) => line.trim())
    .join(' ')
    .replace(/^"[^"]*": /, '')
    .replace(/,$/, '')
    .replace(/, \]$/, ' ]');
  return [
    '//   none of the object’s fits: a new one, with these contents',
    `${slotOf(outer, target, contents)},`,
  ];
}

/** The first slot of a map, as the file has it. */
function slotOf(map: BpfMap, { btf }: WorldTarget, value: string): string {
  const label = JSON.stringify(map.name);
  const key = keySample(map, btf);
  return key.startsWith('"')
    ? `${label}: { ${key}: ${value} }`
    : `${label}: [{ "key": ${key}, "value": ${value} }]`;
}

/** In quotes where it can be the name of a property. */
function keySample(map: BpfMap, btf: Btf | undefined): string {
  if (map.type === 'LPM_TRIE' && map.keySize === 8) return '"10.0.0.0/8"';
  if (map.type === 'LPM_TRIE' && map.keySize === 20) return '"2001:db8::/32"';
  const sample = short(btf, map.keyType);
  if (sample === undefined) {
    const isNumber = [1, 2, 4, 8].includes(map.keySize);
    return isNumber ? '"0"' : `{ "hex": "${'00'.repeat(map.keySize)}" }`;
  }
  return sample.startsWith('{') || sample.startsWith('[') || sample.startsWith('"') ? sample : `"${sample}"`;
}

/** A value of a type on one line; undefined where there is no type, or too much of it. */
function short(btf: Btf | undefined, typeId: number | undefined): string | undefined {
  if (btf === undefined || typeId === undefined) return undefined;
  const value = sampleOf(btf, typeId);
  if (value === undefined) return undefined;
  const text = lineOf(value);
  return text.length > MAX_EXAMPLE ? undefined : text;
}

function globalLine(
  {
    section,
    variable,
    place,
    bytes,
  }: { section: string; variable: string; place: GlobalVariable; bytes: Uint8Array },
  btf: Btf | undefined,
  example: (line: string) => string,
): string {
  const { typeId, offset, size } = place;
  const own = bytes.subarray(offset, offset + size);
  const hex = Array.from(own, (byte) => byte.toString(16).padStart(2, '0')).join('');
  const text =
    btf === undefined || typeId === undefined ? `{ "hex": "${hex}" }` : lineOf(toJson(btf, typeId, own));
  const type = btf === undefined || typeId === undefined ? `${size} bytes` : oneLine(typeText(btf, typeId));
  const where = `${type}, ${section}`;
  if (text.length > MAX_EXAMPLE) return `// ${variable}: ${where}`;
  return `${example(`${JSON.stringify(variable)}: ${text},`)} // ${where}`;
}

function sizeLines(maps: readonly BpfMap[], example: (line: string) => string): string[] {
  const sized = maps.filter(leavesSizeToLoader);
  if (sized.length === 0) return [];
  const sizes = sized.map((map) => `${JSON.stringify(map.name)}: ${maxEntriesOf(map)}`).join(', ');
  return [
    '  // Maps whose size the object leaves to its loader.',
    `  ${example(`"maxEntries": { ${sizes} },`)}`,
    '',
  ];
}

/** JSON on one line, with blanks as people write it. */
function lineOf(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(lineOf).join(', ')}]`;
  if (value === null || typeof value !== 'object') return JSON.stringify(value);
  const fields = Object.entries(value).map(([name, item]) => `${JSON.stringify(name)}: ${lineOf(item)}`);
  return fields.length === 0 ? '{}' : `{ ${fields.join(', ')} }`;
}

/** Names come from the object: none of them may end the comment. */
function oneLine(text: string): string {
  return text.replaceAll(/[\p{Cc}\u2028\u2029]+/gu, ' ');
}
