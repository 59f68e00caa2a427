/**
 * Opens the sockets of a world in a namespace. Nothing is sent: connections of TCP are made with TCP_REPAIR, which sets
 * up one end by itself and takes it down without a word.
 */
import { EngineError } from '../../sim/engines/engine.ts';
import { AF_INET } from '../../sim/runtime/fib.ts';
import { type Endpoint, IPPROTO_TCP, type OpenSocket, SocketTable } from '../../sim/runtime/sockets.ts';
import type { Socket } from '../../sim/runtime/world.ts';
import { lastErrorName, libc } from '../libc.ts';

const SOCK_STREAM_CLOEXEC = 1 | 0x80000;
const SOCK_DGRAM_CLOEXEC = 2 | 0x80000;

/** Levels and names of options. */
const REUSEADDR = [1, 2] as const;
const BINDTODEVICE = [1, 25] as const;
const MARK = [1, 36] as const;
/** To be bound to addresses that no device has. */
const TRANSPARENT = [0, 19] as const;
const TRANSPARENT6 = [41, 75] as const;
const V6ONLY = [41, 26] as const;
const REPAIR = [6, 19] as const;

const BACKLOG = 1;

/**
 * @param deviceName of those that sockets are bound to
 * @returns descriptors
 * @throws {EngineError} `input`, where one cannot be opened; none is open then
 */
export function openSockets(
  sockets: readonly Socket[],
  deviceName: (ifindex: number) => string | undefined,
): number[] {
  const table = readSockets(sockets);
  const opened: number[] = [];
  try {
    for (const [index, socket] of table.sockets.entries()) {
      const what = `socket ${sockets[index]!.protocol} ${sockets[index]!.local}`;
      const device = socket.ifindex === 0 ? undefined : deviceName(socket.ifindex);
      if (socket.ifindex !== 0 && device === undefined) {
        throw new EngineError('input', `${what}: the world has no device ${socket.ifindex}`);
      }
      opened[index] = open(what, socket);
      const { remote, mark } = socket;
      set(what, opened[index]!, REUSEADDR, word(1));
      if (mark !== 0) set(what, opened[index]!, MARK, word(mark));
      // The way to the other end is looked up before the socket is bound to a device.
      if (remote !== undefined) connect(what, opened[index]!, socket, remote);
      if (device !== undefined)
        set(what, opened[index]!, BINDTODEVICE, new TextEncoder().encode(`${device}\0`));
    }
    // A listener lets no other socket of its port be bound any more.
    for (const [index, socket] of table.sockets.entries()) {
      if (socket.remote !== undefined) continue;
      const what = `socket ${sockets[index]!.protocol} ${sockets[index]!.local}`;
      bind(what, opened[index]!, socket);
      if (socket.protocol === IPPROTO_TCP && libc().listen(opened[index]!, BACKLOG) !== 0)
        fail(what, 'listen');
    }
    return opened;
  } catch (error) {
    closeSockets(opened);
    throw error;
  }
}

export function closeSockets(descriptors: readonly number[]): void {
  for (const fd of descriptors) libc().close(fd);
}

function readSockets(sockets: readonly Socket[]): SocketTable {
  try {
    return new SocketTable(sockets);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    throw new EngineError('input', error.message);
  }
}

function open(what: string, { protocol, family }: OpenSocket): number {
  const type = protocol === IPPROTO_TCP ? SOCK_STREAM_CLOEXEC : SOCK_DGRAM_CLOEXEC;
  const fd = libc().socket(family, type, 0);
  if (fd < 0) fail(what, 'socket');
  if (family === AF_INET) set(what, fd, TRANSPARENT, word(1));
  else {
    set(what, fd, TRANSPARENT6, word(1));
    set(what, fd, V6ONLY, word(0));
  }
  return fd;
}

function connect(what: string, fd: number, socket: OpenSocket, remote: Endpoint): void {
  if (socket.protocol === IPPROTO_TCP) set(what, fd, REPAIR, word(1));
  bind(what, fd, socket);
  const address = addressOf(remote, socket.ifindex);
  if (libc().connect(fd, address, address.length) !== 0) fail(what, 'connect');
}

function bind(what: string, fd: number, { local, ifindex }: OpenSocket): void {
  const address = addressOf(local, ifindex);
  if (libc().bind(fd, address, address.length) !== 0) fail(what, 'bind');
}

/** `struct sockaddr_in` or `struct sockaddr_in6`. */
function addressOf({ address, port }: Endpoint, scope: number): Uint8Array {
  const isIpv4 = address.length === 4;
  const bytes = new Uint8Array(isIpv4 ? 16 : 28);
  const view = new DataView(bytes.buffer);
  view.setUint16(0, isIpv4 ? 2 : 10, true);
  view.setUint16(2, port);
  bytes.set(address, isIpv4 ? 4 : 8);
  // Only link-local addresses have one.
  if (!isIpv4 && address[0] === 0xfe && (address[1]! & 0xc0) === 0x80) view.setUint32(24, scope, true);
  return bytes;
}

function word(value: number): Uint8Array {
  return new Uint8Array(Uint32Array.of(value).buffer);
}

function set(what: string, fd: number, [level, name]: readonly [number, number], value: Uint8Array): void {
  if (libc().setsockopt(fd, level, name, value, value.length) !== 0)
    fail(what, `setsockopt ${level}/${name}`);
}

function fail(what: string, call: string): never {
  throw new EngineError('input', `${what} cannot be opened: ${call}: ${lastErrorName()}`);
}
