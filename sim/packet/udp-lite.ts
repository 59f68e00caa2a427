/** UDP-Lite (RFC 3828): UDP with a checksum over as much as the sender says. */

import { protocol } from './declaration/declare.ts';
import { hex, u16 } from './declaration/field.ts';
import type { ValueOf } from './declaration/protocol.ts';
import { IPPROTO } from './numbers.ts';

export const UDP_LITE = protocol({
  name: 'udplite',
  label: 'Lightweight User Datagram Protocol',
  source: 'RFC 3828 §3',
  fields: {
    sourcePort: u16('Source Port', { filter: 'udp.srcport', scapy: 'sport', preset: 40000 }),
    destinationPort: u16('Destination Port', { filter: 'udp.dstport', scapy: 'dport', preset: 9 }),
    /** Bytes that the checksum covers, from the header on; 0: all. */
    coverage: u16('Checksum coverage', {
      filter: 'udp.checksum_coverage',
      edges: [0, 8, 9, 20],
      refuses: (coverage) => (coverage !== 0 && coverage < 8 ? 'at least 8, or 0 for all' : undefined),
    }),
    /** Never 0: "the all zeros transmitted checksum value … is not permitted". */
    checksum: hex(16, 'Checksum', {
      filter: 'udp.checksum',
      scapy: 'chksum',
      computed: {
        what: 'checksum',
        algorithm: 'internet',
        covers: 'message',
        pseudoHeader: IPPROTO.UDPLITE,
        neverZero: true,
      },
    }),
  },
  announcedBy: { ipProtocol: [IPPROTO.UDPLITE] },
  summary: ({ sourcePort, destinationPort }) => `${sourcePort} → ${destinationPort}`,
  covered: ({ value, offset, end }) => (value.coverage === 0 ? end - offset : value.coverage),
});

export type UdpLiteHeader = ValueOf<typeof UDP_LITE>;
