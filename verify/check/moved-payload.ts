/**
 * Data that options have moved: a packet without options, and the same bytes with a header length that makes options of what was data,
 * so that the data begins further on. Whoever takes the header for as short as ever sees no difference.
 */
import { writeU16 } from '../../sim/packet/bytes.ts';
import { looseTransportOf, networkAt, repaired, transportOf } from './variants.ts';

const ICMP = 1;
const TCP = 6;
const UDP = 17;

/** What lies in front of the data, in bytes, without options. */
const HEADERS: ReadonlyMap<number, number> = new Map([
  [ICMP, 8],
  [TCP, 20],
  [UDP, 8],
]);

/** As much as both headers have room for. */
const OPTIONS = 40;
/** No operation, four times: the least that a header can have. */
const LEAST_OPTIONS = [1, 1, 1, 1];
/** An option of TCP for experiments, which two bytes of any value follow (RFC 6994 §3). */
const TCP_EXPERIMENT = [254, 4];
/** An option for experiments (RFC 4727 §3.4) that takes all the room. */
const WHOLE_OPTION = [0x1e, OPTIONS];

/** Packets of one length that differ in what stands in front of their data. */
export interface MovedData {
  /** Which options: "TCP options". */
  readonly name: string;
  /** Where the data begins without options. */
  readonly from: number;
  /** Where it begins with them. */
  readonly to: number;
  /** Where they end: behind those of IPv4, a transport header comes first. */
  readonly optionsEnd: number;
  /** The packet without options, with some data. */
  plain(data: Uint8Array): Uint8Array;
  /** The same bytes as far as they can be, with a header length that makes options of the first. */
  disguised(data: Uint8Array): Uint8Array;
  /**
   * With options that say nothing, and the data behind them: each with others. Whoever searches header and data for some bytes may find
   * them where the one ends and the other begins, so in front of the data there is what is there without options, once.
   */
  readonly moved: readonly ((data: Uint8Array) => Uint8Array)[];
  /** Without options, with that data that a disguised packet truly has. */
  bare(data: Uint8Array): Uint8Array;
  /** Has the frame that left still the options that the disguised packet came with? In another header the data begins elsewhere. */
  keeps(came: Uint8Array, left: Uint8Array): boolean;
}

/** The data that packets are made with: that of a packet, long enough. */
export interface MovableData {
  readonly data: Uint8Array;
  readonly ways: readonly MovedData[];
}

/**
 * What a packet without its options shows, once for each place where a program may take its data from: where it is, and where it would be
 * without these options. None of a packet that has no data.
 */
export function movableData(packet: Uint8Array): MovableData[] {
  // What was solved for has what the program asks for, no more: its lengths are made right here.
  const found = transportOf(packet) ?? looseTransportOf(packet);
  const size = found === undefined ? undefined : HEADERS.get(found.protocol);
  const ip = networkAt(packet);
  if (found === undefined || size === undefined || ip === undefined) return [];
  const { version, protocol, at, end } = found;
  const network = version === 4 ? 20 : 40;
  const truly = protocol === TCP && at + 12 < end ? at + Math.max(5, packet[at + 12]! >> 4) * 4 : at + size;
  // A fragment header is no option.
  if (at + size > end || (version === 6 && at !== ip + network)) return [];
  const headers = joined(packet.subarray(0, ip + network), packet.subarray(at, at + size));
  if (version === 4) headers[ip] = 0x45;
  if (protocol === TCP) headers[ip + network + 12] = 0x50 | (packet[at + 12]! & 0x0f);
  const begins = new Set([truly, at + size, ip + network + size].filter((from) => from < end));
  return [...begins].flatMap((from) =>
    waysOf(packet.subarray(from, end), { version, protocol, headers, ip, at: ip + network }),
  );
}

function waysOf(own: Uint8Array, base: Omit<Base, 'from'>): MovableData[] {
  const data = new Uint8Array(Math.max(own.length, OPTIONS + LEAST_OPTIONS.length));
  data.set(own);
  const { protocol, version, ip, at } = base;
  const headers = base.headers.slice();
  setLengths(headers, ip, at, data.length);
  const whole = { ...base, headers, from: headers.length };
  const ways = [
    ...(protocol === TCP ? [behindTcpOptions(whole)] : []),
    ...(version === 4 ? [behindIpOptions(whole, WHOLE_OPTION), behindIpOptions(whole, [])] : []),
  ];
  return ways.length === 0 ? [] : [{ data, ways }];
}

type Bytes = Uint8Array | readonly number[];

interface Base {
  readonly version: 4 | 6;
  readonly protocol: number;
  /** All in front of the data, with the lengths of a whole packet. */
  readonly headers: Uint8Array;
  readonly ip: number;
  readonly at: number;
  readonly from: number;
}

function behindTcpOptions(base: Base): MovedData {
  const { at, from } = base;
  const withOffset = (words: number, rest: Uint8Array): Uint8Array => {
    const packet = joined(base.headers, rest);
    packet[at + 12] = (words << 4) | (packet[at + 12]! & 0x0f);
    return finished(packet, base);
  };
  return {
    name: 'TCP options',
    from,
    to: from + OPTIONS,
    optionsEnd: from + OPTIONS,
    plain: (data) => withOffset(5, data),
    disguised: (data) => withOffset(5 + OPTIONS / 4, data),
    moved: [LEAST_OPTIONS, [...TCP_EXPERIMENT, ...base.headers.subarray(-2)]].map(
      (options) => (data) => withOffset(6, joined(options, data.subarray(0, data.length - options.length))),
    ),
    bare: (data) => withOffset(5, truly(data)),
    keeps: (came, left) =>
      isSameNetwork(base, came, left) &&
      isSameHalf(came, left, base.ip) &&
      isSameHalf(came, left, at + 12, 4),
  };
}

/** @param option what the options begin with, in place of the begin of a transport header: some programs look at the one, or the other */
function behindIpOptions(base: Base, option: readonly number[]): MovedData {
  const { headers, ip, at, from } = base;
  const transport = headers.subarray(at);
  const withHeader = (
    options: Uint8Array | readonly number[],
    rest: Uint8Array,
    data: number,
  ): Uint8Array => {
    const packet = joined(joined(headers.subarray(0, at), options), rest);
    packet[ip] = 0x45 + options.length / 4;
    if (base.protocol === UDP) writeU16(packet, at + options.length + 4, 8 + data);
    return finished(packet, base);
  };
  return {
    name: 'IPv4 options',
    from,
    to: from + OPTIONS,
    optionsEnd: at + OPTIONS,
    plain: (data) => withHeader([], joined(transport, data), data.length),
    disguised: (data) => {
      const options = joined(transport, data).subarray(0, OPTIONS);
      options.set(option);
      return withHeader(options, joined(transport, data.subarray(OPTIONS)), data.length - OPTIONS);
    },
    moved: [
      (data) => {
        const rest = data.subarray(0, data.length - LEAST_OPTIONS.length);
        return withHeader(LEAST_OPTIONS, joined(transport, rest), rest.length);
      },
    ],
    bare: (data) => withHeader([], joined(transport, truly(data)), data.length),
    keeps: (came, left) => isSameNetwork(base, came, left) && isSameHalf(came, left, ip),
  };
}

/** Is it IP of that version at that place still, and with the same protocol in it? */
function isSameNetwork({ ip, version }: Base, came: Uint8Array, left: Uint8Array): boolean {
  const protocolAt = ip + (version === 4 ? 9 : 6);
  const isIp = networkAt(left) === ip && left[ip]! >> 4 === version;
  return isIp && left[protocolAt] === came[protocolAt];
}

/** @param shift which half of the byte: 4 for the upper one */
function isSameHalf(came: Uint8Array, left: Uint8Array, at: number, shift: 0 | 4 = 0): boolean {
  return (((came[at]! ^ left[at]!) >> shift) & 0x0f) === 0;
}

/** What lies behind the options, and zeros, so that the packet is as long as before. */
function truly(data: Uint8Array): Uint8Array {
  const rest = new Uint8Array(data.length);
  rest.set(data.subarray(OPTIONS));
  return rest;
}

function joined(one: Bytes, other: Bytes): Uint8Array {
  return Uint8Array.from([...one, ...other]);
}

function setLengths(headers: Uint8Array, ip: number, at: number, data: number): void {
  const isV4 = headers[ip]! >> 4 === 4;
  const length = headers.length + data - (isV4 ? ip : at);
  const place = isV4 ? ip + 2 : ip + 4;
  writeU16(headers, place, length);
  if (headers[isV4 ? ip + 9 : ip + 6] === UDP) writeU16(headers, at + 4, headers.length + data - at);
}

/** With checksums that are right; UDP's stays 0 where it was none. */
function finished(packet: Uint8Array, { version, ip }: Base): Uint8Array {
  return repaired(packet, version === 4 ? ip + 4 : ip);
}

/** Where a packet without options was changed behind its headers. */
export function changedData(came: Uint8Array, left: Uint8Array, from: number): number[] {
  if (came.length !== left.length) return [];
  return [...came.keys()].filter((at) => at >= from && came[at] !== left[at]);
}
