/** The register of protocols: one line each. A new protocol joins with its file and a line here. */
import { DNS, QUIC } from './application.ts';
import { ARP } from './arp.ts';
import { CAPWAP } from './capwap.ts';
import { DCCP } from './dccp.ts';
import type { Space } from './declaration/field.ts';
import type { Protocol } from './declaration/protocol.ts';
import type { Follower } from './dissection.ts';
import { ETHERNET } from './ethernet.ts';
import { GENEVE } from './geneve.ts';
import { GRE } from './gre.ts';
import { GTPU } from './gtpu.ts';
import { GUE } from './gue.ts';
import { ICMP } from './icmp.ts';
import { ICMP_EXTENSION } from './icmp-extension.ts';
import { ICMPV6 } from './icmpv6.ts';
import { IGMP } from './igmp.ts';
import { IPV4 } from './ipv4.ts';
import { IPV6 } from './ipv6.ts';
import { AH, DSTOPTS, FRAGMENT, HIP, HOPOPTS, MOBILITY, ROUTING, SHIM6 } from './ipv6-extensions.ts';
import { L2TPV3, L2TPV3_UDP } from './l2tp.ts';
import { L2TPV2 } from './l2tpv2.ts';
import { LISP } from './lisp.ts';
import { LLC, SNAP, STP } from './llc.ts';
import { LLDP } from './lldp.ts';
import { MPLS } from './mpls.ts';
import { PPP, PPPOE } from './pppoe.ts';
import { PW_CONTROL_WORD } from './pseudowire.ts';
import { HSR, RTAG } from './redundancy-tags.ts';
import { OSPF, OSPF3, PIM, VRRP } from './routing-protocols.ts';
import { SCTP } from './sctp.ts';
import { TCP } from './tcp.ts';
import { TEREDO } from './teredo.ts';
import { ERSPAN, ERSPAN_III, ESP, ETHERIP, FABRIC_PATH, ITAG, NSH } from './tunnels.ts';
import { UDP } from './udp.ts';
import { UDP_LITE } from './udp-lite.ts';
import { VLAN } from './vlan.ts';
import { VXLAN, VXLAN_GPE } from './vxlan.ts';
import { WLAN, WLAN_SWAPPED } from './wlan.ts';

/** Protocols by their names. */
export const PROTOCOLS = {
  ethernet: ETHERNET,
  vlan: VLAN,
  llc: LLC,
  snap: SNAP,
  stp: STP,
  lldp: LLDP,
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
  icmpext: ICMP_EXTENSION,
  tcp: TCP,
  udp: UDP,
  udplite: UDP_LITE,
  sctp: SCTP,
  dccp: DCCP,
  igmp: IGMP,
  pim: PIM,
  vrrp: VRRP,
  ospf: OSPF,
  ospf3: OSPF3,
  gre: GRE,
  erspan: ERSPAN,
  erspan3: ERSPAN_III,
  vxlan: VXLAN,
  vxlangpe: VXLAN_GPE,
  geneve: GENEVE,
  gtpu: GTPU,
  lisp: LISP,
  gue: GUE,
  teredo: TEREDO,
  l2tpv3: L2TPV3,
  l2tpudp: L2TPV3_UDP,
  l2tpv2: L2TPV2,
  capwap: CAPWAP,
  wlan: WLAN,
  wlanswapped: WLAN_SWAPPED,
  mpls: MPLS,
  pwethcw: PW_CONTROL_WORD,
  pppoe: PPPOE,
  ppp: PPP,
  esp: ESP,
  etherip: ETHERIP,
  nsh: NSH,
  itag: ITAG,
  hsr: HSR,
  rtag: RTAG,
  fabricpath: FABRIC_PATH,
  dns: DNS,
  quic: QUIC,
} as const;

export type ProtocolName = keyof typeof PROTOCOLS;

export const protocols: readonly Protocol[] = Object.values(PROTOCOLS);

const byName: ReadonlyMap<string, Protocol> = new Map(protocols.map((protocol) => [protocol.name, protocol]));

export function protocolByName(name: string): Protocol | undefined {
  return byName.get(name);
}

/** By the name of a protocol: those that may stand where it is announced. */
const otherVersions: ReadonlyMap<string, readonly string[]> = versionsOf(protocols);

/** What follows what: for each number space, the protocol that a number announces. */
const announced: ReadonlyMap<Space, ReadonlyMap<number, string>> = tableOf(protocols);

/**
 * The name of the protocol that a number announces, or `data`.
 * @param version of the IP header around it, where protocols of IP are asked for
 */
export function announcedProtocol(space: Space, number: number, version?: 4 | 6): string {
  const name = announced.get(space)?.get(number);
  if (name !== undefined || space !== 'ipProtocol' || version === undefined) return name ?? 'data';
  return announced.get(`ipv${version}Protocol`)?.get(number) ?? 'data';
}

/** The spaces whose numbers a field of one space holds in this protocol. */
function spacesOf(space: Space, name: string): readonly Space[] {
  if (space !== 'ipProtocol') return [space];
  return name === 'ipv4' ? ['ipProtocol', 'ipv4Protocol'] : ['ipProtocol', 'ipv6Protocol'];
}

/** The names of all protocols that can follow one, whether a number announces them or not. */
export function followersOf(name: string): readonly string[] {
  const protocol = byName.get(name);
  if (protocol === undefined) return [];
  const { fields, carries = [], carriesOnly = false } = protocol.declaration;
  if (carriesOnly) return carries;
  const spaces = Object.values(fields).flatMap(({ options: { computed } }) =>
    computed?.what === 'next' ? spacesOf(computed.space, name) : [],
  );
  const announced = spaces.flatMap((space) => [...announcements(space).values()]);
  const named = announced.flatMap((one) => [one, ...instead(one)]);
  return [...new Set([...carries, ...named])];
}

/** The names of those that may stand where this one is announced: other versions of it, with the same numbers. */
export function instead(name: string): readonly string[] {
  return otherVersions.get(name) ?? [];
}

/** The numbers of a space that announce a protocol, and which. */
export function announcements(space: Space): ReadonlyMap<number, string> {
  return announced.get(space) ?? new Map();
}

/** The name of the protocol that follows a header in these bytes, or `data`. */
export function followingProtocol(follower: Follower, bytes: Uint8Array): string {
  const name = namedBy(follower);
  return byName.get(name)?.declaration.insteadAt?.(bytes, follower.offset, follower.end) ?? name;
}

function namedBy({ protocol, announced: by, context }: Follower): string {
  if (by === undefined) return protocol ?? 'data';
  const { space, number, otherwise, guess } = by;
  const version = context?.version;
  let name = announcedProtocol(space, number, version);
  if (name === 'data' && otherwise !== undefined) name = announcedBySource(space, otherwise, version);
  return name === 'data' && guess !== undefined ? guess() : name;
}

function announcedBySource(space: Space, number: number, version: 4 | 6 | undefined): string {
  const name = announcedProtocol(space, number, version);
  return byName.get(name)?.declaration.destinationPortOnly === true ? 'data' : name;
}

function versionsOf(all: readonly Protocol[]): Map<string, string[]> {
  const versions = new Map<string, string[]>();
  for (const { name, declaration } of all) {
    if (declaration.insteadOf === undefined) continue;
    const others = versions.get(declaration.insteadOf);
    if (others === undefined) versions.set(declaration.insteadOf, [name]);
    else others.push(name);
  }
  return versions;
}

/** @throws {RangeError} where two protocols claim one number */
function tableOf(all: readonly Protocol[]): Map<Space, Map<number, string>> {
  const table = new Map<Space, Map<number, string>>();
  for (const { name, declaration } of all) {
    if (declaration.insteadOf !== undefined) continue;
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
