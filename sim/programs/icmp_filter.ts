/** `icmp_filter`: ICMP goes up the stack, nothing else does. */
import {
  arp,
  echoRequest,
  echoRequest6,
  ethernet,
  frame,
  icmpv6,
  ipv4,
  ipv6,
  tcp,
  udp,
  vlan,
} from '../packet/build.ts';
import { IPPROTO } from '../packet/numbers.ts';
import { XDP_DROP, XDP_PASS } from '../runtime/actions.ts';
import type { ModelContext } from '../runtime/context.ts';
import type { Example, ProgramDefinition } from '../runtime/program.ts';
import { define } from './define.ts';
import { Parsing } from './parsing.ts';
import { statisticsMap, withStatistics } from './statistics.ts';

const parsing = new Parsing();

/** Each version has its own ICMP; the protocol field decides. */
function decide(context: ModelContext): number {
  const { version, protocol } = parsing.parse(context.frame);
  return protocol === (version === 4 ? IPPROTO.ICMP : IPPROTO.ICMPV6) ? XDP_PASS : XDP_DROP;
}

const ping = (): Uint8Array => frame(ethernet(), ipv4(), echoRequest());

function passes(name: string, packet: Uint8Array): Example {
  return { name: `passes ${name}`, stimulus: { packet }, action: XDP_PASS };
}

function drops(name: string, packet: Uint8Array): Example {
  return { name: `drops ${name}`, stimulus: { packet }, action: XDP_DROP };
}

export const icmpFilter: ProgramDefinition = define({
  name: 'icmp_filter',
  summary: 'passes ICMP and ICMPv6, drops everything else',
  description:
    'Passes ICMP over IPv4 and ICMPv6 over IPv6, later fragments included; drops everything else, ARP too. Counts by action.',
  entries: [{ function: 'icmp_filter', hook: 'xdp', model: withStatistics(decide) }],
  maps: [statisticsMap],
  worlds: () => [{ name: 'default', world: {} }],
  examples: () => [
    passes('ICMP', ping()),
    passes('ICMPv6', frame(ethernet(), ipv6(), echoRequest6())),
    passes('neighbour discovery', frame(ethernet(), ipv6(), icmpv6({ type: 135 }), new Uint8Array(16))),
    passes('ICMP behind two tags', frame(ethernet(), vlan(), vlan(), ipv4(), echoRequest())),
    passes(
      'a later fragment of ICMP',
      frame(ethernet(), ipv4({ protocol: 1, fragmentOffset: 5 }), new Uint8Array(8)),
    ),
    passes('ICMP whose header is cut off', ping().subarray(0, 34)),
    drops('ICMPv6 over IPv4', frame(ethernet(), ipv4({ protocol: 58 }), echoRequest())),
    drops('ICMP over IPv6', frame(ethernet(), ipv6({ nextHeader: 1 }), echoRequest6())),
    drops('TCP', frame(ethernet(), ipv4(), tcp())),
    drops('UDP over IPv6', frame(ethernet(), ipv6(), udp())),
    drops('ARP', frame(ethernet(), arp())),
    drops('ICMP behind three tags', frame(ethernet(), vlan(), vlan(), vlan(), ipv4(), echoRequest())),
    drops('a frame too short for IPv4', ping().subarray(0, 33)),
    drops('a frame too short for Ethernet', ping().subarray(0, 13)),
  ],
  hints: {
    kinds: { 'icmp-echo': 6, 'icmp-other': 4, 'icmpv6-echo': 6, 'icmpv6-other': 4 },
    protocols: [IPPROTO.ICMP, IPPROTO.ICMPV6],
  },
});
