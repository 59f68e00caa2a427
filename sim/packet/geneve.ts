/** Generic Network Virtualization Encapsulation (RFC 8926). */

import { protocol } from './declaration/declare.ts';
import { constant, derived, flag, hex, reserved, u24 } from './declaration/field.ts';
import type { ValueOf } from './declaration/protocol.ts';
import { GENEVE_OPTIONS } from './geneve-options.ts';
import { ETHERTYPE, etherTypeName } from './numbers.ts';

export const GENEVE_PORT = 6081;

export const GENEVE = protocol({
  name: 'geneve',
  label: 'Generic Network Virtualization Encapsulation',
  source: 'RFC 8926 §3.4',
  fields: {
    version: constant(2, 'Version', 0, { filter: 'geneve.version', scapy: 'version' }),
    /** Of the options, in words of 4 bytes. */
    optionsLength: derived(6, 'Options length', { scapy: 'optionlen' }),
    control: flag('Control packet', { filter: 'geneve.flags.oam', scapy: 'oam' }),
    critical: flag('Critical options', { filter: 'geneve.flags.critical', scapy: 'critical' }),
    reserved: reserved(6),
    protocolType: hex(16, 'Protocol type', {
      filter: 'geneve.proto_type',
      scapy: 'proto',
      names: etherTypeName,
      computed: { what: 'next', space: 'etherType' },
      preset: ETHERTYPE.TRANSPARENT_ETHERNET,
    }),
    vni: u24('Network identifier', { filter: 'geneve.vni', scapy: 'vni' }),
    reserved2: reserved(8),
  },
  tail: GENEVE_OPTIONS,
  headerLength: {
    field: 'optionsLength',
    bytes: (words) => 8 + words * 4,
    count: (bytes) => (bytes - 8) / 4,
  },
  announcedBy: { udpPort: [GENEVE_PORT] },
  destinationPortOnly: true,
  summary: ({ vni, protocolType }) => `VNI ${vni}, ${etherTypeName(protocolType) ?? 'unknown protocol'}`,
});

export type GeneveHeader = ValueOf<typeof GENEVE>;
