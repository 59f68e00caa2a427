/**
 * What packets are made of: addresses, ports and numbers, from a program's hints and the boundary pools.
 *
 * Where hints are given, half of the draws come from them: a filter for port 80 must see port 80 often, and its
 * neighbours and its value in the wrong byte order too.
 */
import { ipv4FromText, ipv6FromText, macFromText } from '../../sim/packet/addresses.ts';
import { readU16 } from '../../sim/packet/bytes.ts';
import type { GeneratorHints } from '../../sim/runtime/program.ts';
import * as pools from './boundaries.ts';
import { MUTATION } from './mutations.ts';
import type { PacketBuilder } from './packet-builder.ts';

export class FieldValues {
  readonly #macs: Pool = new Pool(pools.ORDINARY_MACS.map(macFromText), 6);
  readonly #hintedMacs: Pool;
  readonly #specialMacs: Pool = new Pool(pools.SPECIAL_MACS.map(macFromText), 6);
  readonly #ipv4: Pool = new Pool(pools.ORDINARY_IPV4.map(ipv4FromText), 4);
  readonly #hintedIpv4: Pool;
  readonly #specialIpv4: Pool = new Pool(pools.SPECIAL_IPV4.map(ipv4FromText), 4);
  readonly #ipv6: Pool = new Pool(pools.ORDINARY_IPV6.map(ipv6FromText), 16);
  readonly #hintedIpv6: Pool;
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
    this.#hintedMacs = new Pool(hints.macs ?? [], 6);
    const addresses = hints.addresses ?? [];
    this.#hintedIpv4 = new Pool(addresses.filter((text) => !text.includes(':')).map(ipv4FromText), 4);
    this.#hintedIpv6 = new Pool(addresses.filter((text) => text.includes(':')).map(ipv6FromText), 16);
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
      builder.copy(builder.bytes, at, 6);
      return;
    }
    if (which <= 4) this.#specialMacs.draw(builder, bits);
    else this.#mac(builder, bits);
    if (which >= 4) this.#specialMacs.draw(builder, bits >>> 16);
    else this.#mac(builder, bits >>> 16);
  }

  /** Draws by the low 16 bits, as the following do: one random number serves two addresses. */
  #mac(builder: PacketBuilder, bits: number): void {
    if (this.#hintedMacs.count > 0 && (bits & 1) !== 0) this.#hintedMacs.draw(builder, bits);
    else if ((bits & 14) === 0) {
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
    else if (this.#hintedIpv4.count > 0 && (bits & 1) !== 0) this.#hintedIpv4.draw(builder, bits);
    else if ((bits & 14) === 0) {
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
    else if (this.#hintedIpv6.count > 0 && (bits & 1) !== 0) this.#hintedIpv6.draw(builder, bits);
    else if ((bits & 14) === 0) {
      // Any global unicast one: 2000::/3.
      const at = builder.at;
      builder.noise(16);
      builder.bytes[at] = 0x20 | (builder.bytes[at]! & 0x1f);
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

/** Items of one size, in 16-bit words one after the other. */
class Pool {
  readonly words: Uint16Array;
  /** Words of each item. */
  readonly size: number;
  readonly count: number;

  /** @throws {RangeError} when an item has not `length` bytes */
  constructor(items: readonly Uint8Array[], length: number) {
    this.size = length / 2;
    this.count = items.length;
    this.words = new Uint16Array(items.length * this.size);
    for (const [index, item] of items.entries()) {
      if (item.length !== length)
        throw new RangeError(`an address of ${item.length} bytes; it takes ${length}`);
      for (let word = 0; word < this.size; word++)
        this.words[index * this.size + word] = readU16(item, word * 2);
    }
  }

  /** Copies one item into the builder: the one that bits 4 to 15 choose. */
  draw(builder: PacketBuilder, bits: number): void {
    const { words, size } = this;
    const { bytes } = builder;
    let at = builder.at;
    const from = ((((bits >>> 4) & 0xfff) * this.count) >>> 12) * size;
    for (let index = from; index < from + size; index++) {
      const word = words[index]!;
      bytes[at] = word >>> 8;
      bytes[at + 1] = word;
      at += 2;
    }
    builder.at = at;
  }
}
