/** Headers of protocols that routers speak among each other: PIM, VRRP, OSPF. */

import { readU16 } from './bytes.ts';
import { sum } from './checksum.ts';
import { protocol } from './declaration/declare.ts';
import { constant, hex, ipv4Address, opaque, reserved, u8, u16, unsigned } from './declaration/field.ts';
import type { ValueOf } from './declaration/protocol.ts';
import { bytesTail } from './declaration/tail.ts';
import { protocolByVersion } from './dissection.ts';
import { IPPROTO } from './numbers.ts';

/** PIM's register messages carry a packet that their checksum does not cover. */
const PIM_REGISTER = 1;

const PIM_TYPES: readonly string[] = [
  'Hello',
  'Register',
  'Register-Stop',
  'Join/Prune',
  'Bootstrap',
  'Assert',
  'Graft',
  'Graft-Ack',
  'Candidate-RP-Advertisement',
];

/** Some sum all of a register, which is to be accepted (RFC 7761 §4.9). */
function isWhollySummed(bytes: Uint8Array, offset: number, end: number, version?: 4 | 6): boolean {
  return version !== 6 && end - offset >= 8 && sum(bytes, offset, end - offset) === 0xffff;
}

export const PIM = protocol({
  name: 'pim',
  label: 'Protocol Independent Multicast',
  source: 'RFC 7761 §4.9',
  fields: {
    version: constant(4, 'Version', 2, { filter: 'pim.version' }),
    type: unsigned(4, 'Type', { filter: 'pim.type', names: (type) => PIM_TYPES[type] }),
    reserved: reserved(8),
    checksum: hex(16, 'Checksum', {
      filter: 'pim.cksum',
      computed: {
        what: 'checksum',
        algorithm: 'internet',
        covers: 'message',
        pseudoHeader: IPPROTO.PIM,
        pseudoHeaderIf: (_, version) => version === 6,
        lengthIsCovered: true,
      },
    }),
  },
  carries: ['ipv4', 'ipv6'],
  carrying: () => ({ type: PIM_REGISTER }),
  announcedBy: { ipProtocol: [IPPROTO.PIM] },
  follow: ({ value, bytes, offset, length, end }) => {
    // Two flags and reserved bits stand in front of the packet (RFC 7761 §4.9.3).
    const at = offset + length + 4;
    const isRegister = value.type === PIM_REGISTER && at <= end;
    return {
      protocol: isRegister ? protocolByVersion(bytes, at, end) : 'data',
      offset: isRegister ? at : offset + length,
      end,
      context: {},
      gap: 'Register flags',
    };
  },
  summary: ({ type }) => PIM_TYPES[type] ?? `type ${type}`,
  covered: ({ value, bytes, offset, end, context }) =>
    value.type === PIM_REGISTER && !isWhollySummed(bytes, offset, end, context.version)
      ? Math.min(8, end - offset)
      : end - offset,
});

export const VRRP = protocol({
  name: 'vrrp',
  label: 'Virtual Router Redundancy Protocol',
  source: 'RFC 9568 §5.1',
  fields: {
    /** In version 2 the byte behind the count is the authentication's type, and the next the interval in seconds. */
    version: unsigned(4, 'Version', {
      filter: 'vrrp.version',
      scapy: 'version',
      preset: 3,
      edges: [2, 3],
      refuses: (version) => (version === 2 || version === 3 ? undefined : '2 or 3'),
    }),
    type: unsigned(4, 'Type', { filter: 'vrrp.type', scapy: 'type', preset: 1 }),
    virtualRouter: u8('Virtual Router ID', { filter: 'vrrp.virt_rtr_id', scapy: 'vrid', preset: 1 }),
    priority: u8('Priority', { filter: 'vrrp.prio', scapy: 'priority', preset: 100, edges: [0, 100, 255] }),
    addresses: u8('Address count', { filter: 'vrrp.addr_count', scapy: 'ipcount' }),
    reserved: reserved(4),
    interval: unsigned(12, 'Advertisement interval', {
      filter: 'vrrp.short_adver_int',
      scapy: 'adv',
      preset: 100,
    }),
    checksum: hex(16, 'Checksum', {
      filter: 'vrrp.checksum',
      scapy: 'chksum',
      computed: {
        what: 'checksum',
        algorithm: 'internet',
        covers: 'message',
        pseudoHeader: IPPROTO.VRRP,
        // Over IPv4 RFC 5798 was read either way, and RFC 9568 §5.2.8 settled it.
        pseudoHeaderIf: ({ version }, ipVersion) => version === 3 && ipVersion === 6,
        pseudoHeaderAccepted: ({ version }) => version === 3,
      },
    }),
  },
  tail: bytesTail('list', 'Addresses'),
  announcedBy: { ipProtocol: [IPPROTO.VRRP] },
  summary: ({ virtualRouter, priority }) => `router ${virtualRouter}, priority ${priority}`,
});

const OSPF_TYPES: Readonly<Record<number, string>> = {
  1: 'Hello',
  2: 'Database Description',
  3: 'Link State Request',
  4: 'Link State Update',
  5: 'Link State Acknowledgment',
};

/** What the headers of OSPF versions 2 and 3 begin with. */
const ospfStart = (version: 2 | 3) => ({
  version: constant(8, 'Version', version, { filter: 'ospf.version', scapy: 'version' }),
  type: u8('Type', { filter: 'ospf.msg', scapy: 'type', names: (type) => OSPF_TYPES[type], preset: 1 }),
  length: u16('Packet length', {
    filter: 'ospf.packet_length',
    scapy: 'len',
    computed: { what: 'length', less: 0, unit: 1 },
  }),
  router: ipv4Address('Router ID', { filter: 'ospf.srcrouter', scapy: 'src' }),
  area: ipv4Address('Area ID', { filter: 'ospf.area_id', scapy: 'area' }),
});

export const OSPF = protocol({
  name: 'ospf',
  label: 'Open Shortest Path First',
  source: 'RFC 2328 appendix A.3.1',
  fields: {
    ...ospfStart(2),
    /** Without the authentication data; none where the authentication is cryptographic. */
    checksum: hex(16, 'Checksum', {
      filter: 'ospf.checksum',
      scapy: 'chksum',
      computed: { what: 'checksum', algorithm: 'internet', covers: 'message', excludes: [16, 24] },
    }),
    authentication: u16('Authentication type', { filter: 'ospf.auth.type', scapy: 'authtype' }),
    authenticationData: opaque(8, 'Authentication data'),
  },
  announcedBy: { ipv4Protocol: [IPPROTO.OSPF] },
  // Cryptographic authentication takes the checksum's place (RFC 2328 appendix D.4.3), with extended sequence numbers, too (RFC 7474 §3).
  covered: ({ value: { authentication, length } }) =>
    authentication === 2 || authentication === 3 ? 0 : length || Number.POSITIVE_INFINITY,
  summary: ({ type, router }) => `${OSPF_TYPES[type] ?? `type ${type}`} from ${router}`,
});

/**
 * Is what stands behind an OSPFv3 packet an authentication trailer, which takes the checksum's place (RFC 7166 §4.1 and §4.2)? A block for
 * link-local signalling may stand in front, whose length counts words (RFC 5613 §2.2).
 */
function hasTrailer(bytes: Uint8Array, at: number, end: number): boolean {
  const isTrailer = (start: number): boolean =>
    end - start >= 16 && readU16(bytes, start) === 1 && readU16(bytes, start + 2) === end - start;
  return isTrailer(at) || (end - at >= 4 && isTrailer(at + Math.max(4, readU16(bytes, at + 2) * 4)));
}

/** OSPF for IPv6: a shorter header, and a checksum with the pseudo-header. */
export const OSPF3 = protocol({
  name: 'ospf3',
  label: 'Open Shortest Path First for IPv6',
  source: 'RFC 5340 appendix A.3.1',
  fields: {
    ...ospfStart(3),
    checksum: hex(16, 'Checksum', {
      filter: 'ospf.checksum',
      scapy: 'chksum',
      computed: {
        what: 'checksum',
        algorithm: 'internet',
        covers: 'message',
        pseudoHeader: IPPROTO.OSPF,
        lengthIsCovered: true,
      },
    }),
    instance: u8('Instance ID', { filter: 'ospf.instance_id', scapy: 'instid' }),
    reserved: reserved(8),
  },
  announcedBy: { ipv6Protocol: [IPPROTO.OSPF] },
  covered: ({ value, bytes, offset, end }) =>
    value.length >= 16 && hasTrailer(bytes, offset + value.length, end) ? 0 : value.length,
  summary: ({ type, router }) => `${OSPF_TYPES[type] ?? `type ${type}`} from ${router}`,
});

export type Ospf3Header = ValueOf<typeof OSPF3>;
export type PimHeader = ValueOf<typeof PIM>;
export type VrrpHeader = ValueOf<typeof VRRP>;
export type OspfHeader = ValueOf<typeof OSPF>;
