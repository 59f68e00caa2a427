/**
 * Protocols beside TCP, UDP and ICMP: a program that "knows" what follows an IP header writes over what follows in
 * these. SCTP, UDP-Lite and GRE have checksums of their own, which were right and are no longer; the others have none
 * that a program could make right again.
 *
 * Like all checksums: right before, wrong after is a fault, and what came wrong is not judged.
 */
import { crc32c } from '../oracle/crc32c.ts';
import { HEADER } from '../oracle/found.ts';
import type { FramePair } from '../oracle/frame-pair.ts';
import { type Breach, headerOf, type Invariant } from './invariant.ts';
import {
  type IpPayload,
  isSamePayload,
  isWhole,
  mayCarry,
  type PayloadPair,
  payloadPairs,
} from './ip-payload.ts';
import { type Rule, rule } from './rule.ts';

export const TRANSPORT_RULES: readonly Rule[] = [
  rule(
    'checksum/sctp',
    'error',
    'The SCTP checksum is wrong',
    'SCTP has a CRC-32C over the whole packet (RFC 9260 §6.8), no sum that can be updated: a program that changes ports has to compute it anew, or leave SCTP alone.',
  ),
  rule(
    'checksum/udp-lite',
    'error',
    'The UDP-Lite checksum is wrong',
    'UDP-Lite sums the pseudo-header, as UDP does, and as much of the packet as its coverage says (RFC 3828 §3.1): whoever rewrites addresses has to update it, too.',
  ),
  rule(
    'checksum/gre',
    'error',
    'The GRE checksum is wrong',
    'With the C bit, GRE sums its header and everything inside (RFC 2784 §2.5): whoever rewrites the inner packet has to update it.',
  ),
  rule(
    'checksum/igmp',
    'error',
    'The IGMP checksum is wrong',
    'IGMP sums its whole message (RFC 3376 §4.1.2), where programs that "know" TCP write ports.',
  ),
  rule(
    'payload/overwritten',
    'error',
    'Data of another protocol was overwritten',
    'The packet’s protocol has neither ports nor a checksum that the program could update (ESP, OSPF, PIM, VRRP), and bytes of it changed: the program took it for TCP or UDP.',
  ),
];

const IGMP = 2;
const GRE = 47;
const SCTP = 132;
const UDP_LITE = 136;
/** ESP, OSPF, PIM, VRRP: authenticated, or summed in a way that only their own daemons know. */
const NOBODYS: ReadonlyMap<number, string> = new Map([
  [50, 'ESP'],
  [89, 'OSPF'],
  [103, 'PIM'],
  [112, 'VRRP'],
]);

interface Summed {
  readonly id: string;
  readonly name: string;
  /** Offset of the checksum in the payload, and its size. */
  readonly at: number;
  readonly size: number;
  /** Does it verify? Undefined where it cannot be told. */
  readonly verifies: (
    bytes: Uint8Array,
    offset: number,
    payload: IpPayload,
    addressesAt: number,
    addressLength: number,
  ) => boolean | undefined;
}

const SUMMED: ReadonlyMap<number, Summed> = new Map([
  [SCTP, { id: 'sctp', name: 'SCTP', at: 8, size: 4, verifies: sctpVerifies }],
  [UDP_LITE, { id: 'udp-lite', name: 'UDP-Lite', at: 6, size: 2, verifies: udpLiteVerifies }],
  [GRE, { id: 'gre', name: 'GRE', at: 4, size: 2, verifies: greVerifies }],
  [IGMP, { id: 'igmp', name: 'IGMP', at: 2, size: 2, verifies: igmpVerifies }],
]);

export const transports: Invariant = {
  name: 'transports',
  judge(pair: FramePair): Breach | undefined {
    if (!mayCarry(pair, SUMMED) && !mayCarry(pair, NOBODYS)) return undefined;
    for (const payload of payloadPairs(pair)) {
      if (!isWhole(payload.was) || !isWhole(payload.is)) continue;
      const breach = judgeSummed(pair, payload) ?? judgeNobodys(pair, payload);
      if (breach !== undefined) return breach;
    }
    return undefined;
  },
};

function judgeSummed(pair: FramePair, payload: PayloadPair): Breach | undefined {
  const { row, was, is } = payload;
  const summed = SUMMED.get(is.protocol);
  if (summed === undefined) return undefined;
  const isFour = pair.is.kind[row] === HEADER.ipv4;
  const [addressesAt, addressLength] = isFour ? [12, 4] : [8, 16];
  const match = pair.is.match[row]!;
  const then = summed.verifies(
    pair.before,
    pair.beforeOffset,
    was,
    pair.was.start[match]! + addressesAt,
    addressLength,
  );
  if (then !== true) return undefined;
  const now = summed.verifies(
    pair.after,
    pair.afterOffset,
    is,
    pair.is.start[row]! + addressesAt,
    addressLength,
  );
  if (now !== false) return undefined;
  const { label } = headerOf(pair, row);
  return {
    invariant: `checksum/${summed.id}`,
    severity: 'error',
    at: is.start + summed.at,
    size: summed.size,
    expected: 'a checksum that verifies',
    got: 'one that does not',
    sentence: `the ${summed.name} checksum behind the ${label} header was right and is wrong`,
    summary: `the ${summed.name} checksum is wrong`,
  };
}

function judgeNobodys(pair: FramePair, payload: PayloadPair): Breach | undefined {
  const { was, is } = payload;
  const name = NOBODYS.get(is.protocol);
  const size = is.end - is.start;
  if (name === undefined || was.end - was.start !== size || isSamePayload(pair, payload, 0, size))
    return undefined;
  let at = 0;
  while (isSamePayload(pair, payload, at, at + 1)) at++;
  return {
    invariant: 'payload/overwritten',
    severity: 'error',
    at: is.start + at,
    size: 1,
    expected: 'data as it came',
    got: 'changed data',
    sentence: `byte ${at} of an ${name} packet changed`,
    summary: 'bytes of another protocol changed',
  };
}

function sctpVerifies(bytes: Uint8Array, offset: number, { start, end }: IpPayload): boolean | undefined {
  if (end - start < 12) return undefined;
  const field = offset + start + 8;
  const stated =
    (bytes[field]! | (bytes[field + 1]! << 8) | (bytes[field + 2]! << 16) | (bytes[field + 3]! << 24)) >>> 0;
  // 0 may say that another checksum makes it superfluous (RFC 9653).
  if (stated === 0) return undefined;
  return stated === crc32c(bytes, offset + start, offset + end, field);
}

function udpLiteVerifies(
  bytes: Uint8Array,
  offset: number,
  { start, end }: IpPayload,
  addressesAt: number,
  addressLength: number,
): boolean | undefined {
  const length = end - start;
  if (length < 8) return undefined;
  const stated = (bytes[offset + start + 4]! << 8) | bytes[offset + start + 5]!;
  const coverage = stated === 0 ? length : stated;
  if (coverage < 8 || coverage > length) return undefined;
  const pseudo = sumOf(bytes, offset + addressesAt, 2 * addressLength) + UDP_LITE + length;
  return folded(pseudo + sumOf(bytes, offset + start, coverage)) === 0xffff;
}

function greVerifies(bytes: Uint8Array, offset: number, { start, end }: IpPayload): boolean | undefined {
  const hasChecksum = end - start >= 8 && (bytes[offset + start]! & 0x80) !== 0;
  // Version 1 (PPTP) has no checksum.
  if (!hasChecksum || (bytes[offset + start + 1]! & 7) !== 0) return undefined;
  return folded(sumOf(bytes, offset + start, end - start)) === 0xffff;
}

function igmpVerifies(bytes: Uint8Array, offset: number, { start, end }: IpPayload): boolean | undefined {
  if (end - start < 8) return undefined;
  return folded(sumOf(bytes, offset + start, end - start)) === 0xffff;
}

/** The sum of big-endian words; an odd last byte is the high half of one. */
function sumOf(bytes: Uint8Array, start: number, size: number): number {
  let sum = 0;
  for (let at = 0; at < size; at += 2) {
    sum += (bytes[start + at]! << 8) | (at + 1 < size ? bytes[start + at + 1]! : 0);
  }
  return sum;
}

function folded(sum: number): number {
  let left = sum;
  while (left > 0xffff) left = (left & 0xffff) + Math.floor(left / 0x10000);
  return left;
}
