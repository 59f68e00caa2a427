/** Frames through a packet socket of our own (packet(7)), by koffi: no libpcap and no compiler are needed. */

import { addressOf } from '../libbpf/libbpf.ts';
import { lastErrorName, libc } from '../libc.ts';
import type { Netns } from '../network/netns.ts';
import { captureError } from './capture-error.ts';
import { type FrameSource, LONGEST_FRAME, type OnFrame } from './frame-source.ts';

const AF_PACKET = 17;
const SOCK_RAW_NONBLOCK_CLOEXEC = 3 | 0x800 | 0x8_0000;
const ETH_P_ALL = 3;
const SOL_SOCKET = 1;
const SO_RCVBUF = 8;
const SO_RCVBUFFORCE = 33;
const SOL_PACKET = 263;
const PACKET_AUXDATA = 8;
const MSG_DONTWAIT = 0x40;

/** `struct sockaddr_ll` (linux/if_packet.h): offsets in bytes. */
const SOCKADDR_LL = { family: 0, protocol: 2, ifindex: 4, size: 20 } as const;
/** `struct msghdr`, `struct iovec`, `struct cmsghdr` of 64-bit machines. */
const MSGHDR = { iov: 16, iovlen: 24, control: 32, controllen: 40, size: 56 } as const;
const IOVEC = { base: 0, len: 8, size: 16 } as const;
const CMSG = { level: 8, type: 12, data: 16, room: 64 } as const;
/** `struct tpacket_auxdata` (linux/if_packet.h). */
const AUXDATA = { status: 0, vlan_tci: 16, vlan_tpid: 18 } as const;
const TP_STATUS_VLAN_VALID = 1 << 4;
const TP_STATUS_VLAN_TPID_VALID = 1 << 6;

const ETH_P_8021Q = 0x8100;
/** Both MAC addresses: a tag stands behind them. */
const TAG_AT = 12;
const TAG_SIZE = 4;

/** What the kernel counts against a socket's buffer for one frame: its bytes, its structures, and what it rounds up. */
const ROOM_PER_FRAME = 16_384;

/** Delivers frames when it is asked to: there is nobody to wait for the descriptor. */
export class PacketSocket implements FrameSource {
  readonly #socket: number;
  readonly #onFrame: OnFrame;
  /** A frame, with room for the tag that the kernel takes out. */
  readonly #incoming: Buffer;
  readonly #longest: number;
  readonly #control: Buffer = Buffer.alloc(CMSG.room);
  readonly #vector: Buffer = Buffer.alloc(IOVEC.size);
  readonly #message: Buffer = Buffer.alloc(MSGHDR.size);
  readonly #messageAddress: number;

  /**
   * @param frames how many the kernel keeps until they are asked for
   * @param longest bytes of a frame that are kept
   * @throws {EngineError} where the device or the rights are missing
   */
  constructor(
    netns: Pick<Netns, 'enter'>,
    device: string,
    frames: number,
    onFrame: OnFrame,
    longest: number = LONGEST_FRAME,
  ) {
    this.#onFrame = onFrame;
    this.#longest = longest;
    this.#incoming = Buffer.alloc(longest + TAG_SIZE);
    this.#vector.writeBigUInt64LE(BigInt(addressOf(this.#incoming)), IOVEC.base);
    this.#vector.writeBigUInt64LE(BigInt(this.#longest), IOVEC.len);
    this.#message.writeBigUInt64LE(BigInt(addressOf(this.#vector)), MSGHDR.iov);
    this.#message.writeBigUInt64LE(1n, MSGHDR.iovlen);
    this.#message.writeBigUInt64LE(BigInt(addressOf(this.#control)), MSGHDR.control);
    this.#messageAddress = addressOf(this.#message);
    this.#socket = netns.enter(() => open(device, frames));
  }

  send(arena: Buffer, offset: number, length: number): void {
    if (libc().send(this.#socket, addressOf(arena) + offset, length, 0) === length) return;
    throw new Error(`send: ${lastErrorName()}`);
  }

  poll(): void {
    for (;;) {
      this.#message.writeUInt32LE(CMSG.room, MSGHDR.controllen);
      const length = libc().recvmsg(this.#socket, this.#messageAddress, MSG_DONTWAIT);
      // Nothing there, or the device is gone: who waits for frames will say how many are missing.
      if (length < 0) return;
      this.#onFrame(this.#incoming, this.#withTag(length));
    }
  }

  close(): void {
    libc().close(this.#socket);
  }

  /**
   * The kernel takes a frame's outer VLAN tag out of its bytes before any socket sees it, and hands it over beside
   * them: it is put back where it was, as libpcap does.
   * @returns the frame's length then
   */
  #withTag(length: number): number {
    if (this.#message.readUInt32LE(MSGHDR.controllen) === 0 || length < TAG_AT) return length;
    const control = this.#control;
    if (control.readInt32LE(CMSG.level) !== SOL_PACKET || control.readInt32LE(CMSG.type) !== PACKET_AUXDATA) {
      return length;
    }
    const status = control.readUInt32LE(CMSG.data + AUXDATA.status);
    if ((status & TP_STATUS_VLAN_VALID) === 0) return length;
    const hasType = (status & TP_STATUS_VLAN_TPID_VALID) !== 0;
    const type = hasType ? control.readUInt16LE(CMSG.data + AUXDATA.vlan_tpid) : ETH_P_8021Q;
    this.#incoming.copyWithin(TAG_AT + TAG_SIZE, TAG_AT, length);
    this.#incoming.writeUInt16BE(type, TAG_AT);
    this.#incoming.writeUInt16BE(control.readUInt16LE(CMSG.data + AUXDATA.vlan_tci), TAG_AT + 2);
    return length + TAG_SIZE;
  }
}

/** Opens a socket on a device of the calling thread's network namespace. */
function open(device: string, frames: number): number {
  const { socket, bind, close, if_nametoindex } = libc();
  // Without a protocol until it is bound: it would receive frames of all devices.
  const fd = socket(AF_PACKET, SOCK_RAW_NONBLOCK_CLOEXEC, 0);
  if (fd < 0) throw captureError(device, lastErrorName());
  const address = Buffer.alloc(SOCKADDR_LL.size);
  address.writeUInt16LE(AF_PACKET, SOCKADDR_LL.family);
  address.writeUInt16BE(ETH_P_ALL, SOCKADDR_LL.protocol);
  address.writeInt32LE(if_nametoindex(device), SOCKADDR_LL.ifindex);
  const room = frames * ROOM_PER_FRAME;
  // Beyond the limit of the system with CAP_NET_ADMIN, up to it without.
  if (setOption(fd, SOL_SOCKET, SO_RCVBUFFORCE, room) !== 0) setOption(fd, SOL_SOCKET, SO_RCVBUF, room);
  const isReady =
    address.readInt32LE(SOCKADDR_LL.ifindex) !== 0 &&
    setOption(fd, SOL_PACKET, PACKET_AUXDATA, 1) === 0 &&
    bind(fd, address, address.length) === 0;
  if (isReady) return fd;
  const reason = address.readInt32LE(SOCKADDR_LL.ifindex) === 0 ? 'no such device' : lastErrorName();
  close(fd);
  throw captureError(device, reason);
}

function setOption(fd: number, level: number, name: number, value: number): number {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32LE(value, 0);
  return libc().setsockopt(fd, level, name, bytes, bytes.length);
}
