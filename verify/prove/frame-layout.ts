/**
 * Which checksums a frame has, on a path: walks Ethernet, tags, IP and transport over terms, and asks the path where it
 * does not know which way to go.
 */
import type { Term } from '../../sim/ebpf/symbolic/term.ts';
import type { TermPool } from '../../sim/ebpf/symbolic/term-pool.ts';
import { TPIDS } from '../../sim/packet/vlan.ts';

export type ProvedLayer = 'ipv4' | 'icmp' | 'icmpv6' | 'tcp' | 'udp';

/** A frame as it came or as it left: bytes by their offset, and its length in 64 bits. */
export interface TermFrame {
  readonly byte: (at: number) => Term;
  readonly length: Term;
  /** Is everything from an offset on as it came, in the same place, and of the same length? Then it needs no look. */
  readonly keepsFrom?: (at: number) => boolean;
}

export interface LaidChecksum {
  readonly layer: ProvedLayer;
  /** Where what it covers begins, and how many bytes that are, 64 bits. */
  readonly start: number;
  readonly size: Term;
  /** Bytes that are there for certain. */
  readonly header: number;
  /** Of the field, from `start` on. */
  readonly at: number;
  /** Of UDP: is it 0, which says that there is none? */
  readonly isAbsent: boolean;
  /** Bytes of the pseudo-header besides the length, which is `size`; empty: there is none. */
  readonly pseudo: readonly Term[];
  /** Is it UDP or ICMPv6 over IPv6? */
  readonly overIpv6: boolean;
}

/** What a decision is about: which headers there are, or whether one of them has a checksum. */
export type Asked = 'headers' | 'checksum';

/** Who knows which way to go: a path, or one packet. */
export interface Guide {
  readonly pool: TermPool;
  /** @param about default: which headers there are, and how long */
  decide(condition: Term, about?: Asked): boolean;
  number(term: Term): bigint;
}

/** An IP header. */
export interface LaidIp {
  readonly version: 4 | 6;
  readonly start: number;
  /** Where the packet ends by its own length: offset in the frame, 64 bits. */
  readonly end: Term;
}

/** A UDP or TCP header: how long it says that it is, of TCP nothing, and how much its IP packet has for it; 64 bits. */
export interface LaidTransport {
  readonly start: number;
  readonly stated: Term | undefined;
  readonly available: Term;
}

export interface Layout {
  readonly checksums: readonly LaidChecksum[];
  /** Outermost first; as far as headers may have changed. */
  readonly ips: readonly LaidIp[];
  /** The same, and behind them the one that was not looked at, since all of it is as it came. */
  readonly announced: readonly Pick<LaidIp, 'version' | 'start'>[];
  readonly transports: readonly LaidTransport[];
  /** Does a length contradict another one, or the frame? `rest` says which. */
  readonly isBroken: boolean;
  /** Why nothing further in was looked at: a fragment, a truncated packet, a protocol that nobody knows here. */
  readonly rest: string | undefined;
  /** Where addresses and data of a packet begin that is whole, but whose checksum nobody knows here. */
  readonly open: { readonly addresses: number; readonly payload: number } | undefined;
  /** Where the innermost transport header would be, whether or not it is whole, and its protocol. */
  readonly transport: { readonly start: number; readonly protocol: Term } | undefined;
  /** What stands behind an IPv6 header under a number that is no transport protocol’s known here, and how much room it has. */
  readonly extension:
    | { readonly start: number; readonly protocol: Term; readonly available: Term }
    | undefined;
}

/** What a transport header needs of the IP header above it. */
interface IpHeader {
  readonly addresses: readonly Term[];
  /** Where the addresses are in the frame. */
  readonly from: number;
  readonly hasOptions: boolean;
}

/** Why nothing behind the IP header of a fragment is looked at. */
export const FRAGMENT = 'a fragment';

/** Tags in front of a packet. */
export const MOST_TAGS = 3;
/** Packets in packets. */
const MOST_NESTED = 3;

/** @param wantsKept whether the first IP header is wanted that leaves as it came, with all behind it */
export function layoutOf(state: Guide, frame: TermFrame, wantsKept: boolean = false): Layout {
  const checksums: LaidChecksum[] = [];
  const walker = new Walker(state, frame, checksums, wantsKept);
  const rest = walker.ethernet();
  const { open, transport, extension, ips, announced, transports, isBroken } = walker;
  return { checksums, ips, announced, transports, isBroken, rest, open, transport, extension };
}

class Walker {
  readonly #state: Guide;
  readonly #frame: TermFrame;
  readonly #checksums: LaidChecksum[];
  readonly #wantsKept: boolean;
  /** Where the packet around it ends by its own length: a packet in a packet goes no further. */
  #limit: Term;
  transport: Layout['transport'];
  extension: Layout['extension'];
  open: Layout['open'];
  readonly ips: LaidIp[] = [];
  readonly announced: Pick<LaidIp, 'version' | 'start'>[] = [];
  readonly transports: LaidTransport[] = [];
  isBroken = false;

  constructor(state: Guide, frame: TermFrame, checksums: LaidChecksum[], wantsKept: boolean) {
    this.#state = state;
    this.#wantsKept = wantsKept;
    this.#frame = frame;
    this.#limit = frame.length;
    this.#checksums = checksums;
  }

  ethernet(): string | undefined {
    // Only addresses changed, or nothing: whatever follows is as it came.
    if (!this.#wantsKept && this.#frame.keepsFrom?.(12) === true) return undefined;
    if (!this.#has(14)) return 'shorter than an Ethernet header';
    let at = 14;
    for (let tags = 0; tags < MOST_TAGS && this.#isTag(at - 2); tags++) {
      if (!this.#wantsKept && this.#frame.keepsFrom?.(at) === true) return undefined;
      if (!this.#has(at + 4)) return 'a truncated tag';
      at += 4;
    }
    if (this.#is16(at - 2, 0x0800)) return this.#ipv4(at, 0);
    return this.#is16(at - 2, 0x86dd) ? this.#ipv6(at, 0) : 'no IP packet';
  }

  #ipv4(at: number, depth: number, limit: Term = this.#limit): string | undefined {
    const { pool } = this.#state;
    this.announced.push({ version: 4, start: at });
    this.#limit = limit;
    const isKept = this.#frame.keepsFrom?.(at) === true;
    if (isKept && !this.#wantsKept) return undefined;
    if (!this.#has(at + 20)) return this.#broken('a truncated IPv4 header');
    const first = this.#frame.byte(at);
    if (!this.#decideEqual(pool.extract(first, 4, 4), 4))
      return this.#broken('an IPv4 packet of another version');
    const total = this.#u16(at + 2);
    this.ips.push({ version: 4, start: at, end: pool.addConst(total, at) });
    if (isKept) return undefined;
    const words = pool.extract(first, 0, 4);
    if (this.#state.decide(pool.less(words, pool.constant(4, 5))))
      return this.#broken('an impossible IPv4 header length');
    const header = Number(this.#state.number(words)) * 4;
    if (!this.#has(at + header)) return this.#broken('a truncated IPv4 header');
    this.#checksums.push({
      layer: 'ipv4',
      start: at,
      size: pool.constant(64, header),
      header,
      at: 10,
      isAbsent: false,
      pseudo: [],
      overIpv6: false,
    });
    if (!this.#wantsKept && this.#frame.keepsFrom?.(at + 12) === true) return undefined;
    if (this.#state.decide(pool.less(total, pool.constant(64, header))))
      return this.#broken('an impossible total length');
    if (this.#state.decide(pool.less(this.#limit, pool.addConst(total, at))))
      return this.#broken('a truncated packet');
    const fragment = pool.concat([pool.extract(this.#frame.byte(at + 6), 0, 6), this.#frame.byte(at + 7)]);
    if (!this.#decideEqual(fragment, 0)) return this.#unknown(FRAGMENT, at + 12, at + header);
    const addresses = Array.from({ length: 8 }, (_, index) => this.#frame.byte(at + 12 + index));
    const length = pool.addConst(total, -header);
    const above = { addresses, from: at + 12, hasOptions: header > 20 };
    return this.#transport(this.#frame.byte(at + 9), at + header, length, above, depth);
  }

  #ipv6(at: number, depth: number, limit: Term = this.#limit): string | undefined {
    const { pool } = this.#state;
    this.announced.push({ version: 6, start: at });
    this.#limit = limit;
    const isKept = this.#frame.keepsFrom?.(at) === true;
    if (isKept && !this.#wantsKept) return undefined;
    if (!this.#has(at + 40)) return this.#broken('a truncated IPv6 header');
    if (!this.#decideEqual(pool.extract(this.#frame.byte(at), 4, 4), 6))
      return this.#broken('an IPv6 packet of another version');
    const payload = this.#u16(at + 4);
    this.ips.push({ version: 6, start: at, end: pool.addConst(payload, at + 40) });
    if (isKept || (!this.#wantsKept && this.#frame.keepsFrom?.(at + 8) === true)) return undefined;
    if (this.#state.decide(pool.less(this.#limit, pool.addConst(payload, at + 40))))
      return this.#broken('a truncated packet');
    const addresses = Array.from({ length: 32 }, (_, index) => this.#frame.byte(at + 8 + index));
    const above = { addresses, from: at + 8, hasOptions: false };
    return this.#transport(this.#frame.byte(at + 6), at + 40, payload, above, depth);
  }

  #transport(
    protocol: Term,
    at: number,
    length: Term,
    { addresses, from, hasOptions }: IpHeader,
    depth: number,
  ): string | undefined {
    const { pool } = this.#state;
    const overIpv6 = addresses.length === 32;
    this.transport = { start: at, protocol };
    if (depth + 1 < MOST_NESTED) {
      const end = pool.addConst(length, at);
      if (this.#decideEqual(protocol, 4)) return this.#ipv4(at, depth + 1, end);
      if (this.#decideEqual(protocol, 41)) return this.#ipv6(at, depth + 1, end);
    }
    const kinds: readonly (readonly [ProvedLayer, number, number, number])[] = [
      ['tcp', 6, 20, 16],
      ['udp', 17, 8, 6],
      overIpv6 ? ['icmpv6', 58, 8, 2] : ['icmp', 1, 8, 2],
    ];
    for (const [layer, number, header, field] of kinds) {
      if (!this.#decideEqual(protocol, number)) continue;
      if (hasOptions && layer !== 'icmp') {
        const reason = `${layer.toUpperCase()} behind IPv4 options (a source route may name another destination)`;
        return this.#unknown(reason, from, at);
      }
      if (this.#state.decide(pool.less(length, pool.constant(64, header))))
        return this.#broken('a truncated transport header');
      const stated = layer === 'udp' ? this.#u16(at + 4) : undefined;
      if (layer === 'udp' || layer === 'tcp') this.transports.push({ start: at, stated, available: length });
      let size = length;
      let isAbsent = false;
      if (stated !== undefined) {
        size = stated;
        if (this.#state.decide(pool.less(size, pool.constant(64, 8))))
          return this.#broken('an impossible UDP length');
        if (this.#state.decide(pool.less(length, size))) return this.#broken('an impossible UDP length');
        const sum = pool.concat([this.#frame.byte(at + 6), this.#frame.byte(at + 7)]);
        isAbsent = this.#decideEqual(sum, 0, 'checksum');
      }
      const pseudo = layer === 'icmp' ? [] : [...addresses, pool.constant(8, 0), pool.constant(8, number)];
      this.#checksums.push({ layer, start: at, size, header, at: field, isAbsent, pseudo, overIpv6 });
      return undefined;
    }
    if (overIpv6) this.extension = { start: at, protocol, available: length };
    return this.#unknown('a protocol without a checksum that is known here', from, at);
  }

  #broken(reason: string): string {
    this.isBroken = true;
    return reason;
  }

  #unknown(reason: string, addresses: number, payload: number): string {
    this.open = { addresses, payload };
    return reason;
  }

  #has(size: number): boolean {
    const { pool } = this.#state;
    return !this.#state.decide(pool.less(this.#limit, pool.constant(64, size)));
  }

  #isTag(at: number): boolean {
    const { pool } = this.#state;
    const type = pool.concat([this.#frame.byte(at), this.#frame.byte(at + 1)]);
    return this.#state.decide(pool.any(TPIDS.map((one) => pool.equal(type, pool.constant(16, one)))));
  }

  #is16(at: number, value: number): boolean {
    const { pool } = this.#state;
    return this.#decideEqual(pool.concat([this.#frame.byte(at), this.#frame.byte(at + 1)]), value);
  }

  #u16(at: number): Term {
    const { pool } = this.#state;
    return pool.zeroExtend(64, pool.concat([this.#frame.byte(at), this.#frame.byte(at + 1)]));
  }

  #decideEqual(term: Term, value: number, about?: Asked): boolean {
    const { pool } = this.#state;
    return this.#state.decide(pool.equal(term, pool.constant(term.width, value)), about);
  }
}
