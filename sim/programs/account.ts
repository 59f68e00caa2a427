/** `account`: counts the bytes that come in and go out. */
import { echoRequest, ethernet, frame, ipv4, tcp } from '../packet/build.ts';
import { TC_ACT_OK } from '../runtime/actions.ts';
import type { ModelContext } from '../runtime/context.ts';
import type { MapDefinition } from '../runtime/maps.ts';
import { addU64 } from '../runtime/model-map.ts';
import type { ProgramDefinition } from '../runtime/program.ts';
import { define } from './define.ts';

const counters: MapDefinition = { name: 'acc_map', type: 'ARRAY', keySize: 4, valueSize: 8, maxEntries: 2 };
const INGRESS = 0;
const EGRESS = 1;

/** Adds `skb->len`, which includes the Ethernet header. */
function accountFor(direction: number): (context: ModelContext) => number {
  return (context) => {
    const counter = context.map(counters.name).lookupIndex(direction);
    if (counter !== undefined) addU64(counter, 0, context.frame.dataEnd - context.frame.data);
    return TC_ACT_OK;
  };
}

const ping = (): Uint8Array => frame(ethernet(), ipv4(), echoRequest(), new Uint8Array(56));

/** One byte short of what a u32 can count: the next packet shows who counts in 64 bits. */
const nearlyWrapped = [INGRESS, EGRESS].map((direction) => ({
  key: Uint8Array.of(direction, 0, 0, 0),
  value: Uint8Array.of(0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0),
}));

export const account: ProgramDefinition = define({
  name: 'account',
  summary: 'counts the bytes that come in and go out, in TC',
  description:
    'Adds the length of every frame, Ethernet header included, to “acc_map”: under 0 at TC ingress, under 1 at TC egress, in 64 bits. Everything goes its way (TC_ACT_OK).',
  entries: [
    { function: 'account_ingress', hook: 'tc-ingress', model: accountFor(INGRESS) },
    { function: 'account_egress', hook: 'tc-egress', model: accountFor(EGRESS) },
  ],
  maps: [counters],
  worlds: () => [
    { name: 'default', world: {} },
    { name: 'beyond 32 bits', world: { maps: { acc_map: nearlyWrapped } } },
  ],
  examples: () => [
    {
      name: 'counts 98 bytes of a ping that comes in',
      stimulus: { packet: ping(), entry: INGRESS },
      action: TC_ACT_OK,
    },
    {
      name: 'counts 98 bytes of a ping that goes out',
      stimulus: { packet: ping(), entry: EGRESS },
      action: TC_ACT_OK,
    },
    {
      name: 'counts on beyond 32 bits',
      stimulus: { packet: frame(ethernet(), ipv4(), tcp()), entry: INGRESS },
      action: TC_ACT_OK,
      world: 'beyond 32 bits',
    },
  ],
  hints: {},
});
