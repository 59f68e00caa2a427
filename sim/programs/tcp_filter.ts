/** `tcp_filter`: TCP goes up the stack, nothing else does. */
import {
  arp,
  dstopts,
  echoRequest,
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
import { longCounted, statisticsMap, withStatistics } from './statistics.ts';

const parsing = new Parsing();

/** The protocol field decides: what is behind the IP header is not looked at. */
function decide(context: ModelContext): number {
  return parsing.parse(context.frame).protocol === IPPROTO.TCP ? XDP_PASS : XDP_DROP;
}

const tcpFrame = (): Uint8Array => frame(ethernet(), ipv4(), tcp());

function passes(name: string, packet: Uint8Array): Example {
  return { name: `passes ${name}`, stimulus: { packet }, action: XDP_PASS };
}

function drops(name: string, packet: Uint8Array): Example {
  return { name: `drops ${name}`, stimulus: { packet }, action: XDP_DROP };
}

export const tcpFilter: ProgramDefinition = define({
  name: 'tcp_filter',
  summary: 'passes TCP, drops everything else',
  description:
    'Passes TCP over IPv4 and IPv6, later fragments included; drops everything else, ARP and neighbour discovery too, so that neighbours have to be static. Counts by action.',
  entries: [{ function: 'tcp_filter', hook: 'xdp', model: withStatistics(decide) }],
  maps: [statisticsMap],
  worlds: () => [
    { name: 'default', world: {} },
    { name: 'statistics beyond 32 bits', world: { maps: { xdp_stats_map: longCounted } } },
  ],
  examples: () => [
    passes('TCP over IPv4', tcpFrame()),
    passes('TCP over IPv6', frame(ethernet(), ipv6(), tcp())),
    passes('TCP behind IPv4 options', frame(ethernet(), ipv4({ options: [{ type: 1 }] }), tcp())),
    passes('TCP behind two tags', frame(ethernet(), vlan({ service: true }), vlan(), ipv4(), tcp())),
    passes(
      'a later fragment of TCP',
      frame(ethernet(), ipv4({ protocol: 6, fragmentOffset: 5 }), new Uint8Array(8)),
    ),
    passes('TCP whose header is cut off', tcpFrame().subarray(0, 34)),
    drops('UDP', frame(ethernet(), ipv4(), udp())),
    drops('ICMP', frame(ethernet(), ipv4(), echoRequest())),
    drops('neighbour discovery', frame(ethernet(), ipv6(), icmpv6({ type: 135 }), new Uint8Array(16))),
    drops('TCP behind an extension header', frame(ethernet(), ipv6(), dstopts(), tcp())),
    drops('ARP', frame(ethernet(), arp())),
    drops('another EtherType', frame(ethernet(), new Uint8Array(40))),
    drops('TCP behind three tags', frame(ethernet(), vlan(), vlan(), vlan(), ipv4(), tcp())),
    drops('a tag that is cut off', frame(ethernet(), vlan()).subarray(0, 16)),
    drops('a frame too short for IPv4', tcpFrame().subarray(0, 33)),
    drops(
      'a frame too short for its IPv4 options',
      frame(ethernet(), ipv4({ options: [{ type: 1 }] }), tcp()).subarray(0, 37),
    ),
    drops('a frame too short for IPv6', frame(ethernet(), ipv6(), tcp()).subarray(0, 53)),
    drops('a frame too short for Ethernet', tcpFrame().subarray(0, 13)),
  ],
  hints: { kinds: { tcp: 10, tcp6: 10 }, protocols: [IPPROTO.TCP, IPPROTO.UDP] },
});
