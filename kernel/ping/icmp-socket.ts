/** ICMP and ICMPv6 through a raw socket of our own (raw(7)), by koffi: no compiler is needed. */
import { EngineError } from '../../sim/engines/engine.ts';
import { ipv4FromText, ipv6FromText } from '../../sim/packet/addresses.ts';
import { addressOf } from '../libbpf/libbpf.ts';
import { lastErrorName, libc } from '../libc.ts';

/** What pings need of a socket: the part of the package `raw-socket` that they use. */
export interface IcmpSocket {
  /** ICMP arrives with its IPv4 header, ICMPv6 without its IPv6 header. */
  on(event: 'message', listener: (message: Buffer) => void): unknown;
  on(event: 'error', listener: (error: Error) => void): unknown;
  /** Sends from the ICMP header on; the kernel fills in the checksum of ICMPv6. */
  send(
    message: Buffer,
    offset: number,
    length: number,
    to: string,
    afterSend: (error: Error | null) => void,
  ): unknown;
  close(): unknown;
}

const AF_INET = 2;
const AF_INET6 = 10;
const SOCK_RAW_NONBLOCK_CLOEXEC = 3 | 0x800 | 0x8_0000;
const IPPROTO_ICMP = 1;
const IPPROTO_ICMPV6 = 58;
const MSG_DONTWAIT = 0x40;
const LONGEST = 65_536;

/**
 * Opens a socket in the network namespace that the calling thread is in.
 * @throws {EngineError} where the rights are missing
 */
export function openIcmpSocket(version: 4 | 6): IcmpSocket {
  const [family, protocol] = version === 6 ? [AF_INET6, IPPROTO_ICMPV6] : [AF_INET, IPPROTO_ICMP];
  const fd = libc().socket(family, SOCK_RAW_NONBLOCK_CLOEXEC, protocol);
  if (fd < 0) {
    throw new EngineError('environment', `a raw socket cannot be opened: ${lastErrorName()}`, {
      remedy: 'run as root (or with CAP_NET_RAW)',
    });
  }
  return new RawIcmpSocket(fd, version);
}

class RawIcmpSocket implements IcmpSocket {
  readonly #fd: number;
  readonly #version: 4 | 6;
  readonly #buffer: Buffer = Buffer.alloc(LONGEST);
  #onMessage: ((message: Buffer) => void) | undefined;
  #onError: ((error: Error) => void) | undefined;
  #open = true;

  constructor(fd: number, version: 4 | 6) {
    this.#fd = fd;
    this.#version = version;
  }

  on(event: 'message' | 'error', listener: ((message: Buffer) => void) | ((error: Error) => void)): void {
    if (event === 'error') {
      this.#onError = listener as (error: Error) => void;
      return;
    }
    this.#onMessage = listener as (message: Buffer) => void;
    this.#watch();
  }

  send(
    message: Buffer,
    offset: number,
    length: number,
    to: string,
    afterSend: (error: Error | null) => void,
  ): void {
    const address = this.#version === 6 ? socketAddress6(to) : socketAddress4(to);
    const at = addressOf(message) + offset;
    const sent = libc().sendto(this.#fd, at, length, 0, address, address.length);
    // Not before the caller is done, as with any socket.
    const error = sent === length ? null : new Error(lastErrorName());
    setImmediate(() => afterSend(error));
  }

  close(): void {
    if (!this.#open) return;
    this.#open = false;
    libc().close(this.#fd);
  }

  /** Looks again and again until it is closed, and lets everything else have its turn in between. */
  #watch(): void {
    setImmediate(() => {
      while (this.#open) {
        const length = libc().recv(this.#fd, this.#buffer, this.#buffer.length, MSG_DONTWAIT);
        if (length < 0) {
          const name = lastErrorName();
          if (name !== 'EAGAIN' && name !== 'EINTR') this.#onError?.(new Error(name));
          break;
        }
        this.#onMessage?.(Buffer.from(this.#buffer.subarray(0, length)));
      }
      if (this.#open) this.#watch();
    });
  }
}

/** `struct sockaddr_in`. */
function socketAddress4(text: string): Buffer {
  const address = Buffer.alloc(16);
  address.writeUInt16LE(AF_INET, 0);
  address.set(ipv4FromText(text), 4);
  return address;
}

/** `struct sockaddr_in6`. */
function socketAddress6(text: string): Buffer {
  const address = Buffer.alloc(28);
  address.writeUInt16LE(AF_INET6, 0);
  address.set(ipv6FromText(text), 8);
  return address;
}
