/** Ethernet II (IEEE 802.3 §3.1). No preamble and no frame check sequence: what a packet socket sees. */

import { protocol } from './declaration/declare.ts';
import { hex, mac } from './declaration/field.ts';
import type { Header, ValueOf } from './declaration/protocol.ts';
import type { Follower } from './dissection.ts';
import { ETHERTYPE, ETHERTYPE_MIN, etherTypeName } from './numbers.ts';

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
  carries: ['llc'],
  announcedBy: { etherType: [ETHERTYPE.TRANSPARENT_ETHERNET], nshProtocol: [3] },
  summary: ({ source, destination }) => `${source} → ${destination}`,
  follow: followTyped,
});

/** Behind a type comes what it announces; behind what is a length, LLC, and padding behind that many bytes. */
export function followTyped({
  value,
  offset,
  length,
  end,
}: Header<{ readonly etherType: number }>): Follower {
  const { etherType } = value;
  const at = offset + length;
  return etherType < ETHERTYPE_MIN
    ? { protocol: 'llc', offset: at, end: Math.min(end, at + etherType), context: {} }
    : { announced: { space: 'etherType', number: etherType }, offset: at, end, context: {} };
}

export type EthernetHeader = ValueOf<typeof ETHERNET>;
