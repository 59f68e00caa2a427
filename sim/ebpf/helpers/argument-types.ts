/**
 * What helpers and kernel functions take: for each type of argument, what the register must hold and how memory is reached
 * through it. The names follow the kernel's `enum bpf_arg_type` (include/linux/bpf.h).
 *
 * Each reader of these records has a table of its own beside them, with one row for each type: the interpreter
 * (`interpreter/argument-checks.ts`), the compiler (`wasm/argument-checks.ts`) and the analysis
 * (`analysis/argument-effects.ts`). A type without a row in one of them does not compile.
 */

import { TIMER_SIZE } from '../maps/timers.ts';

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
  /** The same for a peek: a Bloom filter reads it instead. */
  | 'value_peeked'
  | 'memory'
  | 'memory_or_null'
  /** Memory that the helper fills: it need not be initialised. */
  | 'memory_out'
  /** Memory that the helper reads and changes. */
  | 'memory_inout'
  /** Writable memory, or null with any size. */
  | 'buffer_or_null'
  /** A number of bytes, not 0. */
  | 'size'
  | 'size_or_zero'
  /** A number of bytes that the verifier knows, 0 among them: so much memory comes back. */
  | 'constant_size'
  /** A pointer to 8 bytes that the helper fills. */
  | 'u64_out'
  /** A pointer to 4 bytes that the helper reads and fills. */
  | 'u32_inout'
  /** The same of 8 and of 2 bytes. */
  | 'u64_inout'
  | 'u16_inout'
  /** A `struct bpf_fib_lookup`. */
  | 'fib_tuple'
  /** The address of a function of the program. */
  | 'function'
  /** What a callback is passed: a pointer to the stack, or null. */
  | 'stack_or_null'
  /** What `bpf_ringbuf_reserve` returned; no longer a sample after the call. */
  | 'sample'
  /** A string that ends, in a read-only map. */
  | 'string'
  /** A socket that was compared with null. */
  | 'socket'
  /** One, or a structure of the kernel's own that a helper made of one. */
  | 'socket_or_struct'
  | 'context_or_null'
  /** A control group that a kernel function gave. */
  | 'cgroup'
  | 'cgroup_or_null'
  /** Readable memory of the map's value size, or null. */
  | 'value_or_null'
  /** A header without options: 20, 20 and 40 bytes to read. */
  | 'ipv4_header'
  | 'tcp_header'
  | 'ipv6_header'
  /** A `struct bpf_spin_lock` in a map's value. */
  | 'spin_lock'
  /** A `struct bpf_res_spin_lock` in a map's value. */
  | 'res_spin_lock'
  /** A `struct bpf_timer` in a map's value. */
  | 'timer'
  /** A `struct bpf_dynptr` on the stack that the helper makes. */
  | 'dynptr_out'
  /** One that a helper made. */
  | 'dynptr'
  /** A `struct bpf_iter_num` on the stack that the function makes. */
  | 'iterator_out'
  /** One that was made before. */
  | 'iterator'
  /** The same for a `struct bpf_iter_bits`. */
  | 'bits_iterator_out'
  | 'bits_iterator'
  /** A word on the stack for what interrupts are on: filled, and handed back. */
  | 'irq_flags_out'
  | 'irq_flags'
  /** The per-CPU address of a variable of the kernel. */
  | 'kernel_variable';

/** Bytes of `struct bpf_dynptr` and of `struct bpf_iter_num` (include/uapi/linux/bpf.h). */
export const DYNPTR_SIZE = 16;
export const ITERATOR_SIZE = 8;
/** Of `struct bpf_iter_bits`. */
export const BITS_ITERATOR_SIZE = 16;

/** Headers without options, in bytes. */
const IPV4_HEADER = 20;
const TCP_HEADER = 20;
const IPV6_HEADER = 40;
/** `struct bpf_fib_lookup` */
const FIB_LOOKUP = 64;

/** Kernel and machine agree that no memory is larger: sizes beyond are what the verifier calls unbounded. */
export const LARGEST_SIZE = 0x7fff_ffff;

/** Memory that a helper reaches through an argument. */
export interface ArgumentMemory {
  /** `written` memory need not be initialised before the call, and is afterwards. */
  readonly access: 'read' | 'written' | 'read and written';
  /**
   * How much: bytes, or who says so. `map key` and `map value`: the definition of the call's map; `next argument`: a size
   * that follows; `up to its zero`: a string; `unknown`: as much as a function of the program, which is passed it, uses.
   */
  readonly size: number | 'map key' | 'map value' | 'next argument' | 'up to its zero' | 'unknown';
  /** Where it may lie; `any`: the packet too, if the helper's `rules.packetAccess` says so. */
  readonly region: 'any' | 'stack' | 'map value' | 'read-only map';
  /** May the argument be 0 instead: never, only if the size is 0, always? */
  readonly nullable: 'never' | 'if empty' | 'always';
}

export interface ArgumentRecord {
  /** What the register must hold. */
  readonly holds:
    | 'anything'
    | 'number'
    | 'memory'
    | 'context'
    | 'map'
    | 'function'
    | 'sample'
    | 'socket'
    | 'cgroup'
    | 'kernel variable';
  /** Of `memory`, and nothing else. */
  readonly memory?: ArgumentMemory;
  /** Of `number`, and nothing else: a size in bytes. `constant`: the verifier must know its value. */
  readonly number?: { readonly least: 0 | 1; readonly constant: boolean };
}

function memory(
  access: ArgumentMemory['access'],
  size: ArgumentMemory['size'],
  region: ArgumentMemory['region'] = 'any',
  nullable: ArgumentMemory['nullable'] = 'never',
): ArgumentRecord {
  return { holds: 'memory', memory: { access, size, region, nullable } };
}

function size(least: 0 | 1, constant: boolean = false): ArgumentRecord {
  return { holds: 'number', number: { least, constant } };
}

export const ARGUMENT_TYPES: Readonly<Record<ArgumentType, ArgumentRecord>> = {
  anything: { holds: 'anything' },
  context: { holds: 'context' },
  map: { holds: 'map' },
  key: memory('read', 'map key'),
  value: memory('read', 'map value'),
  value_out: memory('written', 'map value'),
  value_peeked: memory('written', 'map value'),
  memory: memory('read', 'next argument'),
  memory_or_null: memory('read', 'next argument', 'any', 'if empty'),
  memory_out: memory('written', 'next argument'),
  memory_inout: memory('read and written', 'next argument'),
  buffer_or_null: memory('written', 'next argument', 'any', 'always'),
  size: size(1),
  size_or_zero: size(0),
  constant_size: size(0, true),
  u64_out: memory('written', 8),
  u32_inout: memory('read and written', 4),
  u64_inout: memory('read and written', 8),
  u16_inout: memory('read and written', 2),
  fib_tuple: memory('read and written', FIB_LOOKUP),
  function: { holds: 'function' },
  stack_or_null: memory('read and written', 'unknown', 'stack', 'always'),
  sample: { holds: 'sample' },
  string: memory('read', 'up to its zero', 'read-only map'),
  socket: { holds: 'socket' },
  socket_or_struct: { holds: 'socket' },
  context_or_null: { holds: 'context' },
  cgroup: { holds: 'cgroup' },
  cgroup_or_null: { holds: 'cgroup' },
  value_or_null: memory('read', 'map value', 'any', 'always'),
  ipv4_header: memory('read', IPV4_HEADER),
  tcp_header: memory('read', TCP_HEADER),
  ipv6_header: memory('read', IPV6_HEADER),
  spin_lock: memory('read and written', 4, 'map value'),
  res_spin_lock: memory('read and written', 4, 'map value'),
  timer: memory('read and written', TIMER_SIZE, 'map value'),
  dynptr_out: memory('written', DYNPTR_SIZE, 'stack'),
  dynptr: memory('read and written', DYNPTR_SIZE, 'stack'),
  iterator_out: memory('written', ITERATOR_SIZE, 'stack'),
  iterator: memory('read and written', ITERATOR_SIZE, 'stack'),
  bits_iterator_out: memory('written', BITS_ITERATOR_SIZE, 'stack'),
  bits_iterator: memory('read and written', BITS_ITERATOR_SIZE, 'stack'),
  irq_flags_out: memory('written', 8, 'stack'),
  irq_flags: memory('read and written', 8, 'stack'),
  kernel_variable: { holds: 'kernel variable' },
} satisfies Record<ArgumentType, ArgumentRecord>;

/** The memory behind an argument. @throws {RangeError} for types that reach none */
export function memoryOf(type: ArgumentType): ArgumentMemory {
  const { memory: found } = ARGUMENT_TYPES[type];
  if (found === undefined) throw new RangeError(`an argument of type ${type} reaches no memory`);
  return found;
}
