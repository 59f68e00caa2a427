/**
 * Which bits of a result the kernel's verifier certainly does not know, given those of the operands
 * (kernel/bpf/tnum.c). Where that is hard to say, none: then the machine takes the number for one that it may know.
 */
import {
  BPF_ADD,
  BPF_AND,
  BPF_LSH,
  BPF_MUL,
  BPF_NEG,
  BPF_OR,
  BPF_RSH,
  BPF_SUB,
  BPF_XOR,
} from '../instruction.ts';
import { ALL_BITS, isConstant, SOMEWHERE, type Value } from './abstract-value.ts';

/** @param bits 64, or 32 for operations whose operands and result are the lower halves */
export function unknownBits(operation: number, a: Value, b: Value, bits: 32 | 64): bigint {
  const whole = bits === 64 ? ALL_BITS : 0xffff_ffffn;
  const left = a.unknown & (whole | SOMEWHERE);
  const right = b.unknown & (whole | SOMEWHERE);
  switch (operation) {
    case BPF_ADD:
    case BPF_SUB:
      // `tnum_add`, `tnum_sub`: what is not known of an operand is not known of the result.
      return left | right;
    case BPF_NEG:
      return left === 0n ? 0n : SOMEWHERE;
    case BPF_AND: {
      const known = constantOf(b) ?? constantOf(a);
      return known === undefined ? 0n : (left | right) & known & whole;
    }
    case BPF_OR: {
      const known = constantOf(b) ?? constantOf(a);
      return known === undefined ? 0n : (left | right) & ~known & whole;
    }
    case BPF_XOR:
      return constantOf(a) === undefined && constantOf(b) === undefined ? 0n : left | right;
    case BPF_LSH:
      return isCount(b, bits) ? (left << BigInt(b.min)) & whole : 0n;
    case BPF_RSH:
      return isCount(b, bits) ? (left & whole) >> BigInt(b.min) : 0n;
    case BPF_MUL:
      return multiplied(a, b, left, right);
    default:
      return 0n;
  }
}

/** Two numbers that differ still differ when both are multiplied by the same, as long as nothing is cut off. */
function multiplied(a: Value, b: Value, left: bigint, right: bigint): bigint {
  const [factor, number, unknown] = isConstant(b) ? [b, a, left] : [a, b, right];
  if (!isConstant(factor) || factor.min <= 0 || unknown === 0n) return 0n;
  return number.min >= 0 && factor.min * number.max < 2 ** 32 ? SOMEWHERE : 0n;
}

function isCount(b: Value, bits: number): boolean {
  return isConstant(b) && b.min >= 0 && b.min < bits;
}

function constantOf(one: Value): bigint | undefined {
  return isConstant(one) && Number.isFinite(one.min) ? BigInt.asUintN(64, BigInt(one.min)) : undefined;
}
