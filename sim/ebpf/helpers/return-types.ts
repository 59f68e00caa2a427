/**
 * What helpers and kernel functions return in r0. As with arguments, each reader has a table with one row for each type:
 * `interpreter/results.ts`, `wasm/results.ts` and `analysis/results.ts`.
 */

export type ReturnType =
  /** A signed 32-bit number, sign-extended. */
  | 'int'
  /**
   * 32 bits, signed or not, with zeros above: what a C function of the kernel's leaves in the register, as its processor
   * clears the upper half where the lower one is written. (Helpers are wrapped so that they return 64 bits.)
   */
  | 'word'
  /** All 64 bits; the helper sets the upper half with `Machine.result64`. */
  | 'u64'
  /** Nothing that a program may read. */
  | 'void'
  /** What a lookup in the first argument, a map, finds. */
  | 'map_value_or_null'
  /** Fresh memory of as many bytes as the second argument says. */
  | 'sample_or_null'
  /** Memory of as many bytes as the last argument says, read-only where the dynptr is. */
  | 'slice_or_null'
  /** The same, where it is always there. */
  | 'slice'
  /** A socket with all of its fields. */
  | 'socket_or_null'
  /** One that may still be in the making. */
  | 'common_socket_or_null'
  /** One as `struct bpf_tcp_sock`. */
  | 'tcp_socket_or_null'
  /** A structure of the kernel's own, as its BTF describes it. */
  | 'kernel_struct_or_null';

export type ReturnRecord =
  | { readonly holds: 'number'; readonly bits: 32 | 64 }
  | { readonly holds: 'nothing' }
  | { readonly holds: 'pointer'; readonly to: 'slice'; readonly size: 'helper' }
  /** A pointer that the program must compare with null; `size`: who says how many bytes may be reached through it. */
  | {
      readonly holds: 'pointer or null';
      readonly to: 'map value' | 'sample' | 'slice' | 'socket' | 'kernel structure';
      readonly size: 'map value' | 'second argument' | 'helper' | 'its fields';
    };

export const RETURN_TYPES: Readonly<Record<ReturnType, ReturnRecord>> = {
  int: { holds: 'number', bits: 32 },
  word: { holds: 'number', bits: 32 },
  u64: { holds: 'number', bits: 64 },
  void: { holds: 'nothing' },
  map_value_or_null: { holds: 'pointer or null', to: 'map value', size: 'map value' },
  sample_or_null: { holds: 'pointer or null', to: 'sample', size: 'second argument' },
  slice_or_null: { holds: 'pointer or null', to: 'slice', size: 'helper' },
  slice: { holds: 'pointer', to: 'slice', size: 'helper' },
  socket_or_null: { holds: 'pointer or null', to: 'socket', size: 'its fields' },
  common_socket_or_null: { holds: 'pointer or null', to: 'socket', size: 'its fields' },
  tcp_socket_or_null: { holds: 'pointer or null', to: 'socket', size: 'its fields' },
  kernel_struct_or_null: { holds: 'pointer or null', to: 'kernel structure', size: 'its fields' },
} satisfies Record<ReturnType, ReturnRecord>;
