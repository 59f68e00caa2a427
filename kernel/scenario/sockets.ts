/** Sending what a scenario sends: whole frames by a packet socket, IP packets by a raw socket with its own header. */
import { EngineError } from '../../sim/engines/engine.ts';
import { IPV4 } from '../../sim/packet/ipv4.ts';
import { IPV6 } from '../../sim/packet/ipv6.ts';
import { requireLibbpf } from '../libbpf/libbpf.ts';
import { lastErrorName, libc } from '../libc.ts';
import type { Netns } from '../network/netns.ts';

const AF_INET = 2;
const AF_INET6 = 10;
const AF_PACKET = 17;
const SOCK_RAW_CLOEXEC = 3 | 0x80000;
/** Means that packets bring their own header (`IP_HDRINCL`). */
const IPPROTO_RAW = 255;

/** sockaddr_in, sockaddr_in6, sockaddr_ll: sizes and offsets in bytes. */
const INET = { address: 4, size: 16 } as const;
const INET6 = { address: 8, size: 28 } as const;
const LINK = { ifindex: 4, size: 20 } as const;

/** What the stack answers to a packet that it has no way for; then nothing is sent, which is an outcome like others. */
const REFUSALS: ReadonlySet<string> = new Set([
  'ENETUNREACH',
  'EHOSTUNREACH',
  'EACCES',
  'EINVAL',
  'EMSGSIZE',
  'EADDRNOTAVAIL',
]);

type SendTo = (
  socket: number,
  bytes: Uint8Array,
  length: number,
  flags: number,
  to: Uint8Array,
  size: number,
) => number;

let loaded: SendTo | undefined;

function sendTo(): SendTo {
  loaded ??= requireLibbpf()
    .koffi.load('libc.so.6')
    .func('sendto', 'int64_t', ['int', 'void *', 'size_t', 'int', 'void *', 'uint32_t']) as SendTo;
  return loaded;
}

/** A namespace's sockets. */
export class Sockets {
  readonly #netns: Netns;
  #packet: number | undefined;

  constructor(netns: Netns) {
    this.#netns = netns;
  }

  /**
   * Sends a frame out of a device; that TC egress may drop it is an outcome like others.
   * @throws {EngineError} where the kernel does not take it
   */
  sendFrame(ifindex: number, bytes: Uint8Array): void {
    const to = new DataView(new ArrayBuffer(LINK.size));
    to.setUint16(0, AF_PACKET, true);
    to.setInt32(LINK.ifindex, ifindex, true);
    this.#packet ??= this.#openSocket(AF_PACKET, 0);
    const problem = send(this.#packet, bytes, to);
    if (problem !== undefined && problem !== 'ENOBUFS') {
      throw new EngineError('environment', `a frame of ${bytes.length} bytes cannot be sent: ${problem}`);
    }
  }

  /**
   * Has the stack route and send an IP packet. Where it knows no way, nothing happens.
   * @throws {EngineError} without the rights
   */
  sendPacket(bytes: Uint8Array): void {
    const isIpv4 = bytes[0]! >> 4 === 4;
    const { address, size } = isIpv4 ? INET : INET6;
    const from = isIpv4 ? IPV4.at.destination : IPV6.at.destination;
    const to = new DataView(new ArrayBuffer(size));
    to.setUint16(0, isIpv4 ? AF_INET : AF_INET6, true);
    new Uint8Array(to.buffer).set(bytes.subarray(from, from + (isIpv4 ? 4 : 16)), address);
    // Closed again at once: as long as it is open, its namespace takes packets of protocol 255 in.
    const socket = this.#openSocket(isIpv4 ? AF_INET : AF_INET6, IPPROTO_RAW);
    const problem = send(socket, bytes, to);
    libc().close(socket);
    if (problem === undefined || REFUSALS.has(problem)) return;
    throw new EngineError('environment', `a packet of ${bytes.length} bytes cannot be sent: ${problem}`);
  }

  close(): void {
    if (this.#packet !== undefined) libc().close(this.#packet);
    this.#packet = undefined;
  }

  #openSocket(family: number, protocol: number): number {
    // A socket belongs to the namespace that it was made in.
    const socket = this.#netns.enter(() => libc().socket(family, SOCK_RAW_CLOEXEC, protocol));
    if (socket >= 0) return socket;
    throw new EngineError('environment', `a raw socket cannot be opened: ${lastErrorName()}`, {
      remedy: 'run as root (or with CAP_NET_RAW)',
    });
  }
}

/** @returns undefined, or the error's name */
function send(socket: number, bytes: Uint8Array, to: DataView): string | undefined {
  const address = new Uint8Array(to.buffer);
  const sent = sendTo()(socket, bytes, bytes.length, 0, address, address.length);
  return sent < 0 ? lastErrorName() : undefined;
}
