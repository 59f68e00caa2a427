/** Headers of tunnels with a few fields each: ESP, EtherIP, ERSPAN, NSH, 802.1ah. */

import { protocol } from './declaration/declare.ts';
import {
  constant,
  derived,
  flag,
  hex,
  mac,
  reserved,
  u8,
  u16,
  u24,
  u32,
  unsigned,
} from './declaration/field.ts';
import { bytesTail } from './declaration/tail.ts';
import { protocolByVersion } from './dissection.ts';
import { followTyped } from './ethernet.ts';
import { ETHERTYPE, IPPROTO } from './numbers.ts';

/** What follows is encrypted. */
export const ESP = protocol({
  name: 'esp',
  label: 'Encapsulating Security Payload',
  source: 'RFC 4303 §2',
  fields: {
    spi: hex(32, 'Security Parameters Index', { filter: 'esp.spi', scapy: 'spi', preset: 0x100 }),
    sequence: u32('Sequence Number', { filter: 'esp.sequence', scapy: 'seq', preset: 1 }),
  },
  announcedBy: { ipProtocol: [IPPROTO.ESP] },
  summary: ({ spi }) => `SPI 0x${spi.toString(16).padStart(8, '0')}`,
});

export const ETHERIP = protocol({
  name: 'etherip',
  label: 'Ethernet over IP',
  source: 'RFC 3378 §3',
  fields: {
    version: constant(4, 'Version', 3, { filter: 'etherip.ver', scapy: 'version' }),
    reserved: reserved(12),
  },
  carries: ['ethernet'],
  announcedBy: { ipProtocol: [IPPROTO.ETHERIP] },
  summary: () => 'Ethernet',
  follow: ({ offset, length, end }) => ({ protocol: 'ethernet', offset: offset + length, end, context: {} }),
});

/** Cisco's FabricPath: a frame with a header of its own in front, whose addresses name switches. */
export const FABRIC_PATH = protocol({
  name: 'fabricpath',
  label: 'Cisco FabricPath',
  source: 'draft-sahoo-fabricpath; Wireshark packet-cisco-fp-mim.c',
  fields: {
    tree: unsigned(10, 'Forwarding tag', { filter: 'cfp.ftag' }),
    ttl: unsigned(6, 'Time to Live', { filter: 'cfp.ttl', preset: 32 }),
  },
  carries: ['ethernet'],
  announcedBy: { etherType: [ETHERTYPE.FABRIC_PATH] },
  summary: ({ tree, ttl }) => `tree ${tree}, TTL ${ttl}`,
  follow: ({ offset, length, end }) => ({ protocol: 'ethernet', offset: offset + length, end, context: {} }),
});

export const ERSPAN = protocol({
  name: 'erspan',
  label: 'Encapsulated Remote Switched Packet Analysis II',
  source: 'draft-foschiano-erspan-03 §4.2',
  fields: {
    version: constant(4, 'Version', 1, { filter: 'erspan.version', scapy: 'ver' }),
    vlan: unsigned(12, 'VLAN', { filter: 'erspan.vlan', scapy: 'vlan' }),
    cos: unsigned(3, 'Class of service', { filter: 'erspan.cos', scapy: 'cos' }),
    encapsulation: unsigned(2, 'Encapsulation', { filter: 'erspan.encap', scapy: 'en' }),
    truncated: flag('Truncated', { filter: 'erspan.truncated', scapy: 't' }),
    session: unsigned(10, 'Session', { filter: 'erspan.spanid', scapy: 'session_id' }),
    reserved: reserved(12),
    index: unsigned(20, 'Index', { filter: 'erspan.index', scapy: 'index' }),
  },
  carries: ['ethernet'],
  announcedBy: { etherType: [ETHERTYPE.ERSPAN] },
  summary: ({ session, vlan }) => `session ${session}, VLAN ${vlan}`,
  follow: ({ offset, length, end }) => ({ protocol: 'ethernet', offset: offset + length, end, context: {} }),
});

export const ERSPAN_III = protocol({
  name: 'erspan3',
  label: 'Encapsulated Remote Switched Packet Analysis III',
  source: 'draft-foschiano-erspan-03 §4.3',
  fields: {
    version: constant(4, 'Version', 2, { filter: 'erspan.version', scapy: 'ver' }),
    vlan: unsigned(12, 'VLAN', { filter: 'erspan.vlan', scapy: 'vlan' }),
    cos: unsigned(3, 'Class of service', { filter: 'erspan.cos', scapy: 'cos' }),
    badShort: unsigned(2, 'Bad, short or oversized', { filter: 'erspan.bso', scapy: 'bso' }),
    truncated: flag('Truncated', { filter: 'erspan.truncated', scapy: 't' }),
    session: unsigned(10, 'Session', { filter: 'erspan.spanid', scapy: 'session_id' }),
    timestamp: u32('Timestamp', { scapy: 'timestamp' }),
    securityGroup: u16('Security group tag', { filter: 'erspan.sgt', scapy: 'sgt_other' }),
    isFrame: flag('Ethernet frame', { filter: 'erspan.p', preset: true }),
    frameType: unsigned(5, 'Frame type', { filter: 'erspan.ft' }),
    hardware: unsigned(6, 'Hardware', { filter: 'erspan.hw' }),
    egress: flag('Egress', { filter: 'erspan.direction', scapy: 'd' }),
    granularity: unsigned(2, 'Timestamp granularity', { filter: 'erspan.gra', scapy: 'gra' }),
    subheaderPresent: flag('Platform subheader', { filter: 'erspan.o', scapy: 'o' }),
  },
  sections: {
    platform: {
      flags: ['subheaderPresent'],
      fields: {
        platform: unsigned(6, 'Platform', { filter: 'erspan.platid' }),
        info1: reserved(26, 'Platform information'),
        info2: u32('Platform information'),
      },
    },
  },
  carries: ['ethernet', 'ipv4', 'ipv6'],
  carrying: (follower) => ({ frameType: follower === 'ethernet' ? 0 : 2 }),
  announcedBy: { etherType: [ETHERTYPE.ERSPAN_III] },
  summary: ({ session, vlan }) => `session ${session}, VLAN ${vlan}`,
  follow: ({ value, bytes, offset, length, end }) => {
    const at = offset + length;
    const ip = value.frameType === 2 ? protocolByVersion(bytes, at, end) : 'data';
    const inner = value.frameType === 0 ? 'ethernet' : ip;
    return {
      protocol: inner,
      offset: at,
      end,
      context: {},
    };
  },
});

const NSH_NEXT: Readonly<Record<number, string>> = {
  1: 'IPv4',
  2: 'IPv6',
  3: 'Ethernet',
  4: 'NSH',
  5: 'MPLS',
};

export const NSH = protocol({
  name: 'nsh',
  label: 'Network Service Header',
  source: 'RFC 8300 §2',
  fields: {
    version: constant(2, 'Version', 0, { filter: 'nsh.version', scapy: 'ver' }),
    oam: flag('OAM packet', { filter: 'nsh.Obit', scapy: 'oam' }),
    unassigned: reserved(1),
    ttl: unsigned(6, 'Time to Live', { filter: 'nsh.ttl', scapy: 'ttl', preset: 63 }),
    /** In 32-bit words. */
    length: derived(6, 'Length', { filter: 'nsh.length', scapy: 'length' }),
    unassigned2: reserved(4),
    metadataType: unsigned(4, 'Metadata type', {
      scapy: 'mdtype',
      preset: 2,
      edges: [1, 2],
    }),
    next: u8('Next protocol', {
      filter: 'nsh.nextproto',
      scapy: 'nextproto',
      names: (next) => NSH_NEXT[next],
      computed: { what: 'next', space: 'nshProtocol' },
      preset: 1,
    }),
    path: u24('Service path', { filter: 'nsh.spi', scapy: 'spi' }),
    index: u8('Service index', { filter: 'nsh.si', scapy: 'si', preset: 255 }),
  },
  tail: bytesTail('context', 'Context headers'),
  headerLength: { field: 'length', bytes: (words) => words * 4, count: (bytes) => bytes / 4, least: 2 },
  announcedBy: { etherType: [ETHERTYPE.NSH], nshProtocol: [4] },
  summary: ({ path, index }) => `path ${path}, index ${index}`,
});

/** The I-tag of "MAC in MAC": the frame inside begins with its own addresses. */
export const ITAG = protocol({
  name: 'itag',
  label: '802.1ah service instance',
  source: 'IEEE 802.1Q §9.7',
  fields: {
    priority: unsigned(3, 'Priority', { filter: 'ieee8021ah.priority', scapy: 'prio' }),
    dropEligible: flag('Drop eligible', { filter: 'ieee8021ah.drop', scapy: 'dei' }),
    useCustomerAddresses: flag('Use customer addresses', { filter: 'ieee8021ah.nca', scapy: 'nca' }),
    reserved: reserved(3),
    service: u24('Service', { filter: 'ieee8021ah.isid', scapy: 'isid' }),
    destination: mac('Customer destination', { filter: 'ieee8021ah.cdst' }),
    source: mac('Customer source', { filter: 'ieee8021ah.csrc' }),
    etherType: hex(16, 'Type', {
      filter: 'ieee8021ah.etype',
      computed: { what: 'next', space: 'etherType' },
      preset: ETHERTYPE.LOCAL_EXPERIMENTAL_1,
    }),
  },
  carries: ['llc'],
  announcedBy: { etherType: [ETHERTYPE.ITAG] },
  follow: followTyped,
  summary: ({ service, source, destination }) => `service ${service}, ${source} → ${destination}`,
});
