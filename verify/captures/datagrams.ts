/**
 * Puts fragmented IPv4 and IPv6 datagrams together again (RFC 791 §3.2, RFC 8200 §4.5), in bounded memory: so that the
 * checksum of what was fragmented can be judged.
 */

import { equal, readU16, writeU16 } from '../../sim/packet/bytes.ts';
import { onesSum } from '../oracle/sum.ts';

/** Where a fragment lies in a packet; offsets from the packet's first byte. */
export interface FragmentPlace {
  /** 4 or 6. */
  version: number;
  /** The IP header, and where the packet ends by its own account. */
  start: number;
  end: number;
  /** Where the data belong in the datagram's, in bytes. */
  offset: number;
  more: boolean;
}

/** Which bytes of the whole datagram came with which packet. */
export interface FragmentOrigin {
  readonly packet: number;
  /** In the datagram as it was put together, header included. */
  readonly from: number;
  readonly to: number;
  /** Of the first of these bytes in the packet. */
  readonly at: number;
}

export interface Datagram<Deferred> {
  /** The IP packet as it was before it was fragmented, with a right header checksum. */
  readonly bytes: Uint8Array;
  readonly origins: readonly FragmentOrigin[];
  /** What was said about each of its fragments. */
  readonly deferred: readonly Deferred[];
}

interface Pending<Deferred> {
  /** The first fragment's IP header with the extension headers before the fragment header; empty until it is there. */
  header: Uint8Array;
  data: Uint8Array;
  /** Ranges of `data` that are there, in order, not touching each other. */
  readonly ranges: { from: number; to: number }[];
  /** Of all data; -1 until the last fragment is there. */
  length: number;
  readonly origins: { packet: number; from: number; to: number; at: number }[];
  readonly deferred: Deferred[];
  /** Fragments that overlap with other bytes, or contradict each other: such a datagram has no right value. */
  contradictory: boolean;
}

const MAX_DATAGRAM = 65_535;
/** As many as there can be with eight bytes each: more are repetitions. */
const MAX_FRAGMENTS = 8192;

export interface DatagramLimits {
  /** Bytes of fragments that are kept at the most; the oldest datagrams go first. */
  readonly bytes: number;
  readonly datagrams: number;
}

const LIMITS: DatagramLimits = { bytes: 32 * 1024 * 1024, datagrams: 8192 };

/** @typeParam Deferred what is remembered with each fragment, and handed out with the datagram or with what is given up */
export class Datagrams<Deferred> {
  readonly #pending: Map<string, Pending<Deferred>> = new Map();
  readonly #limits: DatagramLimits;
  readonly #giveUp: (deferred: Deferred) => void;
  #bytes = 0;

  /** @param giveUp is called for each fragment of a datagram that will not become whole */
  constructor(giveUp: (deferred: Deferred) => void, limits: DatagramLimits = LIMITS) {
    this.#giveUp = giveUp;
    this.#limits = limits;
  }

  /**
   * Takes one fragment.
   * @param bytes holds the packet from `packetAt` on
   * @returns the datagram, where this was the last fragment that it lacked
   */
  add(
    bytes: Uint8Array,
    packetAt: number,
    place: FragmentPlace,
    packet: number,
    deferred: Deferred,
  ): Datagram<Deferred> | undefined {
    const header = headerOf(bytes, packetAt + place.start, packetAt + place.end, place.version);
    const size = header === undefined ? 0 : packetAt + place.end - header.dataStart;
    const end = place.offset + size;
    // All fragments but the last carry a multiple of eight bytes (RFC 791 §3.1).
    if (header === undefined || size <= 0 || end > MAX_DATAGRAM || (place.more && size % 8 !== 0)) {
      this.#giveUp(deferred);
      return undefined;
    }
    const key = keyOf(bytes, packetAt + place.start, place.version, header.identification, header.protocol);
    const pending = this.#pending.get(key) ?? this.#open(key);
    if (pending.deferred.length >= MAX_FRAGMENTS) {
      this.#giveUp(deferred);
      return undefined;
    }
    pending.deferred.push(deferred);
    if (pending.contradictory) return undefined;
    if (place.offset === 0 && pending.header.length === 0) {
      pending.header = header.bytes;
    }
    if (!place.more) {
      if (pending.length >= 0 && pending.length !== end) return this.#contradict(pending);
      pending.length = end;
    }
    if (!this.#insert(pending, bytes, header.dataStart, place.offset, end)) return this.#contradict(pending);
    pending.origins.push({ packet, from: place.offset, to: end, at: header.dataStart - packetAt });
    const [only] = pending.ranges;
    const isWhole =
      pending.length >= 0 &&
      pending.header.length > 0 &&
      pending.ranges.length === 1 &&
      only!.from === 0 &&
      only!.to >= pending.length;
    if (!isWhole) {
      this.#evict();
      return undefined;
    }
    if (only!.to > pending.length) return this.#contradict(pending);
    this.#forget(key, pending);
    return whole(pending);
  }

  /** Gives up everything that is not whole. */
  end(): void {
    for (const [key, pending] of this.#pending) {
      this.#forget(key, pending);
      for (const deferred of pending.deferred) this.#giveUp(deferred);
    }
  }

  #open(key: string): Pending<Deferred> {
    const pending: Pending<Deferred> = {
      header: new Uint8Array(0),
      data: new Uint8Array(0),
      ranges: [],
      length: -1,
      origins: [],
      deferred: [],
      contradictory: false,
    };
    this.#pending.set(key, pending);
    this.#evict();
    return pending;
  }

  #contradict(pending: Pending<Deferred>): undefined {
    pending.contradictory = true;
    this.#bytes -= pending.data.length;
    pending.data = new Uint8Array(0);
    return undefined;
  }

  /** Puts bytes where they belong. @returns false where other bytes are there already (RFC 5722, RFC 8200 §4.5) */
  #insert(pending: Pending<Deferred>, bytes: Uint8Array, at: number, from: number, to: number): boolean {
    for (const range of pending.ranges) {
      if (range.to <= from || range.from >= to) continue;
      const start = Math.max(from, range.from);
      const size = Math.min(to, range.to) - start;
      // The same fragment twice is no contradiction.
      if (!equal(pending.data, start, bytes, at + start - from, size)) return false;
    }
    if (to > pending.data.length) {
      const grown = new Uint8Array(Math.min(MAX_DATAGRAM, Math.max(to, pending.data.length * 2)));
      grown.set(pending.data);
      this.#bytes += grown.length - pending.data.length;
      pending.data = grown;
    }
    pending.data.set(bytes.subarray(at, at + to - from), from);
    const merged = { from, to };
    const rest = pending.ranges.filter((range) => {
      if (range.to < merged.from || range.from > merged.to) return true;
      merged.from = Math.min(merged.from, range.from);
      merged.to = Math.max(merged.to, range.to);
      return false;
    });
    pending.ranges.splice(0, pending.ranges.length, ...rest, merged);
    return true;
  }

  #evict(): void {
    for (const [key, pending] of this.#pending) {
      if (this.#bytes <= this.#limits.bytes && this.#pending.size <= this.#limits.datagrams) return;
      this.#forget(key, pending);
      for (const deferred of pending.deferred) this.#giveUp(deferred);
    }
  }

  #forget(key: string, pending: Pending<Deferred>): void {
    this.#pending.delete(key);
    this.#bytes -= pending.data.length;
  }
}

interface FragmentHeader {
  /** What stood in front of the data when the datagram was whole. */
  readonly bytes: Uint8Array;
  readonly identification: number;
  /** Of the key: over IPv6 fragments of one datagram may state different ones (RFC 8200 §4.5). */
  readonly protocol: number;
  /** Where the data start, in the arena. */
  readonly dataStart: number;
}

function headerOf(
  bytes: Uint8Array,
  start: number,
  end: number,
  version: number,
): FragmentHeader | undefined {
  if (version === 4) {
    const protocol = bytes[start + 9]!;
    const dataStart = start + (bytes[start]! & 0x0f) * 4;
    const header = bytes.slice(start, dataStart);
    return { bytes: header, identification: readU16(bytes, start + 4), protocol, dataStart };
  }
  // The fragment header stands behind what routers look at; extension headers behind it are part of the data.
  let nextAt = start + 6;
  let at = start + 40;
  while (at + 8 <= end && bytes[nextAt] !== FRAGMENT) {
    const size = bytes[nextAt] === AUTHENTICATION ? (bytes[at + 1]! + 2) * 4 : (bytes[at + 1]! + 1) * 8;
    nextAt = at;
    at += size;
  }
  if (bytes[nextAt] !== FRAGMENT || at + 8 > end) return undefined;
  const header = bytes.slice(start, at);
  header[nextAt - start] = bytes[at]!;
  const identification = ((readU16(bytes, at + 4) << 16) | readU16(bytes, at + 6)) >>> 0;
  return { bytes: header, identification, protocol: 0, dataStart: at + 8 };
}

const FRAGMENT = 44;
const AUTHENTICATION = 51;

/** Addresses, identification and, over IPv4, the protocol tell datagrams apart (RFC 791 §3.2, RFC 8200 §4.5). */
function keyOf(bytes: Uint8Array, start: number, version: number, id: number, protocol: number): string {
  const [from, to] = version === 4 ? [start + 12, start + 20] : [start + 8, start + 40];
  return `${String.fromCharCode(...bytes.subarray(from, to))}${version}/${id}/${protocol}`;
}

function whole<Deferred>({ header, data, length, origins, deferred }: Pending<Deferred>): Datagram<Deferred> {
  const bytes = new Uint8Array(header.length + length);
  bytes.set(header);
  bytes.set(data.subarray(0, length), header.length);
  if (bytes[0]! >> 4 === 4) {
    writeU16(bytes, 2, bytes.length <= MAX_DATAGRAM ? bytes.length : 0);
    // "Don't fragment" stays; offset and "more fragments" go.
    bytes[6] = bytes[6]! & 0x40;
    bytes[7] = 0;
    writeU16(bytes, 10, 0);
    const view = new DataView(bytes.buffer);
    writeU16(bytes, 10, ~onesSum(view, 0, header.length) & 0xffff);
  } else {
    const payload = bytes.length - 40;
    writeU16(bytes, 4, payload <= MAX_DATAGRAM ? payload : 0);
  }
  return {
    bytes,
    origins: origins.map(({ packet, from, to, at }) => ({
      packet,
      from: from + header.length,
      to: to + header.length,
      at,
    })),
    deferred,
  };
}
