/** The Internet Group Management Protocol, versions 1 to 3 (RFC 1112, RFC 2236, RFC 9776). */

import { protocol } from './declaration/declare.ts';
import { hex, ipv4Address, reserved, u8, u16 } from './declaration/field.ts';
import type { ValueOf } from './declaration/protocol.ts';
import { IGMP_QUERIER, IGMP_RECORDS } from './group-records.ts';
import { IPPROTO } from './numbers.ts';

export const IGMP_TYPE = {
  QUERY: 0x11,
  REPORT_V1: 0x12,
  REPORT_V2: 0x16,
  LEAVE: 0x17,
  REPORT_V3: 0x22,
} as const;

const TYPES: Readonly<Record<number, string>> = {
  17: 'Membership Query',
  18: 'Membership Report v1',
  22: 'Membership Report v2',
  23: 'Leave Group',
  34: 'Membership Report v3',
};

export const IGMP = protocol({
  name: 'igmp',
  label: 'Internet Group Management Protocol',
  source: 'RFC 2236, RFC 9776',
  fields: {
    type: hex(8, 'Type', {
      filter: 'igmp.type',
      scapy: 'type',
      names: (type) => TYPES[type],
      edges: Object.values(IGMP_TYPE),
      preset: IGMP_TYPE.QUERY,
    }),
    /** In tenths of a second, in queries. */
    maximumResponse: u8('Max Resp Time', { scapy: 'mrcode' }),
    checksum: hex(16, 'Checksum', {
      filter: 'igmp.checksum',
      scapy: 'chksum',
      computed: { what: 'checksum', algorithm: 'internet', covers: 'message' },
    }),
  },
  variants: {
    by: 'type',
    cases: {
      /** Queries of version 3 have more behind the group; the length of the message tells them apart. */
      query: {
        types: [IGMP_TYPE.QUERY],
        fields: { group: ipv4Address('Group Address', { filter: 'igmp.maddr', scapy: 'gaddr' }) },
        tail: IGMP_QUERIER,
      },
      group: {
        types: [IGMP_TYPE.REPORT_V1, IGMP_TYPE.REPORT_V2, IGMP_TYPE.LEAVE],
        fields: { group: ipv4Address('Group Address', { filter: 'igmp.maddr', scapy: 'gaddr' }) },
      },
      report3: {
        types: [IGMP_TYPE.REPORT_V3],
        fields: {
          reserved: reserved(16),
          records: u16('Number of Group Records', { filter: 'igmp.num_grp_recs', scapy: 'numgrp' }),
        },
        tail: IGMP_RECORDS,
      },
      other: { fields: { rest: hex(32, 'Rest of header') } },
    },
  },
  announcedBy: { ipv4Protocol: [IPPROTO.IGMP] },
  summary: ({ type }) => TYPES[type] ?? `type 0x${type.toString(16).padStart(2, '0')}`,
});

export type IgmpHeader = ValueOf<typeof IGMP>;
