/** Generic Routing Encapsulation (RFC 2784), with key and sequence number (RFC 2890); NVGRE (RFC 7637) is one of its uses. */

import { protocol } from './declaration/declare.ts';
import { constant, flag, hex, reserved, u32 } from './declaration/field.ts';
import type { ValueOf } from './declaration/protocol.ts';
import { ETHERTYPE, etherTypeName, IPPROTO } from './numbers.ts';

/** GRE-in-UDP (RFC 8086). */
export const GRE_PORT = 4754;

export const GRE = protocol({
  name: 'gre',
  label: 'Generic Routing Encapsulation',
  source: 'RFC 2784, RFC 2890, RFC 8086',
  fields: {
    checksumPresent: flag('Checksum present', { filter: 'gre.flags.checksum', scapy: 'chksum_present' }),
    /** The source routes of RFC 1701, which RFC 2784 took away. */
    routingPresent: constant(1, 'Routing present', 0, {
      filter: 'gre.flags.routing',
      scapy: 'routing_present',
    }),
    keyPresent: flag('Key present', { filter: 'gre.flags.key', scapy: 'key_present' }),
    sequencePresent: flag('Sequence number present', {
      filter: 'gre.flags.sequence_number',
      scapy: 'seqnum_present',
    }),
    reserved: reserved(9),
    /** Version 1 is PPTP's. */
    version: constant(3, 'Version', 0, { filter: 'gre.flags.version', scapy: 'version' }),
    protocolType: hex(16, 'Protocol type', {
      filter: 'gre.proto',
      scapy: 'proto',
      names: etherTypeName,
      computed: { what: 'next', space: 'etherType' },
      preset: ETHERTYPE.IPV4,
    }),
  },
  sections: {
    checksum: {
      flags: ['checksumPresent'],
      fields: {
        /** Over the GRE header and what it carries; no pseudo-header. */
        checksum: hex(16, 'Checksum', {
          filter: 'gre.checksum',
          scapy: 'chksum',
          computed: { what: 'checksum', algorithm: 'internet', covers: 'message' },
        }),
        reserved1: reserved(16),
      },
    },
    key: { flags: ['keyPresent'], fields: { key: hex(32, 'Key', { filter: 'gre.key', scapy: 'key' }) } },
    sequence: {
      flags: ['sequencePresent'],
      fields: {
        sequence: u32('Sequence number', { filter: 'gre.sequence_number', scapy: 'seqence_number' }),
      },
    },
  },
  announcedBy: { ipProtocol: [IPPROTO.GRE], udpPort: [GRE_PORT] },
  destinationPortOnly: true,
  summary: ({ protocolType, key }) =>
    (etherTypeName(protocolType) ?? `protocol 0x${protocolType.toString(16).padStart(4, '0')}`) +
    (key === undefined ? '' : `, key 0x${key.toString(16)}`),
  notes: ({ value: { protocolType, key } }) =>
    // NVGRE: a subnet and a flow (RFC 7637 §3.2).
    key === undefined || protocolType !== ETHERTYPE.TRANSPARENT_ETHERNET
      ? {}
      : { key: `for NVGRE: subnet ${key >>> 8}, flow ${key & 0xff}` },
  follow: ({ value, offset, length, end }) => {
    const place = { offset: offset + length, end, context: {} };
    // Without a sequence number ERSPAN has no header either: type I.
    return value.protocolType === ETHERTYPE.ERSPAN && !value.sequencePresent
      ? { protocol: 'ethernet', ...place }
      : { announced: { space: 'etherType', number: value.protocolType }, ...place };
  },
});

export type GreHeader = ValueOf<typeof GRE>;
