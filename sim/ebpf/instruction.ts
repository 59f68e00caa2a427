/**
 * eBPF instructions: opcodes by the kernel's names, and programs decoded into typed arrays.
 *
 * RFC 9669 §3, include/uapi/linux/bpf.h and include/uapi/linux/bpf_common.h. An instruction is eight bytes:
 *
 * ```
 *   byte   0        1          2    3      4    5    6    7
 *        ┌────────┬─────┬─────┬───────────┬───────────────────┐
 *        │ opcode │ src │ dst │  offset   │        imm        │   little-endian: dst in the low four bits
 *        └────────┴─────┴─────┴───────────┴───────────────────┘
 * ```
 *
 * The opcode's three low bits are its class, and the class says how to read the other five:
 *
 * ```
 *   arithmetic and jumps                    loads and stores
 *   msb                     lsb             msb                  lsb
 *   ┌───────────────┬───┬───────┐           ┌────────┬─────┬───────┐
 *   │   operation   │ s │ class │           │  mode  │ sz  │ class │
 *   └───────────────┴───┴───────┘           └────────┴─────┴───────┘
 *     s: 0 BPF_K (imm), 1 BPF_X (src)         sz: 0 W, 1 H, 2 B, 3 DW
 * ```
 *
 * `BPF_LD | BPF_IMM | BPF_DW` takes two slots: its second one has opcode 0 and the upper half of the constant in
 * its imm.
 */
import { InputError } from '../runtime/input-error.ts';

// Classes: bits 0–2.
export const BPF_LD = 0x00;
export const BPF_LDX = 0x01;
export const BPF_ST = 0x02;
export const BPF_STX = 0x03;
export const BPF_ALU = 0x04;
export const BPF_JMP = 0x05;
export const BPF_JMP32 = 0x06;
export const BPF_ALU64 = 0x07;
export const CLASS_MASK = 0x07;

// Loads and stores: the size, bits 3–4.
export const BPF_W = 0x00;
export const BPF_H = 0x08;
export const BPF_B = 0x10;
export const BPF_DW = 0x18;
export const SIZE_MASK = 0x18;

// Loads and stores: the mode, bits 5–7.
export const BPF_IMM = 0x00;
export const BPF_ABS = 0x20;
export const BPF_IND = 0x40;
export const BPF_MEM = 0x60;
export const BPF_MEMSX = 0x80;
export const BPF_ATOMIC = 0xc0;
export const MODE_MASK = 0xe0;

// Arithmetic and jumps: the second operand, bit 3.
export const BPF_K = 0x00;
export const BPF_X = 0x08;
export const SOURCE_MASK = 0x08;

// Arithmetic operations: bits 4–7. BPF_DIV and BPF_MOD with offset 1 are signed; BPF_MOV with offset 8, 16 or 32
// extends the sign.
export const BPF_ADD = 0x00;
export const BPF_SUB = 0x10;
export const BPF_MUL = 0x20;
export const BPF_DIV = 0x30;
export const BPF_OR = 0x40;
export const BPF_AND = 0x50;
export const BPF_LSH = 0x60;
export const BPF_RSH = 0x70;
export const BPF_NEG = 0x80;
export const BPF_MOD = 0x90;
export const BPF_XOR = 0xa0;
export const BPF_MOV = 0xb0;
export const BPF_ARSH = 0xc0;
/** Byte swap of imm = 16, 32 or 64 bits: in class BPF_ALU to the order of the source bit, in BPF_ALU64 always. */
export const BPF_END = 0xd0;
export const OPERATION_MASK = 0xf0;
export const BPF_TO_LE = 0x00;
export const BPF_TO_BE = 0x08;

// Jump operations: bits 4–7.
export const BPF_JA = 0x00;
export const BPF_JEQ = 0x10;
export const BPF_JGT = 0x20;
export const BPF_JGE = 0x30;
export const BPF_JSET = 0x40;
export const BPF_JNE = 0x50;
export const BPF_JSGT = 0x60;
export const BPF_JSGE = 0x70;
export const BPF_CALL = 0x80;
export const BPF_EXIT = 0x90;
export const BPF_JLT = 0xa0;
export const BPF_JLE = 0xb0;
export const BPF_JSLT = 0xc0;
export const BPF_JSLE = 0xd0;
/** `may_goto`: jumps when the loop's budget is used up (Linux 6.9); not in RFC 9669. */
export const BPF_JCOND = 0xe0;

export function isMayGoto(opcode: number): boolean {
  return opcode === (BPF_JMP | BPF_JCOND);
}

// Atomic operations: the imm of `BPF_STX | BPF_ATOMIC`. The four arithmetic codes also come without BPF_FETCH.
export const BPF_FETCH = 0x01;
export const BPF_ATOMIC_ADD: number = BPF_ADD;
export const BPF_ATOMIC_OR: number = BPF_OR;
export const BPF_ATOMIC_AND: number = BPF_AND;
export const BPF_ATOMIC_XOR: number = BPF_XOR;
export const BPF_XCHG = 0xe1;
export const BPF_CMPXCHG = 0xf1;
/** Linux 6.15; not in RFC 9669. */
export const BPF_LOAD_ACQ = 0x100;
export const BPF_STORE_REL = 0x110;

// What `src` of a 16-byte load says its constant is.
/** imm is the index of a map in `BpfObject.maps`. (To the kernel: a file descriptor.) */
export const BPF_PSEUDO_MAP_FD = 1;
/** imm is the index of a map, the second imm an offset into its first value. */
export const BPF_PSEUDO_MAP_VALUE = 2;
/** imm is the index of a variable in `BpfObject.variables`. (To the kernel: an id in its BTF.) */
export const BPF_PSEUDO_BTF_ID = 3;
/** imm + 1 is the distance, in slots, from this instruction to the first one of a subprogram. */
export const BPF_PSEUDO_FUNC = 4;
export const BPF_PSEUDO_MAP_IDX = 5;
export const BPF_PSEUDO_MAP_IDX_VALUE = 6;

// What `src` of a call says its imm is; 0: the number of a helper.
/** imm + 1 is the distance, in slots, from the call to the first instruction of a subprogram. */
export const BPF_PSEUDO_CALL = 1;
/** imm is an index into `BpfObject.kfuncs`. (To the kernel: a BTF id.) */
export const BPF_PSEUDO_KFUNC_CALL = 2;

/** `BPF_LD | BPF_IMM | BPF_DW`, the instruction of two slots. */
export const LDDW: number = BPF_LD | BPF_IMM | BPF_DW;
export const CALL: number = BPF_JMP | BPF_CALL;
export const EXIT: number = BPF_JMP | BPF_EXIT;
/** The unconditional jumps: by offset, and (version 4) by imm. */
export const JA: number = BPF_JMP | BPF_JA;
export const JA32: number = BPF_JMP32 | BPF_JA;

/** r0 to r10. */
export const REGISTER_COUNT = 11;
/** r10: read-only, the end of the stack frame. */
export const BPF_REG_FP = 10;
/** Bytes of stack of one frame (include/linux/filter.h). */
export const MAX_BPF_STACK = 512;
/** Frames on top of each other (include/linux/bpf_verifier.h). */
export const MAX_CALL_FRAMES = 8;
/** Slots of a program that the kernel takes (include/linux/bpf.h, `BPF_COMPLEXITY_LIMIT_INSNS`). */
export const MAX_INSTRUCTIONS = 1_000_000;

/** Bytes of one slot. */
export const INSTRUCTION_SIZE = 8;

/** A program, one row per slot. Rows are changed in place while an object is linked, and never afterwards. */
export interface Instructions {
  /** Slots; a 16-byte load counts as two. */
  readonly count: number;
  readonly opcode: Uint8Array;
  readonly dst: Uint8Array;
  readonly src: Uint8Array;
  readonly offset: Int16Array;
  readonly imm: Int32Array;
}

/** Room for `count` slots, all zero. */
export function allocateInstructions(count: number): Instructions {
  return {
    count,
    opcode: new Uint8Array(count),
    dst: new Uint8Array(count),
    src: new Uint8Array(count),
    offset: new Int16Array(count),
    imm: new Int32Array(count),
  };
}

/**
 * Decodes little-endian eBPF; judges nothing (that is `checkInstructions`).
 * @throws {InputError} when the length is no multiple of 8
 */
export function decodeInstructions(bytes: Uint8Array): Instructions {
  if (bytes.length % INSTRUCTION_SIZE !== 0) {
    throw new InputError(
      `eBPF instructions are 8 bytes each: ${bytes.length} bytes are no whole number of them`,
    );
  }
  const instructions = allocateInstructions(bytes.length / INSTRUCTION_SIZE);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let index = 0; index < instructions.count; index++) {
    const at = index * INSTRUCTION_SIZE;
    const registers = bytes[at + 1]!;
    instructions.opcode[index] = bytes[at]!;
    instructions.dst[index] = registers & 0x0f;
    instructions.src[index] = registers >> 4;
    instructions.offset[index] = view.getInt16(at + 2, true);
    instructions.imm[index] = view.getInt32(at + 4, true);
  }
  return instructions;
}

/** The inverse of `decodeInstructions`. */
export function encodeInstructions(instructions: Instructions): Uint8Array {
  const bytes = new Uint8Array(instructions.count * INSTRUCTION_SIZE);
  const view = new DataView(bytes.buffer);
  for (let index = 0; index < instructions.count; index++) {
    const at = index * INSTRUCTION_SIZE;
    bytes[at] = instructions.opcode[index]!;
    bytes[at + 1] = (instructions.src[index]! << 4) | instructions.dst[index]!;
    view.setInt16(at + 2, instructions.offset[index]!, true);
    view.setInt32(at + 4, instructions.imm[index]!, true);
  }
  return bytes;
}

/** Does it read, change and write at once, or in an order that other processors see (RFC 9669 §5.3)? */
export function isAtomic(opcode: number): boolean {
  return (opcode & CLASS_MASK) === BPF_STX && (opcode & MODE_MASK) === BPF_ATOMIC;
}

/** Does the opcode jump on a condition? These are the branches that coverage counts; `may_goto` is one. */
export function isConditionalJump(opcode: number): boolean {
  const operation = opcode & OPERATION_MASK;
  const jumps = (opcode & CLASS_MASK) === BPF_JMP || (opcode & CLASS_MASK) === BPF_JMP32;
  return jumps && operation !== BPF_JA && operation !== BPF_CALL && operation !== BPF_EXIT;
}

/** The slot that the jump (conditional or not) at `index` goes to. */
export function jumpTarget(instructions: Instructions, index: number): number {
  const distance =
    instructions.opcode[index] === JA32 ? instructions.imm[index]! : instructions.offset[index]!;
  return index + 1 + distance;
}

/** The slot that a local call, or a 16-byte load of a function's address, at `index` refers to. */
export function callTarget(instructions: Instructions, index: number): number {
  return index + 1 + instructions.imm[index]!;
}

/** Bytes by the size code of loads and stores. */
const SIZES = [4, 2, 1, 8] as const;

/** How many bytes a load, store or atomic operation moves. */
export function accessSize(opcode: number): 1 | 2 | 4 | 8 {
  return SIZES[((opcode & SIZE_MASK) >> 3) as 0 | 1 | 2 | 3];
}

/** How many bytes an instruction may store; undefined: it is no store. */
export function storeSize(opcode: number): number | undefined {
  const kind = opcode & CLASS_MASK;
  return kind === BPF_ST || kind === BPF_STX ? accessSize(opcode) : undefined;
}

/** The registers that an instruction reads; of calls of helpers, those that their signature names are not among them. */
export function registersRead(instructions: Instructions, slot: number): readonly number[] {
  const opcode = instructions.opcode[slot]!;
  const dst = instructions.dst[slot]!;
  const src = instructions.src[slot]!;
  const operation = opcode & OPERATION_MASK;
  const fromRegister = (opcode & SOURCE_MASK) === BPF_X;
  switch (opcode & CLASS_MASK) {
    case BPF_ALU:
    case BPF_ALU64:
      if (operation === BPF_MOV) return fromRegister ? [src] : [];
      if (operation === BPF_END || operation === BPF_NEG) return [dst];
      return fromRegister ? [dst, src] : [dst];
    case BPF_LD:
      return (opcode & MODE_MASK) === BPF_IND ? [src] : [];
    case BPF_LDX:
      return [src];
    case BPF_ST:
      return [dst];
    case BPF_STX:
      if ((opcode & MODE_MASK) === BPF_ATOMIC) {
        if (instructions.imm[slot] === BPF_LOAD_ACQ) return [src];
        if (instructions.imm[slot] === BPF_CMPXCHG) return [dst, src, 0];
      }
      return [dst, src];
    case BPF_JMP:
    case BPF_JMP32:
      if (opcode === EXIT) return [0];
      if (!isConditionalJump(opcode) || operation === BPF_JCOND) return [];
      return fromRegister ? [dst, src] : [dst];
    default:
      return [];
  }
}

/** What a call leaves behind: its result in r0, and nothing in the registers of its arguments. */
const CLOBBERED: readonly number[] = [0, 1, 2, 3, 4, 5];

/** The registers that hold something else, or nothing, after an instruction. */
export function registersWritten(instructions: Instructions, slot: number): readonly number[] {
  const opcode = instructions.opcode[slot]!;
  const dst = instructions.dst[slot]!;
  switch (opcode & CLASS_MASK) {
    case BPF_ALU:
    case BPF_ALU64:
    case BPF_LDX:
      return [dst];
    case BPF_LD:
      // The second slot of a 16-byte load has opcode 0.
      if ((opcode & MODE_MASK) === BPF_IMM) return opcode === LDDW ? [dst] : [];
      return CLOBBERED;
    case BPF_STX: {
      const operation = isAtomic(opcode) ? instructions.imm[slot]! : 0;
      if (operation === BPF_LOAD_ACQ) return [dst];
      if (operation === BPF_CMPXCHG) return [0];
      return (operation & BPF_FETCH) === 0 ? [] : [instructions.src[slot]!];
    }
    default:
      return opcode === CALL ? CLOBBERED : [];
  }
}
