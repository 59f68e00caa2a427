/**
 * SYN cookies (net/core/filter.c, net/ipv4/syncookies.c, net/ipv6/syncookies.c). The kernel makes them with random
 * keys; here they follow from the world's hash seed and its clock, so that a case repeats: `runtime/syn-cookie.ts`.
 */
import { EACCES, EINVAL, ENOENT, EPROTONOSUPPORT } from '../../runtime/errno.ts';
import { AF_INET6 } from '../../runtime/fib.ts';
import { IPPROTO_TCP, TCP_LISTEN } from '../../runtime/sockets.ts';
import {
  type CookieFlow,
  isSynCookie,
  MSS_OF_IPV4,
  MSS_OF_IPV6,
  mssIndex,
  synCookie,
} from '../../runtime/syn-cookie.ts';
import type { Machine } from '../machine.ts';
import { type Helper, NO_EFFECTS } from './helper.ts';
import { socketAt } from './socket-helpers.ts';

const IPV4_HEADER = 20;
const IPV6_HEADER = 40;
const TCP_HEADER = 20;
/** Where TCP's numbers lie. */
const SEQUENCE = 4;
export const ACKNOWLEDGED = 8;
/** Where the source address lies; the destination's follows. */
const IPV4_ADDRESSES = 12;
const IPV6_ADDRESSES = 8;

/** Flags of TCP, as they lie in byte 13. */
const FIN = 0x01;
const SYN = 0x02;
const RST = 0x04;
const ACK = 0x10;

/** What TCP takes where a SYN names no MSS: `TCP_MSS_DEFAULT`, and IPv6's minimum MTU without headers. */
const DEFAULT_MSS = 536;
const DEFAULT_MSS_IPV6 = 1220;
const OPTION_END = 0;
const OPTION_NOP = 1;
const OPTION_MSS = 2;

/** What a listening TCP socket is asked about: 0, or a negative errno. */
function checkListener(machine: Machine, address: number, tcpSize: number): number {
  if (tcpSize < TCP_HEADER) return -EINVAL;
  const socket = socketAt(machine, address);
  return socket?.protocol === IPPROTO_TCP && socket.state === TCP_LISTEN ? 0 : -EINVAL;
}

function checkNetworkHeader(machine: Machine, address: number, header: number, size: number): number {
  switch (machine.memory.u8[header]! >> 4) {
    case 4:
      return 0;
    case 6:
      return size < IPV6_HEADER || socketAt(machine, address)?.family !== AF_INET6 ? -EINVAL : 0;
    default:
      return -EPROTONOSUPPORT;
  }
}

/** `bpf_tcp_check_syncookie`: no listener here has sent cookies of late, so nothing is one. */
function checkCookie(machine: Machine, socket: number, size: number, tcp: number, tcpSize: number): number {
  const wrong = checkListener(machine, socket, tcpSize);
  if (wrong !== 0) return wrong;
  const flags = machine.memory.u8[tcp + 13]!;
  if ((flags & (ACK | RST | SYN)) !== ACK) return -ENOENT;
  return size < IPV4_HEADER ? -EINVAL : -ENOENT;
}

/** `bpf_tcp_gen_syncookie`: no listener here has a full queue, so none sends cookies. */
function generateCookie(
  machine: Machine,
  socket: number,
  network: number,
  size: number,
  tcp: number,
  tcpSize: number,
): number {
  const { u8 } = machine.memory;
  if (tcpSize < TCP_HEADER || tcpSize !== (u8[tcp + 12]! >> 4) * 4) return -EINVAL;
  const wrong = checkListener(machine, socket, tcpSize);
  if (wrong !== 0) return wrong;
  if ((u8[tcp + 13]! & (SYN | ACK | FIN | RST)) !== SYN || size < IPV4_HEADER) return -EINVAL;
  return checkNetworkHeader(machine, socket, network, size) || -ENOENT;
}

/** `tcp_parse_mss_option`: of several, the last that is not 0 counts, wherever the options break off; 0: none. */
function mssOption(u8: Uint8Array, tcp: number): number {
  const end = tcp + (u8[tcp + 12]! >> 4) * 4;
  let mss = 0;
  for (let at = tcp + TCP_HEADER; at < end; ) {
    const option = u8[at++]!;
    if (option === OPTION_END) break;
    if (option === OPTION_NOP) continue;
    // Too short for a length, shorter than it may be, or not all there.
    if (at >= end) break;
    const length = u8[at++]!;
    if (length < 2 || at - 2 + length > end) break;
    if (option === OPTION_MSS && length === 4) mss = (u8[at]! << 8) | u8[at + 1]! || mss;
    at += length - 2;
  }
  return mss;
}

function flowOf(machine: Machine, network: number, ipv6: boolean, tcp: number): CookieFlow {
  const { view } = machine.memory;
  const size = ipv6 ? 32 : 8;
  return { view, addresses: network + (ipv6 ? IPV6_ADDRESSES : IPV4_ADDRESSES), size, ports: tcp };
}

function generateRaw(machine: Machine, network: number, tcp: number, tcpSize: number, ipv6: boolean): number {
  const { u8, view } = machine.memory;
  if (tcpSize < TCP_HEADER || tcpSize !== (u8[tcp + 12]! >> 4) * 4) return machine.result64(BigInt(-EINVAL));
  const sizes = ipv6 ? MSS_OF_IPV6 : MSS_OF_IPV4;
  const index = mssIndex(sizes, mssOption(u8, tcp) || (ipv6 ? DEFAULT_MSS_IPV6 : DEFAULT_MSS));
  const flow = flowOf(machine, network, ipv6, tcp);
  const cookie = synCookie(
    flow,
    machine.world.hashSeed ?? 0,
    machine.time,
    view.getUint32(tcp + SEQUENCE),
    index,
  );
  return machine.result64((BigInt(sizes[index]!) << 32n) | BigInt(cookie));
}

function checkRaw(machine: Machine, network: number, tcp: number, ipv6: boolean): number {
  const { view } = machine.memory;
  const cookie = (view.getUint32(tcp + ACKNOWLEDGED) - 1) >>> 0;
  const sequence = (view.getUint32(tcp + SEQUENCE) - 1) >>> 0;
  const flow = flowOf(machine, network, ipv6, tcp);
  return isSynCookie(flow, machine.world.hashSeed ?? 0, machine.time, sequence, cookie) ? 0 : -EACCES;
}

/** What a segment would have to acknowledge to be the answer to a cookie that goes out now, for the smallest MSS. */
export function acknowledgedCookie(machine: Machine, network: number, tcp: number, ipv6: boolean): number {
  const sequence = (machine.memory.view.getUint32(tcp + SEQUENCE) - 1) >>> 0;
  const flow = flowOf(machine, network, ipv6, tcp);
  return (synCookie(flow, machine.world.hashSeed ?? 0, machine.time, sequence, 0) + 1) >>> 0;
}

const COOKIES = "cookies follow from the world's seed and clock, in the kernel engines too";

export const SYNCOOKIE_HELPERS: readonly Helper[] = [
  {
    number: 100,
    name: 'bpf_tcp_check_syncookie',
    arguments: ['socket_or_struct', 'memory', 'size', 'memory', 'size'],
    returns: 'int',
    note: 'errors as in the kernel: no listener has sent cookies',
    rules: { hooks: 'both', license: 'gpl', packetAccess: true },
    effects: NO_EFFECTS,
    symbolic: 'any value',
    run: (machine, socket, _network, size, tcp, tcpSize) => checkCookie(machine, socket, size, tcp, tcpSize),
  },
  {
    number: 110,
    name: 'bpf_tcp_gen_syncookie',
    arguments: ['socket_or_struct', 'memory', 'size', 'memory', 'size'],
    returns: 'int',
    note: 'errors as in the kernel: the queue of no listener is full',
    rules: { hooks: 'both', license: 'gpl', packetAccess: true },
    effects: { ...NO_EFFECTS, leaves: 'outside' },
    symbolic: 'any value',
    run: generateCookie,
  },
  {
    number: 204,
    name: 'bpf_tcp_raw_gen_syncookie_ipv4',
    arguments: ['ipv4_header', 'memory', 'size_or_zero'],
    returns: 'u64',
    note: COOKIES,
    rules: { hooks: 'both', license: 'gpl', packetAccess: true },
    effects: { ...NO_EFFECTS, dependsOn: ['hash', 'clock'] },
    symbolic: 'any value',
    run: (machine, network, tcp, size) => generateRaw(machine, network, tcp, size, false),
  },
  {
    number: 205,
    name: 'bpf_tcp_raw_gen_syncookie_ipv6',
    arguments: ['ipv6_header', 'memory', 'size_or_zero'],
    returns: 'u64',
    note: COOKIES,
    rules: { hooks: 'both', license: 'gpl', packetAccess: true },
    effects: { ...NO_EFFECTS, dependsOn: ['hash', 'clock'] },
    symbolic: 'any value',
    run: (machine, network, tcp, size) => generateRaw(machine, network, tcp, size, true),
  },
  {
    number: 206,
    name: 'bpf_tcp_raw_check_syncookie_ipv4',
    arguments: ['ipv4_header', 'tcp_header'],
    returns: 'int',
    note: COOKIES,
    rules: { hooks: 'both', license: 'gpl', packetAccess: true },
    effects: { ...NO_EFFECTS, dependsOn: ['hash', 'clock'] },
    symbolic: 'any value',
    run: (machine, network, tcp) => checkRaw(machine, network, tcp, false),
  },
  {
    number: 207,
    name: 'bpf_tcp_raw_check_syncookie_ipv6',
    arguments: ['ipv6_header', 'tcp_header'],
    returns: 'int',
    note: COOKIES,
    rules: { hooks: 'both', license: 'gpl', packetAccess: true },
    effects: { ...NO_EFFECTS, dependsOn: ['hash', 'clock'] },
    symbolic: 'any value',
    run: (machine, network, tcp) => checkRaw(machine, network, tcp, true),
  },
];
