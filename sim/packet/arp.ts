/** The Address Resolution Protocol for IPv4 over Ethernet (RFC 826). */

import { protocol } from './declaration/declare.ts';
import { constant, ipv4Address, mac, u16 } from './declaration/field.ts';
import type { ValueOf } from './declaration/protocol.ts';
import { ETHERTYPE, etherTypeName } from './numbers.ts';

export const ARP_REQUEST = 1;
export const ARP_REPLY = 2;

const OPERATIONS: Readonly<Record<number, string>> = {
  1: 'request',
  2: 'reply',
  3: 'RARP request',
  4: 'RARP reply',
};

/** What an operation is called; undefined of those that Ethernet with IPv4 has no use for. */
export function arpOperationName(operation: number): string | undefined {
  return OPERATIONS[operation];
}

/** With other address lengths the addresses would lie elsewhere: such packets are none, and the error names the field. */
export const ARP = protocol({
  name: 'arp',
  label: 'Address Resolution Protocol',
  source: 'RFC 826',
  fields: {
    hardwareType: constant(16, 'Hardware type', 1, {
      filter: 'arp.hw.type',
      scapy: 'hwtype',
      meaning: 'Ethernet',
    }),
    protocolType: constant(16, 'Protocol type', ETHERTYPE.IPV4, {
      filter: 'arp.proto.type',
      scapy: 'ptype',
      meaning: 'IPv4',
      names: etherTypeName,
    }),
    hardwareLength: constant(8, 'Hardware size', 6, { filter: 'arp.hw.size', scapy: 'hwlen' }),
    protocolLength: constant(8, 'Protocol size', 4, { filter: 'arp.proto.size', scapy: 'plen' }),
    operation: u16('Opcode', {
      filter: 'arp.opcode',
      scapy: 'op',
      names: arpOperationName,
      preset: ARP_REQUEST,
      edges: [ARP_REQUEST, ARP_REPLY],
    }),
    senderMac: mac('Sender MAC address', {
      filter: 'arp.src.hw_mac',
      scapy: 'hwsrc',
      preset: '02:00:00:00:00:02',
    }),
    senderAddress: ipv4Address('Sender IP address', {
      filter: 'arp.src.proto_ipv4',
      scapy: 'psrc',
      preset: '10.11.1.2',
    }),
    targetMac: mac('Target MAC address', { filter: 'arp.dst.hw_mac', scapy: 'hwdst' }),
    targetAddress: ipv4Address('Target IP address', {
      filter: 'arp.dst.proto_ipv4',
      scapy: 'pdst',
      preset: '10.11.1.1',
    }),
  },
  announcedBy: { etherType: [ETHERTYPE.ARP] },
  summary: ({ operation, senderAddress, senderMac, targetAddress }) => {
    if (operation === ARP_REQUEST) return `who has ${targetAddress}? tell ${senderAddress}`;
    return operation === ARP_REPLY ? `${senderAddress} is at ${senderMac}` : `operation ${operation}`;
  },
  follow: ({ offset, length, end, context }) => ({
    protocol: 'padding',
    offset: offset + length,
    end,
    context,
  }),
});

export type ArpPacket = ValueOf<typeof ARP>;
