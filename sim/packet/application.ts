/** The shapes of what UDP carries for applications: enough to tell them apart and to aim at their fields. */

import { protocol } from './declaration/declare.ts';
import { constant, flag, hex, reserved, u16, unsigned } from './declaration/field.ts';
import type { ValueOf } from './declaration/protocol.ts';
import { bytesTail } from './declaration/tail.ts';

export const DNS_PORT = 53;
export const MDNS_PORT = 5353;
export const QUIC_PORT = 443;

const OPCODES: Readonly<Record<number, string>> = { 0: 'query', 2: 'status', 4: 'notify', 5: 'update' };

export const DNS = protocol({
  name: 'dns',
  label: 'Domain Name System',
  source: 'RFC 1035 §4.1.1',
  fields: {
    id: hex(16, 'Identifier', { filter: 'dns.id', scapy: 'id', preset: 1 }),
    response: flag('Response', { filter: 'dns.flags.response', scapy: 'qr' }),
    opcode: unsigned(4, 'Opcode', {
      filter: 'dns.flags.opcode',
      scapy: 'opcode',
      names: (code) => OPCODES[code],
    }),
    authoritative: flag('Authoritative', { filter: 'dns.flags.authoritative', scapy: 'aa' }),
    truncated: flag('Truncated', { filter: 'dns.flags.truncated', scapy: 'tc' }),
    recursionDesired: flag('Recursion desired', {
      filter: 'dns.flags.recdesired',
      scapy: 'rd',
      preset: true,
    }),
    recursionAvailable: flag('Recursion available', { filter: 'dns.flags.recavail', scapy: 'ra' }),
    reserved: reserved(1),
    authenticated: flag('Authentic data', { filter: 'dns.flags.authenticated', scapy: 'ad' }),
    checkingDisabled: flag('Checking disabled', { filter: 'dns.flags.checkdisable', scapy: 'cd' }),
    responseCode: unsigned(4, 'Response code', { filter: 'dns.flags.rcode', scapy: 'rcode' }),
    questions: u16('Questions', { filter: 'dns.count.queries', scapy: 'qdcount' }),
    answers: u16('Answers', { filter: 'dns.count.answers', scapy: 'ancount' }),
    authorities: u16('Authorities', { filter: 'dns.count.auth_rr', scapy: 'nscount' }),
    additional: u16('Additional', { filter: 'dns.count.add_rr', scapy: 'arcount' }),
  },
  tail: bytesTail('records', 'Questions and records'),
  announcedBy: { udpPort: [DNS_PORT, MDNS_PORT] },
  summary: ({ response, id }) => `${response ? 'response' : 'query'} 0x${id.toString(16).padStart(4, '0')}`,
  follow: () => undefined,
});

/** The first byte of every QUIC packet (RFC 8999 §5), and what version 1 means by its bits (RFC 9000 §17). */
export const QUIC = protocol({
  name: 'quic',
  label: 'QUIC',
  source: 'RFC 9000 §17',
  fields: {
    longHeader: flag('Long header', { filter: 'quic.header_form', preset: true }),
    fixedBit: constant(1, 'Fixed bit', 1, { filter: 'quic.fixed_bit' }),
    /** Of a long header: type; of a short one: spin bit and a reserved bit. */
    type: unsigned(2, 'Packet type'),
    typeSpecific: hex(4, 'Type-specific bits'),
  },
  tail: bytesTail('rest', 'Version, connection identifiers and payload'),
  announcedBy: { udpPort: [QUIC_PORT] },
  summary: ({ longHeader }) => `${longHeader ? 'long' : 'short'} header`,
  follow: () => undefined,
});

export type DnsHeader = ValueOf<typeof DNS>;
export type QuicHeader = ValueOf<typeof QUIC>;
