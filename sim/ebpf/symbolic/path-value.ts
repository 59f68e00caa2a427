/** What a register holds on a path: a number, or an address together with what it points into. */
import { STACK_BASE, STACK_SIZE } from '../memory.ts';
import type { Term } from './term.ts';
import type { TermPool } from './term-pool.ts';

export type Region =
  | { readonly kind: 'context' }
  /** The frame as it lay when the pointer was made; later generations are others. */
  | { readonly kind: 'packet'; readonly generation: number }
  | { readonly kind: 'packet end'; readonly generation: number }
  | { readonly kind: 'stack'; readonly frame: number }
  /** A map's descriptor. */
  | { readonly kind: 'map'; readonly map: number }
  /** A map's value, a sample, or other memory that the path knows by its number. */
  | { readonly kind: 'block'; readonly block: number }
  /** The per-CPU address of a variable of the kernel, by its number in the object. */
  | { readonly kind: 'kernel variable'; readonly variable: number }
  /** A socket, or a structure of the kernel's: bytes that nobody knows, from `from` on those of the one of that name. */
  | { readonly kind: 'opaque'; readonly what: string; readonly from: number }
  | { readonly kind: 'function'; readonly target: number };

export interface Value {
  /** 64 bits. */
  readonly term: Term;
  /** Undefined: a number. */
  readonly region: Region | undefined;
}

/** What r10 holds in a frame. */
export function stackPointer(pool: TermPool, frame: number): Value {
  const end = STACK_BASE + STACK_SIZE * (frame + 1);
  return { term: pool.constant(64, end), region: { kind: 'stack', frame } };
}
