/**
 * Which instructions exist, as a table: for each opcode its forms, and for each form what the four fields may hold.
 *
 * RFC 9669 appendix A, and kernel/bpf/core.c `BPF_INSN_MAP` with the field checks of kernel/bpf/verifier.c
 * (`check_alu_op`, `check_cond_jmp_op`, `check_ld_imm`, `check_ld_abs`, `do_check`). Versions are those of the
 * compilers' `-mcpu=v1` … `v4`.
 */
import {
  BPF_ABS,
  BPF_ADD,
  BPF_ALU,
  BPF_ALU64,
  BPF_AND,
  BPF_ARSH,
  BPF_ATOMIC,
  BPF_ATOMIC_ADD,
  BPF_ATOMIC_AND,
  BPF_ATOMIC_OR,
  BPF_ATOMIC_XOR,
  BPF_B,
  BPF_CMPXCHG,
  BPF_DIV,
  BPF_DW,
  BPF_END,
  BPF_FETCH,
  BPF_H,
  BPF_IND,
  BPF_JCOND,
  BPF_JEQ,
  BPF_JGE,
  BPF_JGT,
  BPF_JLE,
  BPF_JLT,
  BPF_JMP,
  BPF_JMP32,
  BPF_JNE,
  BPF_JSET,
  BPF_JSGE,
  BPF_JSGT,
  BPF_JSLE,
  BPF_JSLT,
  BPF_K,
  BPF_LD,
  BPF_LDX,
  BPF_LOAD_ACQ,
  BPF_LSH,
  BPF_MEM,
  BPF_MEMSX,
  BPF_MOD,
  BPF_MOV,
  BPF_MUL,
  BPF_NEG,
  BPF_OR,
  BPF_PSEUDO_BTF_ID,
  BPF_PSEUDO_CALL,
  BPF_PSEUDO_FUNC,
  BPF_PSEUDO_KFUNC_CALL,
  BPF_PSEUDO_MAP_FD,
  BPF_PSEUDO_MAP_IDX,
  BPF_PSEUDO_MAP_IDX_VALUE,
  BPF_PSEUDO_MAP_VALUE,
  BPF_RSH,
  BPF_ST,
  BPF_STORE_REL,
  BPF_STX,
  BPF_SUB,
  BPF_TO_BE,
  BPF_TO_LE,
  BPF_W,
  BPF_X,
  BPF_XCHG,
  BPF_XOR,
  CALL,
  EXIT,
  type Instructions,
  JA,
  JA32,
  LDDW,
} from './instruction.ts';

/** What an instruction does with a register; `none`: the field must be 0. */
export type RegisterRole = 'none' | 'read' | 'write' | 'read-write';

/** What the imm or offset field may hold: a list of values, or one of the classes that a list cannot say. */
export type Values = 'any' | 'non-zero' | 'below 32' | 'below 64' | readonly number[];

export interface InstructionForm {
  readonly opcode: number;
  readonly dst: RegisterRole;
  /** A list: the field names no register but says what imm means (`BPF_PSEUDO_*`). */
  readonly src: RegisterRole | readonly number[];
  readonly offset: Values;
  readonly imm: Values;
  /** r0 is an operand too, beside dst and src (`BPF_CMPXCHG`; results of calls). */
  readonly r0: RegisterRole;
  /** The instruction set's version that brought it; 5 stands for what came after RFC 9669. */
  readonly version: 1 | 2 | 3 | 4 | 5;
  /** What the kernel's verifier says when the fields fit no form of the opcode. */
  readonly refusal: string;
}

type Shape = Pick<InstructionForm, 'dst' | 'src' | 'offset' | 'imm'> & Partial<InstructionForm>;

const ZERO: readonly number[] = [0];

function form(
  opcode: number,
  version: InstructionForm['version'],
  refusal: string,
  shape: Shape,
): InstructionForm {
  return { r0: 'none', ...shape, opcode, version, refusal };
}

function arithmetic(): InstructionForm[] {
  const forms: InstructionForm[] = [];
  for (const width of [BPF_ALU, BPF_ALU64]) {
    const reserved = 'BPF_ALU uses reserved fields';
    for (const operation of [BPF_ADD, BPF_SUB, BPF_MUL, BPF_OR, BPF_AND, BPF_XOR]) {
      forms.push(
        form(width | operation | BPF_K, 1, reserved, {
          dst: 'read-write',
          src: 'none',
          offset: ZERO,
          imm: 'any',
        }),
        form(width | operation | BPF_X, 1, reserved, {
          dst: 'read-write',
          src: 'read',
          offset: ZERO,
          imm: ZERO,
        }),
      );
    }
    for (const operation of [BPF_DIV, BPF_MOD]) {
      for (const [offset, version] of [
        [0, 1],
        [1, 4],
      ] as const) {
        forms.push(
          form(width | operation | BPF_K, version, reserved, {
            dst: 'read-write',
            src: 'none',
            offset: [offset],
            imm: 'non-zero',
          }),
          form(width | operation | BPF_X, version, reserved, {
            dst: 'read-write',
            src: 'read',
            offset: [offset],
            imm: ZERO,
          }),
        );
      }
    }
    const shift = width === BPF_ALU ? 'below 32' : 'below 64';
    for (const operation of [BPF_LSH, BPF_RSH, BPF_ARSH]) {
      forms.push(
        form(width | operation | BPF_K, 1, reserved, {
          dst: 'read-write',
          src: 'none',
          offset: ZERO,
          imm: shift,
        }),
        form(width | operation | BPF_X, 1, reserved, {
          dst: 'read-write',
          src: 'read',
          offset: ZERO,
          imm: ZERO,
        }),
      );
    }
    const extensions = width === BPF_ALU ? [8, 16] : [8, 16, 32];
    forms.push(
      form(width | BPF_MOV | BPF_K, 1, 'BPF_MOV uses reserved fields', {
        dst: 'write',
        src: 'none',
        offset: ZERO,
        imm: 'any',
      }),
      form(width | BPF_MOV | BPF_X, 1, 'BPF_MOV uses reserved fields', {
        dst: 'write',
        src: 'read',
        offset: ZERO,
        imm: ZERO,
      }),
      form(width | BPF_MOV | BPF_X, 4, 'BPF_MOV uses reserved fields', {
        dst: 'write',
        src: 'read',
        offset: extensions,
        imm: ZERO,
      }),
      form(width | BPF_NEG, 1, 'BPF_NEG uses reserved fields', {
        dst: 'read-write',
        src: 'none',
        offset: ZERO,
        imm: ZERO,
      }),
    );
  }
  const swap: Shape = { dst: 'read-write', src: 'none', offset: ZERO, imm: [16, 32, 64] };
  forms.push(
    form(BPF_ALU | BPF_END | BPF_TO_LE, 1, 'BPF_END uses reserved fields', swap),
    form(BPF_ALU | BPF_END | BPF_TO_BE, 1, 'BPF_END uses reserved fields', swap),
    form(BPF_ALU64 | BPF_END, 4, 'BPF_END uses reserved fields', swap),
  );
  return forms;
}

function jumps(): InstructionForm[] {
  const forms: InstructionForm[] = [
    form(JA, 1, 'BPF_JA uses reserved fields', { dst: 'none', src: 'none', offset: 'any', imm: ZERO }),
    form(JA32, 4, 'BPF_JA uses reserved fields', { dst: 'none', src: 'none', offset: ZERO, imm: 'any' }),
    form(CALL, 1, 'BPF_CALL uses reserved fields', {
      dst: 'none',
      src: [0, BPF_PSEUDO_CALL],
      offset: ZERO,
      imm: 'any',
      r0: 'write',
    }),
    form(CALL, 1, 'BPF_CALL uses reserved fields', {
      dst: 'none',
      src: [BPF_PSEUDO_KFUNC_CALL],
      offset: 'any',
      imm: 'any',
      r0: 'write',
    }),
    // The kernel does not look at the offset of an exit.
    form(EXIT, 1, 'BPF_EXIT uses reserved fields', {
      dst: 'none',
      src: 'none',
      offset: 'any',
      imm: ZERO,
      r0: 'read',
    }),
    form(BPF_JMP | BPF_JCOND, 5, 'invalid may_goto', { dst: 'none', src: 'none', offset: 'any', imm: ZERO }),
  ];
  const conditions = [
    [BPF_JEQ, 1],
    [BPF_JGT, 1],
    [BPF_JGE, 1],
    [BPF_JSET, 1],
    [BPF_JNE, 1],
    [BPF_JSGT, 1],
    [BPF_JSGE, 1],
    [BPF_JLT, 2],
    [BPF_JLE, 2],
    [BPF_JSLT, 2],
    [BPF_JSLE, 2],
  ] as const;
  const reserved = 'BPF_JMP/JMP32 uses reserved fields';
  for (const [operation, version] of conditions) {
    for (const [width, since] of [
      [BPF_JMP, version],
      [BPF_JMP32, 3],
    ] as const) {
      forms.push(
        form(width | operation | BPF_K, since, reserved, {
          dst: 'read',
          src: 'none',
          offset: 'any',
          imm: 'any',
        }),
        form(width | operation | BPF_X, since, reserved, {
          dst: 'read',
          src: 'read',
          offset: 'any',
          imm: ZERO,
        }),
      );
    }
  }
  return forms;
}

function memory(): InstructionForm[] {
  const forms: InstructionForm[] = [];
  for (const size of [BPF_B, BPF_H, BPF_W, BPF_DW]) {
    forms.push(
      form(BPF_LDX | BPF_MEM | size, 1, 'BPF_LDX uses reserved fields', {
        dst: 'write',
        src: 'read',
        offset: 'any',
        imm: ZERO,
      }),
      form(BPF_ST | BPF_MEM | size, 1, 'BPF_ST uses reserved fields', {
        dst: 'read',
        src: 'none',
        offset: 'any',
        imm: 'any',
      }),
      form(BPF_STX | BPF_MEM | size, 1, 'BPF_STX uses reserved fields', {
        dst: 'read',
        src: 'read',
        offset: 'any',
        imm: ZERO,
      }),
      form(BPF_STX | BPF_ATOMIC | size, 5, 'BPF_ATOMIC uses invalid atomic opcode', {
        dst: 'write',
        src: 'read',
        offset: 'any',
        imm: [BPF_LOAD_ACQ],
      }),
      form(BPF_STX | BPF_ATOMIC | size, 5, 'BPF_ATOMIC uses invalid atomic opcode', {
        dst: 'read',
        src: 'read',
        offset: 'any',
        imm: [BPF_STORE_REL],
      }),
    );
  }
  for (const size of [BPF_B, BPF_H, BPF_W]) {
    forms.push(
      form(BPF_LDX | BPF_MEMSX | size, 4, 'BPF_LDX uses reserved fields', {
        dst: 'write',
        src: 'read',
        offset: 'any',
        imm: ZERO,
      }),
      form(BPF_LD | BPF_ABS | size, 1, 'BPF_LD_[ABS|IND] uses reserved fields', {
        dst: 'none',
        src: 'none',
        offset: ZERO,
        imm: 'any',
        r0: 'write',
      }),
      form(BPF_LD | BPF_IND | size, 1, 'BPF_LD_[ABS|IND] uses reserved fields', {
        dst: 'none',
        src: 'read',
        offset: ZERO,
        imm: 'any',
        r0: 'write',
      }),
    );
  }
  const arithmeticCodes = [BPF_ATOMIC_ADD, BPF_ATOMIC_OR, BPF_ATOMIC_AND, BPF_ATOMIC_XOR];
  const reserved = 'BPF_ATOMIC uses invalid atomic opcode';
  for (const size of [BPF_W, BPF_DW]) {
    const opcode = BPF_STX | BPF_ATOMIC | size;
    forms.push(
      form(opcode, 1, reserved, { dst: 'read', src: 'read', offset: 'any', imm: [BPF_ATOMIC_ADD] }),
      form(opcode, 3, reserved, { dst: 'read', src: 'read', offset: 'any', imm: arithmeticCodes }),
      form(opcode, 3, reserved, {
        dst: 'read',
        src: 'read-write',
        offset: 'any',
        imm: [...arithmeticCodes.map((code) => code | BPF_FETCH), BPF_XCHG],
      }),
      form(opcode, 3, reserved, {
        dst: 'read',
        src: 'read',
        offset: 'any',
        imm: [BPF_CMPXCHG],
        r0: 'read-write',
      }),
    );
  }
  const pseudo = [
    0,
    BPF_PSEUDO_MAP_FD,
    BPF_PSEUDO_MAP_VALUE,
    BPF_PSEUDO_BTF_ID,
    BPF_PSEUDO_FUNC,
    BPF_PSEUDO_MAP_IDX,
    BPF_PSEUDO_MAP_IDX_VALUE,
  ];
  forms.push(
    form(LDDW, 1, 'BPF_LD_IMM64 uses reserved fields', {
      dst: 'write',
      src: pseudo,
      offset: ZERO,
      imm: 'any',
    }),
  );
  return forms;
}

const FORMS: readonly (readonly InstructionForm[])[] = (() => {
  const table: InstructionForm[][] = Array.from({ length: 256 }, () => []);
  for (const row of [...arithmetic(), ...jumps(), ...memory()]) table[row.opcode]!.push(row);
  return table;
})();

/** All forms of an opcode, the oldest first; none: the opcode does not exist. */
export function formsOf(opcode: number): readonly InstructionForm[] {
  return FORMS[opcode] ?? [];
}

/** The form that the instruction at `index` has; undefined: no such opcode, or fields that fit none of its forms. */
export function formAt(instructions: Instructions, index: number): InstructionForm | undefined {
  const dst = instructions.dst[index]!;
  const src = instructions.src[index]!;
  for (const candidate of FORMS[instructions.opcode[index]!]!) {
    if (candidate.dst === 'none' && dst !== 0) continue;
    if (
      typeof candidate.src !== 'string' ? !candidate.src.includes(src) : candidate.src === 'none' && src !== 0
    )
      continue;
    if (!allows(candidate.offset, instructions.offset[index]!)) continue;
    if (allows(candidate.imm, instructions.imm[index]!)) return candidate;
  }
  return undefined;
}

/** Does the field's value belong to those allowed? */
export function allows(values: Values, value: number): boolean {
  switch (values) {
    case 'any':
      return true;
    case 'non-zero':
      return value !== 0;
    case 'below 32':
      return value >= 0 && value < 32;
    case 'below 64':
      return value >= 0 && value < 64;
    default:
      return values.includes(value);
  }
}
