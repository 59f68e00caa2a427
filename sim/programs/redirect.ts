/** `redirect`: every frame goes out of one device, under other MAC addresses. */

import { arp, echoRequest, ethernet, frame, ipv4, ipv6, tcp, vlan } from '../packet/build.ts';
import { fromHex } from '../packet/bytes.ts';
import { ETHERNET } from '../packet/ethernet.ts';
import { XDP_PASS, XDP_REDIRECT } from '../runtime/actions.ts';
import type { ModelContext } from '../runtime/context.ts';
import type { Example, ProgramDefinition } from '../runtime/program.ts';
import { define } from './define.ts';
import { statisticsMap, withStatistics } from './statistics.ts';

/** What a global of the object holds that nobody set. */
const NO_MAC = new Uint8Array(6);

function decide(context: ModelContext): number {
  const { bytes, data, dataEnd } = context.frame;
  if (dataEnd - data < ETHERNET.headerLength) return XDP_PASS;
  bytes.set(context.globalBytes('redirect_destination') ?? NO_MAC, data + ETHERNET.at.destination);
  bytes.set(context.globalBytes('redirect_source') ?? NO_MAC, data + ETHERNET.at.source);
  return context.redirect(context.global('redirect_ifindex', 0));
}

const destination = '02:00:00:00:00:0d';
const source = '02:00:00:00:00:0c';
const away = ethernet({ destination, source });

function redirects(name: string, packet: Uint8Array, redirected: Uint8Array, world?: string): Example {
  return {
    name: `redirects ${name}`,
    stimulus: { packet },
    action: XDP_REDIRECT,
    packet: redirected,
    ...(world === undefined ? {} : { world }),
  };
}

export const redirect: ProgramDefinition = define({
  name: 'redirect',
  summary: 'sends every frame out of one device, with both MAC addresses rewritten',
  description:
    'Writes the read-only globals “redirect_destination” and “redirect_source” into the frame and redirects it to the device “redirect_ifindex”. Frames too short for Ethernet pass. Counts by action.',
  entries: [{ function: 'redirect', hook: 'xdp', model: withStatistics(decide) }],
  maps: [statisticsMap],
  worlds: () => [
    {
      name: 'to the right',
      world: {
        devices: [
          { ifindex: 11, name: 'left', mac: fromHex('02000000000a') },
          { ifindex: 12, name: 'right', mac: fromHex('02000000000c') },
        ],
        globals: {
          redirect_ifindex: Uint8Array.of(12, 0, 0, 0),
          redirect_destination: fromHex('02000000000d'),
          redirect_source: fromHex('02000000000c'),
        },
      },
    },
    { name: 'nothing set', world: {} },
    {
      // Addresses in which no two bytes are equal: one in the place of another shows.
      name: 'to the left',
      world: {
        devices: [
          { ifindex: 11, name: 'left', mac: fromHex('021a2b3c4d5e') },
          { ifindex: 12, name: 'right', mac: fromHex('02000000000c') },
        ],
        globals: {
          redirect_ifindex: Uint8Array.of(11, 0, 0, 0),
          redirect_destination: fromHex('064f5a6b7c8d'),
          redirect_source: fromHex('021a2b3c4d5e'),
        },
      },
    },
  ],
  examples: () => [
    redirects('IPv4', frame(ethernet(), ipv4(), echoRequest()), frame(away, ipv4(), echoRequest())),
    redirects('tagged IPv6', frame(ethernet(), vlan(), ipv6(), tcp()), frame(away, vlan(), ipv6(), tcp())),
    redirects('ARP', frame(ethernet(), arp()), frame(away, arp())),
    redirects('a frame that is nothing but its header', frame(ethernet()), frame(away)),
    redirects(
      'to nowhere where no global is set',
      frame(ethernet(), arp()),
      frame(ethernet({ destination: '00:00:00:00:00:00', source: '00:00:00:00:00:00' }), arp()),
      'nothing set',
    ),
    {
      name: 'passes a frame too short for Ethernet',
      stimulus: { packet: frame(ethernet()).subarray(0, 13) },
      action: XDP_PASS,
    },
  ],
  hints: {},
});
