/**
 * Packets aimed at a world's routing: for addresses at the borders of its prefixes, as long as its MTUs and one byte
 * more, with a TTL about to expire.
 *
 * The length that counts for routing is the header's own: frames stay short and say that they are long.
 */
import {
  addressFromText,
  firstAddress,
  lastAddress,
  type Prefix,
  prefixFromText,
} from '../../../sim/packet/addresses.ts';
import { copy, writeU16, writeU32 } from '../../../sim/packet/bytes.ts';
import { checksum } from '../../../sim/packet/checksum.ts';
import type { PacketBatch } from '../../../sim/packet/packet-batch.ts';
import type { World } from '../../../sim/runtime/world.ts';
import { CHECKSUMS, LIFETIMES, SPECIAL_IPV4, SPECIAL_IPV6 } from '../boundaries.ts';
import { Random, type Seed } from '../random.ts';

const LOOPBACK = 1;
const ETHERNET = 14;
const IPV4 = 20;
const IPV6 = 40;
/** Ports and a few bytes more: what a route could be chosen by. */
const PAYLOAD = 8;

/** What a world makes worth asking for. */
export interface WorldTargets {
  readonly addresses4: readonly Uint8Array[];
  readonly addresses6: readonly Uint8Array[];
  /** Devices, and the loopback device. */
  readonly ifindexes: readonly number[];
  /** Lengths at layer 3, in bytes: of the MTUs, one less and one more; and 0, which asks for no check. */
  readonly lengths: readonly number[];
}

export function targetsOf(world: World): WorldTargets {
  const devices = world.devices ?? [];
  const routes = world.routes ?? [];
  const prefixes = [
    ...devices.flatMap((device) => device.addresses ?? []),
    ...routes.map((route) => route.to),
    ...routes.flatMap((route) => route.via ?? []),
    ...(world.neighbours ?? []).map((neighbour) => neighbour.address),
  ].map(prefixFromText);
  const addresses = [
    ...prefixes.flatMap(borders),
    ...[...SPECIAL_IPV4, ...SPECIAL_IPV6].map(addressFromText),
  ];
  const mtus = [
    1280,
    1500,
    65_535,
    ...devices.map(({ mtu }) => mtu ?? 1500),
    ...routes.map(({ mtu }) => mtu ?? 68),
  ];
  const lengths = mtus
    .flatMap((mtu) => [mtu - 1, mtu, mtu + 1])
    .filter((length) => length > 0 && length <= 0xffff);
  return {
    addresses4: addresses.filter((address) => address.length === 4),
    addresses6: addresses.filter((address) => address.length === 16),
    ifindexes: [LOOPBACK, ...devices.map((device) => device.ifindex)],
    lengths: [0, ...lengths],
  };
}

/** The address itself, the prefix's first and last ones, and those beside them, inside and out. */
function borders(prefix: Prefix): Uint8Array[] {
  const first = firstAddress(prefix);
  const last = lastAddress(prefix);
  return [prefix.address, first, last, moved(first, -1), moved(first, 1), moved(last, -1), moved(last, 1)];
}

/** The address `by` further on; beyond the last one comes the first. */
function moved(address: Uint8Array, by: 1 | -1): Uint8Array {
  const result = address.slice();
  for (let index = result.length - 1; index >= 0; index--) {
    const sum = result[index]! + by;
    result[index] = sum;
    if (sum >= 0 && sum <= 0xff) break;
  }
  return result;
}

/** IPv4 and IPv6 packets for a world. Packet i depends on the seed and i alone. */
export class WorldPackets {
  readonly targets: WorldTargets;
  readonly #random: Random = new Random();

  constructor(world: World) {
    this.targets = targetsOf(world);
  }

  /** Appends packets `firstIndex` to `firstIndex + count − 1` to the batch. */
  fill(batch: PacketBatch, seed: Seed, firstIndex: number, count: number): void {
    for (let index = firstIndex; index < firstIndex + count; index++) {
      this.#random.start(seed, index);
      const { ifindexes } = this.targets;
      // The loopback device forwards nothing: it is asked less often.
      const ifindex = this.#random.chance(8) ? LOOPBACK : this.#one(ifindexes);
      const at = batch.reserve(ETHERNET + IPV6 + PAYLOAD);
      const length = this.#write(batch.bytes, at);
      batch.commit(length, 0, ifindex);
    }
  }

  #write(bytes: Uint8Array, at: number): number {
    const random = this.#random;
    random.fill(bytes, at, at + ETHERNET + IPV6 + PAYLOAD);
    const l3 = at + ETHERNET;
    const isIpv4 = random.bits() < 0;
    writeU16(bytes, at + 12, isIpv4 ? 0x0800 : 0x86dd);
    if (isIpv4) this.#writeIpv4(bytes, l3);
    else this.#writeIpv6(bytes, l3);
    const length = ETHERNET + (isIpv4 ? IPV4 : IPV6) + PAYLOAD;
    // Few are cut: how programs parse is not what these are for.
    return random.chance(4) ? ETHERNET + random.below(length - ETHERNET) : length;
  }

  /** Without options; identification, protocol and TOS stay random. */
  #writeIpv4(bytes: Uint8Array, at: number): void {
    const random = this.#random;
    const { addresses4 } = this.targets;
    bytes[at] = random.chance(4) ? random.byte() : 0x45;
    writeU16(bytes, at + 2, this.#length(IPV4 + PAYLOAD));
    bytes[at + 8] = this.#lifetime();
    copy(this.#one(addresses4), 0, bytes, at + 12, 4);
    copy(this.#one(addresses4), 0, bytes, at + 16, 4);
    writeU16(bytes, at + 10, 0);
    // Routing does not judge the checksum: some are wrong, where an update would carry.
    writeU16(bytes, at + 10, random.chance(64) ? random.pick(CHECKSUMS) : checksum(bytes, at, IPV4));
  }

  /** Traffic class, flow label and next header stay random. */
  #writeIpv6(bytes: Uint8Array, at: number): void {
    const random = this.#random;
    const { addresses6 } = this.targets;
    writeU32(bytes, at, 0x60000000 | (random.bits() >>> 4));
    if (random.chance(4)) bytes[at] = random.byte();
    // Lengths below the header's own wrap: a u16 in `struct bpf_fib_lookup`.
    writeU16(bytes, at + 4, (this.#length(IPV6 + PAYLOAD) - IPV6) & 0xffff);
    bytes[at + 7] = this.#lifetime();
    copy(this.#one(addresses6), 0, bytes, at + 8, 16);
    copy(this.#one(addresses6), 0, bytes, at + 24, 16);
  }

  #length(actual: number): number {
    return this.#random.chance(96) ? this.#one(this.targets.lengths) : actual;
  }

  #lifetime(): number {
    return this.#random.chance(48) ? this.#random.pick(LIFETIMES) : 64;
  }

  #one<T>(list: readonly T[]): T {
    return list[this.#random.below(list.length)]!;
  }
}
