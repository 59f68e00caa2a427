/** `port_filter`: TCP from or to one port goes nowhere. */

import { arp, dstopts, ethernet, frame, ipv4, ipv6, tcp, udp, vlan } from '../packet/build.ts';
import { readU16 } from '../packet/bytes.ts';
import { IPPROTO } from '../packet/numbers.ts';
import { TCP } from '../packet/tcp.ts';
import { XDP_DROP, XDP_PASS } from '../runtime/actions.ts';
import type { ModelContext } from '../runtime/context.ts';
import type { Example, ProgramDefinition } from '../runtime/program.ts';
import { define } from './define.ts';
import { Parsing } from './parsing.ts';
import { statisticsMap, withStatistics } from './statistics.ts';

const DEFAULT_PORT = 80;
const parsing = new Parsing();

function decide(context: ModelContext): number {
  parsing.parse(context.frame);
  if (parsing.protocol !== IPPROTO.TCP || parsing.fragment === 'later') return XDP_PASS;
  if (!parsing.hasL4(TCP.headerLength)) return XDP_PASS;
  const port = context.global('port', DEFAULT_PORT);
  const { bytes, l4 } = parsing;
  const isConcerned =
    readU16(bytes, l4 + TCP.at.sourcePort) === port || readU16(bytes, l4 + TCP.at.destinationPort) === port;
  return isConcerned ? XDP_DROP : XDP_PASS;
}

const web = (): Uint8Array => frame(ethernet(), ipv4(), tcp());
const proxy = (): Uint8Array => frame(ethernet(), ipv4(), tcp({ destinationPort: 8080 }));

function passes(name: string, packet: Uint8Array, world?: string): Example {
  return {
    name: `passes ${name}`,
    stimulus: { packet },
    action: XDP_PASS,
    ...(world === undefined ? {} : { world }),
  };
}

function drops(name: string, packet: Uint8Array, world?: string): Example {
  return {
    name: `drops ${name}`,
    stimulus: { packet },
    action: XDP_DROP,
    ...(world === undefined ? {} : { world }),
  };
}

export const portFilter: ProgramDefinition = define({
  name: 'port_filter',
  summary: 'drops TCP from and to one port, 80 by default',
  description:
    'Drops TCP over IPv4 or IPv6 whose source or destination port is the read-only global “port” (default 80); passes everything else: UDP, later fragments, and what is too short to tell. Counts by action.',
  entries: [{ function: 'port_filter', hook: 'xdp', model: withStatistics(decide) }],
  maps: [statisticsMap],
  worlds: () => [
    { name: 'default', world: {} },
    { name: 'port 8080', world: { globals: { port: Uint8Array.of(0x90, 0x1f) } } },
  ],
  examples: () => [
    drops('TCP to port 80', web()),
    drops('TCP from port 80', frame(ethernet(), ipv4(), tcp({ sourcePort: 80, destinationPort: 40000 }))),
    drops('TCP to port 80 over IPv6', frame(ethernet(), ipv6(), tcp())),
    drops('TCP behind IPv4 options', frame(ethernet(), ipv4({ options: [{ type: 1 }] }), tcp())),
    drops('TCP behind two tags', frame(ethernet(), vlan(), vlan(), ipv6(), tcp())),
    drops('a first fragment with ports', frame(ethernet(), ipv4({ moreFragments: true }), tcp())),
    drops('another port where the world says so', proxy(), 'port 8080'),
    passes('port 80 where the world names another', web(), 'port 8080'),
    passes('TCP to port 8080', proxy()),
    passes('UDP to port 80', frame(ethernet(), ipv4(), udp({ destinationPort: 80 }))),
    passes('a later fragment', frame(ethernet(), ipv4({ fragmentOffset: 1 }), tcp())),
    passes('TCP behind an extension header', frame(ethernet(), ipv6(), dstopts(), tcp())),
    passes('a TCP header that is cut off', web().subarray(0, 53)),
    passes('TCP behind three tags', frame(ethernet(), vlan(), vlan(), vlan(), ipv4(), tcp())),
    passes('ARP', frame(ethernet(), arp())),
    passes('a frame too short for Ethernet', web().subarray(0, 13)),
  ],
  hints: {
    kinds: { tcp: 12, tcp6: 12, udp: 3, udp6: 3 },
    ports: [80, 8080, 0x5000],
    protocols: [IPPROTO.TCP],
  },
});
