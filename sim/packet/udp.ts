/** The User Datagram Protocol (RFC 768). */
import { protocol } from './declaration/declare.ts';
import { hex, u16 } from './declaration/field.ts';
import type { ValueOf } from './declaration/protocol.ts';
import { GENEVE_PORT } from './geneve.ts';
import { GRE_PORT } from './gre.ts';
import { GTPU_PORT } from './gtpu.ts';
import { GUE_PORT } from './gue.ts';
import { L2TP_PORT } from './l2tp.ts';
import { LISP_PORT } from './lisp.ts';
import { looksCarried, looksLikeTunnel } from './looks-like.ts';
import { MPLS_PORT } from './mpls.ts';
import { IPPROTO } from './numbers.ts';
import { VXLAN_GPE_PORT, VXLAN_LINUX_PORT, VXLAN_PORT } from './vxlan.ts';

/** Automatic multicast tunnelling (RFC 7450), for which zero checksums were allowed (RFC 6935 §1), and RoCE, which never has one. */
const AMT_PORT = 2268;
const ROCE_PORT = 4791;

/**
 * Over IPv6 there has to be a checksum (RFC 8200 §8.1), unless the datagram is a tunnel’s (RFC 6935 §5), as these ports say: VXLAN, Geneve,
 * MPLS (RFC 7510 §3.1), GRE (RFC 8086 §6.2), LISP (RFC 9300 §5.3), and others. Those on ports of their own show by their data.
 */
const TUNNEL_PORTS: ReadonlySet<number> = new Set([
  ...[VXLAN_PORT, VXLAN_LINUX_PORT, VXLAN_GPE_PORT, GENEVE_PORT, GUE_PORT, GTPU_PORT, L2TP_PORT],
  ...[MPLS_PORT, GRE_PORT, LISP_PORT, AMT_PORT, ROCE_PORT],
]);

export const UDP = protocol({
  name: 'udp',
  label: 'User Datagram Protocol',
  source: 'RFC 768',
  fields: {
    sourcePort: u16('Source Port', { filter: 'udp.srcport', scapy: 'sport', preset: 40000 }),
    destinationPort: u16('Destination Port', {
      filter: 'udp.dstport',
      scapy: 'dport',
      computed: { what: 'next', space: 'udpPort' },
      preset: 9,
    }),
    /** Header and data in bytes; 0 in a jumbogram (RFC 2675 §4). */
    length: u16('Length', {
      filter: 'udp.length',
      scapy: 'len',
      computed: { what: 'length', less: 0, unit: 1 },
      refuses: (length) => (length !== 0 && length < 8 ? 'at least 8, or 0 in a jumbogram' : undefined),
    }),
    /** 0: none. "If the computed checksum is zero, it is transmitted as all ones." */
    checksum: hex(16, 'Checksum', {
      filter: 'udp.checksum',
      scapy: 'chksum',
      computed: {
        what: 'checksum',
        algorithm: 'internet',
        covers: 'message',
        pseudoHeader: IPPROTO.UDP,
        zeroIsNone: true,
        noneOver6: ({ destinationPort, length }, data) =>
          TUNNEL_PORTS.has(destinationPort as number) || looksCarried(data, (length as number) - 8),
      },
    }),
  },
  carries: ['vxlan', 'vxlangpe', 'ipv4', 'ipv6'],
  announcedBy: { ipProtocol: [IPPROTO.UDP] },
  summary: ({ sourcePort, destinationPort }) => `${sourcePort} → ${destinationPort}`,
  // In anything but a jumbogram a length of 0 says nothing of what is covered.
  covered: ({ value: { length }, offset, end }) =>
    length > 0 ? length : end - offset > 0xffff ? end - offset : Number.POSITIVE_INFINITY,
  follow: ({ value, bytes, offset, length, end, context }) => {
    const { length: size, destinationPort: number, sourcePort: otherwise } = value;
    const at = offset + length;
    const dataEnd = size === 0 ? end : Math.min(end, offset + size);
    const isCutOff = context.isCutOff === true || offset + size > end;
    const guess = (): string => looksLikeTunnel(bytes, at, dataEnd);
    const announced = { space: 'udpPort', number, otherwise, guess } as const;
    return { announced, offset: at, end: dataEnd, context: { ...context, isCutOff } };
  },
});

export type UdpHeader = ValueOf<typeof UDP>;
