/**
 * Conditions on whether something came out of a queue or stack, or is in a Bloom filter. Both helpers return 0 or an error, and
 * compilers ask for it in many ways: against a register that holds 0, or for the sign's bit alone. So what lies between the
 * call and the condition is computed for either answer.
 */
import type { BpfProgram } from '../sim/ebpf/bpf-object.ts';
import { arithmeticOf, COMPARISONS } from '../sim/ebpf/dataflow/arithmetic.ts';
import { holds } from '../sim/ebpf/dataflow/flow-trace.ts';
import {
  BPF_ALU,
  BPF_ALU64,
  BPF_JMP32,
  BPF_MOV,
  BPF_X,
  CALL,
  CLASS_MASK,
  LDDW,
  OPERATION_MASK,
  registersWritten,
  SOURCE_MASK,
} from '../sim/ebpf/instruction.ts';
import { ENOENT } from '../sim/runtime/errno.ts';

type Instructions = BpfProgram['instructions'];

/** Numbers of helpers (linux/bpf.h). */
const TAKING: ReadonlySet<number> = new Set([88, 89]);
/** How far before the call constants are looked for, and how far behind it the condition may be. */
const MAX_DISTANCE = 24;

/** A condition that hangs on such a call. */
export interface TakingCondition {
  /** The slot of the call. */
  readonly call: number;
  /** Is it taken where the call finds something? Where it finds nothing, the condition goes the other way. */
  readonly takenIfFound: boolean;
}

/** @returns undefined where the condition at `slot` does not hang on such a call alone */
export function takingCondition(
  instructions: Instructions,
  start: number,
  slot: number,
): TakingCondition | undefined {
  const call = lastCall(instructions, start, slot);
  if (call === undefined) return undefined;
  const found = isTaken(instructions, Math.max(start, call - MAX_DISTANCE), call, slot, 0n);
  const missed = isTaken(instructions, Math.max(start, call - MAX_DISTANCE), call, slot, BigInt(-ENOENT));
  if (found === undefined || missed === undefined || found === missed) return undefined;
  return { call, takenIfFound: found };
}

/** Control flow is not looked at: the nearest call in the text is taken for the one that ran. */
function lastCall({ opcode, src, imm }: Instructions, start: number, slot: number): number | undefined {
  for (let at = slot - 1; at >= Math.max(start, slot - MAX_DISTANCE); at--)
    if (opcode[at] === CALL) return src[at] === 0 && TAKING.has(imm[at]!) ? at : undefined;
  return undefined;
}

/** Which way the condition goes with this answer of the call; undefined where other things decide, too. */
function isTaken(
  instructions: Instructions,
  from: number,
  call: number,
  slot: number,
  answer: bigint,
): boolean | undefined {
  const { opcode, dst, src, imm } = instructions;
  const registers: (bigint | undefined)[] = new Array(11).fill(undefined);
  for (let at = from; at < slot; at++) {
    const value = at === call ? BigInt.asUintN(64, answer) : computed(instructions, at, registers);
    for (const register of registersWritten(instructions, at)) registers[register] = undefined;
    if (at === call) registers[0] = value;
    else registers[dst[at]!] = isComputing(opcode[at]!) ? value : registers[dst[at]!];
    if (opcode[at] === LDDW) at++;
  }
  const code = opcode[slot]!;
  const comparison = COMPARISONS.get(code & OPERATION_MASK);
  const a = registers[dst[slot]!];
  const b = (code & SOURCE_MASK) === BPF_X ? registers[src[slot]!] : BigInt.asUintN(64, BigInt(imm[slot]!));
  if (comparison === undefined || a === undefined || b === undefined) return undefined;
  return holds(comparison, (code & CLASS_MASK) === BPF_JMP32 ? 32 : 64, a, b);
}

function isComputing(opcode: number): boolean {
  const kind = opcode & CLASS_MASK;
  return opcode === LDDW || kind === BPF_ALU || kind === BPF_ALU64;
}

/** What an instruction leaves in its register, where that is known. */
function computed(
  instructions: Instructions,
  at: number,
  registers: readonly (bigint | undefined)[],
): bigint | undefined {
  const { opcode, dst, src, imm } = instructions;
  const code = opcode[at]!;
  if (code === LDDW)
    return src[at] === 0
      ? BigInt.asUintN(32, BigInt(imm[at]!)) | (BigInt.asUintN(32, BigInt(imm[at + 1]!)) << 32n)
      : undefined;
  if (!isComputing(code)) return undefined;
  const isMove = (code & OPERATION_MASK) === BPF_MOV;
  const a = isMove ? 0n : registers[dst[at]!];
  const b = (code & SOURCE_MASK) === BPF_X ? registers[src[at]!] : 0n;
  if (a === undefined || b === undefined) return undefined;
  const result = arithmeticOf(instructions, at, a, b);
  return typeof result === 'bigint' ? result : undefined;
}
