/**
 * Mutations of an object: one instruction changed at a time, in the ways in which programmers err. Another operator, a
 * constant or an offset beside the right one, a condition the other way round or off by one, a check left out.
 */

import { OPPOSITE } from '../../sim/ebpf/analysis/relation.ts';
import type { BpfObject, BpfProgram } from '../../sim/ebpf/bpf-object.ts';
import { disassembleInstruction } from '../../sim/ebpf/disassemble.ts';
import {
  accessSize,
  BPF_ADD,
  BPF_ALU,
  BPF_ALU64,
  BPF_AND,
  BPF_ARSH,
  BPF_ATOMIC,
  BPF_DIV,
  BPF_END,
  BPF_JCOND,
  BPF_JEQ,
  BPF_JGE,
  BPF_JGT,
  BPF_JLE,
  BPF_JLT,
  BPF_JSET,
  BPF_JSGE,
  BPF_JSGT,
  BPF_JSLE,
  BPF_JSLT,
  BPF_LDX,
  BPF_LSH,
  BPF_MOD,
  BPF_MOV,
  BPF_MUL,
  BPF_NEG,
  BPF_OR,
  BPF_RSH,
  BPF_ST,
  BPF_STX,
  BPF_SUB,
  BPF_X,
  BPF_XOR,
  CLASS_MASK,
  type Instructions,
  isConditionalJump,
  JA,
  LDDW,
  MODE_MASK,
  OPERATION_MASK,
  SOURCE_MASK,
} from '../../sim/ebpf/instruction.ts';
import { sourceAt } from '../../sim/ebpf/object.ts';

export type MutationKind = 'operator' | 'constant' | 'offset' | 'condition' | 'check dropped';

export interface Mutation {
  /** Index of the program in the object. */
  readonly program: number;
  /** The program's name. */
  readonly function: string;
  readonly slot: number;
  readonly kind: MutationKind;
  /** The instruction as it is, and as it is changed. */
  readonly before: string;
  readonly after: string;
  readonly file?: string;
  readonly line?: number;
  /** The C source, where the object carries it. */
  readonly text?: string;
  /** The object with the changed instruction. */
  readonly apply: (object: BpfObject) => BpfObject;
}

/** One slot's new content. */
interface Change {
  readonly kind: MutationKind;
  readonly opcode?: number;
  readonly imm?: number;
  readonly offset?: number;
}

const OPERATORS: ReadonlyMap<number, number> = new Map([
  [BPF_ADD, BPF_SUB],
  [BPF_SUB, BPF_ADD],
  [BPF_MUL, BPF_ADD],
  [BPF_DIV, BPF_MUL],
  [BPF_MOD, BPF_DIV],
  [BPF_AND, BPF_OR],
  [BPF_OR, BPF_AND],
  [BPF_XOR, BPF_OR],
  [BPF_LSH, BPF_RSH],
  [BPF_RSH, BPF_LSH],
  [BPF_ARSH, BPF_RSH],
]);

/** With or without equality: off by one. */
const BORDERS: ReadonlyMap<number, number> = new Map([
  [BPF_JGT, BPF_JGE],
  [BPF_JGE, BPF_JGT],
  [BPF_JLT, BPF_JLE],
  [BPF_JLE, BPF_JLT],
  [BPF_JSGT, BPF_JSGE],
  [BPF_JSGE, BPF_JSGT],
  [BPF_JSLT, BPF_JSLE],
  [BPF_JSLE, BPF_JSLT],
  [BPF_JSET, BPF_JEQ],
]);

/**
 * Every mutation of the programs, in the order of their instructions.
 * @param reached by program and slot: what no input reaches is not changed
 */
export function mutationsOf(
  object: BpfObject,
  programs: readonly number[],
  reached: (program: number, slot: number) => boolean,
): Mutation[] {
  return programs.flatMap((program) => {
    const { instructions } = object.programs[program]!;
    const { count, opcode } = instructions;
    const mutations: Mutation[] = [];
    for (let slot = 0; slot < count; slot++) {
      if (reached(program, slot))
        for (const change of changesOf(instructions, slot))
          mutations.push(mutation(object, program, slot, change));
      if (opcode[slot] === LDDW) slot++;
    }
    return mutations;
  });
}

function changesOf(instructions: Instructions, slot: number): Change[] {
  const { opcode, imm, src, offset } = instructions;
  const code = opcode[slot]!;
  const constant = imm[slot]!;
  switch (code & CLASS_MASK) {
    case BPF_ALU:
    case BPF_ALU64:
      return arithmetic(code, constant);
    case BPF_LDX:
      return [{ kind: 'offset', offset: offset[slot]! + accessSize(code) }];
    case BPF_ST:
      return [
        { kind: 'offset', offset: offset[slot]! + accessSize(code) },
        { kind: 'constant', imm: (constant + 1) | 0 },
      ];
    case BPF_STX:
      if ((code & MODE_MASK) === BPF_ATOMIC) return [];
      return [{ kind: 'offset', offset: offset[slot]! + accessSize(code) }];
    default:
  }
  if (code === LDDW) return src[slot] === 0 ? [{ kind: 'constant', imm: (constant + 1) | 0 }] : [];
  return isConditionalJump(code) ? conditions(code, constant) : [];
}

function arithmetic(code: number, constant: number): Change[] {
  const operation = code & OPERATION_MASK;
  const withOperation = (one: number): number => (code & ~OPERATION_MASK) | one;
  const isConstant = (code & SOURCE_MASK) !== BPF_X;
  // The byte order stays as it was: something is added that is nothing.
  if (operation === BPF_END) return [{ kind: 'operator', opcode: BPF_ALU64 | BPF_ADD, imm: 0 }];
  if (operation === BPF_NEG) return [];
  if (operation === BPF_MOV) return isConstant ? [{ kind: 'constant', imm: (constant + 1) | 0 }] : [];
  const other = OPERATORS.get(operation);
  return [
    ...(other === undefined ? [] : [{ kind: 'operator', opcode: withOperation(other) } as const]),
    ...(isConstant ? [{ kind: 'constant', imm: (constant + 1) | 0 } as const] : []),
  ];
}

function conditions(code: number, constant: number): Change[] {
  const operation = code & OPERATION_MASK;
  if (operation === BPF_JCOND) return [];
  const withOperation = (one: number): number => (code & ~OPERATION_MASK) | one;
  const negated = OPPOSITE.get(operation);
  const border = BORDERS.get(operation);
  const isConstant = (code & SOURCE_MASK) !== BPF_X;
  return [
    ...(negated === undefined ? [] : [{ kind: 'condition', opcode: withOperation(negated) } as const]),
    ...(border === undefined ? [] : [{ kind: 'condition', opcode: withOperation(border) } as const]),
    ...(isConstant ? [{ kind: 'constant', imm: (constant + 1) | 0 } as const] : []),
    { kind: 'check dropped', opcode: JA, offset: 0 },
  ];
}

function mutation(object: BpfObject, program: number, slot: number, change: Change): Mutation {
  const source = object.programs[program]!;
  const changed = changedInstructions(source.instructions, slot, change);
  const line = sourceAt(source, slot);
  return {
    program,
    function: source.function,
    slot,
    kind: change.kind,
    before: disassembleInstruction(source.instructions, slot),
    after: change.kind === 'check dropped' ? 'no check' : disassembleInstruction(changed, slot),
    ...(line === undefined ? {} : { file: line.file, line: line.line }),
    ...(line === undefined || line.text === '' ? {} : { text: line.text }),
    apply: (whole) => ({
      ...whole,
      programs: whole.programs.map((one, index) =>
        index === program ? withInstructions(one, changedInstructions(one.instructions, slot, change)) : one,
      ),
    }),
  };
}

function withInstructions(program: BpfProgram, instructions: Instructions): BpfProgram {
  return { ...program, instructions };
}

function changedInstructions(instructions: Instructions, slot: number, change: Change): Instructions {
  const copy: Instructions = {
    count: instructions.count,
    opcode: instructions.opcode.slice(),
    dst: instructions.dst.slice(),
    src: instructions.src.slice(),
    offset: instructions.offset.slice(),
    imm: instructions.imm.slice(),
  };
  if (change.opcode !== undefined) copy.opcode[slot] = change.opcode;
  if (change.imm !== undefined) copy.imm[slot] = change.imm;
  if (change.offset !== undefined) copy.offset[slot] = change.offset;
  if (change.kind === 'check dropped') {
    copy.dst[slot] = 0;
    copy.src[slot] = 0;
    copy.imm[slot] = 0;
  }
  return copy;
}
