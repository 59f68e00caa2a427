/** `proto_count_hash`: counts packets by protocol in a hash, and passes them. */
import { writeU32le } from '../packet/bytes.ts';
import { XDP_PASS } from '../runtime/actions.ts';
import type { ModelContext } from '../runtime/context.ts';
import type { MapDefinition } from '../runtime/maps.ts';
import { addU64, BPF_NOEXIST } from '../runtime/model-map.ts';
import type { ProgramDefinition } from '../runtime/program.ts';
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

export const protoCountHash: ProgramDefinition = {
  name: 'proto_count_hash',
  summary: 'counts packets by protocol in a hash and passes them',
  description:
    'Counts every packet in “rxcnt”, a hash whose entries are made when first seen, under its IPv4 protocol or IPv6 next header, under 0 where there is none, and passes it.',
  entries: [{ function: 'proto_count_hash', hook: 'xdp', model }],
  maps: [counters],
  worlds: [{ name: 'default', world: {} }],
  examples: protocolExamples('passes', XDP_PASS),
  hints: { kinds: { 'ip-other': 6 }, protocols: [0, 1, 6, 17, 41, 58, 127, 128, 255] },
};
