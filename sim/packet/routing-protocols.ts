/** Headers of protocols that routers speak among each other: PIM, VRRP, OSPF. */

import { protocol } from './declaration/declare.ts';
import { constant, hex, ipv4Address, opaque, reserved, u8, u16, unsigned } from './declaration/field.ts';
import type { ValueOf } from './declaration/protocol.ts';
import { bytesTail } from './declaration/tail.ts';
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
      computed: { what: 'checksum', algorithm: 'internet', covers: 'message' },
    }),
  },
  announcedBy: { ipProtocol: [IPPROTO.PIM] },
  summary: ({ type }) => PIM_TYPES[type] ?? `type ${type}`,
  covered: ({ value, offset, end }) =>
    value.type === PIM_REGISTER ? Math.min(8, end - offset) : end - offset,
});

export const VRRP = protocol({
  name: 'vrrp',
  label: 'Virtual Router Redundancy Protocol',
  source: 'RFC 9568 §5.1',
  fields: {
    version: constant(4, 'Version', 3, { filter: 'vrrp.version', scapy: 'version' }),
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
      computed: { what: 'checksum', algorithm: 'internet', covers: 'message', pseudoHeader: IPPROTO.VRRP },
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

export const OSPF = protocol({
  name: 'ospf',
  label: 'Open Shortest Path First',
  source: 'RFC 2328 appendix A.3.1',
  fields: {
    version: constant(8, 'Version', 2, { filter: 'ospf.version', scapy: 'version' }),
    type: u8('Type', { filter: 'ospf.msg', scapy: 'type', names: (type) => OSPF_TYPES[type], preset: 1 }),
    length: u16('Packet length', {
      filter: 'ospf.packet_length',
      scapy: 'len',
      computed: { what: 'length', less: 0, unit: 1 },
    }),
    router: ipv4Address('Router ID', { filter: 'ospf.srcrouter', scapy: 'src' }),
    area: ipv4Address('Area ID', { filter: 'ospf.area_id', scapy: 'area' }),
    /** Without the authentication data; none where the authentication is cryptographic. */
    checksum: hex(16, 'Checksum', { filter: 'ospf.checksum', scapy: 'chksum' }),
    authentication: u16('Authentication type', { filter: 'ospf.auth.type', scapy: 'authtype' }),
    authenticationData: opaque(8, 'Authentication data'),
  },
  announcedBy: { ipProtocol: [IPPROTO.OSPF] },
  summary: ({ type, router }) => `${OSPF_TYPES[type] ?? `type ${type}`} from ${router}`,
});

export type PimHeader = ValueOf<typeof PIM>;
export type VrrpHeader = ValueOf<typeof VRRP>;
export type OspfHeader = ValueOf<typeof OSPF>;
