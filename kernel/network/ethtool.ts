/** A device's offloads and statistics by `SIOCETHTOOL` (include/uapi/linux/ethtool.h): microseconds, no process. */
import { EngineError } from '../../sim/engines/engine.ts';
import { addressOf } from '../libbpf/libbpf.ts';
import { lastErrorName, libc } from '../libc.ts';
import type { Netns } from './netns.ts';

const AF_INET = 2;
const SOCK_DGRAM_CLOEXEC = 2 | 0x80000;
const SIOCETHTOOL = 0x8946;

const ETHTOOL_GSTRINGS = 0x1b;
const ETHTOOL_GSTATS = 0x1d;
const ETHTOOL_GSSET_INFO = 0x37;
const ETH_SS_STATS = 1;
const ETH_GSTRING_LEN = 32;

/** Each is switched off by a `struct ethtool_value` whose data is 0. */
const OFFLOADS: Readonly<Record<string, number>> = {
  ETHTOOL_STXCSUM: 0x17,
  ETHTOOL_SSG: 0x19,
  ETHTOOL_STSO: 0x1f,
  ETHTOOL_SGSO: 0x24,
  /** Large receive offload and VLAN acceleration in both directions. */
  ETHTOOL_SFLAGS: 0x26,
  ETHTOOL_SGRO: 0x2c,
};

/**
 * What a device answers that cannot switch an offload: a native XDP program on a veth's peer takes segmentation
 * away altogether (drivers/net/veth.c, `veth_xdp_set`).
 */
const FIXED = 'ENOTSUP';

/** One device, as long as it stays open. */
export interface Ethtool {
  /**
   * `ethtool -K DEV tx off sg off tso off gso off gro off rxvlan off txvlan off`: frames are on the wire exactly
   * as they are sent, with finished checksums.
   */
  offloadsOff(): void;
  /** The names of the driver's statistics; their places in this list are what `statistic` takes. */
  statisticNames(): string[];
  /**
   * Reads all of the driver's statistics: some 2 µs, and no object is made.
   * @throws {EngineError} when the device is gone
   */
  readStatistics(): void;
  /** One of the statistics as they were when last read. */
  statistic(index: number): number;
  close(): void;
}

/** @param device the name of a device in `netns` */
export function openEthtool(netns: Netns, device: string): Ethtool {
  // A socket belongs to the namespace it was made in, and with it every ioctl: no need to enter again.
  const socket = netns.enter(() => libc().socket(AF_INET, SOCK_DGRAM_CLOEXEC, 0));
  if (socket < 0) throw new EngineError('environment', `a socket cannot be opened: ${lastErrorName()}`);
  return new EthtoolSocket(socket, device);
}

class EthtoolSocket implements Ethtool {
  readonly #socket: number;
  readonly #device: string;
  /** `struct ifreq`: the name in 16 bytes, then the address of the command. */
  readonly #request = Buffer.alloc(40);
  #statistics: { readonly command: Buffer; readonly words: Uint32Array } | undefined;
  #open = true;

  constructor(socket: number, device: string) {
    this.#socket = socket;
    this.#device = device;
    this.#request.write(device, 'latin1');
  }

  offloadsOff(): void {
    const value = Buffer.alloc(8);
    for (const [name, command] of Object.entries(OFFLOADS)) {
      value.writeUInt32LE(command, 0);
      this.#call(value, name, FIXED);
    }
  }

  statisticNames(): string[] {
    const count = this.#statisticsBuffer().words.length / 2;
    const command = Buffer.alloc(12 + count * ETH_GSTRING_LEN);
    command.writeUInt32LE(ETHTOOL_GSTRINGS, 0);
    command.writeUInt32LE(ETH_SS_STATS, 4);
    command.writeUInt32LE(count, 8);
    this.#call(command, 'ETHTOOL_GSTRINGS');
    return Array.from({ length: count }, (_, index) => {
      const name = command.toString(
        'latin1',
        12 + index * ETH_GSTRING_LEN,
        12 + (index + 1) * ETH_GSTRING_LEN,
      );
      return name.slice(0, name.indexOf('\0'));
    });
  }

  readStatistics(): void {
    this.#call(this.#statisticsBuffer().command, 'ETHTOOL_GSTATS');
  }

  statistic(index: number): number {
    const { words } = this.#statisticsBuffer();
    return words[index * 2]! + words[index * 2 + 1]! * 2 ** 32;
  }

  close(): void {
    if (!this.#open) return;
    this.#open = false;
    libc().close(this.#socket);
  }

  #statisticsBuffer(): { readonly command: Buffer; readonly words: Uint32Array } {
    if (this.#statistics !== undefined) return this.#statistics;
    // struct ethtool_sset_info: cmd, reserved, u64 mask, then one u32 for each bit of the mask.
    const info = Buffer.alloc(20);
    info.writeUInt32LE(ETHTOOL_GSSET_INFO, 0);
    info.writeBigUInt64LE(1n << BigInt(ETH_SS_STATS), 8);
    this.#call(info, 'ETHTOOL_GSSET_INFO');
    const count = info.readUInt32LE(16);
    const memory = new ArrayBuffer(8 + count * 8);
    const command = Buffer.from(memory);
    command.writeUInt32LE(ETHTOOL_GSTATS, 0);
    command.writeUInt32LE(count, 4);
    this.#statistics = { command, words: new Uint32Array(memory, 8) };
    return this.#statistics;
  }

  #call(command: Buffer, name: string, tolerated?: string): void {
    this.#request.writeBigUInt64LE(BigInt(addressOf(command)), 16);
    if (libc().ioctl(this.#socket, SIOCETHTOOL, this.#request) < 0 && lastErrorName() !== tolerated) {
      throw new EngineError('environment', `${name} on ${this.#device} failed: ${lastErrorName()}`);
    }
  }
}
