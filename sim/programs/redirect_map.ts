/** `redirect_map`: frames of known senders go out of one device. */

import { arp, echoRequest, ethernet, frame, icmpv6, ipv4, ipv6, tcp } from '../packet/build.ts';
import { copy, fromHex } from '../packet/bytes.ts';
import { ETHERNET } from '../packet/ethernet.ts';
import { XDP_ABORTED, XDP_PASS, XDP_REDIRECT } from '../runtime/actions.ts';
import type { ModelContext } from '../runtime/context.ts';
import type { MapDefinition } from '../runtime/maps.ts';
import type { Example, ProgramDefinition } from '../runtime/program.ts';
import type { World } from '../runtime/world.ts';
import { define } from './define.ts';
import { longCounted, statisticsMap, withStatistics } from './statistics.ts';

/** Key: the source MAC. Value: the destination MAC to write. */
const parameters: MapDefinition = {
  name: 'redirect_params',
  type: 'HASH',
  keySize: 6,
  valueSize: 6,
  maxEntries: 256,
};
/** Slot 0 holds the ifindex. */
const ports: MapDefinition = { name: 'tx_port', type: 'DEVMAP', keySize: 4, valueSize: 4, maxEntries: 256 };

const key = new Uint8Array(6);

function decide(context: ModelContext): number {
  const { bytes, data, dataEnd } = context.frame;
  if (dataEnd - data < ETHERNET.headerLength) return XDP_PASS;
  copy(bytes, data + ETHERNET.at.source, key, 0, 6);
  const destination = context.map(parameters.name).lookup(key);
  if (destination === undefined) return XDP_PASS;
  const action = context.redirectMap(ports.name, 0);
  // Only a frame that leaves is written to.
  if (action === XDP_REDIRECT) copy(destination, 0, bytes, data + ETHERNET.at.destination, 6);
  return action;
}

const known = fromHex('020000000002');
const other = fromHex('0200000000ff');
/** Addresses in which no two bytes are equal: one in the place of another shows. */
const varied = fromHex('065162738495');
const variedTarget = fromHex('021a2b3c4d5e');
const target = '02:00:00:00:00:0d';

const connected: World = {
  devices: [
    { ifindex: 11, name: 'left', mac: fromHex('02000000000a') },
    { ifindex: 12, name: 'right', mac: fromHex('02000000000c') },
  ],
  maps: {
    redirect_params: [
      { key: known, value: fromHex('02000000000d') },
      { key: other, value: fromHex('ffffffffffff') },
      { key: varied, value: variedTarget },
    ],
    tx_port: [{ key: new Uint8Array(4), value: Uint8Array.of(12, 0, 0, 0) }],
  },
};
const unconnected: World = { maps: { redirect_params: connected.maps!.redirect_params! } };

/** Every place in the table is taken, and senders go to different neighbours. */
const crowded = (): World => ({
  ...connected,
  maps: {
    ...connected.maps,
    redirect_params: [
      ...connected.maps!.redirect_params!,
      ...Array.from({ length: parameters.maxEntries - 3 }, (_, index) => ({
        key: Uint8Array.of(2, 0, 0, 1, 0, index),
        value: Uint8Array.of(2, 0, 0, 2, 0, index),
      })),
    ],
    xdp_stats_map: longCounted,
  },
});

function example(name: string, packet: Uint8Array, action: number, more: Partial<Example> = {}): Example {
  return { name, stimulus: { packet }, action, ...more };
}

const away = ethernet({ destination: target });
const last = ethernet({ source: '02:00:00:01:00:fc' });
const stranger = ethernet({ source: '02:00:00:00:00:03' });

export const redirectMap: ProgramDefinition = define({
  name: 'redirect_map',
  summary: 'sends frames of known senders out of one device, with the destination MAC rewritten',
  description:
    'Looks the source MAC up in “redirect_params”; a hit becomes the new destination MAC, and the frame goes to the device in slot 0 of “tx_port”. Unknown senders pass. Where the slot is empty the frame is left as it is and aborted. Counts by action.',
  entries: [{ function: 'redirect_map', hook: 'xdp', model: withStatistics(decide) }],
  maps: [statisticsMap, parameters, ports],
  worlds: () => [
    { name: 'connected', world: connected },
    { name: 'empty slot', world: unconnected },
    { name: 'nothing set', world: {} },
    { name: 'crowded', world: crowded() },
  ],
  examples: () => [
    example('redirects a known sender', frame(ethernet(), ipv4(), echoRequest()), XDP_REDIRECT, {
      packet: frame(away, ipv4(), echoRequest()),
    }),
    example('redirects ARP', frame(ethernet(), arp()), XDP_REDIRECT, { packet: frame(away, arp()) }),
    example(
      'redirects neighbour discovery',
      frame(ethernet(), ipv6(), icmpv6({ type: 135 }), new Uint8Array(16)),
      XDP_REDIRECT,
      {
        packet: frame(away, ipv6(), icmpv6({ type: 135 }), new Uint8Array(16)),
      },
    ),
    example('redirects a frame that is nothing but its header', frame(ethernet()), XDP_REDIRECT, {
      packet: frame(away),
    }),
    example('passes an unknown sender', frame(stranger, ipv4(), tcp()), XDP_PASS),
    example('passes a frame too short for Ethernet', frame(ethernet()).subarray(0, 13), XDP_PASS),
    example(
      'aborts where the slot is empty, and leaves the frame as it is',
      frame(ethernet(), arp()),
      XDP_ABORTED,
      { world: 'empty slot' },
    ),
    example('knows the last of 256 senders', frame(last, ipv4(), tcp()), XDP_REDIRECT, {
      packet: frame(
        ethernet({ source: '02:00:00:01:00:fc', destination: '02:00:00:02:00:fc' }),
        ipv4(),
        tcp(),
      ),
      world: 'crowded',
    }),
    example('passes where no sender is known', frame(ethernet(), arp()), XDP_PASS, { world: 'nothing set' }),
  ],
  hints: { macs: [known, other, varied, fromHex('0200000100fc')] },
});
