/** Virtual eXtensible Local Area Network (RFC 7348): Ethernet over UDP. */

import { protocol } from './declaration/declare.ts';
import { flag, reserved, u24 } from './declaration/field.ts';
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
    vniPresent: flag('Network identifier present', { scapy: 'instance', preset: true }),
    reservedFlags2: reserved(3, 'Reserved flags'),
    reserved: reserved(24),
    vni: u24('Network identifier', { filter: 'vxlan.vni', scapy: 'vni' }),
    reserved2: reserved(8),
  },
  announcedBy: { udpPort: [VXLAN_PORT, VXLAN_LINUX_PORT] },
  summary: ({ vni }) => `VNI ${vni}`,
  refuses: ({ value }) => (value.vniPresent ? undefined : { field: 'vniPresent', expected: '1' }),
  follow: ({ offset, length, end }) => ({ protocol: 'ethernet', offset: offset + length, end, context: {} }),
});

export type VxlanHeader = ValueOf<typeof VXLAN>;
