/**
 * What a helper is: its signature, which the interpreter checks and the compiler relies on, and what it does.
 */
import type { MapType } from '../../runtime/maps.ts';
import type { Machine } from '../machine.ts';

/**
 * What an argument must be. The names follow the kernel's `enum bpf_arg_type` (include/linux/bpf.h); a `memory`
 * is always followed by the `size` that says how much of it.
 */
export type ArgumentType =
  /** Any initialised value. */
  | 'anything'
  /** The context, as the program got it. */
  | 'context'
  | 'map'
  /** Readable memory of the map's key size. */
  | 'key'
  /** Readable memory of the map's value size. */
  | 'value'
  /** Writable memory of the map's value size. */
  | 'value_out'
  | 'memory'
  | 'memory_or_null'
  /** Memory that the helper fills: it need not be initialised. */
  | 'memory_out'
  /** A number of bytes, not 0. */
  | 'size'
  | 'size_or_zero'
  /** A number of bytes that the verifier knows, not 0: so much memory comes back. */
  | 'constant_size'
  /** A pointer to 8 bytes that the helper fills. */
  | 'u64_out'
  /** A pointer to 4 bytes that the helper reads and fills. */
  | 'u32_inout'
  /** The address of a function of the program. */
  | 'function'
  /** What a callback is to get: a pointer to the stack, or null. */
  | 'stack_or_null'
  /** What `bpf_ringbuf_reserve` gave. */
  | 'sample'
  /** A string that ends, in a read-only map. */
  | 'string'
  /** A socket that was compared with null. */
  | 'socket'
  /** A `struct bpf_spin_lock` in a map's value. */
  | 'spin_lock'
  /** A `struct bpf_dynptr` on the stack that the helper makes. */
  | 'dynptr_out'
  /** One that a helper made. */
  | 'dynptr'
  /** Writable memory of as many bytes as the next argument says, or null. */
  | 'buffer_or_null'
  /** A `struct bpf_iter_num` on the stack, to be made or made before. */
  | 'iterator_out'
  | 'iterator';

/**
 * What comes back in r0.
 * - `int`: a signed 32-bit number, sign-extended
 * - `u64`: all 64 bits; the helper sets the upper half with `Machine.result64`
 * - `void`: nothing that a program may read
 * - `map_value_or_null`: what a lookup gives
 * - `sample_or_null`: fresh memory of as many bytes as the second argument says
 * - `socket_or_null`: a socket with all its fields
 * - `slice_or_null`: memory of as many bytes as the last argument says, read-only where the dynptr is
 */
export type ReturnType =
  | 'int'
  | 'u64'
  | 'void'
  | 'map_value_or_null'
  | 'sample_or_null'
  | 'slice_or_null'
  | 'socket_or_null';

/**
 * Runs a helper. Arguments are the lower halves of r1 to r5 as signed 32-bit numbers; `Machine.high` has the upper
 * ones. Sizes have been checked to lie in the memory that goes with them. Returns the lower half of r0.
 */
export type HelperFunction = (
  machine: Machine,
  a: number,
  b: number,
  c: number,
  d: number,
  e: number,
) => number;

export interface Helper {
  /** The number that a call instruction names it by; for kernel functions, which have none, 0. */
  readonly number: number;
  /** `bpf_map_lookup_elem`. */
  readonly name: string;
  readonly arguments: readonly ArgumentType[];
  readonly returns: ReturnType;
  /** The smallest and the largest `int` that comes back, in XDP and in TC programs; absent: any. */
  readonly between?: Readonly<Partial<Record<'xdp' | 'tc', readonly [min: number, max: number]>>>;
  /** Which programs may call it; absent: both. */
  readonly only?: 'xdp' | 'tc';
  /** The maps that it takes; absent: those with keys and values of their own. */
  readonly maps?: readonly MapType[];
  /** Does it move or change the packet, so that packet pointers are void afterwards? */
  readonly movesPacket?: boolean;
  /** May memory arguments point into the packet? */
  readonly packetAccess?: boolean;
  /** Does the kernel let only programs with a GPL-compatible license call it? */
  readonly gplOnly?: boolean;
  /** What the machine answers where it is not what a kernel at work would: a clause for docs/helpers.md. */
  readonly note?: string;
  readonly run: HelperFunction;
}

/** The maps that have plain keys and values. */
export const PLAIN_MAPS: readonly MapType[] = [
  'ARRAY',
  'PERCPU_ARRAY',
  'HASH',
  'PERCPU_HASH',
  'LRU_HASH',
  'LRU_PERCPU_HASH',
  'LPM_TRIE',
];
