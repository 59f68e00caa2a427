/**
 * IEEE 802.1Q and 802.1ad tags. A tag stands between the source MAC and the EtherType; here its header is the
 * tag control information and the EtherType *behind* it, as `struct vlan_hdr` has it, so that headers follow one
 * another without overlap.
 */

import { protocol } from './declaration/declare.ts';
import { flag, hex, unsigned } from './declaration/field.ts';
import type { ValueOf } from './declaration/protocol.ts';
import { followTyped } from './ethernet.ts';
import { ETHERTYPE, etherTypeName } from './numbers.ts';

/**
 * EtherTypes that announce a tag: of 802.1Q, of 802.1ad, and two that equipment used before 802.1ad. The kernel takes
 * the first two for tags (`isTag` in `numbers.ts`), and so do programs that follow it.
 */
export const TPIDS: readonly number[] = [
  ETHERTYPE.VLAN,
  ETHERTYPE.SERVICE_VLAN,
  ETHERTYPE.OLD_TAG,
  ETHERTYPE.OLDER_TAG,
];

export function isTpid(etherType: number): boolean {
  return TPIDS.includes(etherType);
}

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
  carries: ['llc'],
  announcedBy: { etherType: TPIDS },
  follow: followTyped,
  summary: ({ id, priority }) => `ID ${id}, priority ${priority}`,
});

export type VlanTag = ValueOf<typeof VLAN>;
