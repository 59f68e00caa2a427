/**
 * The Layer Two Tunneling Protocol, version 3 (RFC 3931): data messages over IP and over UDP, with Ethernet inside
 * (RFC 4719). How long the cookie and the sublayer in front of the frame are, only both ends know.
 */

import { protocol } from './declaration/declare.ts';
import { constant, flag, hex, reserved } from './declaration/field.ts';
import type { Header, ValueOf } from './declaration/protocol.ts';
import type { Follower } from './dissection.ts';
import { looksLikeFrame } from './looks-like.ts';
import { IPPROTO } from './numbers.ts';

export const L2TP_PORT = 1701;

/** A cookie of 0, 4 or 8 bytes, and a sublayer of 0 or 4. */
const MOST_IN_FRONT = 12;

export const L2TPV3 = protocol({
  name: 'l2tpv3',
  label: 'Layer Two Tunneling Protocol 3 over IP',
  source: 'RFC 3931 §4.1.1',
  fields: {
    /** 0: a control message. */
    session: hex(32, 'Session', { filter: 'l2tp.sid', scapy: 'session', preset: 1 }),
  },
  carries: ['ethernet'],
  announcedBy: { ipProtocol: [IPPROTO.L2TP] },
  summary: ({ session }) => (session === 0 ? 'control message' : `session 0x${session.toString(16)}`),
  follow,
});

export const L2TPV3_UDP = protocol({
  name: 'l2tpudp',
  label: 'Layer Two Tunneling Protocol 3 over UDP',
  source: 'RFC 3931 §4.1.2.1',
  fields: {
    control: flag('Control message', { filter: 'l2tp.type', scapy: 'hdr' }),
    reserved: reserved(11),
    version: constant(4, 'Version', 3, { filter: 'l2tp.version', scapy: 'version' }),
    reserved2: reserved(16),
    session: hex(32, 'Session', { filter: 'l2tp.sid', scapy: 'session_id', preset: 1 }),
  },
  carries: ['ethernet'],
  announcedBy: { udpPort: [L2TP_PORT] },
  insteadAt: (bytes, offset, end) =>
    end - offset >= 2 && (bytes[offset + 1]! & 0x0f) === 2 ? 'l2tpv2' : undefined,
  summary: ({ session, control }) => (control ? 'control message' : `session 0x${session.toString(16)}`),
  follow: (header) => follow(header, header.value.control),
});

function follow(
  { value, bytes, offset, length, end }: Header<{ readonly session: number }>,
  isControl: boolean = false,
): Follower {
  const start = offset + length;
  if (!isControl && value.session !== 0) {
    for (let at = start; at <= start + MOST_IN_FRONT; at += 4) {
      if (looksLikeFrame(bytes, at, end))
        return { protocol: 'ethernet', offset: at, end, context: {}, gap: 'Cookie and sublayer' };
    }
  }
  return { protocol: 'data', offset: start, end, context: {} };
}

export type L2tpv3Header = ValueOf<typeof L2TPV3>;
