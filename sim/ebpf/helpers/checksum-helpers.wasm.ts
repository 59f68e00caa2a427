/** `bpf_csum_diff` as WebAssembly, with the folded result of Linux 6.13: the twin of `checksum-helpers.ts`. */
import { behaviourOf } from '../kernel-versions.ts';
import { CodeWriter } from '../wasm/code-writer.ts';
import { I32, I64, WASM } from '../wasm/opcodes.ts';
import type { ModuleFunction, Twin, Twins } from '../wasm/twin.ts';

/** Leaves 32 bits of what is in a local: the upper half added to the lower, with end-around carry. */
function foldTo32(code: CodeWriter, sum: number): void {
  for (let round = 0; round < 2; round++) {
    code.get(sum).i64(-1, 0).op(WASM.i64_and).get(sum).i64(32).op(WASM.i64_shr_u).op(WASM.i64_add).set(sum);
  }
}

/**
 * (address, size, sum) → `csum_partial`: the one's complement sum of little-endian words on top of `sum`, in 32
 * bits. Adding up in 64 bits and folding at the end gives the same: no size is large enough to fill them.
 */
function compileChecksumPartial(): CodeWriter {
  const [address, size, sum] = [0, 1, 2];
  const code = new CodeWriter(3);
  const last = code.local(I32);
  const shift = code.local(I64);
  code.get(address).get(size).i32(-4).op(WASM.i32_and).op(WASM.i32_add).set(last);
  const until = (end: () => void, step: () => void): void => {
    code.block();
    const out = code.depth;
    code.loop();
    const again = code.depth;
    code.get(address);
    end();
    code.op(WASM.i32_eq).branchIf(out);
    step();
    code.branch(again).end().end();
  };
  const advance = (bytes: number): void => {
    code.get(address).i32(bytes).op(WASM.i32_add).set(address);
  };
  until(
    () => code.get(last),
    () => {
      code.get(sum).get(address).memory(WASM.i64_load32_u, 0).op(WASM.i64_add).set(sum);
      advance(4);
    },
  );
  code.get(last).get(size).i32(3).op(WASM.i32_and).op(WASM.i32_add).set(last);
  until(
    () => code.get(last),
    () => {
      code.get(sum).get(address).memory(WASM.i64_load8_u, 0).get(shift).op(WASM.i64_shl);
      code.op(WASM.i64_add).set(sum);
      code.get(shift).i64(8).op(WASM.i64_add).set(shift);
      advance(1);
    },
  );
  foldTo32(code, sum);
  return code.get(sum);
}

/** (from, its size, to, its size, seed) → the helper's result. @param partial WebAssembly's index of `csum_partial` */
function compileChecksumDifference(partial: number): CodeWriter {
  const [from, fromSize, to, toSize, seed] = [0, 1, 2, 3, 4];
  const code = new CodeWriter(5);
  const sum = code.local(I64);
  const invert = (): void => {
    code.i64(-1, 0).op(WASM.i64_xor);
  };
  code.get(seed).op(WASM.i64_extend_i32_u).set(sum);
  code.get(toSize).if();
  code.get(to).get(toSize).get(sum).call(partial).set(sum);
  code.get(fromSize).if();
  code.get(sum).get(from).get(fromSize).i64(0).call(partial);
  invert();
  code.op(WASM.i64_add).set(sum);
  foldTo32(code, sum);
  code.end();
  code.else();
  code.get(fromSize).if();
  code.get(from).get(fromSize).get(sum);
  invert();
  code.call(partial);
  invert();
  code.set(sum);
  code.end();
  code.end();
  for (let round = 0; round < 2; round++) {
    code.get(sum).i64(0xffff).op(WASM.i64_and).get(sum).i64(16).op(WASM.i64_shr_u).op(WASM.i64_add).set(sum);
  }
  return code.get(sum);
}

const PARTIAL: ModuleFunction = {
  parameters: [I32, I32, I64],
  results: [I64],
  compile: compileChecksumPartial,
};

const DIFFERENCE: ModuleFunction = {
  parameters: [I32, I32, I32, I32, I32],
  results: [I64],
  compile: ({ indexOf }) => compileChecksumDifference(indexOf(PARTIAL)),
};

const checksumDifference: Twin = ({ writer }, { options, indexOf }) => {
  if (!behaviourOf(options.asKernel).checksumDifferenceFolds) return false;
  for (let register = 1; register <= 5; register++) writer.push(register, false);
  writer.code.call(indexOf(DIFFERENCE));
  writer.pop(0);
  return true;
};

export const CHECKSUM_TWINS: Twins = { bpf_csum_diff: checksumDifference };
