/** Frames of which every byte is known, as terms: what is asked of them has one answer. */
import { isConst, type Term } from '../../../sim/ebpf/symbolic/term.ts';
import { TermPool } from '../../../sim/ebpf/symbolic/term-pool.ts';
import type { Guide, TermFrame } from '../frame-layout.ts';

export const pool: TermPool = new TermPool();

export function value(term: Term): bigint {
  if (!isConst(term)) throw new Error('a frame that is known has terms that are known');
  return term.value;
}

export const guide: Guide = { pool, decide: (condition) => value(condition) === 1n, number: value };

export function frameOf(packet: Uint8Array, keptFrom?: number): TermFrame {
  return {
    byte: (at) => pool.constant(8, packet[at] ?? 0),
    length: pool.constant(64, packet.length),
    ...(keptFrom === undefined ? {} : { keepsFrom: (at: number) => at >= keptFrom }),
  };
}
