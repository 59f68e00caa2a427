/** `proto_count_hash`: counts packets by protocol in a hash, and passes them. */
import { echoRequest, ethernet, frame, ipv4, tcp } from '../packet/build.ts';
import { writeU32le } from '../packet/bytes.ts';
import { XDP_PASS } from '../runtime/actions.ts';
import type { ModelContext } from '../runtime/context.ts';
import type { MapDefinition } from '../runtime/maps.ts';
import { addU64, BPF_NOEXIST } from '../runtime/model-map.ts';
import type { ProgramDefinition } from '../runtime/program.ts';
import type { MapEntry } from '../runtime/world.ts';
import { define } from './define.ts';
import { protocolExamples } from './protocol-examples.ts';
import { protocolKey } from './protocol-key.ts';

const counters: MapDefinition = { name: 'rxcnt', type: 'HASH', keySize: 4, valueSize: 8, maxEntries: 256 };
const key = new Uint8Array(4);
const zero = new Uint8Array(8);

function model(context: ModelContext): number {
  const protocol = protocolKey(context.frame);
  if (protocol < 0) return XDP_PASS;
  const map = context.map(counters.name);
  writeU32le(key, 0, protocol);
  let counter = map.lookup(key);
  if (counter === undefined) {
    map.update(key, zero, BPF_NOEXIST);
    counter = map.lookup(key);
  }
  if (counter !== undefined) addU64(counter, 0, 1);
  return XDP_PASS;
}

function entry(protocol: number, count: Uint8Array): MapEntry {
  const bytes = new Uint8Array(counters.keySize);
  writeU32le(bytes, 0, protocol);
  return { key: bytes, value: count };
}

/** One packet more than 32 bits can count. */
const nearlyWrapped = Uint8Array.of(0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0);

/**
 * Filled by somebody else with keys that are no protocols: TCP and UDP have their entries, no other protocol gets
 * one any more.
 */
const full: readonly MapEntry[] = [
  entry(6, nearlyWrapped),
  entry(17, zero),
  ...Array.from({ length: counters.maxEntries - 2 }, (_, index) => entry(1000 + index, zero)),
];

export const protoCountHash: ProgramDefinition = define({
  name: 'proto_count_hash',
  summary: 'counts packets by protocol in a hash and passes them',
  description:
    'Counts every packet in “rxcnt”, a hash whose entries are made when first seen, under its IPv4 protocol or IPv6 next header, under 0 where there is none, and passes it.',
  entries: [{ function: 'proto_count_hash', hook: 'xdp', model }],
  maps: [counters],
  worlds: () => [
    { name: 'default', world: {} },
    { name: 'full', world: { maps: { rxcnt: full } } },
  ],
  examples: () => [
    ...protocolExamples('passes', XDP_PASS),
    {
      name: 'goes on counting a protocol that has its entry in a full map',
      stimulus: { packet: frame(ethernet(), ipv4(), tcp()) },
      action: XDP_PASS,
      world: 'full',
    },
    {
      name: 'does not count a protocol that has none in a full map',
      stimulus: { packet: frame(ethernet(), ipv4(), echoRequest()) },
      action: XDP_PASS,
      world: 'full',
    },
  ],
  hints: { kinds: { 'ip-other': 6 }, protocols: [0, 1, 6, 17, 41, 58, 127, 128, 255] },
});
