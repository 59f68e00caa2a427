/**
 * Helpers on sockets (net/core/filter.c): the one that a TC frame belongs to, see `context/socket.ts` for which it is,
 * and those that a lookup has found.
 */
import { EINVAL, EOPNOTSUPP } from '../../runtime/errno.ts';
import { AF_INET6 } from '../../runtime/fib.ts';
import { IPPROTO_TCP, IPPROTO_UDP, type OpenSocket, TCP_LISTEN } from '../../runtime/sockets.ts';
import { KERNEL_FORM, SOCKET, SOCKET_ROW, socketRow, TCP_FORM } from '../context/socket.ts';
import type { Machine } from '../machine.ts';
import { SOCKET_BASE } from '../memory.ts';
import { type Helper, NO_EFFECTS } from './helper.ts';

/** The socket that an argument stands for; undefined: the frame's own, which is of no protocol. */
export function socketAt(machine: Machine, address: number): OpenSocket | undefined {
  return machine.sockets.at(address);
}

/** The address of a socket's row. */
export function rowAddress(address: number): number {
  return SOCKET_BASE + SOCKET_ROW * socketRow(address);
}

/** States of sockets that are not full ones (include/net/tcp_states.h): of a connection that ends, or is in the making. */
export const TCP_TIME_WAIT = 6;
export const TCP_NEW_SYN_RECV = 12;

function field(machine: Machine, address: number, offset: number): number {
  return machine.memory.u32(rowAddress(address) + offset);
}

/** `sk_fullsock`. No world has another, and no frame of a test run; what a proof makes of a frame's socket may be one. */
function isFull(machine: Machine, address: number): boolean {
  const state = field(machine, address, SOCKET.state);
  return state !== TCP_TIME_WAIT && state !== TCP_NEW_SYN_RECV;
}

/** `bpf_skc_to_…`: the kernel's own structure, where the socket is of the right kind. */
function toStruct(number: number, name: string, isOne: (socket: OpenSocket) => boolean): Helper {
  return {
    number,
    name,
    arguments: ['socket_or_struct'],
    returns: 'kernel_struct_or_null',
    note: 'what a program reads through the result is not there',
    rules: { hooks: 'both', license: 'any', packetAccess: false },
    effects: { ...NO_EFFECTS, obligation: 'passes on' },
    symbolic: 'any value',
    run: (machine, address) => {
      const socket = socketAt(machine, address);
      return socket !== undefined && isOne(socket) ? rowAddress(address) + KERNEL_FORM : 0;
    },
  };
}

export const SOCKET_HELPERS: readonly Helper[] = [
  {
    number: 95,
    name: 'bpf_sk_fullsock',
    arguments: ['socket'],
    returns: 'socket_or_null',
    rules: { hooks: 'tc', license: 'any', packetAccess: false },
    effects: { ...NO_EFFECTS, obligation: 'passes on' },
    symbolic: 'any value',
    run: (machine, address) => (isFull(machine, address) ? rowAddress(address) : 0),
  },
  {
    number: 96,
    name: 'bpf_tcp_sock',
    arguments: ['socket'],
    returns: 'tcp_socket_or_null',
    rules: { hooks: 'tc', license: 'any', packetAccess: false },
    effects: { ...NO_EFFECTS, obligation: 'passes on' },
    symbolic: 'any value',
    run: (machine, address) =>
      isFull(machine, address) && field(machine, address, SOCKET.protocol) === IPPROTO_TCP
        ? rowAddress(address) + TCP_FORM
        : 0,
  },
  {
    number: 98,
    name: 'bpf_get_listener_sock',
    arguments: ['socket'],
    returns: 'socket_or_null',
    rules: { hooks: 'tc', license: 'any', packetAccess: false },
    effects: NO_EFFECTS,
    symbolic: 'any value',
    run: (machine, address) =>
      field(machine, address, SOCKET.state) === TCP_LISTEN ? rowAddress(address) : 0,
  },
  {
    number: 86,
    name: 'bpf_sk_release',
    arguments: ['socket_or_struct'],
    returns: 'int',
    rules: { hooks: 'both', license: 'any', packetAccess: false },
    effects: { ...NO_EFFECTS, obligation: 'releases pointer' },
    symbolic: 'any value',
    run: () => 0,
  },
  {
    number: 124,
    name: 'bpf_sk_assign',
    arguments: ['context', 'socket_or_struct', 'anything'],
    returns: 'int',
    note: '`-EOPNOTSUPP`: as in a test run, frames come by no ingress of a device',
    rules: { hooks: 'tc', license: 'any', packetAccess: false },
    effects: { ...NO_EFFECTS, leaves: 'socket' },
    symbolic: 'any value',
    // A test run is no ingress of a device (`skb_at_tc_ingress`).
    run: (machine, _context, _socket, flags) =>
      flags !== 0 || machine.high(2) !== 0 ? -EINVAL : -EOPNOTSUPP,
  },
  toStruct(
    136,
    'bpf_skc_to_tcp6_sock',
    ({ protocol, family }) => protocol === IPPROTO_TCP && family === AF_INET6,
  ),
  toStruct(137, 'bpf_skc_to_tcp_sock', ({ protocol }) => protocol === IPPROTO_TCP),
  // None is waiting for its end, or for its beginning.
  toStruct(138, 'bpf_skc_to_tcp_timewait_sock', () => false),
  toStruct(139, 'bpf_skc_to_tcp_request_sock', () => false),
  toStruct(
    140,
    'bpf_skc_to_udp6_sock',
    ({ protocol, family }) => protocol === IPPROTO_UDP && family === AF_INET6,
  ),
  toStruct(178, 'bpf_skc_to_unix_sock', () => false),
  toStruct(196, 'bpf_skc_to_mptcp_sock', () => false),
];
