/** Control and Provisioning of Wireless Access Points: data packets (RFC 5415 §4.3), with frames of Ethernet or 802.11 inside. */

import { protocol } from './declaration/declare.ts';
import { constant, derived, flag, hex, reserved, unsigned } from './declaration/field.ts';
import type { ValueOf } from './declaration/protocol.ts';
import { bytesTail } from './declaration/tail.ts';

export const CAPWAP_DATA_PORT = 5247;
/** The wireless binding of IEEE 802.11 (RFC 5416 §1). */
const IEEE_80211 = 1;

export const CAPWAP = protocol({
  name: 'capwap',
  label: 'CAPWAP data',
  source: 'RFC 5415 §4.3',
  fields: {
    version: constant(4, 'Version', 0, { filter: 'capwap.preamble.version' }),
    /** 1: encrypted. */
    type: constant(4, 'Type', 0, { filter: 'capwap.preamble.type', meaning: 'not encrypted' }),
    /** In words of 4 bytes. */
    length: derived(5, 'Header length', { filter: 'capwap.header.length' }),
    radio: unsigned(5, 'Radio', { filter: 'capwap.header.rid' }),
    binding: unsigned(5, 'Wireless binding', { filter: 'capwap.header.wbid', preset: IEEE_80211 }),
    native: flag('Native frame', { filter: 'capwap.header.flags.t' }),
    fragment: flag('Fragment', { filter: 'capwap.header.flags.f' }),
    lastFragment: flag('Last fragment', { filter: 'capwap.header.flags.l' }),
    wireless: flag('Wireless information', { filter: 'capwap.header.flags.w' }),
    radioAddress: flag('Radio address', { filter: 'capwap.header.flags.m' }),
    keepAlive: flag('Keep-alive', { filter: 'capwap.header.flags.k' }),
    reservedFlags: reserved(3),
    fragmentId: hex(16, 'Fragment identifier', { filter: 'capwap.header.fragment.id' }),
    /** In units of 8 bytes. */
    fragmentOffset: unsigned(13, 'Fragment offset', { filter: 'capwap.header.fragment.offset' }),
    reserved: reserved(3),
  },
  tail: bytesTail('optional', 'Radio address and wireless information'),
  headerLength: { field: 'length', bytes: (words) => words * 4, count: (bytes) => bytes / 4, least: 2 },
  carries: ['ethernet', 'wlan', 'wlanswapped'],
  carrying: (follower) => ({
    native: follower === 'ethernet' ? 0 : 1,
    binding: IEEE_80211,
    fragment: 0,
    keepAlive: 0,
  }),
  announcedBy: { udpPort: [CAPWAP_DATA_PORT] },
  summary: ({ radio, native }) => `radio ${radio}, ${native ? 'native' : '802.3'} frame`,
  follow: ({ value, offset, length, end }) => {
    const native = value.binding === IEEE_80211 ? 'wlan' : 'data';
    const inside = value.native ? native : 'ethernet';
    return {
      protocol: value.fragment || value.keepAlive ? 'data' : inside,
      offset: offset + length,
      end,
      context: {},
    };
  },
});

export type CapwapHeader = ValueOf<typeof CAPWAP>;
