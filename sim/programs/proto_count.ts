/** `proto_count`: counts packets by protocol in an array, and drops them. */
import { ethernet, frame, ipv4, udp } from '../packet/build.ts';
import { XDP_DROP } from '../runtime/actions.ts';
import type { ModelContext } from '../runtime/context.ts';
import type { MapDefinition } from '../runtime/maps.ts';
import { addU64 } from '../runtime/model-map.ts';
import type { ProgramDefinition } from '../runtime/program.ts';
import type { MapEntry } from '../runtime/world.ts';
import { define } from './define.ts';
import { protocolExamples } from './protocol-examples.ts';
import { protocolKey } from './protocol-key.ts';

const counters: MapDefinition = {
  name: 'rxcnt',
  type: 'PERCPU_ARRAY',
  keySize: 4,
  valueSize: 8,
  maxEntries: 256,
};

function model(context: ModelContext): number {
  const key = protocolKey(context.frame);
  if (key < 0) return XDP_DROP;
  const counter = context.map(counters.name).lookupIndex(key);
  if (counter !== undefined) addU64(counter, 0, 1);
  return XDP_DROP;
}

/** UDP's counter, on the CPU that counts: one packet more, and 32 bits no longer do. */
const nearlyWrapped: MapEntry = {
  key: Uint8Array.of(17, 0, 0, 0),
  value: Uint8Array.of(0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0),
};

export const protoCount: ProgramDefinition = define({
  name: 'proto_count',
  summary: 'counts packets by protocol and drops them',
  description:
    'Counts every packet in “rxcnt” under its IPv4 protocol or IPv6 next header, under 0 where there is none, and drops it.',
  entries: [{ function: 'proto_count', hook: 'xdp', model }],
  maps: [counters],
  worlds: () => [
    { name: 'default', world: {} },
    { name: 'beyond 32 bits', world: { maps: { rxcnt: [nearlyWrapped] } } },
  ],
  examples: () => [
    ...protocolExamples('drops', XDP_DROP),
    {
      name: 'counts on beyond 32 bits',
      stimulus: { packet: frame(ethernet(), ipv4(), udp()) },
      action: XDP_DROP,
      world: 'beyond 32 bits',
    },
  ],
  hints: { kinds: { 'ip-other': 6 }, protocols: [0, 1, 6, 17, 41, 58, 127, 128, 255] },
});
