/**
 * Sockets on a path: the one that a TC frame belongs to, and those that lookups find. What their fields hold nobody knows, but it
 * decides what they are: full sockets, of TCP, listening ones (net/core/filter.c).
 */
import { IPPROTO_TCP, TCP_LISTEN } from '../../runtime/sockets.ts';
import { SOCKET, TCP_FORM } from '../context/socket.ts';
import { TCP_NEW_SYN_RECV, TCP_TIME_WAIT } from '../helpers/socket-helpers.ts';
import type { Inputs } from './inputs.ts';
import { NotFollowed, type PathState } from './path-state.ts';
import type { Value } from './path-value.ts';
import type { SymbolicHelper } from './symbolic-helper.ts';
import type { Term } from './term.ts';

/** What the unknowns of the frame's own socket are called. */
export const FRAME_SOCKET = 'given.socket';

/** Two sockets may be one: where each lies is an unknown of 16 bits. */
const SOCKET_PAGE = 0x1_0000;

/** A socket, or another structure of the kernel's, whose bytes are unknowns of that name. */
export function opaque({ pool }: Inputs, name: string): Value {
  const row = pool.unknown(16, `${name}.place`);
  return {
    term: pool.addConst(pool.zeroExtend(64, row), SOCKET_PAGE),
    region: { kind: 'opaque', what: name, from: 0 },
  };
}

function word(state: PathState, what: string, offset: number): Term {
  const { pool } = state;
  return pool.concat([3, 2, 1, 0].map((at) => pool.unknown(8, `${what}.${offset + at}`)));
}

function is(state: PathState, term: Term, value: number): boolean {
  return state.decide(state.pool.equal(term, state.pool.constant(32, value)));
}

/** `sk_fullsock`: not of a connection that ends, nor of one in the making. */
function isFull(state: PathState, what: string): boolean {
  const stage = word(state, what, SOCKET.state);
  return !is(state, stage, TCP_TIME_WAIT) && !is(state, stage, TCP_NEW_SYN_RECV);
}

/** @returns the socket in another form, where it is one of a kind */
function cast(isOne: (state: PathState, what: string) => boolean, from: number): SymbolicHelper {
  return (_inputs, state, [socket]) => {
    const { pool } = state;
    const region = socket!.region;
    if (region?.kind !== 'opaque') throw new NotFollowed('a socket that nobody knows');
    state.assume('sockets and structures of the kernel do not change while the program runs');
    if (!isOne(state, region.what)) return pool.constant(64, 0);
    return { term: pool.addConst(socket!.term, from - region.from), region: { ...region, from } };
  };
}

export const SOCKET_HELPERS: Readonly<Record<string, SymbolicHelper>> = {
  bpf_sk_fullsock: cast(isFull, 0),
  bpf_tcp_sock: cast(
    (state, what) => isFull(state, what) && is(state, word(state, what, SOCKET.protocol), IPPROTO_TCP),
    TCP_FORM,
  ),
  bpf_get_listener_sock: cast((state, what) => is(state, word(state, what, SOCKET.state), TCP_LISTEN), 0),
};
