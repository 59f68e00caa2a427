/** What following a run yields: the conditions it met, what it asked for, and what it changed. */
import type { Operand } from './expression.ts';

/** What a conditional jump compares, by the kernel's names; a jump's opposite is among them, except for `set`. */
export type Comparison =
  | 'eq'
  | 'ne'
  | 'gt'
  | 'ge'
  | 'lt'
  | 'le'
  | 'sgt'
  | 'sge'
  | 'slt'
  | 'sle'
  | 'set'
  | 'clear';

/** A place in the object: a program by its index, and a slot of it. */
export interface Place {
  readonly program: number;
  readonly slot: number;
}

/** A conditional jump that depends on the inputs. */
export interface FlowBranch extends Place {
  readonly packet: number;
  /** Which way the run went. */
  readonly taken: boolean;
  /** What holds where the jump is taken. */
  readonly comparison: Comparison;
  readonly bits: 32 | 64;
  readonly a: Operand;
  readonly b: Operand;
}

/** A call whose answer depends on what the world holds. */
export interface FlowCall extends Place {
  readonly packet: number;
  readonly helper: string;
  /** Index of the map that it asked, or -1. */
  readonly map: number;
  /**
   * The key, or the index as four bytes, the lowest first: as they were, and where they come from. Of a Bloom filter it is the
   * value; of a queue or stack the number of the world's element, in the order in which they come out, or nothing if it is the
   * program's own. Of `bpf_check_mtu` the length that it was asked about has parts, of a check of a SYN cookie the acknowledged number.
   */
  readonly key: Uint8Array;
  readonly keyParts: readonly Operand[];
  /** What it returned, as a signed number. */
  readonly result: bigint;
  /** Did it find something? */
  readonly found: boolean;
  /** What it was passed in memory: the parameters of a lookup in the routing table, the tuple of a socket; of `bpf_check_mtu` device, length and difference; of a check of a SYN cookie the number that would be one. */
  readonly parameters: Uint8Array;
  /** BPF_FIB_LOOKUP_*, of a lookup in the routing table; BPF_F_TUNINFO_*, of a question for the frame's tunnel. */
  readonly flags?: number;
  /** Of questions for the frame's tunnel: how many bytes of an answer are taken. */
  readonly size?: number;
  /** Of lookups in the frame's bytes: how long the frame has to be. */
  readonly needs: number;
}

/** A change of a map: which, and how. */
export interface FlowEffect extends Place {
  readonly packet: number;
  readonly map: number;
  readonly kind: 'update' | 'delete' | 'write';
  /** What was written, in hexadecimal; bytes that come from an input are dots. */
  readonly value: string;
  /** Is part of the value what the same entry held there, with something added or taken away? Known of updates. */
  readonly adds?: true;
}

/** A value as an effect shows it. */
export function effectValue(parts: readonly Operand[]): string {
  return parts.map((part) => (typeof part === 'bigint' ? part.toString(16).padStart(2, '0') : '..')).join('');
}

export interface FlowTrace {
  readonly branches: readonly FlowBranch[];
  readonly calls: readonly FlowCall[];
  readonly effects: readonly FlowEffect[];
  /** Was the EtherType read that stands beside the frame (`skb->protocol`)? Conditions on it are ones on the frame's bytes. */
  readonly readsProtocol?: boolean;
}

/** Does the comparison hold? Operands are cut to `bits` bits. */
export function holds(comparison: Comparison, bits: 32 | 64, x: bigint, y: bigint): boolean {
  const a = BigInt.asUintN(bits, x);
  const b = BigInt.asUintN(bits, y);
  switch (comparison) {
    case 'eq':
      return a === b;
    case 'ne':
      return a !== b;
    case 'gt':
      return a > b;
    case 'ge':
      return a >= b;
    case 'lt':
      return a < b;
    case 'le':
      return a <= b;
    case 'set':
      return (a & b) !== 0n;
    case 'clear':
      return (a & b) === 0n;
    default: {
      const s = BigInt.asIntN(bits, a);
      const t = BigInt.asIntN(bits, b);
      if (comparison === 'sgt') return s > t;
      if (comparison === 'sge') return s >= t;
      return comparison === 'slt' ? s < t : s <= t;
    }
  }
}

const OPPOSITES: Readonly<Record<Comparison, Comparison>> = {
  eq: 'ne',
  ne: 'eq',
  gt: 'le',
  le: 'gt',
  ge: 'lt',
  lt: 'ge',
  sgt: 'sle',
  sle: 'sgt',
  sge: 'slt',
  slt: 'sge',
  set: 'clear',
  clear: 'set',
};

export function oppositeOf(comparison: Comparison): Comparison {
  return OPPOSITES[comparison];
}

const MIRRORED: Readonly<Partial<Record<Comparison, Comparison>>> = {
  gt: 'lt',
  lt: 'gt',
  ge: 'le',
  le: 'ge',
  sgt: 'slt',
  slt: 'sgt',
  sge: 'sle',
  sle: 'sge',
};

/** The same comparison with its operands exchanged. */
export function mirrored(comparison: Comparison): Comparison {
  return MIRRORED[comparison] ?? comparison;
}
