/** The user plane of the GPRS Tunnelling Protocol (3GPP TS 29.281): IP in UDP, between radio network and core of 4G and 5G. */

import { readU16 } from './bytes.ts';
import { protocol } from './declaration/declare.ts';
import { constant, flag, hex, reserved, u8, u16 } from './declaration/field.ts';
import type { ValueOf } from './declaration/protocol.ts';
import { protocolByVersion } from './dissection.ts';
import {
  extensionName,
  extensionSize,
  extensionsEnd,
  GTPU_EXTENSIONS,
  PDU_SESSION_CONTAINER,
} from './gtpu-extensions.ts';

export const GTPU_PORT = 2152;
/** Bytes that the length does not count, and of a header without flags. */
const FIXED = 8;
/** Bytes in front of the extension headers, where one of the three flags is set. */
const WITH_OPTIONAL = 12;
const LENGTH_AT = 2;
const NEXT_AT = 11;
const OPTIONAL_FLAGS = 0x07;
const EXTENSION_FLAG = 0x04;
/** A packet of the user's; other types are GTP's own signals. */
const GTPU_DATA = 0xff;

export const GTPU = protocol({
  name: 'gtpu',
  label: 'GPRS Tunnelling Protocol, user plane',
  source: '3GPP TS 29.281 §5',
  fields: {
    version: constant(3, 'Version', 1, { filter: 'gtp.flags.version', scapy: 'version' }),
    protocolType: constant(1, 'Protocol type', 1, { filter: 'gtp.flags.payload', scapy: 'PT' }),
    reserved: reserved(1),
    extensionPresent: flag('Extension header', { filter: 'gtp.flags.e', scapy: 'E' }),
    sequencePresent: flag('Sequence number', { filter: 'gtp.flags.s', scapy: 'S' }),
    npduPresent: flag('N-PDU number', { filter: 'gtp.flags.pn', scapy: 'PN' }),
    messageType: u8('Message type', { filter: 'gtp.message', scapy: 'gtp_type', preset: GTPU_DATA }),
    /** Behind the first 8 bytes. */
    length: u16('Length', {
      filter: 'gtp.length',
      scapy: 'length',
      computed: { what: 'length', less: FIXED, unit: 1 },
    }),
    teid: hex(32, 'Tunnel endpoint', { filter: 'gtp.teid', scapy: 'teid' }),
  },
  sections: {
    optional: {
      flags: ['sequencePresent', 'extensionPresent', 'npduPresent'],
      fields: {
        sequence: u16('Sequence number', { filter: 'gtp.seq_number', scapy: 'seq' }),
        npdu: u8('N-PDU number', { filter: 'gtp.npdu_number', scapy: 'npdu' }),
        nextExtension: hex(8, 'Next extension header type', { scapy: 'next_ex', names: extensionName }),
      },
    },
  },
  tail: GTPU_EXTENSIONS,
  measure: (bytes, offset, end) => {
    const flags = bytes[offset]! & OPTIONAL_FLAGS;
    if (flags === 0) return FIXED;
    if ((flags & EXTENSION_FLAG) === 0 || end - offset < WITH_OPTIONAL) return WITH_OPTIONAL;
    const messageEnd = Math.min(end, offset + FIXED + readU16(bytes, offset + LENGTH_AT));
    const at = extensionsEnd(bytes, offset + WITH_OPTIONAL, messageEnd, bytes[offset + NEXT_AT]!);
    return at < 0 ? WITH_OPTIONAL : at - offset;
  },
  samples: [
    // Downlink, flow 9.
    {
      sequencePresent: false,
      extensionPresent: true,
      nextExtension: PDU_SESSION_CONTAINER,
      extensions: Uint8Array.of(1, 0, 9, 0),
    },
    // Uplink, flow 1, behind a sequence number.
    {
      sequencePresent: true,
      extensionPresent: true,
      sequence: 1,
      nextExtension: PDU_SESSION_CONTAINER,
      extensions: Uint8Array.of(1, 0x10, 1, 0),
    },
  ],
  carries: ['ipv4', 'ipv6'],
  announcedBy: { udpPort: [GTPU_PORT] },
  summary: ({ teid, messageType }) =>
    messageType === GTPU_DATA ? `tunnel 0x${teid.toString(16).padStart(8, '0')}` : `message ${messageType}`,
  follow: ({ value, bytes, offset, length, end }) => {
    const messageEnd = Math.min(end, offset + FIXED + value.length);
    const at = offset + length;
    const isBroken = value.extensionPresent && value.extensions.length === 0 && value.nextExtension !== 0;
    const isUsers = value.messageType === GTPU_DATA && !isBroken;
    const protocol = isUsers ? protocolByVersion(bytes, at, messageEnd) : 'data';
    return { protocol, offset: at, end: messageEnd, context: {} };
  },
});

/** Where the first extension header of a type lies in a packet; −1 where there is none. */
export function extensionAt(bytes: Uint8Array, offset: number, end: number, wanted: number): number {
  if (end - offset < WITH_OPTIONAL || (bytes[offset]! & EXTENSION_FLAG) === 0) return -1;
  let type = bytes[offset + NEXT_AT]!;
  let at = offset + WITH_OPTIONAL;
  while (type !== wanted) {
    const size = type === 0 ? 0 : extensionSize(bytes, at, end);
    if (size === 0) return -1;
    at += size;
    type = bytes[at - 1]!;
  }
  return extensionSize(bytes, at, end) === 0 ? -1 : at;
}

export type GtpuHeader = ValueOf<typeof GTPU>;
