/** Control and Provisioning of Wireless Access Points: data packets (RFC 5415 §4.3), with frames of Ethernet inside. */

import { protocol } from './declaration/declare.ts';
import { constant, derived, flag, hex, reserved, unsigned } from './declaration/field.ts';
import type { ValueOf } from './declaration/protocol.ts';
import { bytesTail } from './declaration/tail.ts';

export const CAPWAP_DATA_PORT = 5247;

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
    binding: unsigned(5, 'Wireless binding', { filter: 'capwap.header.wbid', preset: 1 }),
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
  carries: ['ethernet'],
  carrying: () => ({ native: 0, fragment: 0 }),
  announcedBy: { udpPort: [CAPWAP_DATA_PORT] },
  summary: ({ radio, native }) => `radio ${radio}, ${native ? 'native' : '802.3'} frame`,
  follow: ({ value, offset, length, end }) => ({
    protocol: value.native || value.fragment ? 'data' : 'ethernet',
    offset: offset + length,
    end,
    context: {},
  }),
});

export type CapwapHeader = ValueOf<typeof CAPWAP>;
