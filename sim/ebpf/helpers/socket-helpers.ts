/**
 * Helpers on sockets (net/core/filter.c): the one that a TC frame belongs to, see `context/socket.ts` for which it is, and
 * lookups, which find none: nobody listens in a run's own network namespace.
 */
import { EINVAL, EOPNOTSUPP } from '../../runtime/errno.ts';
import { type Helper, NO_EFFECTS } from './helper.ts';

function lookup(number: number, name: string): Helper {
  return {
    number,
    name,
    arguments: ['context', 'memory', 'size', 'anything', 'anything'],
    returns: 'socket_or_null',
    rules: { hooks: 'both', license: 'any', packetAccess: true },
    effects: { ...NO_EFFECTS, obligation: 'acquires unless null', dependsOn: ['network'] },
    symbolic: 'any value',
    run: () => 0,
  };
}

export const SOCKET_HELPERS: readonly Helper[] = [
  {
    number: 95,
    name: 'bpf_sk_fullsock',
    arguments: ['socket'],
    returns: 'socket_or_null',
    rules: { hooks: 'tc', license: 'any', packetAccess: false },
    effects: NO_EFFECTS,
    symbolic: 'any value',
    run: (_machine, socket) => socket,
  },
  {
    number: 96,
    name: 'bpf_tcp_sock',
    arguments: ['socket'],
    returns: 'socket_or_null',
    rules: { hooks: 'tc', license: 'any', packetAccess: false },
    effects: NO_EFFECTS,
    symbolic: 'any value',
    // It is not of TCP.
    run: () => 0,
  },
  {
    number: 98,
    name: 'bpf_get_listener_sock',
    arguments: ['socket'],
    returns: 'socket_or_null',
    rules: { hooks: 'tc', license: 'any', packetAccess: false },
    effects: NO_EFFECTS,
    symbolic: 'any value',
    // It does not listen.
    run: () => 0,
  },
  {
    number: 47,
    name: 'bpf_get_socket_uid',
    arguments: ['context'],
    returns: 'int',
    rules: { hooks: 'tc', license: 'any', packetAccess: false },
    effects: NO_EFFECTS,
    symbolic: 'any value',
    run: () => 0,
  },
  lookup(84, 'bpf_sk_lookup_tcp'),
  lookup(85, 'bpf_sk_lookup_udp'),
  lookup(99, 'bpf_skc_lookup_tcp'),
  {
    number: 86,
    name: 'bpf_sk_release',
    arguments: ['socket'],
    returns: 'int',
    rules: { hooks: 'both', license: 'any', packetAccess: false },
    effects: { ...NO_EFFECTS, obligation: 'releases' },
    symbolic: 'any value',
    run: () => 0,
  },
  {
    number: 100,
    name: 'bpf_tcp_check_syncookie',
    arguments: ['socket', 'memory', 'size', 'memory', 'size'],
    returns: 'int',
    rules: { hooks: 'both', license: 'gpl', packetAccess: true },
    effects: NO_EFFECTS,
    symbolic: 'any value',
    // The frame's socket is not one of TCP that listens.
    run: () => -EINVAL,
  },
  {
    number: 110,
    name: 'bpf_tcp_gen_syncookie',
    arguments: ['socket', 'memory', 'size', 'memory', 'size'],
    returns: 'int',
    rules: { hooks: 'both', license: 'gpl', packetAccess: true },
    effects: NO_EFFECTS,
    symbolic: 'any value',
    run: () => -EINVAL,
  },
  {
    number: 124,
    name: 'bpf_sk_assign',
    arguments: ['context', 'socket', 'anything'],
    returns: 'int',
    rules: { hooks: 'tc', license: 'any', packetAccess: false },
    effects: NO_EFFECTS,
    symbolic: 'any value',
    run: (machine, _context, _socket, flags) =>
      flags !== 0 || machine.high(2) !== 0 ? -EINVAL : -EOPNOTSUPP,
  },
];
