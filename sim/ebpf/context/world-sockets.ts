/** The sockets of a world in the machine's memory, where programs read them and helpers find them. */
import { AF_INET } from '../../runtime/fib.ts';
import { IPPROTO_TCP, type OpenSocket, SocketTable, TCP_ESTABLISHED } from '../../runtime/sockets.ts';
import type { Socket } from '../../runtime/world.ts';
import { type LinearMemory, SOCKET_BASE } from '../memory.ts';
import { MAX_SOCKETS, SOCKET, SOCKET_ROW, socketRow, TCP_FORM, TCP_SOCKET } from './socket.ts';

/** `::ffff:0:0/96`, which IPv4 addresses follow. */
const MAPPED: Uint8Array = Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff);

const SOCK_STREAM = 1;
const SOCK_DGRAM = 2;
const NO_QUEUE = 0xffff_ffff;
/** What IPv6 sockets that are bound to an address have for one of IPv4 (`LOOPBACK4_IPV6`, include/net/ipv6.h). */
const LOOPBACK4_IPV6 = 0x0600_007f;

/** What TCP begins with (net/ipv4/tcp.c, `tcp_init_sock`). */
const INITIAL_WINDOW = 10;
const INFINITE_SSTHRESH = 0x7fff_ffff;
const NO_RTT = 0xffff_ffff;
const DEFAULT_MSS = 536;
/** What a connection takes of the other end while it has not named a size, and what its time stamps leave of that. */
const DEFAULT_MSS_IPV6 = 1220;
const TIME_STAMPS = 12;

export class WorldSockets {
  readonly table: SocketTable;

  /**
   * @throws {SyntaxError} where a socket's texts are none
   * @throws {RangeError} where there are too many
   */
  constructor(memory: LinearMemory, sockets: readonly Socket[]) {
    if (sockets.length > MAX_SOCKETS) {
      throw new RangeError(`${sockets.length} sockets: the machine has room for ${MAX_SOCKETS}`);
    }
    this.table = new SocketTable(sockets);
    for (const [index, socket] of this.table.sockets.entries()) {
      write(memory, SOCKET_BASE + SOCKET_ROW * (index + 1), socket);
    }
  }

  /** The address of a socket as programs get it. @param index in the world */
  addressOf(index: number): number {
    return SOCKET_BASE + SOCKET_ROW * (index + 1);
  }

  /** The socket that an address stands for, in whichever form; undefined: the frame's own. */
  at(address: number): OpenSocket | undefined {
    return this.table.sockets[socketRow(address) - 1];
  }
}

function write({ u8, view }: LinearMemory, at: number, socket: OpenSocket): void {
  const { protocol, family, local, remote, state, ifindex, mark } = socket;
  const tcp = protocol === IPPROTO_TCP;
  const fields: readonly (readonly [offset: number, value: number])[] = [
    [SOCKET.boundDevIf, ifindex],
    [SOCKET.family, family],
    [SOCKET.type, tcp ? SOCK_STREAM : SOCK_DGRAM],
    [SOCKET.protocol, protocol],
    [SOCKET.mark, mark],
    [SOCKET.srcPort, local.port],
    [SOCKET.state, state],
    [SOCKET.rxQueueMapping, NO_QUEUE],
  ];
  for (const [offset, value] of fields) view.setUint32(at + offset, value, true);
  if (family === AF_INET) {
    u8.set(local.address, at + SOCKET.srcIp4);
    if (remote !== undefined) u8.set(remote.address, at + SOCKET.dstIp4);
    // `sk_rcv_saddr_set`, `sk_daddr_set`: TCP notes the ends of a connection in IPv6's form, too.
    if (tcp && remote !== undefined) {
      u8.set(MAPPED, at + SOCKET.srcIp6);
      u8.set(local.address, at + SOCKET.srcIp6 + MAPPED.length);
      u8.set(MAPPED, at + SOCKET.dstIp6);
      u8.set(remote.address, at + SOCKET.dstIp6 + MAPPED.length);
    }
  } else {
    u8.set(local.address, at + SOCKET.srcIp6);
    if (local.address.some((byte) => byte !== 0)) view.setUint32(at + SOCKET.srcIp4, LOOPBACK4_IPV6, true);
    if (remote !== undefined) u8.set(remote.address, at + SOCKET.dstIp6);
  }
  if (remote !== undefined) view.setUint16(at + SOCKET.dstPort, remote.port);
  if (tcp) writeTcp(view, at + TCP_FORM, socket);
}

function writeTcp(view: DataView, at: number, { family, state }: OpenSocket): void {
  view.setUint32(at + TCP_SOCKET.sndCwnd, INITIAL_WINDOW, true);
  view.setUint32(at + TCP_SOCKET.rttMin, NO_RTT, true);
  view.setUint32(at + TCP_SOCKET.sndSsthresh, INFINITE_SSTHRESH, true);
  const clamp = family === AF_INET ? DEFAULT_MSS : DEFAULT_MSS_IPV6;
  const mss = state === TCP_ESTABLISHED ? clamp - TIME_STAMPS : DEFAULT_MSS;
  view.setUint32(at + TCP_SOCKET.mssCache, mss, true);
}
