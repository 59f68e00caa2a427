/** Solves for bytes in a row: addresses and keys, which programs put together in one piece or byte by byte. */
import { type Assignment, bytes, type Operand, tracedValue } from './expression.ts';
import type { InputField } from './inputs.ts';
import { invert } from './invert.ts';
import type { Choosable } from './solve.ts';

/** Bytes that are solved for at a time, where they come from one value. */
const SIZES = [8, 4, 2, 1];

/** Values of inputs with which the bytes would be the wanted ones; undefined where they cannot. */
export function solveBytes(
  parts: readonly Operand[],
  wanted: Uint8Array,
  choosable: Choosable,
): Assignment | undefined {
  if (parts.length !== wanted.length) return undefined;
  const assignment = new Map<InputField, bigint>();
  for (let at = 0; at < wanted.length; ) {
    const size = SIZES.find((one) => {
      if (at + one > wanted.length) return false;
      const target = numberOf(wanted.subarray(at, at + one));
      return solveInto(assignment, bytes(parts.slice(at, at + one)), target, 8 * one, choosable);
    });
    if (size === undefined) return undefined;
    at += size;
  }
  return assignment;
}

/** Adds what it takes to what has been solved before; false where the two contradict each other. */
function solveInto(
  assignment: Map<InputField, bigint>,
  operand: Operand,
  target: bigint,
  bits: number,
  choosable: Choosable,
): boolean {
  if (typeof operand === 'bigint') return BigInt.asUintN(bits, tracedValue(operand)) === target;
  const fitting = invert(operand, target, bits).find((solution) =>
    [...solution].every(([field, value]) => choosable(field) && (assignment.get(field) ?? value) === value),
  );
  for (const [field, value] of fitting ?? []) assignment.set(field, value);
  return fitting !== undefined;
}

/** In the machine's order. */
function numberOf(key: Uint8Array): bigint {
  return key.reduceRight((sum, byte) => (sum << 8n) | BigInt(byte), 0n);
}
