/** The Layer Two Tunneling Protocol, version 2 (RFC 2661): PPP over UDP. It shares its port with version 3. */

import { readU16 } from './bytes.ts';
import { protocol } from './declaration/declare.ts';
import { constant, flag, hex, reserved, u16 } from './declaration/field.ts';
import type { ValueOf } from './declaration/protocol.ts';
import { L2TP_PORT } from './l2tp.ts';
import { followPpp } from './pppoe.ts';

export const L2TPV2 = protocol({
  name: 'l2tpv2',
  label: 'Layer Two Tunneling Protocol 2',
  source: 'RFC 2661 §3.1',
  fields: {
    control: flag('Control message', { filter: 'l2tp.type', scapy: 'hdr' }),
    lengthPresent: flag('Length present', { filter: 'l2tp.length_bit' }),
    reserved: reserved(2),
    sequencePresent: flag('Sequence numbers present', { filter: 'l2tp.seq_bit' }),
    reserved2: reserved(1),
    offsetPresent: flag('Offset present', { filter: 'l2tp.offset_bit' }),
    priority: flag('Priority', { filter: 'l2tp.priority' }),
    reserved3: reserved(4),
    version: constant(4, 'Version', 2, { filter: 'l2tp.version', scapy: 'version' }),
  },
  sections: {
    length: {
      flags: ['lengthPresent'],
      fields: {
        length: u16('Length', {
          filter: 'l2tp.length',
          scapy: 'len',
          computed: { what: 'length', less: 0, unit: 1 },
        }),
      },
    },
    session: {
      flags: [],
      all: true,
      fields: {
        tunnel: hex(16, 'Tunnel', { filter: 'l2tp.tunnel', scapy: 'tunnel_id', preset: 1 }),
        session: hex(16, 'Session', { filter: 'l2tp.session', scapy: 'session_id', preset: 1 }),
      },
    },
    sequence: {
      flags: ['sequencePresent'],
      fields: {
        sent: u16('Ns', { filter: 'l2tp.Ns', scapy: 'ns' }),
        expected: u16('Nr', { filter: 'l2tp.Nr', scapy: 'nr' }),
      },
    },
    offset: {
      flags: ['offsetPresent'],
      /** Bytes of padding in front of the frame. */
      fields: { offsetSize: u16('Offset', { filter: 'l2tp.offset', scapy: 'offset' }) },
    },
  },
  carries: ['ppp'],
  carrying: () => ({ control: 0 }),
  announcedBy: { udpPort: [L2TP_PORT] },
  insteadOf: 'l2tpudp',
  summary: ({ control, tunnel, session }) =>
    control ? 'control message' : `tunnel ${tunnel}, session ${session}`,
  follow: ({ value, bytes, offset, length, end }) => {
    const messageEnd = value.lengthPresent ? Math.min(end, offset + (value.length ?? 0)) : end;
    const at = offset + length + (value.offsetPresent ? readU16(bytes, offset + length - 2) : 0);
    if (value.control || at >= messageEnd)
      return {
        protocol: 'data',
        offset: offset + length,
        end: Math.max(offset + length, messageEnd),
        context: {},
      };
    return followPpp(bytes, at, messageEnd);
  },
});

export type L2tpv2Header = ValueOf<typeof L2TPV2>;
