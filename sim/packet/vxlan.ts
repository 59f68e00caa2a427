/** Virtual eXtensible Local Area Network (RFC 7348): Ethernet over UDP. */

import { protocol } from './declaration/declare.ts';
import { constant, flag, reserved, u8, u24 } from './declaration/field.ts';
import type { ValueOf } from './declaration/protocol.ts';

export const VXLAN_PORT = 4789;
/** Linux's from before the assignment. */
export const VXLAN_LINUX_PORT = 8472;

export const VXLAN = protocol({
  name: 'vxlan',
  label: 'Virtual eXtensible Local Area Network',
  source: 'RFC 7348 §5',
  fields: {
    reservedFlags: reserved(4, 'Reserved flags'),
    /** "The I flag MUST be set to 1 for a valid VXLAN Network ID". */
    vniPresent: flag('Network identifier present', {
      filter: 'vxlan.flag_i',
      scapy: 'instance',
      preset: true,
    }),
    reservedFlags2: reserved(3, 'Reserved flags'),
    reserved: reserved(24),
    vni: u24('Network identifier', { filter: 'vxlan.vni', scapy: 'vni' }),
    reserved2: reserved(8),
  },
  carries: ['ethernet'],
  announcedBy: { udpPort: [VXLAN_PORT, VXLAN_LINUX_PORT] },
  destinationPortOnly: true,
  summary: ({ vni }) => `VNI ${vni}`,
  refuses: ({ value }) => (value.vniPresent ? undefined : { field: 'vniPresent', expected: '1' }),
  follow: ({ offset, length, end }) => ({ protocol: 'ethernet', offset: offset + length, end, context: {} }),
});

export const VXLAN_GPE_PORT = 4790;

const NEXT: Readonly<Record<number, string>> = { 1: 'IPv4', 2: 'IPv6', 3: 'Ethernet', 4: 'NSH', 5: 'MPLS' };

export const VXLAN_GPE = protocol({
  name: 'vxlangpe',
  label: 'VXLAN Generic Protocol Extension',
  source: 'draft-ietf-nvo3-vxlan-gpe-13 §3.1',
  fields: {
    reservedFlags: reserved(2, 'Reserved flags'),
    version: constant(2, 'Version', 0),
    vniPresent: flag('Network identifier present', { scapy: 'instance', preset: true }),
    /** Without it what follows is Ethernet, as in plain VXLAN. */
    nextPresent: flag('Next protocol present', { preset: true }),
    ingressReplicated: flag('Ingress replicated'),
    oam: flag('OAM packet'),
    reserved: reserved(16),
    next: u8('Next protocol', {
      filter: 'vxlan.next_proto',
      scapy: 'NextProtocol',
      names: (next) => NEXT[next],
      computed: { what: 'next', space: 'nshProtocol' },
      preset: 3,
      edges: [1, 2, 3, 4, 5],
    }),
    vni: u24('Network identifier', { filter: 'vxlan.vni', scapy: 'vni' }),
    reserved2: reserved(8),
  },
  announcedBy: { udpPort: [VXLAN_GPE_PORT] },
  destinationPortOnly: true,
  summary: ({ vni, next }) => `VNI ${vni}, ${NEXT[next] ?? `protocol ${next}`}`,
  follow: ({ value, offset, length, end }) => ({
    announced: { space: 'nshProtocol', number: value.nextPresent ? value.next : 3 },
    offset: offset + length,
    end,
    context: {},
  }),
});

export type VxlanGpeHeader = ValueOf<typeof VXLAN_GPE>;
export type VxlanHeader = ValueOf<typeof VXLAN>;
