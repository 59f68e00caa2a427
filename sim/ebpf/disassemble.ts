/** Instructions as text, in the notation of the kernel's verifier log and of bpftool (kernel/bpf/disasm.c). */
import { visibleLine } from '../runtime/visible-text.ts';
import type { BpfObject, BpfProgram, SourceLine } from './bpf-object.ts';
import { helperName } from './helper-names.ts';
import {
  BPF_ABS,
  BPF_ADD,
  BPF_ALU,
  BPF_ALU64,
  BPF_AND,
  BPF_ATOMIC,
  BPF_CMPXCHG,
  BPF_DW,
  BPF_END,
  BPF_FETCH,
  BPF_IND,
  BPF_JCOND,
  BPF_JMP,
  BPF_JMP32,
  BPF_LD,
  BPF_LDX,
  BPF_LOAD_ACQ,
  BPF_MEM,
  BPF_MEMSX,
  BPF_NEG,
  BPF_OR,
  BPF_PSEUDO_BTF_ID,
  BPF_PSEUDO_CALL,
  BPF_PSEUDO_FUNC,
  BPF_PSEUDO_KFUNC_CALL,
  BPF_PSEUDO_MAP_FD,
  BPF_PSEUDO_MAP_VALUE,
  BPF_ST,
  BPF_STORE_REL,
  BPF_STX,
  BPF_TO_BE,
  BPF_X,
  BPF_XCHG,
  BPF_XOR,
  CALL,
  CLASS_MASK,
  callTarget,
  EXIT,
  type Instructions,
  JA,
  JA32,
  LDDW,
  MODE_MASK,
  OPERATION_MASK,
  SIZE_MASK,
  SOURCE_MASK,
} from './instruction.ts';

/** What the numbers in instructions stand for; without them, the numbers themselves are shown. */
export interface Names {
  readonly map?: (index: number) => string | undefined;
  /** A variable of the kernel. */
  readonly variable?: (index: number) => string | undefined;
  readonly kfunc?: (index: number) => string | undefined;
  /** The function that begins at a slot of the program. */
  readonly function?: (slot: number) => string | undefined;
}

const ALU: readonly string[] = [
  '+=',
  '-=',
  '*=',
  '/=',
  '|=',
  '&=',
  '<<=',
  '>>=',
  '',
  '%=',
  '^=',
  '=',
  's>>=',
];
const CONDITIONS: readonly string[] = [
  '',
  '==',
  '>',
  '>=',
  '&',
  '!=',
  's>',
  's>=',
  '',
  '',
  '<',
  '<=',
  's<',
  's<=',
];
const FETCHES: ReadonlyMap<number, string> = new Map([
  [BPF_ADD, 'add'],
  [BPF_OR, 'or'],
  [BPF_AND, 'and'],
  [BPF_XOR, 'xor'],
]);
const UNSIGNED: readonly string[] = ['u32', 'u16', 'u8', 'u64'];
const SIGNED: readonly string[] = ['s32', 's16', 's8', 's64'];

/** The names that a program's instructions use. */
export function namesOf(object: BpfObject, program: BpfProgram): Names {
  const starts = new Map(program.subprograms.map((each) => [each.start, each.name]));
  return {
    map: (index) => object.maps[index]?.name,
    kfunc: (index) => object.kfuncs[index],
    variable: (index) => object.variables[index]?.name,
    function: (slot) => starts.get(slot),
  };
}

/**
 * A whole program: each function under its name, C source lines before the instructions that came of them, and
 * each instruction with its index and opcode:
 *
 * ```
 * ; if (eth + 1 > end) @ icmp_echo.bpf.c:23
 *   12: (2d) if r3 > r2 goto pc+7
 * ```
 */
export function disassemble(object: BpfObject, program: BpfProgram): string {
  const { instructions } = program;
  const names = namesOf(object, program);
  const width = Math.max(4, String(instructions.count - 1).length);
  const lines: string[] = [];
  let row = 0;
  let shown = '';
  for (let index = 0; index < instructions.count; index++) {
    const name = names.function?.(index);
    if (name !== undefined) {
      lines.push(...(index > 0 ? [''] : []), `${visibleLine(name)}:`);
      shown = '';
    }
    // Several rows for one instruction: the last one is the place, as `sourceAt` has it.
    while (program.lineInfo[row + 1]?.instruction === index) row++;
    const source = program.lineInfo[row];
    if (source?.instruction === index) {
      const place = `${source.file}:${source.line}`;
      // One line of source in several rows, for its columns, is shown once.
      if (place !== shown) lines.push(sourceComment(source));
      shown = place;
    }
    const opcode = instructions.opcode[index]!;
    const reason = program.poisoned.get(index);
    const text = disassembleInstruction(instructions, index, names);
    const note = reason === undefined ? '' : `  ; ${reason}`;
    lines.push(`${String(index).padStart(width)}: (${opcode.toString(16).padStart(2, '0')}) ${text}${note}`);
    if (opcode === LDDW) index++;
  }
  return `${lines.join('\n')}\n`;
}

/** `; if (eth + 1 > end) @ icmp_echo.bpf.c:23`, or the place alone where the object does not carry the text. */
export function sourceComment({ file, line, text }: SourceLine): string {
  return visibleLine(`; ${text === '' ? '' : `${text} `}@ ${file.slice(file.lastIndexOf('/') + 1)}:${line}`);
}

/** One instruction: `r0 = *(u32 *)(r1 +4)`. What no kernel knows is shown as `BUG_` and its opcode, as the kernel does. */
export function disassembleInstruction(instructions: Instructions, index: number, names: Names = {}): string {
  const opcode = instructions.opcode[index]!;
  const row: Row = {
    opcode,
    dst: instructions.dst[index]!,
    src: instructions.src[index]!,
    offset: instructions.offset[index]!,
    imm: instructions.imm[index]!,
  };
  switch (opcode & CLASS_MASK) {
    case BPF_ALU:
    case BPF_ALU64:
      return arithmetic(row);
    case BPF_JMP:
    case BPF_JMP32:
      return jump(instructions, index, row, names);
    case BPF_LDX:
      return load(row);
    case BPF_ST:
      return (opcode & MODE_MASK) === BPF_MEM ? `${memory(row, row.dst)} = ${row.imm}` : unknown(row);
    case BPF_STX:
      return store(row);
    default:
      return opcode === LDDW ? wideLoad(instructions, index, row, names) : packetLoad(row);
  }
}

interface Row {
  readonly opcode: number;
  readonly dst: number;
  readonly src: number;
  readonly offset: number;
  readonly imm: number;
}

function unknown(row: Row): string {
  return `BUG_${row.opcode.toString(16).padStart(2, '0')}`;
}

function signed(value: number): string {
  return value < 0 ? `${value}` : `+${value}`;
}

/** `*(u32 *)(r1 +4)` */
function memory(row: Row, register: number, types: readonly string[] = UNSIGNED): string {
  return `*${place(row, register, types)}`;
}

/** `(u32 *)(r1 +4)` */
function place(row: Row, register: number, types: readonly string[] = UNSIGNED): string {
  return `(${types[(row.opcode & SIZE_MASK) >> 3]} *)(r${register} ${signed(row.offset)})`;
}

function arithmetic(row: Row): string {
  const { opcode, dst, src, offset, imm } = row;
  const operation = opcode & OPERATION_MASK;
  const narrow = (opcode & CLASS_MASK) === BPF_ALU;
  const register = narrow ? 'w' : 'r';
  if (operation === BPF_END) {
    const order = (opcode & SOURCE_MASK) === BPF_TO_BE ? 'be' : 'le';
    return `r${dst} = ${narrow ? order : 'bswap'}${imm} r${dst}`;
  }
  if (operation === BPF_NEG) return `${register}${dst} = -${register}${dst}`;
  const sign = ALU[operation >> 4];
  if (sign === undefined) return unknown(row);
  const signedDivision = (sign === '/=' || sign === '%=') && offset === 1 ? 's' : '';
  if ((opcode & SOURCE_MASK) !== BPF_X) return `${register}${dst} ${signedDivision}${sign} ${imm}`;
  const extension = sign === '=' && offset !== 0 ? `(s${offset})` : '';
  return `${register}${dst} ${signedDivision}${sign} ${extension}${register}${src}`;
}

function jump(instructions: Instructions, index: number, row: Row, names: Names): string {
  const { opcode, dst, src, offset, imm } = row;
  if (opcode === CALL) return call(instructions, index, row, names);
  if (opcode === EXIT) return 'exit';
  if (opcode === JA) return `goto pc${signed(offset)}`;
  if (opcode === JA32) return `gotol pc${signed(imm)}`;
  if (opcode === (BPF_JMP | BPF_JCOND)) return `may_goto pc${signed(offset)}`;
  const condition = CONDITIONS[(opcode & OPERATION_MASK) >> 4];
  if (!condition) return unknown(row);
  const register = (opcode & CLASS_MASK) === BPF_JMP32 ? 'w' : 'r';
  const operand = (opcode & SOURCE_MASK) === BPF_X ? `${register}${src}` : `0x${(imm >>> 0).toString(16)}`;
  return `if ${register}${dst} ${condition} ${operand} goto pc${signed(offset)}`;
}

function call(instructions: Instructions, index: number, row: Row, names: Names): string {
  if (row.src === BPF_PSEUDO_CALL) {
    const name = names.function?.(callTarget(instructions, index));
    return `call pc${signed(row.imm)}${name === undefined ? '' : `#${name}`}`;
  }
  const name =
    row.src === BPF_PSEUDO_KFUNC_CALL ? (names.kfunc?.(row.imm) ?? 'kernel-function') : helperName(row.imm);
  return `call ${name ?? 'unknown'}#${row.imm}`;
}

function load(row: Row): string {
  const mode = row.opcode & MODE_MASK;
  if (mode === BPF_MEM) return `r${row.dst} = ${memory(row, row.src)}`;
  if (mode === BPF_MEMSX) return `r${row.dst} = ${memory(row, row.src, SIGNED)}`;
  return unknown(row);
}

function store(row: Row): string {
  const { opcode, dst, src, imm } = row;
  const mode = opcode & MODE_MASK;
  if (mode === BPF_MEM) return `${memory(row, dst)} = r${src}`;
  if (mode !== BPF_ATOMIC) return unknown(row);
  const width = (opcode & SIZE_MASK) === BPF_DW ? '64' : '';
  if (imm === BPF_CMPXCHG) return `r0 = atomic${width}_cmpxchg(${place(row, dst)}, r0, r${src})`;
  if (imm === BPF_XCHG) return `r${src} = atomic${width}_xchg(${place(row, dst)}, r${src})`;
  if (imm === BPF_LOAD_ACQ) return `r${dst} = load_acquire(${place(row, src)})`;
  if (imm === BPF_STORE_REL) return `store_release(${place(row, dst)}, r${src})`;
  const name = FETCHES.get(imm & ~BPF_FETCH);
  if (name === undefined) return unknown(row);
  if ((imm & BPF_FETCH) === 0) return `lock ${memory(row, dst)} ${ALU[imm >> 4]} r${src}`;
  return `r${src} = atomic${width}_fetch_${name}(${place(row, dst)}, r${src})`;
}

function packetLoad(row: Row): string {
  const type = UNSIGNED[(row.opcode & SIZE_MASK) >> 3];
  const mode = row.opcode & MODE_MASK;
  if ((row.opcode & CLASS_MASK) !== BPF_LD) return unknown(row);
  if (mode === BPF_ABS) return `r0 = *(${type} *)skb[${row.imm}]`;
  if (mode === BPF_IND) return `r0 = *(${type} *)skb[r${row.src} + ${row.imm}]`;
  return unknown(row);
}

function wideLoad(instructions: Instructions, index: number, row: Row, names: Names): string {
  const { dst, src, imm } = row;
  const upper = instructions.imm[index + 1] ?? 0;
  const map = (): string => names.map?.(imm) ?? `${imm}`;
  switch (src) {
    case BPF_PSEUDO_MAP_FD:
      return `r${dst} = map[${map()}]`;
    case BPF_PSEUDO_MAP_VALUE:
      return `r${dst} = map[${map()}][0]+${upper}`;
    case BPF_PSEUDO_BTF_ID:
      return `r${dst} = ksym[${names.variable?.(imm) ?? imm}]`;
    case BPF_PSEUDO_FUNC: {
      const name = names.function?.(callTarget(instructions, index));
      return `r${dst} = subprog[${signed(imm)}]${name === undefined ? '' : `#${name}`}`;
    }
    default:
      return `r${dst} = 0x${((BigInt(upper >>> 0) << 32n) | BigInt(imm >>> 0)).toString(16)}`;
  }
}
