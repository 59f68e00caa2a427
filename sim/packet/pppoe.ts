/** PPP over Ethernet (RFC 2516 §4), and the protocol field of PPP behind it (RFC 1661 §2). */

import { readU16 } from './bytes.ts';
import { protocol } from './declaration/declare.ts';
import { constant, hex, u16 } from './declaration/field.ts';
import type { ValueOf } from './declaration/protocol.ts';
import type { Follower } from './dissection.ts';
import { ETHERTYPE } from './numbers.ts';

const CODES: Readonly<Record<number, string>> = {
  0: 'Session Data',
  7: 'PADO',
  9: 'PADI',
  25: 'PADR',
  101: 'PADS',
  167: 'PADT',
};

export const PPPOE = protocol({
  name: 'pppoe',
  label: 'PPP over Ethernet',
  source: 'RFC 2516 §4',
  fields: {
    version: constant(4, 'Version', 1, { filter: 'pppoe.version', scapy: 'version' }),
    type: constant(4, 'Type', 1, { filter: 'pppoe.type', scapy: 'type' }),
    code: hex(8, 'Code', {
      filter: 'pppoe.code',
      scapy: 'code',
      names: (code) => CODES[code],
      edges: [0, 7, 9, 25, 101, 167],
    }),
    sessionId: hex(16, 'Session ID', { filter: 'pppoe.session_id', scapy: 'sessionid', preset: 1 }),
    /** Behind this header. */
    length: u16('Payload length', {
      filter: 'pppoe.payload_length',
      scapy: 'len',
      computed: { what: 'length', less: 6, unit: 1 },
    }),
  },
  carries: ['ppp'],
  announcedBy: { etherType: [ETHERTYPE.PPPOE_SESSION, ETHERTYPE.PPPOE_DISCOVERY] },
  summary: ({ code, sessionId }) =>
    `${CODES[code] ?? `code ${code}`}, session 0x${sessionId.toString(16).padStart(4, '0')}`,
  follow: ({ value, offset, length, end }) => ({
    // Discovery carries tags, sessions carry PPP.
    protocol: value.code === 0 ? 'ppp' : 'data',
    offset: offset + length,
    end: Math.min(end, offset + length + value.length),
    context: {},
  }),
});

const PPP_PROTOCOLS: Readonly<Record<number, string>> = {
  33: 'IPv4',
  87: 'IPv6',
  641: 'MPLS',
  32801: 'IPCP',
  32855: 'IPv6CP',
  49185: 'LCP',
  49187: 'PAP',
  49699: 'CHAP',
};

/** What PPP calls a protocol (IANA "PPP DLL Protocol Numbers"); undefined of those that are not known here. */
export function pppProtocolName(number: number): string | undefined {
  return PPP_PROTOCOLS[number];
}

export const PPP = protocol({
  name: 'ppp',
  label: 'Point-to-Point Protocol',
  source: 'RFC 1661 §2',
  fields: {
    protocol: hex(16, 'Protocol', {
      filter: 'ppp.protocol',
      scapy: 'proto',
      names: pppProtocolName,
      computed: { what: 'next', space: 'pppProtocol' },
      preset: 0x0021,
      // PPP may leave out a first byte of zero (RFC 1661 §6.5); PPPoE may not (RFC 2516 §7).
      refuses: (number) => ((number & 0x0100) === 0 ? undefined : 'an even first byte'),
    }),
  },
  summary: ({ protocol: number }) =>
    PPP_PROTOCOLS[number] ?? `protocol 0x${number.toString(16).padStart(4, '0')}`,
});

/** Address and control of HDLC-like framing (RFC 1662 §3.1). */
const ADDRESS_AND_CONTROL = 0xff03;

/** A frame of PPP in a tunnel that leaves to both ends what of it they compress (RFC 1661 §6.5 and §6.6). */
export function followPpp(bytes: Uint8Array, start: number, end: number): Follower {
  let at = start;
  if (end - at >= 2 && readU16(bytes, at) === ADDRESS_AND_CONTROL) at += 2;
  const gap = 'Address, control and compressed protocol';
  if (at >= end || (bytes[at]! & 1) === 0) return { protocol: 'ppp', offset: at, end, context: {}, gap };
  // The protocol's first byte, a zero, is left out.
  return {
    announced: { space: 'pppProtocol', number: bytes[at]! },
    offset: at + 1,
    end,
    context: {},
    gap,
  };
}

export type PppoeHeader = ValueOf<typeof PPPOE>;
