/**
 * Pairs the packets of two captures, from both sides of a device, in bounded memory: whichever side of a pair comes
 * first waits for the other.
 */
import { equal } from '../../sim/packet/bytes.ts';
import { identify, type PacketIdentity } from './packet-identity.ts';

export interface PairedPacket {
  /** From 1. */
  readonly packet: number;
  /** As an Ethernet frame. */
  readonly frame: Uint8Array;
  readonly identity: PacketIdentity;
}

export type Side = 'before' | 'after';

/** Bytes that wait on each side at the most. */
const LIMIT: number = 64 * 1024 * 1024;
/** What a packet takes beside its bytes. */
const OVERHEAD = 400;
/** Packets that carry the same are looked through, to find the one that is most alike. */
const MAX_LOOKED_AT = 64;

export class Pairing {
  paired = 0;
  /** Packets without IP, by side: there is no checksum in them. */
  readonly withoutIp: Record<Side, number> = { before: 0, after: 0 };
  /** Packets without a counterpart, by side. */
  readonly alone: Record<Side, number> = { before: 0, after: 0 };
  readonly #waiting: Record<Side, Waiting>;
  readonly #pair: (before: PairedPacket, after: PairedPacket) => void;

  /** @param pair is called with each pair, in the order in which it becomes complete */
  constructor(pair: (before: PairedPacket, after: PairedPacket) => void, limit: number = LIMIT) {
    this.#pair = pair;
    this.#waiting = { before: new Waiting(limit), after: new Waiting(limit) };
  }

  /** @param frame is kept */
  add(side: Side, packet: number, frame: Uint8Array): void {
    const identity = identify(frame);
    if (identity === undefined) {
      this.withoutIp[side]++;
      return;
    }
    const one: PairedPacket = { packet, frame, identity };
    const other = this.#waiting[side === 'before' ? 'after' : 'before'].take(one);
    if (other === undefined) this.alone[side] += this.#waiting[side].keep(one);
    else this.#complete(side, one, other);
  }

  /** Pairs what is left by its headers, and counts what is left then. */
  end(): void {
    const byHeader = new Map<string, PairedPacket[]>();
    for (const one of this.#waiting.before.all()) {
      const list = byHeader.get(one.identity.header);
      if (list === undefined) byHeader.set(one.identity.header, [one]);
      else list.push(one);
    }
    for (const one of this.#waiting.after.all()) {
      const other = byHeader.get(one.identity.header)?.shift();
      if (other === undefined) this.alone.after++;
      else this.#complete('after', one, other);
    }
    for (const list of byHeader.values()) this.alone.before += list.length;
  }

  #complete(side: Side, one: PairedPacket, other: PairedPacket): void {
    this.paired++;
    if (side === 'before') this.#pair(one, other);
    else this.#pair(other, one);
  }
}

/** Packets of one side that have no counterpart yet, in the order in which they came. */
class Waiting {
  readonly #byContent: Map<string, PairedPacket[]> = new Map();
  readonly #inOrder: Set<PairedPacket> = new Set();
  readonly #limit: number;
  #bytes = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  all(): Iterable<PairedPacket> {
    return this.#inOrder;
  }

  /** @returns how many older ones had to go */
  keep(one: PairedPacket): number {
    const list = this.#byContent.get(one.identity.content);
    if (list === undefined) this.#byContent.set(one.identity.content, [one]);
    else list.push(one);
    this.#inOrder.add(one);
    this.#bytes += one.frame.length + OVERHEAD;
    let gone = 0;
    for (const oldest of this.#inOrder) {
      if (this.#bytes <= this.#limit) break;
      this.#remove(oldest);
      gone++;
    }
    return gone;
  }

  /** The one that carries the same and is most alike: of the same flow, else the oldest. */
  take(one: PairedPacket): PairedPacket | undefined {
    const list = this.#byContent.get(one.identity.content);
    if (list === undefined) return undefined;
    let oldest: PairedPacket | undefined;
    for (const other of list.slice(0, MAX_LOOKED_AT)) {
      if (!sameContent(one, other)) continue;
      if (other.identity.header === one.identity.header) {
        this.#remove(other);
        return other;
      }
      oldest ??= other;
    }
    if (oldest !== undefined) this.#remove(oldest);
    return oldest;
  }

  #remove(one: PairedPacket): void {
    this.#inOrder.delete(one);
    this.#bytes -= one.frame.length + OVERHEAD;
    const list = this.#byContent.get(one.identity.content)!;
    list.splice(list.indexOf(one), 1);
    if (list.length === 0) this.#byContent.delete(one.identity.content);
  }
}

function sameContent(a: PairedPacket, b: PairedPacket): boolean {
  const size = a.identity.to - a.identity.from;
  return (
    size === b.identity.to - b.identity.from &&
    equal(a.frame, a.identity.from, b.frame, b.identity.from, size)
  );
}
