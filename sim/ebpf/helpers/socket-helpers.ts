/** Helpers on the socket that a TC frame belongs to (net/core/filter.c); see `context/socket.ts` for which it is. */
import type { Helper } from './helper.ts';

export const SOCKET_HELPERS: readonly Helper[] = [
  {
    number: 95,
    name: 'bpf_sk_fullsock',
    arguments: ['socket'],
    returns: 'socket_or_null',
    only: 'tc',
    run: (_machine, socket) => socket,
  },
  {
    number: 96,
    name: 'bpf_tcp_sock',
    arguments: ['socket'],
    returns: 'socket_or_null',
    only: 'tc',
    // It is not of TCP.
    run: () => 0,
  },
  {
    number: 98,
    name: 'bpf_get_listener_sock',
    arguments: ['socket'],
    returns: 'socket_or_null',
    only: 'tc',
    // It does not listen.
    run: () => 0,
  },
  {
    number: 47,
    name: 'bpf_get_socket_uid',
    arguments: ['context'],
    returns: 'int',
    only: 'tc',
    run: () => 0,
  },
];
