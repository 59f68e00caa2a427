/** Clock, random numbers, CPU as WebAssembly: the twin of `clock-helpers.ts`. */
import { RANDOM_MIX, RANDOM_STEP } from '../../runtime/chance.ts';
import { MACHINE_WORD } from '../memory.ts';
import type { HelperCall } from '../wasm/compile-helper.ts';
import { WASM } from '../wasm/opcodes.ts';
import type { Twins } from '../wasm/twin.ts';

function time({ writer }: HelperCall): boolean {
  writer.code.i32(0).memory(WASM.i64_load, MACHINE_WORD.time * 4);
  writer.pop(0);
  return true;
}

function processor({ writer }: HelperCall): boolean {
  writer.code.i32(0).memory(WASM.i64_load32_u, MACHINE_WORD.cpu * 4);
  writer.pop(0);
  return true;
}

/** `Machine.nextRandom`, step by step. */
function random({ writer }: HelperCall): boolean {
  const { code, temporary } = writer;
  const address = MACHINE_WORD.random * 4;
  code.word(address).i32(RANDOM_STEP).op(WASM.i32_add).set(temporary);
  code.storeWord(address, () => code.get(temporary));
  const shifted = (bits: number): void => {
    code.get(temporary).get(temporary).i32(bits).op(WASM.i32_shr_u).op(WASM.i32_xor);
  };
  shifted(RANDOM_MIX.first);
  code.i32(RANDOM_MIX.firstFactor).op(WASM.i32_mul).set(temporary);
  shifted(RANDOM_MIX.second);
  code.i32(RANDOM_MIX.secondFactor).op(WASM.i32_mul).set(temporary);
  shifted(RANDOM_MIX.last);
  writer.pop(0, false);
  return true;
}

export const CLOCK_TWINS: Twins = {
  bpf_ktime_get_ns: time,
  bpf_ktime_get_boot_ns: time,
  bpf_ktime_get_coarse_ns: time,
  bpf_ktime_get_tai_ns: time,
  bpf_get_smp_processor_id: processor,
  bpf_get_prandom_u32: random,
};
