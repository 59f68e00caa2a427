/**
 * What an object compares packets with, read off its code without running it: the bytes that a packet must hold for a
 * comparison to come out equal, in the packet's order, and where the analysis can tell, at which offset. What programs do to
 * a value before they compare it (byte order, masks, shifts, sums) is undone.
 */

import { DATA_ID, KIND } from '../analysis/abstract-value.ts';
import { type Access, VERDICT } from '../analysis/access.ts';
import { analyse } from '../analysis/analysis.ts';
import { meetingPoints } from '../analysis/control-flow.ts';
import type { BpfObject, BpfProgram } from '../bpf-object.ts';
import { areWellFormed } from '../check-instructions.ts';
import { programLayout } from '../context/program-layout.ts';
import { arithmeticOf, COMPARISONS } from '../dataflow/arithmetic.ts';
import { bytes, cut, type Expression, fieldsOf, input, type Operand } from '../dataflow/expression.ts';
import type { Comparison } from '../dataflow/flow-trace.ts';
import type { InputField } from '../dataflow/inputs.ts';
import { invert } from '../dataflow/invert.ts';
import { helperAt } from '../helpers/helper-at.ts';
import {
  accessSize,
  BPF_ABS,
  BPF_ALU,
  BPF_ALU64,
  BPF_JMP32,
  BPF_LD,
  BPF_LDX,
  BPF_MEMSX,
  BPF_PSEUDO_CALL,
  BPF_X,
  CALL,
  CLASS_MASK,
  EXIT,
  isConditionalJump,
  JA,
  JA32,
  LDDW,
  MODE_MASK,
  OPERATION_MASK,
  SOURCE_MASK,
} from '../instruction.ts';
import { ETHERNET_HEADER } from '../packet-area.ts';
import { SKF_LL_OFF, SKF_NET_OFF } from '../packet-load-offsets.ts';

export interface DictionaryEntry {
  /** As they lie in a packet. */
  readonly bytes: Uint8Array;
  /** From the frame's first byte, where it is always the same. */
  readonly offset?: number;
}

/** Objects compare with hundreds of constants at the most; generated ones are cut. */
const MAX_ENTRIES = 1_024;
/** Places that are not at a fixed offset count from here on, by the base of their pointer. */
const FLOATING = 1_000_000;
const PER_BASE = 4_096;
/** Bytes of a constant in a data section that may be something to look for. */
const DATA_SIZES: readonly number[] = [2, 4, 6, 8, 16];

const known = new WeakMap<BpfObject, readonly DictionaryEntry[]>();

/** The entries of all of the object's programs, each once, in the order in which they are met. */
export function dictionaryOf(object: BpfObject): readonly DictionaryEntry[] {
  const before = known.get(object);
  if (before !== undefined) return before;
  const entries = new Map<string, DictionaryEntry>();
  const add = (entry: DictionaryEntry): void => {
    if (entries.size < MAX_ENTRIES) entries.set(`${entry.offset ?? ''} ${entry.bytes.join()}`, entry);
  };
  for (const program of object.programs) {
    if (!areWellFormed(program.instructions)) continue;
    if (program.hook !== undefined) addProgram(object, program, program.hook === 'xdp' ? 'xdp' : 'tc', add);
  }
  for (const entry of constants(object)) add(entry);
  const all = [...entries.values()];
  known.set(object, all);
  return all;
}

type Add = (entry: DictionaryEntry) => void;

function addProgram(object: BpfObject, program: BpfProgram, hook: 'xdp' | 'tc', add: Add): void {
  const { accesses } = analyse({
    program,
    maps: object.maps,
    layout: programLayout(hook, program),
    helperAt: (slot) => helperAt(object, program, slot),
    enteredWith: 'context',
    frozen: () => undefined,
  });
  new Reader(program, accesses, add).read();
}

/** Goes through a program once, in order, and forgets everything where paths may meet. */
class Reader {
  readonly #program: BpfProgram;
  readonly #accesses: ReadonlyMap<number, Access>;
  readonly #add: Add;
  readonly #fields = new Map<number, InputField>();
  #registers: (Operand | undefined)[] = [];
  /** Bytes that were compared for equality one behind the other: texts. */
  #text: { at: number; bytes: number[] } = { at: -1, bytes: [] };

  constructor(program: BpfProgram, accesses: ReadonlyMap<number, Access>, add: Add) {
    this.#program = program;
    this.#accesses = accesses;
    this.#add = add;
  }

  read(): void {
    const { instructions, subprograms } = this.#program;
    const { count, opcode } = instructions;
    const meeting = meetingPoints(instructions, subprograms);
    for (let slot = 0; slot < count; slot++) {
      if (meeting.has(slot)) this.#registers = [];
      this.#step(slot);
      if (opcode[slot] === LDDW) slot++;
    }
    this.#endText();
  }

  #step(slot: number): void {
    const { opcode, dst, src, imm, offset } = this.#program.instructions;
    const code = opcode[slot]!;
    const registers = this.#registers;
    const d = dst[slot]!;
    switch (code & CLASS_MASK) {
      case BPF_ALU:
      case BPF_ALU64:
        registers[d] = this.#arithmetic(slot);
        return;
      case BPF_LDX: {
        const size = accessSize(code);
        const loaded = this.#loaded(this.#accesses.get(slot), offset[slot]!, size);
        registers[d] =
          loaded !== undefined && (code & MODE_MASK) === BPF_MEMSX ? cut(loaded, 8 * size, 64) : loaded;
        return;
      }
      case BPF_LD:
        if (code === LDDW)
          registers[d] =
            src[slot] === 0 ? (BigInt(imm[slot + 1]! >>> 0) << 32n) | BigInt(imm[slot]! >>> 0) : undefined;
        else
          registers[0] =
            (code & MODE_MASK) === BPF_ABS ? this.#bigEndian(imm[slot]!, accessSize(code)) : undefined;
        return;
      default:
    }
    if (code === CALL) registers.length = 0;
    else if (code === EXIT || code === JA || code === JA32) this.#registers = [];
    else if (isConditionalJump(code)) this.#compare(slot);
    if (code === CALL && src[slot] === BPF_PSEUDO_CALL) this.#registers = [];
  }

  #arithmetic(slot: number): Operand | undefined {
    const { instructions } = this.#program;
    const { opcode, dst, src } = instructions;
    const isRegister = (opcode[slot]! & SOURCE_MASK) === BPF_X;
    const a = this.#registers[dst[slot]!];
    const b = isRegister ? this.#registers[src[slot]!] : 0n;
    const isMove = (opcode[slot]! & OPERATION_MASK) === 0xb0;
    if (b === undefined || (a === undefined && !isMove)) return undefined;
    return arithmeticOf(instructions, slot, a ?? 0n, b);
  }

  /** Bytes of the packet, with a place of their own where the pointer's offset is known. */
  #loaded(access: Access | undefined, offset: number, size: number): Operand | undefined {
    if (access === undefined || access.verdict === VERDICT.violation) return undefined;
    const { kind, min, max, id } = access.pointer;
    if (kind !== KIND.packet || min !== max) return undefined;
    const at = min + offset;
    const base = id === DATA_ID ? 0 : FLOATING + (Math.abs(id) % 1_000_003) * PER_BASE;
    return bytes(Array.from({ length: size }, (_, index) => input(this.#field(base + at + index), 0n)));
  }

  #bigEndian(offset: number, size: number): Operand | undefined {
    const at = startOfLoad(offset);
    if (at === undefined) return undefined;
    return bytes(Array.from({ length: size }, (_, index) => input(this.#field(at + size - 1 - index), 0n)));
  }

  #field(offset: number): InputField {
    let field = this.#fields.get(offset);
    if (field === undefined) {
      field = { kind: 'packet', packet: 0, offset };
      this.#fields.set(offset, field);
    }
    return field;
  }

  #compare(slot: number): void {
    const { opcode, dst, src, imm } = this.#program.instructions;
    const code = opcode[slot]!;
    const comparison = COMPARISONS.get(code & OPERATION_MASK);
    const a = this.#registers[dst[slot]!];
    const isRegister = (code & SOURCE_MASK) === BPF_X;
    const b = isRegister ? this.#registers[src[slot]!] : BigInt.asUintN(64, BigInt(imm[slot]!));
    if (comparison === undefined || a === undefined || b === undefined) return;
    const bits = (code & CLASS_MASK) === BPF_JMP32 ? 32 : 64;
    if (typeof a !== 'bigint' && typeof b === 'bigint') this.#note(a, comparison, b, bits);
    else if (typeof a === 'bigint' && typeof b !== 'bigint') this.#note(b, comparison, a, bits);
  }

  #note(operand: Expression, comparison: Comparison, constant: bigint, bits: 32 | 64): void {
    const isEquality = comparison === 'eq' || comparison === 'ne' || comparison === 'set';
    for (const target of isEquality ? [constant] : [constant, constant + 1n, constant - 1n]) {
      const [solution] = invert(operand, target, bits);
      if (solution === undefined) continue;
      const fields = [...fieldsOf(operand)].flatMap((field) => (field.kind === 'packet' ? [field] : []));
      const places = fields.map((field) => field.offset).sort((x, y) => x - y);
      const [first] = places;
      if (first === undefined || places.at(-1)! - first !== places.length - 1) continue;
      const values = new Map(fields.map((field) => [field.offset, Number(solution.get(field) ?? 0n)]));
      const found = Uint8Array.from(places, (place) => values.get(place)!);
      this.#add(entryAt(first, found));
      if (isEquality) this.#continueText(first, found);
    }
  }

  #continueText(at: number, found: Uint8Array): void {
    const text = this.#text;
    if (text.at + text.bytes.length !== at || text.bytes.length > 32) {
      this.#endText();
      this.#text = { at, bytes: [...found] };
    } else text.bytes.push(...found);
  }

  #endText(): void {
    const { at, bytes: text } = this.#text;
    if (text.length > 1) this.#add(entryAt(at, Uint8Array.from(text)));
  }
}

function entryAt(at: number, found: Uint8Array): DictionaryEntry {
  return at < FLOATING && at >= 0 ? { bytes: found, offset: at } : { bytes: found };
}

/** Constants in `.rodata`: in the machine's order and the other way round. */
function constants({ maps }: BpfObject): DictionaryEntry[] {
  return maps.flatMap(({ global }) => {
    if (global?.readOnly !== true) return [];
    return [...global.variables.values()].flatMap(({ offset, size }) => {
      const value = global.bytes.slice(offset, offset + size);
      if (!DATA_SIZES.includes(size) || value.every((byte) => byte === 0)) return [];
      return size <= 8 ? [{ bytes: value }, { bytes: value.toReversed() }] : [{ bytes: value }];
    });
  });
}

/** Where in a frame that nothing has moved a packet load of this offset begins. */
function startOfLoad(offset: number): number | undefined {
  if (offset >= 0) return offset;
  if (offset >= SKF_NET_OFF) return ETHERNET_HEADER + offset - SKF_NET_OFF;
  return offset >= SKF_LL_OFF ? offset - SKF_LL_OFF : undefined;
}
