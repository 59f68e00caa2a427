/** `icmp_echo`: answers pings in place of the stack. */
import { isGroupMac, isMulticast4, isMulticast6 } from '../packet/addresses.ts';
import { isZero, readU16, swap, writeU16 } from '../packet/bytes.ts';
import { update } from '../packet/checksum.ts';
import { ETHERNET } from '../packet/ethernet.ts';
import { ICMP, ICMP_TYPE } from '../packet/icmp.ts';
import { ICMPV6_TYPE } from '../packet/icmpv6.ts';
import { IPV4 } from '../packet/ipv4.ts';
import { IPV6 } from '../packet/ipv6.ts';
import { IPPROTO } from '../packet/numbers.ts';
import { XDP_PASS, XDP_TX } from '../runtime/actions.ts';
import type { ModelContext } from '../runtime/context.ts';
import type { ProgramDefinition } from '../runtime/program.ts';
import { define } from './define.ts';
import { icmpEchoExamples } from './icmp_echo-examples.ts';
import { Parsing } from './parsing.ts';
import { statisticsMap, withStatistics } from './statistics.ts';

const parsing = new Parsing();

function decide({ frame }: ModelContext): number {
  const { bytes, data } = frame;
  parsing.parse(frame);
  if (!isEchoRequest(parsing)) return XDP_PASS;
  if (isGroupMac(bytes, data + ETHERNET.at.destination) || isGroupMac(bytes, data + ETHERNET.at.source))
    return XDP_PASS;
  swap(bytes, data + ETHERNET.at.destination, data + ETHERNET.at.source, 6);
  if (parsing.version === 4) {
    swap(bytes, parsing.l3 + IPV4.at.source, parsing.l3 + IPV4.at.destination, 4);
    becomeReply(bytes, parsing.l4, ICMP_TYPE.ECHO_REPLY);
  } else {
    swap(bytes, parsing.l3 + IPV6.at.source, parsing.l3 + IPV6.at.destination, 16);
    becomeReply(bytes, parsing.l4, ICMPV6_TYPE.ECHO_REPLY);
  }
  return XDP_TX;
}

/** ICMP and ICMPv6 have type, code and checksum, and the 8 bytes of their header, in the same places. */
function isEchoRequest({ bytes, version, protocol, l3, l4, end, fragment }: Parsing): boolean {
  if (end - l4 < ICMP.headerLength) return false;
  if (version === 4) {
    const total = readU16(bytes, l3 + IPV4.at.totalLength);
    return (
      protocol === IPPROTO.ICMP &&
      fragment === 'none' &&
      total >= l4 - l3 + ICMP.headerLength &&
      total <= end - l3 &&
      isHost4(bytes, l3 + IPV4.at.destination) &&
      isHost4(bytes, l3 + IPV4.at.source) &&
      !isZero(bytes, l3 + IPV4.at.source, 4) &&
      bytes[l4 + ICMP.at.type] === ICMP_TYPE.ECHO &&
      bytes[l4 + ICMP.at.code] === 0
    );
  }
  if (version === 6) {
    const payload = readU16(bytes, l3 + IPV6.at.payloadLength);
    return (
      protocol === IPPROTO.ICMPV6 &&
      payload >= ICMP.headerLength &&
      payload <= end - l4 &&
      !isMulticast6(bytes, l3 + IPV6.at.destination) &&
      !isMulticast6(bytes, l3 + IPV6.at.source) &&
      !isZero(bytes, l3 + IPV6.at.source, 16) &&
      bytes[l4 + ICMP.at.type] === ICMPV6_TYPE.ECHO_REQUEST &&
      bytes[l4 + ICMP.at.code] === 0
    );
  }
  return false;
}

/** Neither multicast nor the limited broadcast. */
function isHost4(bytes: Uint8Array, at: number): boolean {
  return !isMulticast4(bytes, at) && !isBroadcast4(bytes, at);
}

/** 255.255.255.255 (RFC 919 §7). */
function isBroadcast4(bytes: Uint8Array, at: number): boolean {
  return (bytes[at]! & bytes[at + 1]! & bytes[at + 2]! & bytes[at + 3]!) === 0xff;
}

/**
 * Type and checksum. A result of 0x0000 is written as 0xffff: both verify, but for the message that is all zero,
 * where only 0xffff does (RFC 1624 §3).
 */
function becomeReply(bytes: Uint8Array, at: number, type: number): void {
  const before = readU16(bytes, at + ICMP.at.type);
  bytes[at + ICMP.at.type] = type;
  const checksum = update(readU16(bytes, at + ICMP.at.checksum), before, readU16(bytes, at + ICMP.at.type));
  writeU16(bytes, at + ICMP.at.checksum, checksum === 0 ? 0xffff : checksum);
}

export const icmpEcho: ProgramDefinition = define({
  name: 'icmp_echo',
  summary: 'answers pings in place of the stack',
  description:
    'Turns ICMP and ICMPv6 echo requests to unicast addresses into replies and sends them back (XDP_TX): MAC and IP addresses swapped, type changed, checksum updated incrementally. Everything else passes untouched. Counts by action.',
  entries: [{ function: 'icmp_echo', hook: 'xdp', model: withStatistics(decide) }],
  maps: [statisticsMap],
  worlds: () => [{ name: 'default', world: {} }],
  examples: icmpEchoExamples,
  hints: {
    kinds: { 'icmp-echo': 12, 'icmpv6-echo': 12, 'icmp-other': 2, 'icmpv6-other': 2 },
    protocols: [IPPROTO.ICMP, IPPROTO.ICMPV6],
    icmpTypes: [ICMP_TYPE.ECHO, ICMP_TYPE.ECHO_REPLY],
    icmpv6Types: [ICMPV6_TYPE.ECHO_REQUEST, ICMPV6_TYPE.ECHO_REPLY],
    addresses: [
      '0.0.0.0',
      '224.0.0.1',
      '239.255.255.255',
      '240.0.0.1',
      '255.255.255.255',
      '::',
      'ff02::1',
      'fe80::1',
    ],
  },
});
