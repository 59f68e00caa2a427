/**
 * What packets are made of: addresses, ports and numbers, from a program's hints and the boundary pools.
 *
 * Where hints are given, half of the draws come from them: a filter for port 80 must see port 80 often, and its
 * neighbours and its value in the wrong byte order too.
 */
import { ipv4FromText, ipv6FromText, macFromText } from '../../sim/packet/addresses.ts';
import type { GeneratorHints } from '../../sim/runtime/program.ts';
import * as pools from './boundaries.ts';
import { MUTATION } from './mutations.ts';
import type { PacketBuilder } from './packet-builder.ts';

export class FieldValues {
  readonly #macs: HintedPool;
  readonly #specialMacs: Pool = new Pool(pools.SPECIAL_MACS.map(macFromText), 6);
  readonly #ipv4: HintedPool;
  readonly #specialIpv4: Pool = new Pool(pools.SPECIAL_IPV4.map(ipv4FromText), 4);
  readonly #ipv6: HintedPool;
  readonly #specialIpv6: Pool = new Pool(pools.SPECIAL_IPV6.map(ipv6FromText), 16);
  readonly #ports: Uint16Array = pools.PORTS;
  readonly #hintedPorts: Uint16Array;
  readonly #hintedProtocols: Uint16Array;
  readonly #hintedIcmpTypes: Uint16Array;
  readonly #hintedIcmpv6Types: Uint16Array;
  readonly #hintedVlans: Uint16Array;
  readonly #hintedTcpOptions: Uint16Array;

  /** @throws {SyntaxError} when a hinted address is none */
  constructor(hints: GeneratorHints) {
    this.#macs = new HintedPool(pools.ORDINARY_MACS.map(macFromText), hints.macs ?? [], 6);
    const addresses = hints.addresses ?? [];
    const hinted4 = addresses.filter((text) => !text.includes(':')).map(ipv4FromText);
    this.#ipv4 = new HintedPool(pools.ORDINARY_IPV4.map(ipv4FromText), hinted4, 4);
    const hinted6 = addresses.filter((text) => text.includes(':')).map(ipv6FromText);
    this.#ipv6 = new HintedPool(pools.ORDINARY_IPV6.map(ipv6FromText), hinted6, 16);
    this.#hintedPorts = Uint16Array.from(
      (hints.ports ?? []).flatMap((port) => [
        port,
        port,
        port,
        port,
        port - 1,
        port + 1,
        ((port & 0xff) << 8) | (port >>> 8),
        port ^ 0x0100,
      ]),
    );
    this.#hintedProtocols = Uint16Array.from(hints.protocols ?? []);
    this.#hintedIcmpTypes = Uint16Array.from(hints.icmpTypes ?? []);
    this.#hintedIcmpv6Types = Uint16Array.from(hints.icmpv6Types ?? []);
    this.#hintedVlans = Uint16Array.from(
      (hints.vlans ?? []).flatMap((vlan) => [
        vlan,
        vlan,
        vlan,
        vlan,
        vlan,
        (vlan - 1) & 0xfff,
        (vlan + 1) & 0xfff,
      ]),
    );
    this.#hintedTcpOptions = Uint16Array.from(hints.tcpOptions ?? []);
  }

  /** How many tags a frame gets that is not to be tagged: where VLAN ids are hinted, at times one, seldom two. */
  hintedTags(builder: PacketBuilder): number {
    if (this.#hintedVlans.length === 0) return 0;
    const bits = builder.random.bits();
    return (bits & 3) !== 0 ? 0 : (bits & 0x1c) === 0 ? 2 : 1;
  }

  /** Priority, DEI and a hinted VLAN id; -1 where none is to be used. */
  hintedTagControl(builder: PacketBuilder): number {
    if (this.#hintedVlans.length === 0) return -1;
    const { random } = builder;
    const bits = random.bits();
    if (bits < 0) return -1;
    const vlan = random.pick(this.#hintedVlans);
    return (bits & 0xc) === 0 ? vlan | (bits & 0xf000) : vlan;
  }

  /** The kind of a hinted TCP option; -1 where none is to be used. */
  hintedTcpOption(builder: PacketBuilder): number {
    if (this.#hintedTcpOptions.length === 0 || builder.random.bits() < 0) return -1;
    return builder.random.pick(this.#hintedTcpOptions);
  }

  /** Destination and source MAC: 12 bytes. */
  macs(builder: PacketBuilder): void {
    const bits = builder.random.bits();
    if (builder.has(MUTATION.mac)) this.#mutatedMacs(builder, bits);
    else {
      this.#mac(builder, bits);
      this.#mac(builder, bits >>> 16);
    }
  }

  /** A special destination, a special source, both, or one address twice. */
  #mutatedMacs(builder: PacketBuilder, bits: number): void {
    const which = builder.random.bits() & 7;
    if (which === 0) {
      const at = builder.at;
      this.#mac(builder, bits);
      builder.copyMac(at);
      return;
    }
    if (which <= 4) this.#specialMacs.draw(builder, bits);
    else this.#mac(builder, bits);
    if (which >= 4) this.#specialMacs.draw(builder, bits >>> 16);
    else this.#mac(builder, bits >>> 16);
  }

  /** Draws by the low 16 bits, as the following do: one random number serves two addresses. */
  #mac(builder: PacketBuilder, bits: number): void {
    if ((bits & this.#macs.otherwise) === 0) {
      // Any unicast one.
      const at = builder.at;
      builder.noise(6);
      builder.bytes[at]! &= 0xfe;
    } else this.#macs.draw(builder, bits);
  }

  /** Source and destination of an IPv4 header, special where the mutations say so. */
  ipv4Pair(builder: PacketBuilder): void {
    const bits = builder.random.bits();
    this.#ipv4Address(builder, MUTATION.source, bits);
    this.#ipv4Address(builder, MUTATION.destination, bits >>> 16);
  }

  /** One IPv4 address, special where the mutation says so. */
  ipv4(builder: PacketBuilder, mutation: number): void {
    this.#ipv4Address(builder, mutation, builder.random.bits());
  }

  #ipv4Address(builder: PacketBuilder, mutation: number, bits: number): void {
    if (builder.has(mutation)) this.#specialIpv4.draw(builder, bits);
    else if ((bits & this.#ipv4.otherwise) === 0) {
      // Any host from 1.0.0.0 to 223.255.255.255 but for the loopback network.
      const { random } = builder;
      const first = 1 + random.below(223);
      builder.u32(((first === 127 ? 126 : first) << 24) | (random.bits() >>> 8));
    } else this.#ipv4.draw(builder, bits);
  }

  /** Source and destination of an IPv6 header, special where the mutations say so. */
  ipv6Pair(builder: PacketBuilder): void {
    const bits = builder.random.bits();
    this.#ipv6Address(builder, MUTATION.source, bits);
    this.#ipv6Address(builder, MUTATION.destination, bits >>> 16);
  }

  /** One IPv6 address, special where the mutation says so. */
  ipv6(builder: PacketBuilder, mutation: number): void {
    this.#ipv6Address(builder, mutation, builder.random.bits());
  }

  #ipv6Address(builder: PacketBuilder, mutation: number, bits: number): void {
    if (builder.has(mutation)) this.#specialIpv6.draw(builder, bits);
    else if ((bits & this.#ipv6.otherwise) === 0) {
      // Any global unicast one: 2000::/3.
      const at = builder.at;
      builder.noise(16);
      const { view } = builder;
      view.setInt32(at, 0x2000_0000 | (view.getInt32(at) & 0x1fff_ffff));
    } else this.#ipv6.draw(builder, bits);
  }

  port(builder: PacketBuilder): number {
    const { random } = builder;
    const bits = random.bits();
    if (this.#hintedPorts.length > 0 && bits < 0) return random.pick(this.#hintedPorts);
    if ((bits & 1) === 0) return random.pick(this.#ports);
    return (bits >>> 8) & 0xffff;
  }

  /** A number for a header whose upper layer is nothing in particular. */
  protocol(builder: PacketBuilder, pool: Uint16Array): number {
    return this.#from(builder, this.#hintedProtocols, pool);
  }

  icmpType(builder: PacketBuilder): number {
    return this.#from(builder, this.#hintedIcmpTypes, pools.ICMP_TYPES);
  }

  icmpv6Type(builder: PacketBuilder): number {
    return this.#from(builder, this.#hintedIcmpv6Types, pools.ICMPV6_TYPES);
  }

  #from(builder: PacketBuilder, hinted: Uint16Array, pool: Uint16Array): number {
    const { random } = builder;
    const bits = random.bits();
    if (hinted.length > 0 && bits < 0) return random.pick(hinted);
    if ((bits & 15) === 0) return (bits >>> 8) & 0xff;
    return random.pick(pool);
  }
}

/** Addresses of 4, 6 or 16 bytes, each in little-endian words one after the other, the last one filled up with zeros. */
class Pool {
  readonly words: Int32Array;
  /** Words of each item. */
  readonly size: number;
  readonly length: number;
  readonly count: number;

  /** @throws {RangeError} when an item has not `length` bytes */
  constructor(items: readonly Uint8Array[], length: number) {
    this.size = (length + 3) >> 2;
    this.length = length;
    this.count = items.length;
    this.words = new Int32Array(items.length * this.size);
    for (const [index, item] of items.entries()) {
      if (item.length !== length)
        throw new RangeError(`an address of ${item.length} bytes; it takes ${length}`);
      for (const [at, byte] of item.entries())
        this.words[index * this.size + (at >> 2)]! |= byte << (8 * (at & 3));
    }
  }

  /** Copies one item into the builder: the one that bits 4 to 15 choose. */
  draw(builder: PacketBuilder, bits: number): void {
    this.write(builder, (((bits >>> 4) & 0xfff) * this.count) >>> 12);
  }

  protected write(builder: PacketBuilder, item: number): void {
    const { words, size } = this;
    const { view, at } = builder;
    const from = item * size;
    view.setInt32(at, words[from]!, true);
    if (size > 1) view.setInt32(at + 4, words[from + 1]!, true);
    if (size > 2) {
      view.setInt32(at + 8, words[from + 2]!, true);
      view.setInt32(at + 12, words[from + 3]!, true);
    }
    builder.at = at + this.length;
  }
}

/**
 * Ordinary items and hinted ones, of which bit 0 chooses where there are any. It cannot be guessed, so it is looked up, not
 * branched on.
 */
class HintedPool extends Pool {
  /** These bits are 0 where the item is none of them, but any. */
  readonly otherwise: number;
  /** The first item and how many there are, for both values of bit 0. */
  private readonly first: Int32Array;
  private readonly counts: Int32Array;

  /** @throws {RangeError} when an item has not `length` bytes */
  constructor(ordinary: readonly Uint8Array[], hinted: readonly Uint8Array[], length: number) {
    super([...ordinary, ...hinted], length);
    const hasHints = hinted.length > 0;
    this.otherwise = hasHints ? 15 : 14;
    this.first = Int32Array.of(0, hasHints ? ordinary.length : 0);
    this.counts = Int32Array.of(ordinary.length, hasHints ? hinted.length : ordinary.length);
  }

  override draw(builder: PacketBuilder, bits: number): void {
    const which = bits & 1;
    this.write(builder, this.first[which]! + ((((bits >>> 4) & 0xfff) * this.counts[which]!) >>> 12));
  }
}
