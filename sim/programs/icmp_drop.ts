/** `icmp_drop`: pings and errors go nowhere, neighbour discovery does. */
import {
  arp,
  dstopts,
  echoRequest,
  echoRequest6,
  ethernet,
  frame,
  icmp,
  icmpv6,
  ipv4,
  ipv6,
  tcp,
  vlan,
} from '../packet/build.ts';
import { ICMPV6, isNeighbourDiscovery } from '../packet/icmpv6.ts';
import { IPPROTO } from '../packet/numbers.ts';
import { XDP_DROP, XDP_PASS } from '../runtime/actions.ts';
import type { ModelContext } from '../runtime/context.ts';
import type { Example, ProgramDefinition } from '../runtime/program.ts';
import { define } from './define.ts';
import { Parsing } from './parsing.ts';
import { statisticsMap, withStatistics } from './statistics.ts';

const parsing = new Parsing();

function decide(context: ModelContext): number {
  const { version, protocol } = parsing.parse(context.frame);
  if (version === 4) return protocol === IPPROTO.ICMP ? XDP_DROP : XDP_PASS;
  if (version !== 6 || protocol !== IPPROTO.ICMPV6 || !parsing.hasL4(ICMPV6.headerLength)) return XDP_PASS;
  return isNeighbourDiscovery(parsing.bytes[parsing.l4 + ICMPV6.at.type]!) ? XDP_PASS : XDP_DROP;
}

function passes(name: string, packet: Uint8Array): Example {
  return { name: `passes ${name}`, stimulus: { packet }, action: XDP_PASS };
}

function drops(name: string, packet: Uint8Array): Example {
  return { name: `drops ${name}`, stimulus: { packet }, action: XDP_DROP };
}

const message6 = (type: number): Uint8Array =>
  frame(ethernet(), ipv6(), icmpv6({ type }), new Uint8Array(32));

export const icmpDrop: ProgramDefinition = define({
  name: 'icmp_drop',
  summary: 'drops ICMP and ICMPv6, except neighbour discovery',
  description:
    'Drops ICMP over IPv4, fragments included, and ICMPv6 other than neighbour discovery (types 133 to 137); passes everything else. Counts by action.',
  entries: [{ function: 'icmp_drop', hook: 'xdp', model: withStatistics(decide) }],
  maps: [statisticsMap],
  worlds: () => [{ name: 'default', world: {} }],
  examples: () => [
    drops('a ping', frame(ethernet(), ipv4(), echoRequest())),
    drops('an ICMP error', frame(ethernet(), ipv4(), icmp({ type: 3, code: 3 }))),
    drops(
      'a later fragment of ICMP',
      frame(ethernet(), ipv4({ protocol: 1, fragmentOffset: 1 }), new Uint8Array(8)),
    ),
    drops('a ping over IPv6', frame(ethernet(), ipv6(), echoRequest6())),
    drops('a ping behind two tags', frame(ethernet(), vlan(), vlan(), ipv4(), echoRequest())),
    drops('ICMPv6 type 132', message6(132)),
    passes('a router solicitation', message6(133)),
    passes('a neighbour solicitation', message6(135)),
    passes('a redirect', message6(137)),
    drops('ICMPv6 type 138', message6(138)),
    passes('an ICMPv6 header that is cut off', message6(128).subarray(0, 61)),
    passes('a ping behind an extension header', frame(ethernet(), ipv6(), dstopts(), echoRequest6())),
    passes('ICMPv6 over IPv4', frame(ethernet(), ipv4({ protocol: 58 }), echoRequest())),
    passes('ICMP over IPv6', frame(ethernet(), ipv6({ nextHeader: 1 }), echoRequest6())),
    passes('TCP', frame(ethernet(), ipv4(), tcp())),
    passes('ARP', frame(ethernet(), arp())),
    passes('a ping behind three tags', frame(ethernet(), vlan(), vlan(), vlan(), ipv4(), echoRequest())),
    passes('a frame too short for Ethernet', frame(ethernet()).subarray(0, 13)),
  ],
  hints: {
    kinds: { 'icmp-echo': 5, 'icmp-other': 5, 'icmpv6-echo': 5, 'icmpv6-other': 5, 'neighbour-discovery': 8 },
    protocols: [IPPROTO.ICMP, IPPROTO.ICMPV6],
    icmpv6Types: [1, 128, 129, 132, 133, 134, 135, 136, 137, 138],
  },
});
