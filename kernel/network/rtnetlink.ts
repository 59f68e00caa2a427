/**
 * Network devices without the command `ip`: messages of rtnetlink(7) that make veth pairs, bring devices up, look at them and
 * delete them. A thousand short sessions need devices in namespaces of their own, and starting a process for each would take most
 * of their time.
 */
import { readSync, writeSync } from 'node:fs';
import { EngineError } from '../../sim/engines/engine.ts';
import { errnoName } from '../libbpf/libbpf.ts';
import { lastErrorName, libc } from '../libc.ts';

const AF_NETLINK = 16;
const SOCK_RAW = 3;
const SOCK_CLOEXEC = 0x8_0000;
const NETLINK_ROUTE = 0;

/** linux/netlink.h */
const NLMSG_ERROR = 2;
const NLM_F_REQUEST = 1;
const NLM_F_ACK = 4;
const NLM_F_EXCL = 0x200;
const NLM_F_CREATE = 0x400;
const HEADER = 16;
/** A device with all its statistics takes 2 to 3 KiB. */
const ANSWER_SIZE = 0x4000;

/** linux/rtnetlink.h, linux/if_link.h, linux/veth.h */
const RTM_NEWLINK = 16;
const RTM_DELLINK = 17;
const RTM_GETLINK = 18;
const IFLA_ADDRESS = 1;
const IFLA_IFNAME = 3;
const IFLA_MTU = 4;
const IFLA_OPERSTATE = 16;
const IFLA_LINKINFO = 18;
const IFLA_IFALIAS = 20;
const IFLA_NET_NS_FD = 28;
const IFLA_GSO_MAX_SEGS = 40;
const IFLA_INFO_KIND = 1;
const IFLA_INFO_DATA = 2;
const VETH_INFO_PEER = 1;

/** linux/if.h */
const IFF_UP = 1;
const IFF_NOARP = 0x80;
const IF_OPER_UP = 6;

/** The loopback device's ifindex, in every namespace. */
export const LOOPBACK = 1;

export interface VethPair {
  readonly name: string;
  readonly ifindex: number;
  /** 6 bytes. */
  readonly mac: Uint8Array;
  readonly mtu: number;
  readonly peerName: string;
  /** Descriptor of the namespace that the peer is made in, under the same ifindex. */
  readonly peerNamespace: number;
}

/** What of a device is to change; the rest stays as it is. */
export interface LinkChange {
  readonly up?: true;
  /** It resolves no addresses. */
  readonly noArp?: true;
  /** As `ip link` shows it: at most 255 bytes. */
  readonly alias?: string;
  /** How many segments a frame may have; 1: none is cut into segments. */
  readonly gsoMaxSegs?: number;
}

/** Calls `use` with a connection to the kernel in a namespace. */
export function withRtnetlink<T>(netns: { enter<R>(fn: () => R): R }, use: (links: Rtnetlink) => T): T {
  return netns.enter(() => {
    const links = new Rtnetlink();
    try {
      return use(links);
    } finally {
      links.close();
    }
  });
}

/** Requests to the kernel about the devices of the namespace that the calling thread was in when it was made. */
export class Rtnetlink {
  readonly #fd: number;
  #sequence = 0;

  constructor() {
    this.#fd = libc().socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
    if (this.#fd < 0) {
      throw new EngineError('environment', `cannot open a netlink socket: ${lastErrorName()}`, {
        remedy: 'look for a system call filter: start the container with --security-opt seccomp=unconfined',
      });
    }
  }

  /** Makes a pair of devices, down (an end cannot be up while its peer is not there), without ARP. */
  addVeth(pair: VethPair): void {
    const peer = concat(
      linkHeader(pair.ifindex, IFF_NOARP),
      attribute(IFLA_IFNAME, text(pair.peerName)),
      attribute(IFLA_MTU, u32(pair.mtu)),
      attribute(IFLA_NET_NS_FD, u32(pair.peerNamespace)),
    );
    const body = concat(
      linkHeader(pair.ifindex, IFF_NOARP),
      attribute(IFLA_IFNAME, text(pair.name)),
      attribute(IFLA_ADDRESS, pair.mac),
      attribute(IFLA_MTU, u32(pair.mtu)),
      attribute(
        IFLA_LINKINFO,
        concat(
          attribute(IFLA_INFO_KIND, text('veth')),
          attribute(IFLA_INFO_DATA, attribute(VETH_INFO_PEER, peer)),
        ),
      ),
    );
    this.#request(`create the device ${pair.name}`, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL | NLM_F_ACK, body);
  }

  /** Brings a device up: the loopback device is there in every namespace, but down. */
  setUp(ifindex: number): void {
    this.change(ifindex, { up: true });
  }

  change(ifindex: number, { up, noArp, alias, gsoMaxSegs }: LinkChange): void {
    const body = concat(
      linkHeader(ifindex, (up ? IFF_UP : 0) | (noArp ? IFF_NOARP : 0)),
      ...(alias === undefined ? [] : [attribute(IFLA_IFALIAS, new TextEncoder().encode(alias))]),
      ...(gsoMaxSegs === undefined ? [] : [attribute(IFLA_GSO_MAX_SEGS, u32(gsoMaxSegs))]),
    );
    this.#request(`${up ? 'bring up' : 'change'} the device ${ifindex}`, RTM_NEWLINK, NLM_F_ACK, body);
  }

  /** A veth's peer goes with it. */
  delete(ifindex: number): void {
    this.#request(`delete the device ${ifindex}`, RTM_DELLINK, NLM_F_ACK, linkHeader(ifindex, 0));
  }

  /** Has the kernel noticed that the device is up and connected (RFC 2863, ifOperStatus)? */
  isOperational(ifindex: number): boolean {
    const answer = this.#request(`show the device ${ifindex}`, RTM_GETLINK, 0, linkHeader(ifindex, 0));
    return attributeOf(answer, IFLA_OPERSTATE)?.[0] === IF_OPER_UP;
  }

  close(): void {
    libc().close(this.#fd);
  }

  /** @returns the kernel's answer, netlink header included */
  #request(what: string, type: number, flags: number, body: Uint8Array): Uint8Array {
    const message = new Uint8Array(HEADER + body.length);
    const view = new DataView(message.buffer);
    view.setUint32(0, message.length, true);
    view.setUint16(4, type, true);
    view.setUint16(6, NLM_F_REQUEST | flags, true);
    view.setUint32(8, ++this.#sequence, true);
    message.set(body, HEADER);
    writeSync(this.#fd, message);
    // The answer is there when the request returns: struct nlmsghdr, then what was asked for, or struct nlmsgerr, its errno first.
    const answer = new Uint8Array(ANSWER_SIZE);
    const size = readSync(this.#fd, answer);
    const reply = new DataView(answer.buffer, 0, size);
    const error = reply.getUint16(4, true) === NLMSG_ERROR ? reply.getInt32(HEADER, true) : 0;
    if (error === 0) return answer.subarray(0, size);
    throw new EngineError('environment', `the kernel does not ${what}: ${errnoName(error)}`, {
      remedy:
        (flags & NLM_F_CREATE) === 0
          ? 'run as root (or with CAP_NET_ADMIN); look whether somebody else removes devices'
          : 'use a kernel with CONFIG_VETH, as root (or with CAP_NET_ADMIN)',
    });
  }
}

const LINK_HEADER = 16;

/** `struct ifinfomsg`; the flags given are the ones that change. */
function linkHeader(ifindex: number, flags: number): Uint8Array {
  const header = new Uint8Array(LINK_HEADER);
  const view = new DataView(header.buffer);
  view.setInt32(4, ifindex, true);
  view.setUint32(8, flags, true);
  view.setUint32(12, flags, true);
  return header;
}

/** `struct rtattr`: length and type, then the value, padded to 4 bytes. */
function attribute(type: number, value: Uint8Array): Uint8Array {
  const length = 4 + value.length;
  const bytes = new Uint8Array(Math.ceil(length / 4) * 4);
  const view = new DataView(bytes.buffer);
  view.setUint16(0, length, true);
  view.setUint16(2, type, true);
  bytes.set(value, 4);
  return bytes;
}

/** The value of an attribute of the device that an answer describes: behind both headers. */
function attributeOf(answer: Uint8Array, wanted: number): Uint8Array | undefined {
  const view = new DataView(answer.buffer, answer.byteOffset, answer.length);
  for (let at = HEADER + LINK_HEADER; at + 4 <= answer.length; ) {
    const length = view.getUint16(at, true);
    if (view.getUint16(at + 2, true) === wanted) return answer.subarray(at + 4, at + length);
    at += Math.ceil(Math.max(length, 4) / 4) * 4;
  }
  return undefined;
}

function concat(...parts: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

function text(value: string): Uint8Array {
  return new TextEncoder().encode(`${value}\0`);
}

function u32(value: number): Uint8Array {
  return new Uint8Array(Uint32Array.of(value).buffer);
}
