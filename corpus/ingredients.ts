/**
 * What packets are made of: addresses, ports and numbers, from a program's hints and the boundary pools.
 *
 * Where hints are given, half of the draws come from them: a filter for port 80 must see port 80 often, and its
 * neighbours and its value in the wrong byte order too.
 */
import { ipv4FromText, ipv6FromText, macFromText } from '../sim/packet/addresses.ts';
import type { GeneratorHints } from '../sim/runtime/program.ts';
import * as pools from './boundaries.ts';
import type { Draft } from './draft.ts';
import { TWIST } from './twists.ts';

export class Ingredients {
  /** 6 bytes each. */
  readonly #macs: Uint8Array;
  readonly #hintedMacs: Uint8Array;
  readonly #specialMacs: Uint8Array = pack(pools.SPECIAL_MACS.map(macFromText), 6);
  /** 4 bytes each. */
  readonly #ipv4: Uint8Array = pack(pools.ORDINARY_IPV4.map(ipv4FromText), 4);
  readonly #hintedIpv4: Uint8Array;
  readonly #specialIpv4: Uint8Array = pack(pools.SPECIAL_IPV4.map(ipv4FromText), 4);
  /** 16 bytes each. */
  readonly #ipv6: Uint8Array = pack(pools.ORDINARY_IPV6.map(ipv6FromText), 16);
  readonly #hintedIpv6: Uint8Array;
  readonly #specialIpv6: Uint8Array = pack(pools.SPECIAL_IPV6.map(ipv6FromText), 16);
  readonly #ports: Uint16Array = Uint16Array.from(pools.PORTS);
  readonly #hintedPorts: Uint16Array;
  readonly #hintedProtocols: readonly number[];
  readonly #hintedIcmpTypes: readonly number[];
  readonly #hintedIcmpv6Types: readonly number[];

  /** @throws {SyntaxError} when a hinted address is none */
  constructor(hints: GeneratorHints) {
    this.#macs = pack(pools.ORDINARY_MACS.map(macFromText), 6);
    this.#hintedMacs = pack(hints.macs ?? [], 6);
    const addresses = hints.addresses ?? [];
    this.#hintedIpv4 = pack(addresses.filter((text) => !text.includes(':')).map(ipv4FromText), 4);
    this.#hintedIpv6 = pack(addresses.filter((text) => text.includes(':')).map(ipv6FromText), 16);
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
    this.#hintedProtocols = hints.protocols ?? [];
    this.#hintedIcmpTypes = hints.icmpTypes ?? [];
    this.#hintedIcmpv6Types = hints.icmpv6Types ?? [];
  }

  /** Destination and source MAC: 12 bytes. */
  macs(draft: Draft): void {
    const { random } = draft;
    if (draft.has(TWIST.mac)) {
      const which = random.bits();
      if ((which & 7) === 0) {
        // Both the same.
        const at = draft.at;
        this.#mac(draft);
        draft.copy(draft.bytes, at, 6);
        return;
      }
      if ((which & 2) === 0) draw(draft, this.#specialMacs, 6);
      else this.#mac(draft);
      if ((which & 2) !== 0 || (which & 4) !== 0) draw(draft, this.#specialMacs, 6);
      else this.#mac(draft);
      return;
    }
    this.#mac(draft);
    this.#mac(draft);
  }

  #mac(draft: Draft): void {
    const bits = draft.random.bits();
    if (this.#hintedMacs.length > 0 && bits < 0) draw(draft, this.#hintedMacs, 6);
    else if ((bits & 7) === 0) {
      // Any unicast one.
      const at = draft.at;
      draft.noise(6);
      draft.bytes[at]! &= 0xfe;
    } else draw(draft, this.#macs, 6);
  }

  /** One IPv4 address, special where the twist says so. */
  ipv4(draft: Draft, twist: number): void {
    const { random } = draft;
    if (draft.has(twist)) {
      draw(draft, this.#specialIpv4, 4);
      return;
    }
    const bits = random.bits();
    if (this.#hintedIpv4.length > 0 && bits < 0) draw(draft, this.#hintedIpv4, 4);
    else if ((bits & 7) === 0) {
      // Any host from 1.0.0.0 to 223.255.255.255 but for the loopback network.
      const first = 1 + random.below(223);
      draft.u32(((first === 127 ? 126 : first) << 24) | (random.bits() >>> 8));
    } else draw(draft, this.#ipv4, 4);
  }

  /** One IPv6 address, special where the twist says so. */
  ipv6(draft: Draft, twist: number): void {
    if (draft.has(twist)) {
      draw(draft, this.#specialIpv6, 16);
      return;
    }
    const bits = draft.random.bits();
    if (this.#hintedIpv6.length > 0 && bits < 0) draw(draft, this.#hintedIpv6, 16);
    else if ((bits & 7) === 0) {
      // Any global unicast one: 2000::/3.
      const at = draft.at;
      draft.noise(16);
      draft.bytes[at] = 0x20 | (draft.bytes[at]! & 0x1f);
    } else draw(draft, this.#ipv6, 16);
  }

  port(draft: Draft): number {
    const { random } = draft;
    const bits = random.bits();
    if (this.#hintedPorts.length > 0 && bits < 0) return random.pick(this.#hintedPorts);
    if ((bits & 1) === 0) return random.pick(this.#ports);
    return (bits >>> 8) & 0xffff;
  }

  /** A number for a header whose upper layer is nothing in particular. */
  protocol(draft: Draft, pool: readonly number[]): number {
    return this.#from(draft, this.#hintedProtocols, pool);
  }

  icmpType(draft: Draft): number {
    return this.#from(draft, this.#hintedIcmpTypes, pools.ICMP_TYPES);
  }

  icmpv6Type(draft: Draft): number {
    return this.#from(draft, this.#hintedIcmpv6Types, pools.ICMPV6_TYPES);
  }

  #from(draft: Draft, hinted: readonly number[], pool: readonly number[]): number {
    const { random } = draft;
    const bits = random.bits();
    if (hinted.length > 0 && bits < 0) return random.pick(hinted);
    if ((bits & 15) === 0) return (bits >>> 8) & 0xff;
    return random.pick(pool);
  }
}

/** Copies one of a pool's items, `size` bytes each, into the draft. */
function draw(draft: Draft, pool: Uint8Array, size: number): void {
  draft.copy(pool, draft.random.below(pool.length / size) * size, size);
}

/** All items one after the other. @throws {RangeError} when one has another size */
function pack(items: readonly Uint8Array[], size: number): Uint8Array {
  const pool = new Uint8Array(items.length * size);
  for (const [index, item] of items.entries()) {
    if (item.length !== size) throw new RangeError(`an address of ${item.length} bytes; it takes ${size}`);
    pool.set(item, index * size);
  }
  return pool;
}
