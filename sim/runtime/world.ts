/**
 * The state around a program: devices, routes, neighbours, contents of maps, globals, time.
 *
 * A world is plain data: it travels as JSON in the comments of saved cases, and every engine makes it real in
 * its own way (the model reads it, the kernel engines build namespaces and devices from it).
 */

/** An absent list is empty; an absent scalar has the default stated with it. */
export interface World {
  /** Beside these there is always the loopback device, ifindex 1. */
  readonly devices?: readonly Device[];
  readonly routes?: readonly Route[];
  readonly neighbours?: readonly Neighbour[];
  /** Sockets that `bpf_sk_lookup_tcp`, `bpf_sk_lookup_udp` and `bpf_skc_lookup_tcp` find, in the program's own network namespace. */
  readonly sockets?: readonly Socket[];
  /** Initial contents of maps, by map name. */
  readonly maps?: Readonly<Record<string, readonly MapEntry[]>>;
  /** What maps of programs and maps of maps hold, by map name, besides what the object itself puts there. */
  readonly slots?: Readonly<Record<string, readonly MapSlot[]>>;
  /** What global variables of the object start with, by name; bytes in the machine's order (little-endian). */
  readonly globals?: Readonly<Record<string, Uint8Array>>;
  /** Nanoseconds that the clock shows when the case begins; default 0. It stands still while a packet runs. */
  readonly time?: bigint;
  /** Nanoseconds by which the clock moves on from packet to packet; default 0: it stands still. */
  readonly tick?: bigint;
  /** Seed of `bpf_get_prandom_u32`; default 0. */
  readonly randomSeed?: number;
  /** What the flow hash of `bpf_get_hash_recalc` starts from, and the order in which elements of hash maps come; default 0. */
  readonly hashSeed?: number;
  /**
   * What the stack holds that the program never wrote, and, where this is stated, samples of ring buffers that it reserves;
   * default 0. A number is each byte; a bigint is each eight bytes at an address that eight divides, the lowest byte first.
   * The kernel lets privileged programs read such bytes, which are whatever was there before: an outcome that depends on
   * this depends on them.
   */
  readonly stackFill?: StackFill;
  /**
   * What each byte of the kernel's own variables holds (`bpf_per_cpu_ptr`); default 0. Only a kernel knows what it is there:
   * an outcome that depends on this number depends on the kernel.
   */
  readonly kernelFill?: number;
  /** The CPU the program runs on, the last one there is; default 0. */
  readonly cpu?: number;
  /** The device whose entry of a device map an XDP program stands in (`egress_ifindex`); default 2, the first after the loopback device. */
  readonly egressIfindex?: number;
}

/** The ifindex of the device whose entry a program of a device map stands in, where the world says nothing. */
export const DEFAULT_EGRESS_IFINDEX = 2;

export type StackFill = number | bigint;

/** What Linux gives a veth that nobody asked, in bytes: `ETH_DATA_LEN` (include/uapi/linux/if_ether.h). */
export const DEFAULT_MTU = 1500;

/** A network device; kernel engines make it one end of a veth pair with this very ifindex. */
export interface Device {
  readonly ifindex: number;
  readonly name: string;
  /** 6 bytes. */
  readonly mac: Uint8Array;
  readonly mtu?: number;
  /** IPv4 and IPv6 addresses with prefix length, in text: `10.11.1.1/24`, `fc00:dead:cafe:1::1/64`. */
  readonly addresses?: readonly string[];
  /** `net.ipv4.conf.DEV.forwarding` and `net.ipv6.conf.DEV.forwarding`; default false. */
  readonly forwarding?: boolean;
}

export interface Route {
  /** Destination with prefix length in text: `10.11.0.0/16`, `::/0`. The family follows from it. */
  readonly to: string;
  readonly type?: 'unicast' | 'blackhole' | 'unreachable' | 'prohibit';
  /** Gateway address in text; absent for a directly connected destination. */
  readonly via?: string;
  readonly ifindex?: number;
  readonly metric?: number;
  /** As `ip route … mtu lock N`: only a locked route MTU counts for `bpf_fib_lookup`. */
  readonly mtu?: number;
}

/** A permanent neighbour entry. */
export interface Neighbour {
  readonly ifindex: number;
  /** IPv4 or IPv6 address in text. */
  readonly address: string;
  /** 6 bytes. */
  readonly mac: Uint8Array;
}

/** A TCP or UDP socket. */
export interface Socket {
  readonly protocol: 'tcp' | 'udp';
  /** Address and port in text: `10.0.0.1:80`, `0.0.0.0:53`, `[2001:db8::1]:80`; `[::]:80` takes IPv4, too. */
  readonly local: string;
  /** The other end: the socket is connected. Absent: a TCP socket listens, a UDP socket takes from everybody. */
  readonly remote?: string;
  /** The device that it is bound to; absent: none. */
  readonly ifindex?: number;
  /** `SO_MARK`; default 0. */
  readonly mark?: number;
}

/** One entry of a map. A per-CPU map's value is that of the CPU which the case runs on; the others' are zero. */
export interface MapEntry {
  readonly key: Uint8Array;
  readonly value: Uint8Array;
}

/** A slot of a PROG_ARRAY, ARRAY_OF_MAPS or HASH_OF_MAPS. */
export interface MapSlot {
  readonly key: Uint8Array;
  /** The function that a tail call leads to, or the map that a lookup finds: a name of the object. */
  readonly name: string;
  /** Was it put there to see what happens? Nobody has said that it belongs there. Default: no. */
  readonly guessed?: boolean;
}
