/** The sockets of a world in the machine's memory, where programs read them and helpers find them. */
import { AF_INET } from '../../runtime/fib.ts';
import { IPPROTO_TCP, type OpenSocket, SocketTable, TCP_ESTABLISHED } from '../../runtime/sockets.ts';
import type { Socket } from '../../runtime/world.ts';
import { type LinearMemory, SOCKET_BASE } from '../memory.ts';
import { MAX_SOCKETS, SOCKET, SOCKET_ROW, socketRow, TCP_FORM, TCP_SOCKET } from './socket.ts';

const SOCK_STREAM = 1;
const SOCK_DGRAM = 2;
const NO_QUEUE = 0xffff_ffff;
/** What IPv6 sockets that are bound to an address have for one of IPv4 (`LOOPBACK4_IPV6`, include/net/ipv6.h). */
const LOOPBACK4_IPV6 = 0x0600_007f;

/** What TCP begins with (net/ipv4/tcp.c, `tcp_init_sock`). */
const INITIAL_WINDOW = 10;
const INFINITE_SSTHRESH = 0x7fff_ffff;
const DEFAULT_MSS = 536;

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
  } else {
    u8.set(local.address, at + SOCKET.srcIp6);
    if (local.address.some((byte) => byte !== 0)) view.setUint32(at + SOCKET.srcIp4, LOOPBACK4_IPV6, true);
    if (remote !== undefined) {
      u8.set(remote.address, at + SOCKET.dstIp6);
      view.setUint32(at + SOCKET.dstIp4, LOOPBACK4_IPV6, true);
    }
  }
  if (remote !== undefined) view.setUint16(at + SOCKET.dstPort, remote.port);
  if (tcp) writeTcp(view, at + TCP_FORM, state);
}

function writeTcp(view: DataView, at: number, state: number): void {
  view.setUint32(at + TCP_SOCKET.sndCwnd, INITIAL_WINDOW, true);
  view.setUint32(at + TCP_SOCKET.rttMin, state === TCP_ESTABLISHED ? 0 : 0xffff_ffff, true);
  view.setUint32(at + TCP_SOCKET.sndSsthresh, INFINITE_SSTHRESH, true);
  view.setUint32(at + TCP_SOCKET.mssCache, DEFAULT_MSS, true);
}
