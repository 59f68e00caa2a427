/** The register of protocols: one line each. A new protocol joins with its file and a line here. */
import { ARP } from './arp.ts';
import { DCCP } from './dccp.ts';
import type { Space } from './declaration/field.ts';
import type { Protocol } from './declaration/protocol.ts';
import type { Follower } from './dissection.ts';
import { ETHERNET } from './ethernet.ts';
import { GENEVE } from './geneve.ts';
import { GRE } from './gre.ts';
import { ICMP } from './icmp.ts';
import { ICMPV6 } from './icmpv6.ts';
import { IGMP } from './igmp.ts';
import { IPV4 } from './ipv4.ts';
import { IPV6 } from './ipv6.ts';
import { AH, DSTOPTS, FRAGMENT, HIP, HOPOPTS, MOBILITY, ROUTING, SHIM6 } from './ipv6-extensions.ts';
import { MPLS } from './mpls.ts';
import { PPP, PPPOE } from './pppoe.ts';
import { OSPF, PIM, VRRP } from './routing-protocols.ts';
import { SCTP } from './sctp.ts';
import { TCP } from './tcp.ts';
import { ERSPAN, ERSPAN_III, ESP, ETHERIP, GTPU, ITAG, NSH } from './tunnels.ts';
import { UDP } from './udp.ts';
import { UDP_LITE } from './udp-lite.ts';
import { VLAN } from './vlan.ts';
import { VXLAN } from './vxlan.ts';

/** Protocols by their names. */
export const PROTOCOLS = {
  ethernet: ETHERNET,
  vlan: VLAN,
  arp: ARP,
  ipv4: IPV4,
  ipv6: IPV6,
  hopopts: HOPOPTS,
  routing: ROUTING,
  fragment6: FRAGMENT,
  dstopts: DSTOPTS,
  ah: AH,
  mobility: MOBILITY,
  hip: HIP,
  shim6: SHIM6,
  icmp: ICMP,
  icmpv6: ICMPV6,
  tcp: TCP,
  udp: UDP,
  udplite: UDP_LITE,
  sctp: SCTP,
  dccp: DCCP,
  igmp: IGMP,
  pim: PIM,
  vrrp: VRRP,
  ospf: OSPF,
  gre: GRE,
  erspan: ERSPAN,
  erspan3: ERSPAN_III,
  vxlan: VXLAN,
  geneve: GENEVE,
  gtpu: GTPU,
  mpls: MPLS,
  pppoe: PPPOE,
  ppp: PPP,
  esp: ESP,
  etherip: ETHERIP,
  nsh: NSH,
  itag: ITAG,
} as const;

export type ProtocolName = keyof typeof PROTOCOLS;

export const protocols: readonly Protocol[] = Object.values(PROTOCOLS);

const byName: ReadonlyMap<string, Protocol> = new Map(protocols.map((protocol) => [protocol.name, protocol]));

export function protocolByName(name: string): Protocol | undefined {
  return byName.get(name);
}

/** What follows what: for each number space, the protocol that a number announces. */
const announced: ReadonlyMap<Space, ReadonlyMap<number, string>> = tableOf(protocols);

/** The name of the protocol that a number announces, or `data`. */
export function announcedProtocol(space: Space, number: number): string {
  return announced.get(space)?.get(number) ?? 'data';
}

/** The name of the protocol that follows a header, or `data`. */
export function followingProtocol(follower: Follower): string {
  if (follower.announced === undefined) return follower.protocol ?? 'data';
  const { space, number, otherwise } = follower.announced;
  const name = announcedProtocol(space, number);
  return name === 'data' && otherwise !== undefined ? announcedProtocol(space, otherwise) : name;
}

/** @throws {RangeError} where two protocols claim one number */
function tableOf(all: readonly Protocol[]): Map<Space, Map<number, string>> {
  const table = new Map<Space, Map<number, string>>();
  for (const { name, declaration } of all) {
    for (const [space, numbers] of Object.entries(declaration.announcedBy ?? {}) as [Space, number[]][]) {
      const names = table.get(space) ?? new Map<number, string>();
      table.set(space, names);
      for (const number of numbers) {
        const other = names.get(number);
        if (other !== undefined) throw new RangeError(`${space} ${number} announces ${other} and ${name}`);
        names.set(number, name);
      }
    }
  }
  return table;
}
