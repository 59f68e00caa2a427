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
      if ((which & 2) === 0) this.#specialMacs.draw(draft);
      else this.#mac(draft);
      if ((which & 2) !== 0 || (which & 4) !== 0) this.#specialMacs.draw(draft);
      else this.#mac(draft);
      return;
    }
    this.#mac(draft);
    this.#mac(draft);
  }

  #mac(draft: Draft): void {
    const bits = draft.random.bits();
    if (this.#hintedMacs.count > 0 && bits < 0) this.#hintedMacs.draw(draft);
    else if ((bits & 7) === 0) {
      // Any unicast one.
      const at = draft.at;
      draft.noise(6);
      draft.bytes[at]! &= 0xfe;
    } else this.#macs.draw(draft);
  }

  /** One IPv4 address, special where the twist says so. */
  ipv4(draft: Draft, twist: number): void {
    const { random } = draft;
    if (draft.has(twist)) {
      this.#specialIpv4.draw(draft);
      return;
    }
    const bits = random.bits();
    if (this.#hintedIpv4.count > 0 && bits < 0) this.#hintedIpv4.draw(draft);
    else if ((bits & 7) === 0) {
      // Any host from 1.0.0.0 to 223.255.255.255 but for the loopback network.
      const first = 1 + random.below(223);
      draft.u32(((first === 127 ? 126 : first) << 24) | (random.bits() >>> 8));
    } else this.#ipv4.draw(draft);
  }

  /** One IPv6 address, special where the twist says so. */
  ipv6(draft: Draft, twist: number): void {
    if (draft.has(twist)) {
      this.#specialIpv6.draw(draft);
      return;
    }
    const bits = draft.random.bits();
    if (this.#hintedIpv6.count > 0 && bits < 0) this.#hintedIpv6.draw(draft);
    else if ((bits & 7) === 0) {
      // Any global unicast one: 2000::/3.
      const at = draft.at;
      draft.noise(16);
      draft.bytes[at] = 0x20 | (draft.bytes[at]! & 0x1f);
    } else this.#ipv6.draw(draft);
  }

  port(draft: Draft): number {
    const { random } = draft;
    const bits = random.bits();
    if (this.#hintedPorts.length > 0 && bits < 0) return random.pick(this.#hintedPorts);
    if ((bits & 1) === 0) return random.pick(this.#ports);
    return (bits >>> 8) & 0xffff;
  }

  /** A number for a header whose upper layer is nothing in particular. */
  protocol(draft: Draft, pool: Uint16Array): number {
    return this.#from(draft, this.#hintedProtocols, pool);
  }

  icmpType(draft: Draft): number {
    return this.#from(draft, this.#hintedIcmpTypes, pools.ICMP_TYPES);
  }

  icmpv6Type(draft: Draft): number {
    return this.#from(draft, this.#hintedIcmpv6Types, pools.ICMPV6_TYPES);
  }

  #from(draft: Draft, hinted: Uint16Array, pool: Uint16Array): number {
    const { random } = draft;
    const bits = random.bits();
    if (hinted.length > 0 && bits < 0) return random.pick(hinted);
    if ((bits & 15) === 0) return (bits >>> 8) & 0xff;
    return random.pick(pool);
  }
}

/** Items of one size, one after the other in one array. */
class Pool {
  readonly bytes: Uint8Array;
  readonly size: number;
  readonly count: number;

  /** @throws {RangeError} when an item has another size */
  constructor(items: readonly Uint8Array[], size: number) {
    this.bytes = new Uint8Array(items.length * size);
    this.size = size;
    this.count = items.length;
    for (const [index, item] of items.entries()) {
      if (item.length !== size) throw new RangeError(`an address of ${item.length} bytes; it takes ${size}`);
      this.bytes.set(item, index * size);
    }
  }

  /** Copies one item into the draft. */
  draw(draft: Draft): void {
    draft.copy(this.bytes, draft.random.below(this.count) * this.size, this.size);
  }
}
