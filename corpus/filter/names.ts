/**
 * The names by which filters reach protocols and fields, all from the declarations: Wireshark's where it has one, the
 * protocol's name with Scapy's or our own behind it.
 */
import type { Field, Fields } from '../../sim/packet/declaration/field.ts';
import type { Protocol } from '../../sim/packet/declaration/protocol.ts';
import { type ProtocolName, protocols } from '../../sim/packet/protocols.ts';
import { COMPOSED_NAMES, type ComposedName } from './composed-names.ts';

/** What a name stands for in the headers of one protocol: a field, or what is made of fields. */
export type Target = DeclaredTarget | ComposedTarget;

export interface DeclaredTarget {
  readonly protocol: string;
  readonly name: string;
  readonly field: Field;
  /** A bit of the field that has a name of its own. */
  readonly bit?: number;
  /** The messages that it is a field of, where it has another name in others: Wireshark's names say of which kind a message is. */
  readonly only?: Kinds;
}

/** Messages of some types, by the field that says which. */
export interface Kinds {
  readonly by: string;
  readonly types: readonly number[];
}

interface ComposedTarget {
  readonly protocol: string;
  readonly name: string;
  readonly composed: ComposedName;
}

/** How many bits a target has. */
export function bitsOf(target: Target): number {
  if ('composed' in target) return target.composed.bits;
  return target.bit === undefined ? target.field.bits : 1;
}

export type Kind = 'number' | 'mac' | 'ipv4' | 'ipv6' | 'bytes';

export interface FieldName {
  readonly kind: Kind;
  /** Numbers: the most bits that one of the fields has. */
  readonly bits: number;
  readonly targets: readonly Target[];
}

/** `ip` for ipv4, `eth` for ethernet: what Wireshark's names of its fields begin with. */
function prefixesOf(protocol: Protocol): string[] {
  const { name, declaration } = protocol;
  const ofWireshark = Object.values(declaration.fields).flatMap(({ options: { filter } }) =>
    filter === undefined ? [] : [filter.split('.')[0]!],
  );
  const taken = protocols.some((other) => other !== protocol && other.name === ofWireshark[0]);
  return ofWireshark.length === 0 || taken ? [name] : [...new Set([name, ofWireshark[0]!])];
}

function fieldsOf({ declaration }: Protocol): [string, Field, Kinds?][] {
  const { variants } = declaration;
  const all: [Fields, Kinds?][] = [[declaration.fields]];
  for (const { fields } of Object.values(declaration.sections ?? {})) all.push([fields]);
  for (const { fields, types } of Object.values(variants?.cases ?? {}))
    all.push(types === undefined ? [fields] : [fields, { by: variants!.by, types }]);
  return all.flatMap(([fields, kinds]) =>
    Object.entries(fields)
      .filter(([, field]) => !field.isReserved)
      .map(([name, field]): [string, Field, Kinds?] =>
        kinds === undefined ? [name, field] : [name, field, kinds],
      ),
  );
}

function kindOf(target: Target): Kind {
  if ('composed' in target) return target.composed.number === undefined ? 'bytes' : 'number';
  const { shown } = target.field;
  return shown === 'decimal' || shown === 'hex' ? 'number' : shown;
}

/** Wireshark's names for either end: `tcp.port` is the source's or the destination's. */
const EITHER: readonly (readonly [either: string, source: string, destination: string])[] = [
  ['addr', 'source', 'destination'],
  ['port', 'sourcePort', 'destinationPort'],
];

function namesOf(): Map<string, FieldName> {
  const names = new Map<string, FieldName>();
  const add = (name: string, target: Target): void => {
    const known = names.get(name);
    const kind = kindOf(target);
    const bits = bitsOf(target);
    if (known === undefined) names.set(name, { kind, bits, targets: [target] });
    else if (known.kind === kind && !known.targets.some((one) => isSame(one, target)))
      names.set(name, { kind, bits: Math.max(known.bits, bits), targets: [...known.targets, target] });
  };
  for (const composed of COMPOSED_NAMES)
    add(composed.name, { protocol: composed.protocol, name: composed.name, composed });
  const isComposed: ReadonlySet<string> = new Set(names.keys());
  const declare = (name: string, target: Target): void => {
    if (!isComposed.has(name)) add(name, target);
  };
  for (const protocol of protocols) {
    const prefixes = prefixesOf(protocol);
    const fields = fieldsOf(protocol);
    for (const [name, field, only] of fields) {
      const target = { protocol: protocol.name, name, field };
      const { filter, scapy, bits } = field.options;
      const all = prefixes.flatMap((prefix) => [
        `${prefix}.${name}`,
        ...(scapy === undefined ? [] : [`${prefix}.${scapy}`]),
      ]);
      if (filter !== undefined) declare(filter, only === undefined ? target : { ...target, only });
      for (const one of new Set(all)) if (one !== filter) declare(one, target);
      for (const [flag, bit] of Object.entries(bits ?? {})) {
        for (const prefix of prefixes) declare(`${prefix}.${name}.${flag}`, { ...target, bit });
      }
    }
    for (const [either, ...ends] of EITHER) {
      for (const end of ends) {
        const field = fields.find(([name]) => name === end)?.[1];
        if (field === undefined) continue;
        // UDP-Lite's ports are UDP's to Wireshark.
        const shared = field.options.filter?.split('.')[0] ?? protocol.name;
        for (const prefix of new Set([...prefixes, shared]))
          declare(`${prefix}.${either}`, { protocol: protocol.name, name: end, field });
      }
    }
  }
  return names;
}

function isSame(a: Target, b: Target): boolean {
  if ('composed' in a && 'composed' in b) return a.composed === b.composed;
  if ('composed' in a || 'composed' in b) return false;
  return a.protocol === b.protocol && a.name === b.name && a.only?.types === b.only?.types;
}

// Made when they are first asked for: few runs have a filter, and both take as long as reading a capture of some megabytes.
let fieldNamesMade: ReadonlyMap<string, FieldName> | undefined;
let protocolNamesMade: ReadonlyMap<string, readonly string[]> | undefined;

/** Every name of a field. */
export function fieldNames(): ReadonlyMap<string, FieldName> {
  fieldNamesMade ??= namesOf();
  return fieldNamesMade;
}

/** Every name of a protocol, and the protocols it stands for. */
export function protocolNames(): ReadonlyMap<string, readonly string[]> {
  protocolNamesMade ??= namesOfProtocols();
  return protocolNamesMade;
}

/** What is one protocol to Wireshark, whatever the version. */
const VERSIONS: readonly (readonly [name: string, versions: readonly ProtocolName[]])[] = [
  ['ospf', ['ospf3']],
  ['vxlan', ['vxlangpe']],
  ['erspan', ['erspan3']],
];

function namesOfProtocols(): Map<string, string[]> {
  const names = new Map<string, string[]>();
  for (const protocol of protocols) {
    for (const prefix of prefixesOf(protocol))
      names.set(prefix, [...(names.get(prefix) ?? []), protocol.name]);
  }
  for (const [name, versions] of VERSIONS) names.set(name, [...names.get(name)!, ...versions]);
  return names;
}
