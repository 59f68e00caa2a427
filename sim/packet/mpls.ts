/** Multiprotocol Label Switching: one entry of the label stack (RFC 3032 §2.1). */

import { protocol } from './declaration/declare.ts';
import { flag, u8, unsigned } from './declaration/field.ts';
import type { Header, ValueOf } from './declaration/protocol.ts';
import type { Follower } from './dissection.ts';
import { ETHERTYPE, IPPROTO } from './numbers.ts';
import { belowLabels } from './pseudowire.ts';

export const MPLS_PORT = 6635;

export const MPLS = protocol({
  name: 'mpls',
  label: 'MultiProtocol Label Switching',
  source: 'RFC 3032 §2.1',
  fields: {
    label: unsigned(20, 'Label', {
      filter: 'mpls.label',
      scapy: 'label',
      preset: 16,
      edges: [0, 2, 3, 15, 16],
    }),
    trafficClass: unsigned(3, 'Traffic Class', { filter: 'mpls.exp', scapy: 'cos' }),
    bottom: flag('Bottom of stack', { filter: 'mpls.bottom', scapy: 's', preset: true }),
    ttl: u8('Time to Live', { filter: 'mpls.ttl', scapy: 'ttl', preset: 64 }),
  },
  carrying: (follower) => ({ bottom: follower === 'mpls' ? 0 : 1 }),
  carries: ['ipv4', 'ipv6', 'mpls', 'pwethcw', 'ethernet'],
  announcedBy: {
    etherType: [ETHERTYPE.MPLS, ETHERTYPE.MPLS_MULTICAST],
    ipProtocol: [IPPROTO.MPLS],
    udpPort: [MPLS_PORT],
    pppProtocol: [0x0281, 0x0283],
    nshProtocol: [5],
  },
  destinationPortOnly: true,
  summary: ({ label, bottom }) => `label ${label}${bottom ? ', bottom of stack' : ''}`,
  follow,
});

export type MplsEntry = ValueOf<typeof MPLS>;

/** The stack does not say what is below. */
function follow({ value, bytes, offset, length, end }: Header<{ readonly bottom: boolean }>): Follower {
  const at = offset + length;
  return {
    protocol: value.bottom ? belowLabels(bytes, at, end) : 'mpls',
    offset: at,
    end,
    context: {},
  };
}
