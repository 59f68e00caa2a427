/** Sockets that lookups find as a path wants them to. */
import { SOCKET } from '../../sim/ebpf/context/socket.ts';
import type { Evaluator } from '../../sim/ebpf/symbolic/evaluate.ts';
import type { Answer, PathState } from '../../sim/ebpf/symbolic/path-state.ts';
import { ipv4ToText, ipv6ToText } from '../../sim/packet/addresses.ts';
import { canBeOpen, TCP_ESTABLISHED } from '../../sim/runtime/sockets.ts';
import type { Socket } from '../../sim/runtime/world.ts';

const LOOKUPS: Readonly<Record<string, Socket['protocol']>> = {
  bpf_sk_lookup_tcp: 'tcp',
  bpf_skc_lookup_tcp: 'tcp',
  bpf_sk_lookup_udp: 'udp',
};

/** The sockets of a world in which the path's lookups find one, as far as there can be such. */
export function socketsFor(state: PathState, evaluator: Evaluator): Socket[] {
  const sockets: Socket[] = [];
  for (const answer of state.answers) {
    const protocol = LOOKUPS[answer.helper];
    const { isNull } = answer.open;
    if (protocol === undefined || isNull === undefined || evaluator.isTrue(isNull)) continue;
    const socket = socketOf(state, answer, protocol, evaluator);
    if (canBeOpen([...sockets, socket])) sockets.push(socket);
  }
  return sockets;
}

/** The socket that the tuple of a lookup leads to: a connection where the path asks for one, else one that listens. */
function socketOf(
  { pool }: PathState,
  { name, read }: Answer,
  protocol: Socket['protocol'],
  evaluator: Evaluator,
): Socket {
  const tuple = Uint8Array.from(read[0] ?? [], (one) => Number(evaluator.value(one)));
  const size = tuple.length < 36 ? 4 : 16;
  const end = (at: number, port: number): string => {
    const address = tuple.subarray(at, at + size);
    const number = (tuple[port]! << 8) | tuple[port + 1]!;
    return size === 4 ? `${ipv4ToText(address)}:${number}` : `[${ipv6ToText(address)}]:${number}`;
  };
  const field = (offset: number): number => {
    const bytes = [3, 2, 1, 0].map((at) => pool.unknown(8, `${name}.${offset + at}`));
    return Number(evaluator.value(pool.concat(bytes)));
  };
  const isConnected = field(SOCKET.state) === TCP_ESTABLISHED;
  const mark = field(SOCKET.mark);
  const device = field(SOCKET.boundDevIf);
  return {
    protocol,
    local: end(size, 2 * size + 2),
    ...(isConnected ? { remote: end(0, 2 * size) } : {}),
    ...(mark === 0 ? {} : { mark }),
    ...(device === 0 ? {} : { ifindex: device }),
  };
}
