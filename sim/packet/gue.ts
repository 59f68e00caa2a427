/** Generic UDP Encapsulation, version 0 (draft-ietf-intarea-gue §3); version 1 is IP itself. */

import { protocol } from './declaration/declare.ts';
import { constant, derived, flag, hex, u8 } from './declaration/field.ts';
import type { Header, ValueOf } from './declaration/protocol.ts';
import { bytesTail } from './declaration/tail.ts';
import { type Follower, protocolByVersion } from './dissection.ts';
import { IPPROTO, protocolName } from './numbers.ts';

export const GUE_PORT = 6080;

/** What needs no addresses of an IP header around it. */
const CARRIED: readonly number[] = [IPPROTO.IPIP, IPPROTO.IPV6, IPPROTO.GRE, IPPROTO.ETHERIP, IPPROTO.MPLS];

export const GUE = protocol({
  name: 'gue',
  label: 'Generic UDP Encapsulation',
  source: 'draft-ietf-intarea-gue §3.1',
  fields: {
    version: constant(2, 'Version', 0, { scapy: 'version' }),
    control: flag('Control message', { scapy: 'control' }),
    /** Of the optional fields, in words of 4 bytes. */
    length: derived(5, 'Header length', { scapy: 'hlen' }),
    protocol: u8('Protocol', {
      scapy: 'proto',
      names: protocolName,
      computed: { what: 'next', space: 'ipProtocol' },
      preset: IPPROTO.IPIP,
      edges: CARRIED,
    }),
    flags: hex(16, 'Flags', { scapy: 'flags' }),
  },
  tail: bytesTail('optional', 'Optional fields'),
  headerLength: {
    field: 'length',
    bytes: (words) => 4 + words * 4,
    count: (bytes) => (bytes - 4) / 4,
  },
  announcedBy: { udpPort: [GUE_PORT] },
  // Version 1 is IP itself: its version's first two bits are GUE's (draft-ietf-intarea-gue §4).
  insteadAt: (bytes, offset, end) =>
    offset < end && bytes[offset]! >> 6 === 1 ? protocolByVersion(bytes, offset, end) : undefined,
  carries: ['ipv4', 'ipv6', 'gre', 'etherip', 'mpls'],
  carriesOnly: true,
  summary: ({ protocol: number }) => protocolName(number) ?? `protocol ${number}`,
  follow,
});

interface Numbers {
  readonly control: boolean;
  readonly protocol: number;
}

function follow({ value, offset, length, end, context }: Header<Numbers>): Follower {
  // Nothing in between states a length: what is cut off outside is cut off here.
  const isCutOff = context.isCutOff === true;
  const place = { offset: offset + length, end, context: { isCutOff } };
  return value.control || !CARRIED.includes(value.protocol)
    ? { protocol: 'data', ...place }
    : { announced: { space: 'ipProtocol', number: value.protocol }, ...place };
}

export type GueHeader = ValueOf<typeof GUE>;
