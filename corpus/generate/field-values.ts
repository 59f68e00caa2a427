/**
 * What packets are made of: addresses, ports and numbers, from a program's hints and the boundary pools.
 *
 * Where hints are given, half of the draws come from them: a filter for port 80 must see port 80 often, and near misses of
 * it too (`near-misses.ts`).
 */
import { ipv4FromText, ipv6FromText, macFromText, prefixFromText } from '../../sim/packet/addresses.ts';
import type { GeneratorHints } from '../../sim/runtime/program.ts';
import { AddressPool, ordinaryAddresses } from './address-pool.ts';
import * as pools from './boundaries.ts';
import * as MUTATION from './mutation-bits.ts';
import { AimedAddresses, AimedNumbers, drawNear } from './near-misses.ts';
import type { PacketBuilder } from './packet-builder.ts';

/** Bits that are 0 where an address is none of a pool, but any; so is the bit for hinted ones then, where there are some. */
const OTHERWISE = 14;

export class FieldValues {
  readonly #aimedMacs: AimedAddresses;
  readonly #specialMacs: AddressPool = new AddressPool(pools.SPECIAL_MACS.map(macFromText), 6);
  readonly #aimedIpv4: AimedAddresses;
  readonly #specialIpv4: AddressPool = new AddressPool(pools.SPECIAL_IPV4.map(ipv4FromText), 4);
  readonly #aimedIpv6: AimedAddresses;
  readonly #specialIpv6: AddressPool = new AddressPool(pools.SPECIAL_IPV6.map(ipv6FromText), 16);
  readonly #ports: Uint16Array = pools.PORTS;
  readonly #hintedPorts: AimedNumbers;
  readonly #hintedProtocols: AimedNumbers;
  readonly #hintedIcmpTypes: AimedNumbers;
  readonly #hintedIcmpv6Types: AimedNumbers;
  readonly #hintedVlans: AimedNumbers;
  readonly #hintedTcpOptions: AimedNumbers;

  /** @throws {SyntaxError} when a hinted address is none */
  constructor(hints: GeneratorHints) {
    const macs = (hints.macs ?? []).map((address) => ({ address, length: 48 }));
    this.#aimedMacs = new AimedAddresses(macs, 6);
    const prefixes = (hints.addresses ?? []).map(prefixFromText);
    const hinted = (size: number): AimedAddresses =>
      new AimedAddresses(
        prefixes.filter(({ address }) => address.length === size),
        size,
      );
    this.#aimedIpv4 = hinted(4);
    this.#aimedIpv6 = hinted(16);
    this.#hintedPorts = new AimedNumbers(hints.ports ?? [], 16);
    this.#hintedProtocols = new AimedNumbers(hints.protocols ?? [], 8);
    this.#hintedIcmpTypes = new AimedNumbers(hints.icmpTypes ?? [], 8);
    this.#hintedIcmpv6Types = new AimedNumbers(hints.icmpv6Types ?? [], 8);
    this.#hintedVlans = new AimedNumbers(hints.vlans ?? [], 12);
    this.#hintedTcpOptions = new AimedNumbers(hints.tcpOptions ?? [], 8);
  }

  /** How many tags a frame gets that is not to be tagged: where VLAN ids are hinted, at times one, seldom two. */
  hintedTags(builder: PacketBuilder): number {
    if (this.#hintedVlans.count === 0) return 0;
    const bits = builder.random.bits();
    return (bits & 3) !== 0 ? 0 : (bits & 0x1c) === 0 ? 2 : 1;
  }

  /** Priority, DEI and a hinted VLAN id; -1 where none is to be used. */
  hintedTagControl(builder: PacketBuilder): number {
    if (this.#hintedVlans.count === 0) return -1;
    const { random } = builder;
    const bits = random.bits();
    if (bits < 0) return -1;
    const vlan = this.#hintedVlans.draw(random);
    return (bits & 0xc) === 0 ? vlan | (bits & 0xf000) : vlan;
  }

  /** The kind of a hinted TCP option; -1 where none is to be used. */
  hintedTcpOption(builder: PacketBuilder): number {
    if (this.#hintedTcpOptions.count === 0 || builder.random.bits() < 0) return -1;
    return this.#hintedTcpOptions.draw(builder.random);
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
    const { hinted } = this.#aimedMacs;
    if ((bits & (OTHERWISE | hinted)) === 0) {
      // Any unicast one.
      const at = builder.at;
      builder.noise(6);
      builder.bytes[at]! &= 0xfe;
    } else if ((bits & hinted) !== 0) this.#aimedMacs.draw(builder, bits);
    else ordinaryAddresses.mac(bits);
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
    const { hinted } = this.#aimedIpv4;
    if (builder.has(mutation)) drawNear(this.#specialIpv4, builder, bits);
    else if ((bits & (OTHERWISE | hinted)) === 0) {
      // Any host from 1.0.0.0 to 223.255.255.255 but for the loopback network.
      const { random } = builder;
      const first = 1 + random.below(223);
      builder.u32(((first === 127 ? 126 : first) << 24) | (random.bits() >>> 8));
    } else if ((bits & hinted) !== 0) this.#aimedIpv4.draw(builder, bits);
    else ordinaryAddresses.ipv4(bits);
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
    const { hinted } = this.#aimedIpv6;
    if (builder.has(mutation)) drawNear(this.#specialIpv6, builder, bits);
    else if ((bits & (OTHERWISE | hinted)) === 0) {
      // Any global unicast one: 2000::/3.
      const at = builder.at;
      builder.noise(16);
      const { view } = builder;
      view.setInt32(at, 0x2000_0000 | (view.getInt32(at) & 0x1fff_ffff));
    } else if ((bits & hinted) !== 0) this.#aimedIpv6.draw(builder, bits);
    else ordinaryAddresses.ipv6(bits);
  }

  port(builder: PacketBuilder): number {
    const { random } = builder;
    const bits = random.bits();
    if (this.#hintedPorts.count > 0 && bits < 0) return this.#hintedPorts.draw(random);
    if ((bits & 1) === 0) return random.pick(this.#ports);
    return (bits >>> 8) & 0xffff;
  }

  /** A number for a header whose upper layer is nothing in particular. */
  protocol(builder: PacketBuilder, pool: Uint16Array): number {
    return this.#from(builder, this.#hintedProtocols, pool);
  }

  /** At times a hinted number, or one near it, for a header in a tunnel; undefined where none is to be used. */
  innerProtocol(builder: PacketBuilder): number | undefined {
    if (this.#hintedProtocols.count === 0 || (builder.random.bits() & 3) !== 0) return undefined;
    return this.#hintedProtocols.draw(builder.random);
  }

  icmpType(builder: PacketBuilder): number {
    return this.#from(builder, this.#hintedIcmpTypes, pools.ICMP_TYPES);
  }

  icmpv6Type(builder: PacketBuilder): number {
    return this.#from(builder, this.#hintedIcmpv6Types, pools.ICMPV6_TYPES);
  }

  #from(builder: PacketBuilder, hinted: AimedNumbers, pool: Uint16Array): number {
    const { random } = builder;
    const bits = random.bits();
    if (hinted.count > 0 && bits < 0) return hinted.draw(random);
    if ((bits & 15) === 0) return (bits >>> 8) & 0xff;
    return random.pick(pool);
  }
}
