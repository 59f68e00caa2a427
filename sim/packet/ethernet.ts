/** Ethernet II (IEEE 802.3 §3.1). No preamble and no frame check sequence: what a packet socket sees. */

import { protocol } from './declaration/declare.ts';
import { hex, mac } from './declaration/field.ts';
import type { ValueOf } from './declaration/protocol.ts';
import { ETHERTYPE, etherTypeName } from './numbers.ts';

export const ETHERNET = protocol({
  name: 'ethernet',
  label: 'Ethernet II',
  source: 'IEEE 802.3 §3.1',
  fields: {
    destination: mac('Destination', { filter: 'eth.dst', scapy: 'dst', preset: '02:00:00:00:00:01' }),
    source: mac('Source', { filter: 'eth.src', scapy: 'src', preset: '02:00:00:00:00:02' }),
    etherType: hex(16, 'Type', {
      filter: 'eth.type',
      scapy: 'type',
      names: etherTypeName,
      computed: { what: 'next', space: 'etherType' },
      preset: ETHERTYPE.LOCAL_EXPERIMENTAL_1,
    }),
  },
  announcedBy: { etherType: [ETHERTYPE.TRANSPARENT_ETHERNET], nshProtocol: [3] },
  summary: ({ source, destination }) => `${source} → ${destination}`,
});

export type EthernetHeader = ValueOf<typeof ETHERNET>;
