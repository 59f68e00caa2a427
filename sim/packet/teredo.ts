/** Teredo (RFC 4380): IPv6 in UDP, behind an authentication and an origin indication where there are such. */

import { protocol } from './declaration/declare.ts';
import type { ValueOf } from './declaration/protocol.ts';
import { bytesTail } from './declaration/tail.ts';
import { protocolByVersion } from './dissection.ts';

export const TEREDO_PORT = 3544;

/** Type, port and address (RFC 4380 §5.1.1). */
const ORIGIN = 8;
/** Type, two lengths, a nonce of 8 bytes and the confirmation. */
const AUTHENTICATION = 13;

/** Where the indications end: beyond `end` where one is cut off. */
function indicationsEnd(bytes: Uint8Array, offset: number, end: number): number {
  let at = offset;
  while (end - at >= 4 && bytes[at] === 0 && bytes[at + 1]! <= 1) {
    at += bytes[at + 1] === 0 ? ORIGIN : AUTHENTICATION + bytes[at + 2]! + bytes[at + 3]!;
  }
  return at;
}

export const TEREDO = protocol({
  name: 'teredo',
  label: 'Teredo',
  source: 'RFC 4380 §5.1.1',
  fields: {},
  tail: bytesTail('indications', 'Authentication and origin indications'),
  measure: (bytes, offset, end) => indicationsEnd(bytes, offset, end) - offset,
  carries: ['ipv6'],
  announcedBy: { udpPort: [TEREDO_PORT] },
  summary: ({ indications }) => (indications.length === 0 ? 'IPv6' : 'IPv6 behind indications'),
  follow: ({ bytes, offset, length, end }) => ({
    protocol: protocolByVersion(bytes, offset + length, end) === 'ipv6' ? 'ipv6' : 'data',
    offset: offset + length,
    end,
    context: {},
  }),
});

export type TeredoHeader = ValueOf<typeof TEREDO>;
