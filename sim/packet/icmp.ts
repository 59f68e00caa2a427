/** The Internet Control Message Protocol for IPv4 (RFC 792; types: IANA "ICMP Type Numbers"). */

import { protocol } from './declaration/declare.ts';
import { hex, ipv4Address, reserved, u8, u16, u32 } from './declaration/field.ts';
import type { ValueOf } from './declaration/protocol.ts';
import { extendedBy, quotedBy } from './icmp-extension.ts';
import { messageName } from './icmp-names.ts';
import { IPPROTO } from './numbers.ts';

export const ICMP_TYPE = {
  ECHO_REPLY: 0,
  DESTINATION_UNREACHABLE: 3,
  SOURCE_QUENCH: 4,
  REDIRECT: 5,
  ECHO: 8,
  ROUTER_ADVERTISEMENT: 9,
  ROUTER_SOLICITATION: 10,
  TIME_EXCEEDED: 11,
  PARAMETER_PROBLEM: 12,
  TIMESTAMP: 13,
  TIMESTAMP_REPLY: 14,
  INFORMATION_REQUEST: 15,
  INFORMATION_REPLY: 16,
  ADDRESS_MASK_REQUEST: 17,
  ADDRESS_MASK_REPLY: 18,
  EXTENDED_ECHO_REQUEST: 42,
  EXTENDED_ECHO_REPLY: 43,
} as const;

const TYPE_NAMES: Readonly<Record<number, string>> = {
  0: 'Echo Reply',
  3: 'Destination Unreachable',
  4: 'Source Quench',
  5: 'Redirect',
  8: 'Echo',
  9: 'Router Advertisement',
  10: 'Router Solicitation',
  11: 'Time Exceeded',
  12: 'Parameter Problem',
  13: 'Timestamp',
  14: 'Timestamp Reply',
  15: 'Information Request',
  16: 'Information Reply',
  17: 'Address Mask Request',
  18: 'Address Mask Reply',
  42: 'Extended Echo Request',
  43: 'Extended Echo Reply',
};

const CODE_NAMES: Readonly<Record<number, readonly string[]>> = {
  3: [
    'net unreachable',
    'host unreachable',
    'protocol unreachable',
    'port unreachable',
    'fragmentation needed and DF set',
    'source route failed',
    'destination network unknown',
    'destination host unknown',
    'source host isolated',
    'network administratively prohibited',
    'host administratively prohibited',
    'network unreachable for TOS',
    'host unreachable for TOS',
    'communication administratively prohibited',
    'host precedence violation',
    'precedence cutoff in effect',
  ],
  5: ['for the network', 'for the host', 'for TOS and network', 'for TOS and host'],
  11: ['time to live exceeded in transit', 'fragment reassembly time exceeded'],
  12: ['pointer indicates the error', 'required option missing', 'bad length'],
};

/** Does a message of this type quote the packet that caused it? */
export function isIcmpError(type: number): boolean {
  switch (type) {
    case ICMP_TYPE.DESTINATION_UNREACHABLE:
    case ICMP_TYPE.SOURCE_QUENCH:
    case ICMP_TYPE.REDIRECT:
    case ICMP_TYPE.TIME_EXCEEDED:
    case ICMP_TYPE.PARAMETER_PROBLEM:
      return true;
    default:
      return false;
  }
}

const query = {
  identifier: u16('Identifier', { filter: 'icmp.ident', scapy: 'id', preset: 1 }),
  sequence: u16('Sequence Number', { filter: 'icmp.seq', scapy: 'seq', preset: 1 }),
};
/** The length of the quoted packet in 32-bit words, where extensions follow it (RFC 4884 §4). */
const quotedLength = u8('Length of the quoted packet', { filter: 'icmp.length', scapy: 'length' });

export const ICMP = protocol({
  name: 'icmp',
  label: 'Internet Control Message Protocol',
  source: 'RFC 792',
  fields: {
    type: u8('Type', {
      filter: 'icmp.type',
      scapy: 'type',
      names: (type) => TYPE_NAMES[type],
      edges: Object.values(ICMP_TYPE),
    }),
    code: u8('Code', { filter: 'icmp.code', scapy: 'code' }),
    /** Over the message alone: there is no pseudo-header. */
    checksum: hex(16, 'Checksum', {
      filter: 'icmp.checksum',
      scapy: 'chksum',
      computed: { what: 'checksum', algorithm: 'internet', covers: 'message' },
    }),
  },
  variants: {
    by: 'type',
    cases: {
      /** Echo, information and their replies. */
      query: {
        types: [
          ICMP_TYPE.ECHO,
          ICMP_TYPE.ECHO_REPLY,
          ICMP_TYPE.INFORMATION_REQUEST,
          ICMP_TYPE.INFORMATION_REPLY,
        ],
        fields: query,
      },
      /** In milliseconds since midnight UT. */
      timestamp: {
        types: [ICMP_TYPE.TIMESTAMP, ICMP_TYPE.TIMESTAMP_REPLY],
        fields: {
          ...query,
          originate: u32('Originate Timestamp', { filter: 'icmp.originate_timestamp', scapy: 'ts_ori' }),
          receive: u32('Receive Timestamp', { filter: 'icmp.receive_timestamp', scapy: 'ts_rx' }),
          transmit: u32('Transmit Timestamp', { filter: 'icmp.transmit_timestamp', scapy: 'ts_tx' }),
        },
      },
      mask: {
        types: [ICMP_TYPE.ADDRESS_MASK_REQUEST, ICMP_TYPE.ADDRESS_MASK_REPLY],
        fields: {
          ...query,
          mask: ipv4Address('Address Mask', { filter: 'icmp.address_mask', scapy: 'addr_mask' }),
        },
      },
      unreachable: {
        types: [ICMP_TYPE.DESTINATION_UNREACHABLE, ICMP_TYPE.TIME_EXCEEDED],
        fields: {
          unused: hex(8, 'Unused'),
          quotedLength,
          /** Of fragmentation needed (RFC 1191 §4). */
          nextHopMtu: u16('Next-Hop MTU', { filter: 'icmp.mtu', scapy: 'nexthopmtu' }),
        },
      },
      redirect: {
        types: [ICMP_TYPE.REDIRECT],
        fields: { gateway: ipv4Address('Gateway Address', { filter: 'icmp.redir_gw', scapy: 'gw' }) },
      },
      parameter: {
        types: [ICMP_TYPE.PARAMETER_PROBLEM],
        fields: {
          /** The octet where the error was found. */
          pointer: u8('Pointer', { filter: 'icmp.pointer', scapy: 'ptr' }),
          quotedLength,
          unused2: reserved(16, 'Unused'),
        },
      },
      /** All others: the four bytes behind the checksum. */
      other: { fields: { rest: hex(32, 'Rest of header', { scapy: 'unused' }) } },
    },
  },
  carries: ['ipv4', 'icmpext'],
  carrying: (follower) => ({
    type: follower === 'icmpext' ? ICMP_TYPE.EXTENDED_ECHO_REQUEST : ICMP_TYPE.DESTINATION_UNREACHABLE,
  }),
  announcedBy: { ipv4Protocol: [IPPROTO.ICMP] },
  summary: (message) => messageName(TYPE_NAMES, CODE_NAMES, message),
  notes: ({ value: { type, code } }) => ({ code: CODE_NAMES[type]?.[code] }),
  follow: (header) => {
    const { value, offset, length, end } = header;
    if (value.type === ICMP_TYPE.EXTENDED_ECHO_REQUEST) return extendedBy(header);
    const { body } = value;
    const stated = 'quotedLength' in body ? 4 * body.quotedLength : undefined;
    if (isIcmpError(value.type)) return quotedBy(header, 'ipv4', stated);
    return { protocol: 'data', offset: offset + length, end, context: {} };
  },
});

export type IcmpHeader = ValueOf<typeof ICMP>;
