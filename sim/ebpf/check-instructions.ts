/**
 * What the kernel's verifier refuses for its form alone, before it follows any value
 * (kernel/bpf/verifier.c: `check_subprogs`, `resolve_pseudo_ldimm64`, `check_cfg`, and the field checks of
 * `do_check`, in its words).
 */
import {
  BPF_ABS,
  BPF_ALU,
  BPF_ALU64,
  BPF_DIV,
  BPF_IND,
  BPF_JMP,
  BPF_JMP32,
  BPF_LD,
  BPF_MOD,
  BPF_PSEUDO_CALL,
  BPF_PSEUDO_FUNC,
  BPF_REG_FP,
  BPF_X,
  CALL,
  CLASS_MASK,
  callTarget,
  EXIT,
  type Instructions,
  isConditionalJump,
  JA,
  JA32,
  jumpTarget,
  LDDW,
  MAX_INSTRUCTIONS,
  MODE_MASK,
  OPERATION_MASK,
  SOURCE_MASK,
} from './instruction.ts';
import { InstructionError } from './instruction-error.ts';
import { formAt, formsOf } from './instruction-table.ts';

/** Functions of one program, the main one included (include/linux/bpf_verifier.h). */
const BPF_MAX_SUBPROGS = 256;

export interface CheckOptions {
  /** May `BPF_LD | BPF_ABS` and `BPF_IND` occur? TC programs may use them, XDP programs may not. Default true. */
  readonly packetLoads?: boolean;
}

const wellFormed = new WeakMap<Instructions, boolean>();

/**
 * May the instructions be followed at all? Those that nothing leads to are in nobody's way. What only reads a program, without running it, need not say what is wrong
 * with it: whoever runs it does.
 */
export function areWellFormed(instructions: Instructions): boolean {
  let are = wellFormed.get(instructions);
  if (are === undefined) {
    try {
      checkForm(instructions);
      are = !entersSecondSlot(instructions, reachedIn(instructions));
    } catch (error) {
      if (!(error instanceof InstructionError)) throw error;
      are = false;
    }
    wellFormed.set(instructions, are);
  }
  return are;
}

/**
 * Checks a linked program.
 *
 * The kernel checks fields only of instructions that it reaches; here all are checked, since no compiler emits
 * others. Like the kernel, it refuses instructions that no path leads to, whatever their fields.
 * @throws {InstructionError} naming the first offending instruction and what the kernel says to it
 */
export function checkInstructions(instructions: Instructions, options: CheckOptions = {}): void {
  checkForm(instructions, options);
  checkReach(instructions);
}

function checkForm(instructions: Instructions, options: CheckOptions = {}): void {
  if (instructions.count === 0) throw new InstructionError(0, 'the program is empty');
  if (instructions.count > MAX_INSTRUCTIONS) {
    throw new InstructionError(MAX_INSTRUCTIONS, `a program has at most ${MAX_INSTRUCTIONS} instructions`);
  }
  for (let index = 0; index < instructions.count; index++) {
    checkFields(instructions, index, options.packetLoads ?? true);
    if (instructions.opcode[index] === LDDW) index++;
  }
  checkFunctions(instructions, functionStarts(instructions));
}

function checkFields(instructions: Instructions, index: number, packetLoads: boolean): void {
  const opcode = instructions.opcode[index]!;
  const forms = formsOf(opcode);
  const first = forms[0];
  if (first === undefined) {
    const name = `unknown opcode ${opcode.toString(16).padStart(2, '0')}`;
    const indirect = opcode === (CALL | BPF_X) ? ' (callx: the kernel has no indirect calls)' : '';
    throw new InstructionError(index, name + indirect);
  }
  if (opcode === LDDW) checkSecondSlot(instructions, index);
  const form = formAt(instructions, index);
  if (form === undefined) throw new InstructionError(index, refusalOf(instructions, index, first.refusal));
  if (!packetLoads && isPacketLoad(opcode)) {
    throw new InstructionError(index, 'BPF_LD_[ABS|IND] instructions not allowed for this program type');
  }
  const dst = instructions.dst[index]!;
  const src = instructions.src[index]!;
  if (typeof form.src === 'string' && src > BPF_REG_FP)
    throw new InstructionError(index, `R${src} is invalid`);
  if (dst > BPF_REG_FP) throw new InstructionError(index, `R${dst} is invalid`);
  const writesDst = form.dst === 'write' || form.dst === 'read-write';
  if ((writesDst && dst === BPF_REG_FP) || (form.src === 'read-write' && src === BPF_REG_FP)) {
    throw new InstructionError(index, 'frame pointer is read only');
  }
}

/** The two faults that the kernel does not call reserved fields. */
function refusalOf(instructions: Instructions, index: number, reserved: string): string {
  const opcode = instructions.opcode[index]!;
  const imm = instructions.imm[index]!;
  const operandClass = opcode & CLASS_MASK;
  const onlyImmIsWrong = instructions.src[index] === 0 && (opcode & SOURCE_MASK) !== BPF_X;
  if ((operandClass !== BPF_ALU && operandClass !== BPF_ALU64) || !onlyImmIsWrong) return reserved;
  for (const form of formsOf(opcode)) {
    if (form.imm === 'non-zero' && imm === 0) {
      const operation = opcode & OPERATION_MASK;
      if (operation === BPF_DIV || operation === BPF_MOD) return 'div by zero';
    }
    const shifts = form.imm === 'below 32' || form.imm === 'below 64';
    if (shifts && instructions.offset[index] === 0) return `invalid shift ${imm}`;
  }
  return reserved;
}

function checkSecondSlot(instructions: Instructions, index: number): void {
  const next = index + 1;
  const empty =
    next < instructions.count &&
    instructions.opcode[next] === 0 &&
    instructions.dst[next] === 0 &&
    instructions.src[next] === 0 &&
    instructions.offset[next] === 0;
  if (!empty) throw new InstructionError(index, 'invalid bpf_ld_imm64 insn');
}

function isPacketLoad(opcode: number): boolean {
  const mode = opcode & MODE_MASK;
  return (opcode & CLASS_MASK) === BPF_LD && (mode === BPF_ABS || mode === BPF_IND);
}

/** Does the instruction name another function, by a local call or by taking its address? */
export function refersToFunction(instructions: Instructions, index: number): boolean {
  const opcode = instructions.opcode[index]!;
  const src = instructions.src[index]!;
  return (opcode === CALL && src === BPF_PSEUDO_CALL) || (opcode === LDDW && src === BPF_PSEUDO_FUNC);
}

/**
 * Where functions begin, in order: 0, and whatever is called or has its address taken.
 * @throws {InstructionError} where a call leads outside of the program
 */
export function functionStarts(instructions: Instructions): number[] {
  const starts = new Set([0]);
  for (let index = 0; index < instructions.count; index++) {
    if (refersToFunction(instructions, index)) {
      const target = callTarget(instructions, index);
      if (target < 0 || target >= instructions.count) {
        throw new InstructionError(index, `call to invalid destination ${target}`);
      }
      starts.add(target);
      if (starts.size > BPF_MAX_SUBPROGS) throw new InstructionError(index, 'too many subprograms');
    }
    if (instructions.opcode[index] === LDDW) index++;
  }
  return [...starts].sort((a, b) => a - b);
}

/** Jumps stay in their function, and no function runs off its end (`check_subprogs`). */
function checkFunctions(instructions: Instructions, starts: readonly number[]): void {
  for (const [position, start] of starts.entries()) {
    const end = starts[position + 1] ?? instructions.count;
    let last = start;
    for (let index = start; index < end; index++) {
      const opcode = instructions.opcode[index]!;
      if (opcode === JA || opcode === JA32 || isConditionalJump(opcode)) {
        const target = jumpTarget(instructions, index);
        if (target < start || target >= end) {
          throw new InstructionError(index, `jump out of range from insn ${index} to ${target}`);
        }
      }
      last = index;
      if (opcode === LDDW) index++;
    }
    const final = instructions.opcode[last]!;
    if (final !== EXIT && final !== JA && final !== JA32) {
      throw new InstructionError(last, 'last insn is not an exit or jmp');
    }
  }
}

/** Every instruction is reached, and none through the second slot of a 16-byte load (`check_cfg`). */
function checkReach(instructions: Instructions): void {
  const reached = reachedIn(instructions);
  for (let index = 0; index < instructions.count; index++) {
    if (reached[index] === 0) throw new InstructionError(index, `unreachable insn ${index}`);
    if (instructions.opcode[index] !== LDDW) continue;
    if (reached[index + 1] === 1) {
      throw new InstructionError(index, `jump into the middle of ldimm64 insn ${index}`);
    }
    index++;
  }
}

function entersSecondSlot({ opcode, count }: Instructions, reached: Uint8Array): boolean {
  for (let index = 0; index < count; index++) {
    if (opcode[index] === LDDW && reached[++index] === 1) return true;
  }
  return false;
}

/** Which instructions something leads to: 1. */
function reachedIn(instructions: Instructions): Uint8Array {
  const reached = new Uint8Array(instructions.count);
  const pending: number[] = [0];
  reached[0] = 1;
  const visit = (index: number): void => {
    if (reached[index] === 1) return;
    reached[index] = 1;
    pending.push(index);
  };
  for (let index = pending.pop(); index !== undefined; index = pending.pop()) {
    const opcode = instructions.opcode[index]!;
    const operandClass = opcode & CLASS_MASK;
    if (opcode === LDDW) {
      if (refersToFunction(instructions, index)) visit(callTarget(instructions, index));
      visit(index + 2);
      continue;
    }
    if (operandClass === BPF_JMP || operandClass === BPF_JMP32) {
      if (opcode === EXIT) continue;
      if (opcode === CALL) {
        if (refersToFunction(instructions, index)) visit(callTarget(instructions, index));
      } else {
        visit(jumpTarget(instructions, index));
        if (!isConditionalJump(opcode)) continue;
      }
    }
    visit(index + 1);
  }
  return reached;
}
