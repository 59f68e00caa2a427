/** `router`: forwards by the kernel's routing table. */
import { copy, readU16, readU32, writeU16 } from '../packet/bytes.ts';
import { update } from '../packet/checksum.ts';
import { ETHERNET } from '../packet/ethernet.ts';
import { IPV4 } from '../packet/ipv4.ts';
import { IPV6 } from '../packet/ipv6.ts';
import { ETHERTYPE, IPPROTO } from '../packet/numbers.ts';
import { XDP_DROP, XDP_PASS, XDP_REDIRECT } from '../runtime/actions.ts';
import type { ModelContext } from '../runtime/context.ts';
import {
  AF_INET,
  AF_INET6,
  BPF_FIB_LKUP_RET_BLACKHOLE,
  BPF_FIB_LKUP_RET_PROHIBIT,
  BPF_FIB_LKUP_RET_SUCCESS,
  BPF_FIB_LKUP_RET_UNREACHABLE,
  type FibLookup,
} from '../runtime/fib.ts';
import type { MapDefinition } from '../runtime/maps.ts';
import type { ProgramDefinition } from '../runtime/program.ts';
import { define } from './define.ts';
import { routerExamples, routerHints, routerWorlds } from './router-network.ts';
import { statisticsMap, withStatistics } from './statistics.ts';

/** The devices that may be forwarded to: ifindex to ifindex. */
const ports: MapDefinition = {
  name: 'tx_port',
  type: 'DEVMAP_HASH',
  keySize: 4,
  valueSize: 4,
  maxEntries: 256,
};

/** Traffic class and flow label as they stand in the header (`IPV6_FLOWINFO_MASK`). */
const FLOW_INFORMATION = 0x0fff_ffff;

const lookup: FibLookup = {
  family: AF_INET,
  l4Protocol: 0,
  sport: 0,
  dport: 0,
  totalLength: 0,
  ifindex: 0,
  tos: 0,
  source: new Uint8Array(16),
  destination: new Uint8Array(16),
  sourceMac: new Uint8Array(6),
  destinationMac: new Uint8Array(6),
  mtu: 0,
  metric: 0,
};

function decide(context: ModelContext): number {
  const { bytes, data, dataEnd } = context.frame;
  if (dataEnd - data < ETHERNET.headerLength) return XDP_DROP;
  const l3 = data + ETHERNET.headerLength;
  switch (readU16(bytes, data + ETHERNET.at.etherType)) {
    case ETHERTYPE.IPV4:
      if (dataEnd - l3 < IPV4.headerLength) return XDP_DROP;
      // Version 4 and ihl 5 in one: options are the stack's business.
      if (bytes[l3] !== 0x45 || bytes[l3 + IPV4.at.ttl]! <= 1) return XDP_PASS;
      askFor4(bytes, l3);
      break;
    case ETHERTYPE.IPV6:
      if (dataEnd - l3 < IPV6.headerLength) return XDP_DROP;
      if (bytes[l3]! >> 4 !== 6 || bytes[l3 + IPV6.at.hopLimit]! <= 1) return XDP_PASS;
      askFor6(bytes, l3);
      break;
    default:
      return XDP_PASS;
  }
  lookup.ifindex = context.ingressIfindex;
  switch (context.fibLookup(lookup)) {
    case BPF_FIB_LKUP_RET_SUCCESS:
      return forward(context, l3);
    case BPF_FIB_LKUP_RET_BLACKHOLE:
    case BPF_FIB_LKUP_RET_UNREACHABLE:
    case BPF_FIB_LKUP_RET_PROHIBIT:
      return XDP_DROP;
    default:
      return XDP_PASS;
  }
}

function askFor4(bytes: Uint8Array, l3: number): void {
  lookup.family = AF_INET;
  lookup.tos = bytes[l3 + IPV4.at.tos]!;
  lookup.l4Protocol = bytes[l3 + IPV4.at.protocol]!;
  lookup.totalLength = readU16(bytes, l3 + IPV4.at.totalLength);
  copy(bytes, l3 + IPV4.at.source, lookup.source, 0, 4);
  copy(bytes, l3 + IPV4.at.destination, lookup.destination, 0, 4);
}

function askFor6(bytes: Uint8Array, l3: number): void {
  lookup.family = AF_INET6;
  lookup.tos = readU32(bytes, l3) & FLOW_INFORMATION;
  lookup.l4Protocol = bytes[l3 + IPV6.at.nextHeader]!;
  // A u16 in `struct bpf_fib_lookup`: the longest payloads wrap.
  lookup.totalLength = (readU16(bytes, l3 + IPV6.at.payloadLength) + IPV6.headerLength) & 0xffff;
  copy(bytes, l3 + IPV6.at.source, lookup.source, 0, 16);
  copy(bytes, l3 + IPV6.at.destination, lookup.destination, 0, 16);
}

/** One hop less and new MAC addresses, if the device is one that may be forwarded to. */
function forward(context: ModelContext, l3: number): number {
  const action = context.redirectMap(ports.name, lookup.ifindex, XDP_PASS);
  if (action !== XDP_REDIRECT) return action;
  const { bytes, data } = context.frame;
  if (lookup.family === AF_INET) {
    const before = readU16(bytes, l3 + IPV4.at.ttl);
    bytes[l3 + IPV4.at.ttl] = bytes[l3 + IPV4.at.ttl]! - 1;
    const checksum = update(readU16(bytes, l3 + IPV4.at.checksum), before, readU16(bytes, l3 + IPV4.at.ttl));
    writeU16(bytes, l3 + IPV4.at.checksum, checksum);
  } else {
    bytes[l3 + IPV6.at.hopLimit] = bytes[l3 + IPV6.at.hopLimit]! - 1;
  }
  copy(lookup.destinationMac, 0, bytes, data + ETHERNET.at.destination, 6);
  copy(lookup.sourceMac, 0, bytes, data + ETHERNET.at.source, 6);
  return action;
}

export const router: ProgramDefinition = define({
  name: 'router',
  summary: 'forwards IPv4 and IPv6 by the kernel’s routing table',
  description:
    'Looks every IPv4 and IPv6 packet up with bpf_fib_lookup: one hop less, both MAC addresses rewritten, and out of the device that the route names, if “tx_port” has it. Blackhole, unreachable and prohibit routes drop; what needs the stack (options, expired TTL, no neighbour, too long, local) passes. Counts by action.',
  entries: [{ function: 'router', hook: 'xdp', model: withStatistics(decide) }],
  maps: [statisticsMap, ports],
  worlds: () => routerWorlds,
  examples: routerExamples,
  hints: { ...routerHints, protocols: [IPPROTO.TCP, IPPROTO.UDP, IPPROTO.ICMP] },
});
