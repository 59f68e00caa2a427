/** The 32 bits that an imported helper returns, made the 64 bits of r0, by its return type. */
import type { ReturnType } from '../helpers/return-types.ts';
import { MACHINE_WORD } from '../memory.ts';
import type { CodeWriter } from './code-writer.ts';
import { WASM } from './opcodes.ts';

type Widening = (code: CodeWriter) => void;

const signed: Widening = (code) => {
  code.op(WASM.i64_extend_i32_s);
};
/** Addresses, and numbers without a sign. */
const unsigned: Widening = (code) => {
  code.op(WASM.i64_extend_i32_u);
};

const WIDENINGS: Readonly<Record<ReturnType, Widening>> = {
  int: signed,
  word: unsigned,
  u64: (code) => {
    code.op(WASM.i64_extend_i32_u);
    code
      .i32(0)
      .memory(WASM.i64_load32_u, MACHINE_WORD.resultHigh * 4)
      .i64(32)
      .op(WASM.i64_shl);
    code.op(WASM.i64_or);
  },
  void: signed,
  map_value_or_null: unsigned,
  sample_or_null: unsigned,
  slice_or_null: unsigned,
  slice: unsigned,
  socket_or_null: unsigned,
  common_socket_or_null: unsigned,
  tcp_socket_or_null: unsigned,
  kernel_struct_or_null: unsigned,
} satisfies Record<ReturnType, Widening>;

export function widenResult(code: CodeWriter, type: ReturnType): void {
  WIDENINGS[type](code);
}
