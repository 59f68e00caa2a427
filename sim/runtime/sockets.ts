/**
 * The sockets of a world, and which of them a packet would reach: the lookups of net/ipv4/inet_hashtables.c,
 * net/ipv6/inet6_hashtables.c, net/ipv4/udp.c and net/ipv6/udp.c, for sockets without SO_REUSEPORT.
 */
import { addressFromText } from '../packet/addresses.ts';
import { equal, isZero } from '../packet/bytes.ts';
import { AF_INET, AF_INET6 } from './fib.ts';
import type { Socket } from './world.ts';

export const IPPROTO_TCP = 6;
export const IPPROTO_UDP = 17;

// States of sockets (include/net/tcp_states.h); UDP has the first and the last of these.
export const TCP_ESTABLISHED = 1;
export const TCP_CLOSE = 7;
export const TCP_LISTEN = 10;

/** An address with a port. */
export interface Endpoint {
  /** 4 or 16 bytes. */
  readonly address: Uint8Array;
  readonly port: number;
}

/** A socket of a world, its texts read. */
export interface OpenSocket {
  readonly protocol: typeof IPPROTO_TCP | typeof IPPROTO_UDP;
  readonly family: typeof AF_INET | typeof AF_INET6;
  readonly local: Endpoint;
  readonly remote: Endpoint | undefined;
  readonly state: number;
  /** The device that it is bound to; 0: none. */
  readonly ifindex: number;
  readonly mark: number;
}

/** What a lookup asks for: a packet from `source` to `destination` on a device. */
export interface SocketQuery {
  readonly protocol: typeof IPPROTO_TCP | typeof IPPROTO_UDP;
  /** Of the same length. */
  readonly source: Uint8Array;
  readonly destination: Uint8Array;
  readonly sport: number;
  readonly dport: number;
  readonly ifindex: number;
}

/**
 * @param text `10.0.0.1:80`, `[2001:db8::1]:80`
 * @throws {SyntaxError} where it is no address with a port
 */
export function endpointFromText(text: string): Endpoint {
  const [, bracketed, plain, digits] = /^(?:\[([0-9a-fA-F:.]+)\]|([0-9.]+)):([0-9]{1,5})$/.exec(text) ?? [];
  const port = Number(digits);
  const address = bracketed ?? plain;
  if (address === undefined || port === 0 || port > 0xffff) {
    throw new SyntaxError(`"${text}" is not an address with a port, such as 10.0.0.1:80 or [2001:db8::1]:80`);
  }
  const bytes = addressFromText(address);
  if ((bytes.length === 16) !== (bracketed !== undefined)) {
    throw new SyntaxError(`"${text}": only an IPv6 address is written in brackets`);
  }
  return { address: bytes, port };
}

/** @throws {SyntaxError} where a socket's texts are no addresses, or it cannot be opened */
export function openSocket({ protocol, local, remote, ifindex = 0, mark = 0 }: Socket): OpenSocket {
  const from = endpointFromText(local);
  const to = remote === undefined ? undefined : endpointFromText(remote);
  if (to !== undefined) {
    if (to.address.length !== from.address.length) {
      throw new SyntaxError(`a socket from ${local} to ${remote}: one address is IPv4, the other IPv6`);
    }
    if (isZero(from.address, 0, from.address.length) || isZero(to.address, 0, to.address.length)) {
      throw new SyntaxError(`a socket from ${local} to ${remote}: a connection needs both of its addresses`);
    }
  }
  const tcp = protocol === 'tcp';
  for (const end of [from, ...(to === undefined ? [] : [to])]) {
    const problem = problemOf(end.address, tcp, end === from, ifindex !== 0);
    if (problem !== undefined) throw new SyntaxError(`a ${protocol} socket on ${local}: ${problem}`);
  }
  return {
    protocol: tcp ? IPPROTO_TCP : IPPROTO_UDP,
    family: from.address.length === 4 ? AF_INET : AF_INET6,
    local: from,
    remote: to,
    state: to !== undefined ? TCP_ESTABLISHED : tcp ? TCP_LISTEN : TCP_CLOSE,
    ifindex,
    mark,
  };
}

/** What no kernel binds or connects (`__inet6_bind`, `tcp_v4_connect`, `tcp_v6_connect`, `__ip6_datagram_connect`). */
function problemOf(
  address: Uint8Array,
  tcp: boolean,
  isLocal: boolean,
  hasDevice: boolean,
): string | undefined {
  const isIpv6 = address.length === 16;
  // A listener of IPv4 may be bound to a group, though no packet of TCP ever comes to it.
  if (tcp && isGroup(address) && (isIpv6 || !isLocal)) return 'TCP has no multicast and broadcast addresses';
  if (isIpv6 && !hasDevice && isOfLink(address)) return 'an address that counts on one link needs a device';
  return undefined;
}

/** Multicast, or IPv4's broadcast. */
function isGroup(address: Uint8Array): boolean {
  if (address.length === 16) return address[0] === 0xff;
  return (address[0]! & 0xf0) === 0xe0 || address.every((byte) => byte === 0xff);
}

/** `__ipv6_addr_needs_scope_id`: link-local, and groups of an interface or a link. */
function isOfLink([first, second]: Uint8Array): boolean {
  if (first === 0xfe) return (second! & 0xc0) === 0x80;
  return first === 0xff && ((second! & 0x0f) === 1 || (second! & 0x0f) === 2);
}

/** `::ffff:0:0/96` */
function isMapped(address: Uint8Array): boolean {
  return address.length === 16 && isZero(address, 0, 10) && address[10] === 0xff && address[11] === 0xff;
}

/**
 * Can they be open beside each other on any machine, whatever its routes? What is made up has to be; somebody's own world
 * may well have a connection to a group, or on a link.
 */
export function canBeOpen(sockets: readonly Socket[]): boolean {
  try {
    return new SocketTable(sockets).sockets.every(({ local, remote }) => {
      if (remote === undefined) return true;
      const ends = [local.address, remote.address];
      if (isMapped(local.address) !== isMapped(remote.address)) return false;
      return !isGroup(remote.address) && !ends.some((one) => one.length === 16 && isOfLink(one));
    });
  } catch (error) {
    if (error instanceof SyntaxError) return false;
    throw error;
  }
}

/** Sockets in the order of the world. */
export class SocketTable {
  readonly sockets: readonly OpenSocket[];

  /** @throws {SyntaxError} where a socket cannot be opened, or two cannot be open beside each other */
  constructor(sockets: readonly Socket[]) {
    this.sockets = sockets.map(openSocket);
    for (const [index, one] of this.sockets.entries()) {
      const other = this.sockets.findIndex((before) => collide(before, one));
      if (other === index) continue;
      throw new SyntaxError(
        `the sockets ${sockets[other]!.local} and ${sockets[index]!.local} of the world cannot be open together`,
      );
    }
  }

  /** @returns the place of the socket that the packet would reach; -1: none */
  find(query: SocketQuery): number {
    // Connections first. Of the others, no two can be open that one packet fits.
    const connection = this.sockets.findIndex(
      (one) => one.remote !== undefined && fits(one, query) && isAt(one.remote, query.source, query.sport),
    );
    if (connection >= 0) return connection;
    return this.sockets.findIndex((one) => one.remote === undefined && fits(one, query));
  }
}

/** Does the local end take the packet? */
function fits({ protocol, local, ifindex }: OpenSocket, query: SocketQuery): boolean {
  if (protocol !== query.protocol || (ifindex !== 0 && ifindex !== query.ifindex)) return false;
  if (isAt(local, query.destination, query.dport)) return true;
  // [::] takes IPv4's packets, too, as Linux has it by default.
  const size = local.address.length;
  return local.port === query.dport && isAny(local) && size >= query.destination.length;
}

/** `inet_csk_bind_conflict`, `udp_lib_lport_inuse`: they are opened with SO_REUSEADDR. */
function collide(a: OpenSocket, b: OpenSocket): boolean {
  if (a.protocol !== b.protocol || a.local.port !== b.local.port) return false;
  if (a.ifindex !== b.ifindex && a.ifindex !== 0 && b.ifindex !== 0) return false;
  if (a.remote === undefined && b.remote === undefined) return overlap(a.local, b.local);
  if (a.remote === undefined || b.remote === undefined) return false;
  return isAt(a.local, b.local.address, b.local.port) && isAt(a.remote, b.remote.address, b.remote.port);
}

function overlap(a: Endpoint, b: Endpoint): boolean {
  if (isAt(a, b.address, b.port)) return true;
  if (a.address.length === b.address.length) return isAny(a) || isAny(b);
  return a.address.length === 16 ? isAny(a) : isAny(b);
}

function isAt(end: Endpoint, address: Uint8Array, port: number): boolean {
  const { length } = end.address;
  return end.port === port && length === address.length && equal(end.address, 0, address, 0, length);
}

function isAny({ address }: Endpoint): boolean {
  return isZero(address, 0, address.length);
}
