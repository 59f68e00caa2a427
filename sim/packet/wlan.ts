/**
 * IEEE 802.11 data frames, as CAPWAP carries them: without radio headers and check sequence. Frames of other types have
 * other forms, and no packet in them. Numbers of more than one byte have their low byte first.
 */

import { protocol } from './declaration/declare.ts';
import { constant, flag, hex, mac, unsigned } from './declaration/field.ts';
import type { Header, ValueOf } from './declaration/protocol.ts';
import type { Follower } from './dissection.ts';

const DATA = 2;

/** Frame control, its first byte (IEEE 802.11-2020 §9.2.4.1). */
const KIND = {
  qos: flag('QoS'),
  noData: flag('No data'),
  subtype: unsigned(2, 'Subtype'),
  type: constant(2, 'Type', DATA, { filter: 'wlan.fc.type', meaning: 'data' }),
  version: constant(2, 'Version', 0, { filter: 'wlan.fc.version' }),
};

const FLAGS = {
  order: flag('+HTC or order', { filter: 'wlan.fc.order' }),
  protected: flag('Protected', { filter: 'wlan.fc.protected' }),
  moreData: flag('More data', { filter: 'wlan.fc.moredata' }),
  powerManagement: flag('Power management', { filter: 'wlan.fc.pwrmgt' }),
  retry: flag('Retry', { filter: 'wlan.fc.retry' }),
  moreFragments: flag('More fragments', { filter: 'wlan.fc.frag' }),
  fromDs: flag('From the distribution system', { filter: 'wlan.fc.fromds' }),
  toDs: flag('To the distribution system', { filter: 'wlan.fc.tods', preset: true }),
};

const BEHIND_CONTROL = {
  duration: hex(16, 'Duration'),
  receiver: mac('Receiver', { filter: 'wlan.ra', preset: '02:00:00:00:00:01' }),
  transmitter: mac('Transmitter', { filter: 'wlan.ta', preset: '02:00:00:00:00:02' }),
  address3: mac('Third address', { preset: '02:00:00:00:00:03' }),
  sequenceLow: hex(4, 'Sequence number, low bits'),
  fragment: unsigned(4, 'Fragment number', { filter: 'wlan.frag' }),
  sequenceHigh: hex(8, 'Sequence number, high bits'),
};

/** In the order of their place. */
const SECTIONS = {
  /** Between two access points. */
  address4: {
    flags: ['toDs', 'fromDs'],
    all: true,
    fields: { address4: mac('Fourth address', { preset: '02:00:00:00:00:04' }) },
  },
  qosControl: {
    flags: ['qos'],
    fields: {
      /** The frame holds several packets. */
      aMsdu: flag('A-MSDU'),
      acknowledgement: unsigned(2, 'Acknowledgement policy'),
      endOfService: flag('End of service period'),
      trafficId: unsigned(4, 'Traffic identifier'),
      transmission: hex(8, 'Transmission opportunity'),
    },
  },
  htControl: { flags: ['order', 'qos'], all: true, fields: { htControl: hex(32, 'HT control') } },
} as const;

interface Frame {
  readonly noData: boolean;
  readonly protected: boolean;
  readonly moreFragments: boolean;
  readonly fragment: number;
  readonly aMsdu?: boolean;
}

function follow({ value, offset, length, end }: Header<Frame>): Follower {
  const isReadable =
    !value.noData && !value.protected && !value.moreFragments && value.fragment === 0 && value.aMsdu !== true;
  return { protocol: isReadable ? 'llc' : 'data', offset: offset + length, end, context: {} };
}

/** Version 0 and the type of data frames, in the first byte of frame control. */
function isData(control: number): boolean {
  return (control & 0x0f) === DATA << 2;
}

const SHARED = {
  source: 'IEEE 802.11-2020 §9.2, RFC 5416',
  sections: SECTIONS,
  carries: ['llc'],
  carrying: () => ({ noData: 0, protected: 0, moreFragments: 0, fragment: 0 }),
  follow,
} as const;

interface Ends {
  readonly transmitter: string;
  readonly receiver: string;
}

const summary = ({ transmitter, receiver }: Ends): string => `${transmitter} → ${receiver}`;

export const WLAN = protocol({
  ...SHARED,
  name: 'wlan',
  label: 'IEEE 802.11',
  fields: { ...KIND, ...FLAGS, ...BEHIND_CONTROL },
  summary,
  insteadAt: (bytes, offset, end) => {
    if (end - offset < 2 || isData(bytes[offset]!)) return undefined;
    // A version that there is not, and behind it the first byte of a data frame.
    return (bytes[offset]! & 3) !== 0 && isData(bytes[offset + 1]!) ? 'wlanswapped' : 'data';
  },
});

/** The same with the two bytes of frame control exchanged, as Cisco's access points send it. */
export const WLAN_SWAPPED = protocol({
  ...SHARED,
  name: 'wlanswapped',
  label: 'IEEE 802.11, frame control swapped',
  fields: { ...FLAGS, ...KIND, ...BEHIND_CONTROL },
  summary,
});

export type WlanHeader = ValueOf<typeof WLAN>;
