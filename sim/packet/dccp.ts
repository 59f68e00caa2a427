/** The Datagram Congestion Control Protocol: its generic header with 48-bit sequence numbers (RFC 4340 §5.1). */

import { protocol } from './declaration/declare.ts';
import { derived, flag, hex, opaque, reserved, u8, u16, unsigned } from './declaration/field.ts';
import type { ValueOf } from './declaration/protocol.ts';
import { bytesTail } from './declaration/tail.ts';
import { IPPROTO } from './numbers.ts';

const TYPES: readonly string[] = [
  'Request',
  'Response',
  'Data',
  'Ack',
  'DataAck',
  'CloseReq',
  'Close',
  'Reset',
  'Sync',
  'SyncAck',
];

export const DCCP = protocol({
  name: 'dccp',
  label: 'Datagram Congestion Control Protocol',
  source: 'RFC 4340 §5.1',
  fields: {
    sourcePort: u16('Source Port', { filter: 'dccp.srcport', preset: 40000 }),
    destinationPort: u16('Destination Port', { filter: 'dccp.dstport', preset: 9 }),
    /** The header with what its type and options add, in 32-bit words. */
    dataOffset: derived(8, 'Data Offset', { filter: 'dccp.data_offset' }),
    ccval: unsigned(4, 'CCVal', { filter: 'dccp.ccval' }),
    /** How much of the data the checksum covers: 0 all, else words and one. */
    coverage: unsigned(4, 'Checksum coverage', { filter: 'dccp.cscov' }),
    checksum: hex(16, 'Checksum', {
      filter: 'dccp.checksum',
      computed: { what: 'checksum', algorithm: 'internet', covers: 'message', pseudoHeader: IPPROTO.DCCP },
    }),
    reserved: reserved(3),
    type: unsigned(4, 'Type', { filter: 'dccp.type', names: (type) => TYPES[type], preset: 2 }),
    /** Only short sequence numbers, of 24 bits, go without it; here they are long. */
    extended: flag('Extended sequence numbers', {
      filter: 'dccp.x',
      preset: true,
      refuses: (x) => (x ? undefined : '1'),
    }),
    reserved2: u8('Reserved'),
    sequence: opaque(6, 'Sequence Number'),
  },
  tail: bytesTail('rest', 'Acknowledgement, service code and options'),
  headerLength: { field: 'dataOffset', bytes: (words) => words * 4, count: (bytes) => bytes / 4, least: 4 },
  announcedBy: { ipProtocol: [IPPROTO.DCCP] },
  summary: ({ sourcePort, destinationPort, type }) =>
    `${sourcePort} → ${destinationPort} [${TYPES[type] ?? `type ${type}`}]`,
  covered: ({ value, length, offset, end }) =>
    value.coverage === 0 ? end - offset : Math.min(end - offset, length + (value.coverage - 1) * 4),
});

export type DccpHeader = ValueOf<typeof DCCP>;
