/** Frames with a length instead of a type: logical link control (IEEE 802.2 §3), and SNAP behind it (RFC 1042). */

import { protocol } from './declaration/declare.ts';
import { hex, u8 } from './declaration/field.ts';
import type { Header, ValueOf } from './declaration/protocol.ts';
import { bytesTail } from './declaration/tail.ts';
import type { Follower } from './dissection.ts';
import { ETHERTYPE, etherTypeName } from './numbers.ts';

const SAPS: Readonly<Record<number, string>> = {
  0: 'null',
  6: 'IP',
  66: 'spanning tree',
  170: 'SNAP',
  224: 'NetWare',
  240: 'NetBIOS',
  254: 'ISO network layer',
  255: 'global',
};

export const LLC_SAP = { IP: 0x06, SPANNING_TREE: 0x42, SNAP: 0xaa } as const;

/** Unnumbered frames, which nearly all are, have a control field of one byte. */
function isUnnumbered(control: number): boolean {
  return (control & 3) === 3;
}

export const LLC = protocol({
  name: 'llc',
  label: 'Logical Link Control',
  source: 'IEEE 802.2 §3',
  fields: {
    destinationSap: hex(8, 'DSAP', {
      filter: 'llc.dsap',
      scapy: 'dsap',
      names: (sap) => SAPS[sap],
      computed: { what: 'next', space: 'llcSap' },
      preset: 0xf0,
      edges: Object.values(LLC_SAP),
    }),
    sourceSap: hex(8, 'SSAP', {
      filter: 'llc.ssap',
      scapy: 'ssap',
      names: (sap) => SAPS[sap],
      computed: { what: 'next', space: 'llcSap' },
      preset: 0xf0,
      edges: Object.values(LLC_SAP),
    }),
    control: hex(8, 'Control', { scapy: 'ctrl', preset: 3, edges: [3, 0x13, 0x7f, 0xbf, 0xf3] }),
  },
  /** The second byte of the control field of information and supervisory frames. */
  tail: bytesTail('sequence', 'Receive sequence number'),
  measure: (bytes, offset) => (isUnnumbered(bytes[offset + 2]!) ? 3 : 4),
  // A frame says how long it is where others have their EtherType.
  announcedAs: (length) => ({ etherType: length }),
  summary: ({ destinationSap }) => SAPS[destinationSap] ?? `SAP 0x${destinationSap.toString(16)}`,
  follow: ({ value, offset, length, end }) => ({
    announced: { space: 'llcSap', number: value.destinationSap },
    offset: offset + length,
    end,
    context: {},
  }),
});

/** RFC 1042, and what bridges turn frames of Ethernet II into (IEEE 802.1H). */
const ETHERTYPE_ORGANIZATIONS: readonly number[] = [0x000000, 0x0000f8];
/** Bridged Ethernet, with its check sequence and without (RFC 2684 §5.2). */
const BRIDGED = { organization: 0x0080c2, withSequence: 1, without: 7 } as const;

export const SNAP = protocol({
  name: 'snap',
  label: 'Subnetwork Access Protocol',
  source: 'IEEE 802 §9.5, RFC 1042',
  fields: {
    organization: hex(24, 'Organization code', {
      filter: 'llc.oui',
      scapy: 'OUI',
      edges: [0x000000, 0x0000f8, 0x0080c2, 0x00000c],
    }),
    type: hex(16, 'Type', {
      scapy: 'code',
      names: etherTypeName,
      computed: { what: 'next', space: 'etherType' },
      preset: ETHERTYPE.LOCAL_EXPERIMENTAL_1,
    }),
  },
  announcedBy: { llcSap: [LLC_SAP.SNAP] },
  summary: ({ type }) => etherTypeName(type) ?? `type 0x${type.toString(16).padStart(4, '0')}`,
  follow: followSnap,
});

interface SnapNumbers {
  readonly organization: number;
  readonly type: number;
}

function followSnap({ value, offset, length, end }: Header<SnapNumbers>): Follower {
  const { organization, type } = value;
  const place = { offset: offset + length, end, context: {} };
  if (ETHERTYPE_ORGANIZATIONS.includes(organization))
    return { announced: { space: 'etherType', number: type }, ...place };
  const isBridged = type === BRIDGED.withSequence || type === BRIDGED.without;
  return { protocol: organization === BRIDGED.organization && isBridged ? 'ethernet' : 'data', ...place };
}

/** What bridges tell each other; no more is decoded than what all of its versions share. */
export const STP = protocol({
  name: 'stp',
  label: 'Spanning Tree Protocol',
  source: 'IEEE 802.1D §9.3',
  fields: {
    protocolId: hex(16, 'Protocol identifier', { filter: 'stp.protocol', scapy: 'proto' }),
    version: u8('Version', { filter: 'stp.version', scapy: 'version', edges: [0, 2, 3] }),
    type: hex(8, 'BPDU type', { filter: 'stp.type', scapy: 'bpdutype', edges: [0, 2, 0x80] }),
  },
  tail: bytesTail('rest', 'Rest of the BPDU'),
  announcedBy: { llcSap: [LLC_SAP.SPANNING_TREE] },
  summary: ({ version }) => `version ${version}`,
});

export type LlcHeader = ValueOf<typeof LLC>;
