/** The schema of a program's definition, as a user's module exports it. */
import type { Stimulus } from '../packet/packet-batch.ts';
import { HOOKS, type Hook } from './actions.ts';
import { BPF_MAP_TYPE, type HeldMap, type MapDefinition, type MapType } from './maps.ts';
import { nearestName } from './nearest-name.ts';
import { addressOrPrefix } from './network-shape.ts';
import type {
  Example,
  GeneratorHints,
  ModelEntry,
  NamedWorld,
  PacketKind,
  ProgramDefinition,
} from './program.ts';
import {
  bigInteger,
  byteArray,
  callable,
  defaulted,
  flag,
  integer,
  list,
  listOfSome,
  nonNegative,
  object,
  oneOf,
  optional,
  parse,
  type Schema,
  text,
  uint8,
  uint16,
  uint32,
} from './schema.ts';
import { ShapeError } from './shape-error.ts';
import { skbInputOf } from './skb-schema.ts';
import { world } from './world-schema.ts';

const KINDS = {
  'icmp-echo': optional(nonNegative),
  'icmp-other': optional(nonNegative),
  'icmpv6-echo': optional(nonNegative),
  'icmpv6-other': optional(nonNegative),
  'neighbour-discovery': optional(nonNegative),
  tcp: optional(nonNegative),
  udp: optional(nonNegative),
  tcp6: optional(nonNegative),
  udp6: optional(nonNegative),
  arp: optional(nonNegative),
  'ip-other': optional(nonNegative),
  'ethernet-other': optional(nonNegative),
  noise: optional(nonNegative),
};

const hints: Schema<GeneratorHints> = object<GeneratorHints>({
  kinds: optional(object<Partial<Record<PacketKind, number>>>(KINDS)),
  ports: optional(list(uint16)),
  addresses: optional(list(addressOrPrefix)),
  macs: optional(list(byteArray(6))),
  vlans: optional(list(integer(0, 4095))),
  tcpOptions: optional(list(uint8)),
  contents: optional(
    list(
      object<NonNullable<GeneratorHints['contents']>[number]>({
        bytes: byteArray(),
        offset: optional(uint16),
      }),
    ),
  ),
  protocols: optional(list(uint8)),
  icmpTypes: optional(list(uint8)),
  icmpv6Types: optional(list(uint8)),
  ingressIfindexes: optional(list(uint32)),
  metadata: optional(flag),
});

const entry: Schema<ModelEntry> = object<ModelEntry>({
  function: text,
  hook: oneOf<Hook>(...HOOKS),
  after: optional(text),
  behindRedirect: optional(oneOf('devmap', 'cpumap')),
  frags: optional(flag),
  model: callable<ModelEntry['model']>(),
});

const map: Schema<MapDefinition> = object<MapDefinition>({
  name: text,
  type: oneOf(...(Object.keys(BPF_MAP_TYPE) as MapType[])),
  keySize: uint32,
  valueSize: uint32,
  maxEntries: uint32,
  holds: optional(list(object<HeldMap>({ key: uint32, map: text }))),
});

const stimulus: Schema<Stimulus> = object<Stimulus>({
  packet: byteArray(),
  metadata: optional(byteArray()),
  ingressIfindex: optional(uint32),
  rxQueueIndex: optional(uint32),
  entry: optional(uint8),
  skb: optional(skbInputOf(bigInteger)),
});

const example: Schema<Example> = object<Example>({
  name: text,
  stimulus,
  action: integer(-0x8000_0000, 0xffff_ffff),
  packet: optional(byteArray()),
  world: optional(text),
});

const definition: Schema<ProgramDefinition> = object<ProgramDefinition>({
  name: text,
  // They are for people, and not every module has readers.
  summary: defaulted(text, ''),
  description: defaulted(text, ''),
  entries: listOfSome(entry),
  object: optional(text),
  maps: list(map),
  traces: optional(flag),
  worlds: listOfSome(object<NamedWorld>({ name: text, world })),
  examples: list(example),
  hints,
});

/**
 * The definition that a module exports, with the parts that must fit each other checked, too.
 * @throws {ShapeError} naming the property: `worlds[0].world: expected an object, got null`
 */
export function parseDefinition(value: unknown): ProgramDefinition {
  const result = parse(definition, value);
  checkEntries(result);
  checkUnique(result.maps, 'maps');
  checkUnique(result.worlds, 'worlds');
  checkExamples(result);
  return result;
}

function checkEntries({ entries }: ProgramDefinition): void {
  entries.forEach(({ function: name, hook, after }, index) => {
    // By itself and behind XDP a function meets other packets: those are two entries.
    if (entries.findIndex((one) => one.function === name && one.after === after) !== index) {
      throw new ShapeError(`entries[${index}].function`, `a second entry of the name “${name}”`);
    }
    if (after === undefined) return;
    const first = entries.find((one) => one.function === after);
    if (hook === 'tc-ingress' && first?.hook === 'xdp' && first.after === undefined) return;
    const rule =
      'only a tc-ingress entry can run after another, which must be an XDP entry of this definition';
    throw new ShapeError(`entries[${index}].after`, `“${name}” cannot run after “${after}”: ${rule}`);
  });
}

function checkUnique(items: readonly { readonly name: string }[], place: string): void {
  items.forEach(({ name }, index) => {
    if (items.findIndex((one) => one.name === name) === index) return;
    throw new ShapeError(`${place}[${index}].name`, `“${name}” is there already`);
  });
}

function checkExamples({ examples, worlds, entries }: ProgramDefinition): void {
  examples.forEach(({ world: name, stimulus: { entry: at = 0, metadata } }, index) => {
    const place = `examples[${index}]`;
    const names = worlds.map((one) => one.name);
    if (name !== undefined && !names.includes(name)) {
      const near = nearestName(name, names);
      const hint = near === undefined ? `worlds: ${names.join(', ')}` : `did you mean “${near}”?`;
      throw new ShapeError(`${place}.world`, `there is no world “${name}”; ${hint}`);
    }
    if (at >= entries.length) {
      throw new ShapeError(`${place}.stimulus.entry`, `expected an index below ${entries.length}, got ${at}`);
    }
    if (metadata !== undefined && metadata.length % 4 !== 0) {
      const got = `${metadata.length} bytes`;
      throw new ShapeError(`${place}.stimulus.metadata`, `expected a multiple of 4 bytes, got ${got}`);
    }
  });
}
