/** How much stack a program's functions take together, read off its instructions. */

import type { BpfProgram } from './bpf-object.ts';
import {
  BPF_ADD,
  BPF_ALU64,
  BPF_LDX,
  BPF_MOV,
  BPF_PSEUDO_CALL,
  BPF_PSEUDO_FUNC,
  BPF_REG_FP,
  BPF_ST,
  BPF_STX,
  BPF_X,
  CALL,
  CLASS_MASK,
  callTarget,
  type Instructions,
  LDDW,
} from './instruction.ts';

export interface StackDepth {
  /** Bytes of the deepest chain of calls. */
  readonly bytes: number;
  /** That chain, by name; with `recursive` the one that comes back to itself. */
  readonly functions: readonly string[];
  readonly recursive: boolean;
}

/** The verifier rounds each frame up to so much (`check_max_stack_depth_subprog`, with a JIT). */
const GRANULE = 16;

export function deepestStack(program: BpfProgram): StackDepth {
  const frames = program.subprograms.map(({ start, count }) => frameSize(program.instructions, start, count));
  const known = new Map<number, StackDepth>();
  const visit = (index: number, above: readonly number[]): StackDepth => {
    const name = program.subprograms[index]!.name;
    if (above.includes(index)) return { bytes: 0, functions: [name], recursive: true };
    const done = known.get(index);
    if (done !== undefined) return done;
    let deepest: StackDepth = { bytes: 0, functions: [], recursive: false };
    for (const callee of callees(program, index)) {
      const below = visit(callee, [...above, index]);
      if (below.recursive) return { ...below, functions: [name, ...below.functions] };
      if (below.bytes >= deepest.bytes) deepest = below;
    }
    const own = Math.max(GRANULE, Math.ceil(frames[index]! / GRANULE) * GRANULE);
    const depth = { bytes: own + deepest.bytes, functions: [name, ...deepest.functions], recursive: false };
    known.set(index, depth);
    return depth;
  };
  return program.subprograms.length === 0 ? { bytes: 0, functions: [], recursive: false } : visit(0, []);
}

function callees(program: BpfProgram, index: number): number[] {
  const { start, count } = program.subprograms[index]!;
  const { opcode, src } = program.instructions;
  const found = new Set<number>();
  for (let slot = start; slot < start + count; slot++) {
    const calls = opcode[slot] === CALL && src[slot] === BPF_PSEUDO_CALL;
    const names = opcode[slot] === LDDW && src[slot] === BPF_PSEUDO_FUNC;
    if (calls || names) {
      const target = callTarget(program.instructions, slot);
      const callee = program.subprograms.findIndex((each) => each.start === target);
      if (callee >= 0) found.add(callee);
    }
    if (opcode[slot] === LDDW) slot++;
  }
  return [...found];
}

/** Bytes below r10 that a function's loads and stores reach, directly or by a copy of r10 moved by a constant. */
function frameSize(instructions: Instructions, start: number, count: number): number {
  const { opcode, dst, src, offset, imm } = instructions;
  let size = 0;
  /** The register that was just made a copy of r10. */
  let copy = -1;
  for (let slot = start; slot < start + count; slot++) {
    const code = opcode[slot]!;
    const operandClass = code & CLASS_MASK;
    const base =
      operandClass === BPF_LDX
        ? src[slot]
        : operandClass === BPF_ST || operandClass === BPF_STX
          ? dst[slot]
          : -1;
    if (base === BPF_REG_FP) size = Math.max(size, -offset[slot]!);
    if (code === (BPF_ALU64 | BPF_MOV | BPF_X) && src[slot] === BPF_REG_FP) copy = dst[slot]!;
    else if (code === (BPF_ALU64 | BPF_ADD) && dst[slot] === copy) size = Math.max(size, -imm[slot]!);
    if (code === LDDW) slot++;
  }
  return size;
}
