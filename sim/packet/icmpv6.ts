/** ICMP for IPv6 (RFC 4443), with neighbour discovery (RFC 4861) and MLD (RFC 2710; types: IANA "ICMPv6 type Numbers"). */

import { protocol } from './declaration/declare.ts';
import { type Field, flag, hex, ipv6Address, reserved, u8, u16, u32 } from './declaration/field.ts';
import type { ValueOf } from './declaration/protocol.ts';
import { MLD_QUERIER, MLD_RECORDS } from './group-records.ts';
import { extendedBy, quotedBy } from './icmp-extension.ts';
import { messageName } from './icmp-names.ts';
import { NEIGHBOUR_OPTIONS } from './neighbour-options.ts';
import { IPPROTO } from './numbers.ts';

export const ICMPV6_TYPE = {
  DESTINATION_UNREACHABLE: 1,
  PACKET_TOO_BIG: 2,
  TIME_EXCEEDED: 3,
  PARAMETER_PROBLEM: 4,
  ECHO_REQUEST: 128,
  ECHO_REPLY: 129,
  MLD_QUERY: 130,
  MLD_REPORT: 131,
  MLD_DONE: 132,
  ROUTER_SOLICITATION: 133,
  ROUTER_ADVERTISEMENT: 134,
  NEIGHBOUR_SOLICITATION: 135,
  NEIGHBOUR_ADVERTISEMENT: 136,
  REDIRECT: 137,
  MLD2_REPORT: 143,
  EXTENDED_ECHO_REQUEST: 160,
  EXTENDED_ECHO_REPLY: 161,
} as const;

const TYPE_NAMES: Readonly<Record<number, string>> = {
  1: 'Destination Unreachable',
  2: 'Packet Too Big',
  3: 'Time Exceeded',
  4: 'Parameter Problem',
  128: 'Echo Request',
  129: 'Echo Reply',
  130: 'Multicast Listener Query',
  131: 'Multicast Listener Report',
  132: 'Multicast Listener Done',
  133: 'Router Solicitation',
  134: 'Router Advertisement',
  135: 'Neighbor Solicitation',
  136: 'Neighbor Advertisement',
  137: 'Redirect',
  143: 'Multicast Listener Report v2',
  160: 'Extended Echo Request',
  161: 'Extended Echo Reply',
};

const CODE_NAMES: Readonly<Record<number, readonly string[]>> = {
  1: [
    'no route to destination',
    'communication administratively prohibited',
    'beyond scope of source address',
    'address unreachable',
    'port unreachable',
    'source address failed ingress/egress policy',
    'reject route to destination',
  ],
  3: ['hop limit exceeded in transit', 'fragment reassembly time exceeded'],
  4: ['erroneous header field', 'unrecognized next header', 'unrecognized option'],
};

/** Does a message of this type quote the packet that caused it? Errors have the high bit clear (RFC 4443 §2.1). */
export function isIcmpv6Error(type: number): boolean {
  return type >= 1 && type <= 4;
}

/** Types 133 to 137 (RFC 4861 §4). */
export function isNeighbourDiscovery(type: number): boolean {
  return type >= ICMPV6_TYPE.ROUTER_SOLICITATION && type <= ICMPV6_TYPE.REDIRECT;
}

const target = (filter: string): Field<string, true> =>
  ipv6Address('Target Address', { filter, scapy: 'tgt' });

const listener = {
  maximumResponseDelay: u16('Maximum Response Delay', {
    filter: 'icmpv6.mld.maximum_response_delay',
    scapy: 'mrd',
  }),
  reserved: reserved(16),
  group: ipv6Address('Multicast Address', {
    filter: 'icmpv6.mld.multicast_address',
    scapy: 'mladdr',
  }),
};

export const ICMPV6 = protocol({
  name: 'icmpv6',
  label: 'Internet Control Message Protocol v6',
  source: 'RFC 4443',
  fields: {
    type: u8('Type', {
      filter: 'icmpv6.type',
      scapy: 'type',
      names: (type) => TYPE_NAMES[type],
      edges: Object.values(ICMPV6_TYPE),
    }),
    code: u8('Code', { filter: 'icmpv6.code', scapy: 'code' }),
    checksum: hex(16, 'Checksum', {
      filter: 'icmpv6.checksum',
      scapy: 'cksum',
      computed: {
        what: 'checksum',
        algorithm: 'internet',
        covers: 'message',
        pseudoHeader: IPPROTO.ICMPV6,
      },
    }),
  },
  variants: {
    by: 'type',
    cases: {
      echo: {
        types: [ICMPV6_TYPE.ECHO_REQUEST, ICMPV6_TYPE.ECHO_REPLY],
        fields: {
          identifier: u16('Identifier', { filter: 'icmpv6.echo.identifier', scapy: 'id', preset: 1 }),
          sequence: u16('Sequence Number', {
            filter: 'icmpv6.echo.sequence_number',
            scapy: 'seq',
            preset: 1,
          }),
        },
      },
      unreachable: {
        types: [ICMPV6_TYPE.DESTINATION_UNREACHABLE, ICMPV6_TYPE.TIME_EXCEEDED],
        fields: {
          /** The length of the quoted packet in 64-bit words, where extensions follow it (RFC 4884 §4). */
          quotedLength: u8('Length of the quoted packet', { filter: 'icmpv6.length', scapy: 'length' }),
          unused: reserved(24, 'Unused'),
        },
      },
      /** Packet too big. */
      mtu: {
        types: [ICMPV6_TYPE.PACKET_TOO_BIG],
        fields: { mtu: u32('MTU', { filter: 'icmpv6.mtu', scapy: 'mtu' }) },
      },
      /** Parameter problem. */
      pointer: {
        types: [ICMPV6_TYPE.PARAMETER_PROBLEM],
        fields: { pointer: u32('Pointer', { filter: 'icmpv6.pointer', scapy: 'ptr' }) },
      },
      routerSolicitation: {
        types: [ICMPV6_TYPE.ROUTER_SOLICITATION],
        fields: { reserved: reserved(32) },
        tail: NEIGHBOUR_OPTIONS,
      },
      routerAdvertisement: {
        types: [ICMPV6_TYPE.ROUTER_ADVERTISEMENT],
        fields: {
          curHopLimit: u8('Cur Hop Limit', { filter: 'icmpv6.nd.ra.cur_hop_limit', scapy: 'chlim' }),
          /** Managed (0x80), other (0x40) and what was added since. */
          flags: hex(8, 'Flags', { filter: 'icmpv6.nd.ra.flag' }),
          /** Seconds. */
          lifetime: u16('Router Lifetime', {
            filter: 'icmpv6.nd.ra.router_lifetime',
            scapy: 'routerlifetime',
          }),
          /** Milliseconds. */
          reachableTime: u32('Reachable Time', {
            filter: 'icmpv6.nd.ra.reachable_time',
            scapy: 'reachabletime',
          }),
          retransTimer: u32('Retrans Timer', {
            filter: 'icmpv6.nd.ra.retrans_timer',
            scapy: 'retranstimer',
          }),
        },
        tail: NEIGHBOUR_OPTIONS,
      },
      neighbourSolicitation: {
        types: [ICMPV6_TYPE.NEIGHBOUR_SOLICITATION],
        fields: { reserved: reserved(32), target: target('icmpv6.nd.ns.target_address') },
        tail: NEIGHBOUR_OPTIONS,
      },
      neighbourAdvertisement: {
        types: [ICMPV6_TYPE.NEIGHBOUR_ADVERTISEMENT],
        fields: {
          router: flag('Router', { filter: 'icmpv6.nd.na.flag.r', scapy: 'R' }),
          solicited: flag('Solicited', { filter: 'icmpv6.nd.na.flag.s', scapy: 'S' }),
          override: flag('Override', { filter: 'icmpv6.nd.na.flag.o', scapy: 'O' }),
          reserved: reserved(29),
          target: target('icmpv6.nd.na.target_address'),
        },
        tail: NEIGHBOUR_OPTIONS,
      },
      redirect: {
        types: [ICMPV6_TYPE.REDIRECT],
        fields: {
          reserved: reserved(32),
          target: target('icmpv6.nd.rd.target_address'),
          destination: ipv6Address('Destination Address', {
            filter: 'icmpv6.rd.na.destination_address',
            scapy: 'dst',
          }),
        },
        tail: NEIGHBOUR_OPTIONS,
      },
      /** MLD version 1, and the queries of version 2, which say more. */
      listenerQuery: { types: [ICMPV6_TYPE.MLD_QUERY], fields: listener, tail: MLD_QUERIER },
      listener: { types: [ICMPV6_TYPE.MLD_REPORT, ICMPV6_TYPE.MLD_DONE], fields: listener },
      /** MLD version 2. */
      listenerReport2: {
        types: [ICMPV6_TYPE.MLD2_REPORT],
        fields: {
          reserved: reserved(16),
          records: u16('Number of Group Records', { filter: 'icmpv6.mldr.nb_mcast_records' }),
        },
        tail: MLD_RECORDS,
      },
      /** All others: the four bytes behind the checksum. */
      other: { fields: { rest: hex(32, 'Rest of header') } },
    },
  },
  carries: ['ipv6', 'icmpext'],
  carrying: (follower) => ({
    type: follower === 'icmpext' ? ICMPV6_TYPE.EXTENDED_ECHO_REQUEST : ICMPV6_TYPE.DESTINATION_UNREACHABLE,
  }),
  announcedBy: { ipv6Protocol: [IPPROTO.ICMPV6] },
  summary: (message) => messageName(TYPE_NAMES, CODE_NAMES, message),
  notes: ({ value: { type, code } }) => ({ code: CODE_NAMES[type]?.[code] }),
  follow: (header) => {
    const { value, offset, length, end } = header;
    if (value.type === ICMPV6_TYPE.EXTENDED_ECHO_REQUEST) return extendedBy(header);
    const { body } = value;
    const stated = 'quotedLength' in body ? 8 * body.quotedLength : undefined;
    if (isIcmpv6Error(value.type)) return quotedBy(header, 'ipv6', stated);
    return { protocol: 'data', offset: offset + length, end, context: {} };
  },
});

export type Icmpv6Header = ValueOf<typeof ICMPV6>;
