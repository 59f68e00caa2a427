/**
 * IEEE 802.1Q and 802.1ad tags. A tag stands between the source MAC and the EtherType; here its header is the
 * tag control information and the EtherType *behind* it, as `struct vlan_hdr` has it, so that headers follow one
 * another without overlap.
 */

import { protocol } from './declaration/declare.ts';
import { flag, hex, unsigned } from './declaration/field.ts';
import type { ValueOf } from './declaration/protocol.ts';
import { ETHERTYPE, etherTypeName } from './numbers.ts';

export const VLAN = protocol({
  name: 'vlan',
  label: '802.1Q Virtual LAN',
  source: 'IEEE 802.1Q §9.6',
  fields: {
    /** Priority code point. */
    priority: unsigned(3, 'Priority', { filter: 'vlan.priority', scapy: 'prio' }),
    dropEligible: flag('Drop eligible', { filter: 'vlan.dei', scapy: 'dei' }),
    /** VLAN identifier. */
    id: unsigned(12, 'ID', { filter: 'vlan.id', scapy: 'vlan', preset: 1 }),
    /** Of what follows the tag. */
    etherType: hex(16, 'Type', {
      filter: 'vlan.etype',
      scapy: 'type',
      names: etherTypeName,
      computed: { what: 'next', space: 'etherType' },
      preset: ETHERTYPE.LOCAL_EXPERIMENTAL_1,
    }),
  },
  announcedBy: { etherType: [ETHERTYPE.VLAN, ETHERTYPE.SERVICE_VLAN] },
  summary: ({ id, priority }) => `ID ${id}, priority ${priority}`,
});

export type VlanTag = ValueOf<typeof VLAN>;
