/** The Transmission Control Protocol (RFC 9293 §3.1). */

import { protocol } from './declaration/declare.ts';
import { derived, hex, reserved, u16, u32 } from './declaration/field.ts';
import type { ValueOf } from './declaration/protocol.ts';
import { IPPROTO } from './numbers.ts';
import { TCP_OPTIONS } from './tcp-options.ts';

/** The control bits. */
export const TCP_FLAG = {
  FIN: 0x01,
  SYN: 0x02,
  RST: 0x04,
  PSH: 0x08,
  ACK: 0x10,
  URG: 0x20,
  ECE: 0x40,
  CWR: 0x80,
} as const;

/** `SYN, ACK`; `none`. */
export function tcpFlagNames(flags: number): string {
  const names = Object.entries(TCP_FLAG).filter(([, bit]) => (flags & bit) !== 0);
  return names.length === 0 ? 'none' : names.map(([name]) => name).join(', ');
}

/** With Wireshark's names. */
const FLAG_BITS: Readonly<Record<string, number>> = {
  fin: TCP_FLAG.FIN,
  syn: TCP_FLAG.SYN,
  reset: TCP_FLAG.RST,
  push: TCP_FLAG.PSH,
  ack: TCP_FLAG.ACK,
  urg: TCP_FLAG.URG,
  ece: TCP_FLAG.ECE,
  cwr: TCP_FLAG.CWR,
};

export const TCP = protocol({
  name: 'tcp',
  label: 'Transmission Control Protocol',
  source: 'RFC 9293',
  fields: {
    sourcePort: u16('Source Port', { filter: 'tcp.srcport', scapy: 'sport', preset: 40000 }),
    destinationPort: u16('Destination Port', { filter: 'tcp.dstport', scapy: 'dport', preset: 80 }),
    sequence: u32('Sequence Number', { filter: 'tcp.seq_raw', scapy: 'seq', preset: 1 }),
    acknowledgment: u32('Acknowledgment Number', { filter: 'tcp.ack_raw', scapy: 'ack' }),
    /** The header's length in 32-bit words. */
    dataOffset: derived(4, 'Data Offset', { scapy: 'dataofs' }),
    reserved: reserved(4),
    flags: hex(8, 'Flags', { scapy: 'flags', names: tcpFlagNames, bits: FLAG_BITS, preset: TCP_FLAG.SYN }),
    window: u16('Window', { filter: 'tcp.window_size_value', scapy: 'window', preset: 65535 }),
    checksum: hex(16, 'Checksum', {
      filter: 'tcp.checksum',
      scapy: 'chksum',
      computed: { what: 'checksum', algorithm: 'internet', covers: 'message', pseudoHeader: IPPROTO.TCP },
    }),
    urgentPointer: u16('Urgent Pointer', { filter: 'tcp.urgent_pointer', scapy: 'urgptr' }),
  },
  tail: TCP_OPTIONS,
  headerLength: { field: 'dataOffset', bytes: (words) => words * 4, count: (bytes) => bytes / 4, least: 5 },
  announcedBy: { ipProtocol: [IPPROTO.TCP] },
  summary: ({ sourcePort, destinationPort, flags }) =>
    `${sourcePort} → ${destinationPort} [${tcpFlagNames(flags)}]`,
});

export type TcpHeader = ValueOf<typeof TCP>;
