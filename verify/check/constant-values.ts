/**
 * Which values a run made of nothing but the program's constants. A zero that comes from a map or a global variable may be
 * what nobody has filled in yet; one that stands in the program is always one.
 */
import { HELPERS } from '../../sim/ebpf/helpers/index.ts';
import {
  accessSize,
  BPF_ALU,
  BPF_ALU64,
  BPF_ATOMIC,
  BPF_END,
  BPF_LDX,
  BPF_MEM,
  BPF_MOV,
  BPF_NEG,
  BPF_PSEUDO_CALL,
  BPF_REG_FP,
  BPF_ST,
  BPF_STX,
  BPF_X,
  CALL,
  CLASS_MASK,
  LDDW,
  MODE_MASK,
  OPERATION_MASK,
  SOURCE_MASK,
} from '../../sim/ebpf/instruction.ts';
import type { RunTrace, TracedCall } from '../../sim/ebpf/interpreter/trace.ts';
import { STACK_BASE, STACK_SIZE } from '../../sim/ebpf/memory.ts';
import type { Program } from '../../sim/runtime/program.ts';
import { TracedInstructions } from './traced-instructions.ts';

const MAX_CALL_DEPTH = 8;
/** The section of constants that compilers make: nobody fills it in, as user space does with `.rodata`. */
export const COMPILERS = /^\.rodata\.cst\d+\b/;
/** Those that change a packet or move it. */
const PACKET_HELPERS: ReadonlySet<string> = new Set(
  [...HELPERS.values()]
    .filter(({ effects }) => effects.packet === 'written' || effects.packet === 'moved')
    .map(({ name }) => name),
);

export class ConstantValues {
  readonly #instructions: TracedInstructions;
  readonly #steps: RunTrace['steps'];
  readonly #takesPacket: boolean;

  /**
   * @param takesPacket are values that come from the packet taken for constants, too? Nobody is to fill these in either.
   * @throws {ObjectError} where the program cannot be read
   */
  constructor(program: Program, { steps }: Pick<RunTrace, 'steps'>, takesPacket: boolean = false) {
    this.#instructions = new TracedInstructions(program);
    this.#steps = steps;
    this.#takesPacket = takesPacket;
  }

  /** Did all bytes of a range of the packet get constants, and nothing else last? Offsets as `data` stood in the end. */
  isWritten(from: number, to: number): boolean {
    for (let at = from; at < to; at++) {
      const step = this.#lastStore('data', at, at + 1, this.#steps.length);
      if (step === undefined || !this.#isStored(step)) return false;
    }
    return true;
  }

  /** Are bytes of the packet still what they came as, since nothing wrote there or moved them? */
  isLeft(from: number, to: number): boolean {
    return this.#steps.every(({ memory, call }) => {
      if (call !== undefined) return !PACKET_HELPERS.has(call.name);
      const start = memory === undefined ? undefined : offsetIn('data', memory.place);
      return start === undefined || start >= to || start + memory!.bytes.length <= from;
    });
  }

  /** What a register held before a step. */
  isHeld(register: number, before: number): boolean {
    const start = this.#steps[before];
    if (start === undefined) return false;
    let wanted = register;
    let { frame } = start;
    for (let at = before - 1; at >= 0; at--) {
      const step = this.#steps[at]!;
      if (step.frame > frame) {
        // What a function returns nobody follows.
        if (wanted <= 5) return false;
        continue;
      }
      if (step.frame < frame) {
        // The call that this frame began with: arguments come from where it was made.
        frame = step.frame;
        continue;
      }
      const { code, dst, src } = this.#instructions.at(step);
      const kind = code & CLASS_MASK;
      if (code === CALL && src !== BPF_PSEUDO_CALL && wanted <= 5) return false;
      if (kind === BPF_STX && (code & MODE_MASK) === BPF_ATOMIC && (src === wanted || wanted === 0))
        return false;
      if (dst !== wanted) continue;
      if (code === LDDW) return src === 0;
      if (kind === BPF_LDX) return this.#isLoaded(at);
      if (kind !== BPF_ALU && kind !== BPF_ALU64) continue;
      const operation = code & OPERATION_MASK;
      if (operation === BPF_END || operation === BPF_NEG) continue;
      const isRegister = (code & SOURCE_MASK) === BPF_X;
      if (operation === BPF_MOV) {
        if (!isRegister) return true;
        wanted = src;
      } else if (isRegister && !this.isHeld(src, at)) return false;
    }
    return false;
  }

  /** A load of what a store of this frame put on the stack, or of what the compiler keeps apart from the instructions; or of the packet. */
  #isLoaded(at: number): boolean {
    const step = this.#steps[at]!;
    const { code, src, offset } = this.#instructions.at(step);
    const place = src === BPF_REG_FP ? 'fp' : this.#placeIn(src, at);
    if (place !== undefined && COMPILERS.test(place)) return true;
    if (this.#takesPacket && offsetIn('data', place) !== undefined) return true;
    const base = offsetIn('fp', place);
    const size = accessSize(code);
    if (base === undefined || size === undefined || (code & MODE_MASK) !== BPF_MEM) return false;
    const from = base + offset;
    const store = this.#lastStore('fp', from, from + size, at, step.frame);
    return store !== undefined && this.#isStored(store);
  }

  /** Where a register points: `fp-8`. */
  #placeIn(register: number, before: number): string | undefined {
    for (let at = before - 1; at >= 0; at--) {
      const change = this.#steps[at]!.registers.find((one) => one.register === register);
      if (change !== undefined) return change.place;
    }
    return undefined;
  }

  /** The last store that covers all of a range; undefined where a helper may have written there since, or only a part was. */
  #lastStore(
    base: 'data' | 'fp',
    from: number,
    to: number,
    before: number,
    frame?: number,
  ): number | undefined {
    for (let at = before - 1; at >= 0; at--) {
      const { memory, call, frame: own } = this.#steps[at]!;
      const mayWrite = (one: TracedCall): boolean =>
        base === 'data' ? PACKET_HELPERS.has(one.name) : one.arguments.some(isStackAddress);
      if (call !== undefined && mayWrite(call)) return undefined;
      if (frame !== undefined && own !== frame) return undefined;
      const start = memory === undefined ? undefined : offsetIn(base, memory.place);
      if (start === undefined) continue;
      const end = start + memory!.bytes.length;
      if (start <= from && end >= to) return at;
      if (start < to && end > from) return undefined;
    }
    return undefined;
  }

  #isStored(at: number): boolean {
    const { code, src } = this.#instructions.at(this.#steps[at]!);
    if ((code & CLASS_MASK) === BPF_ST) return true;
    return (code & MODE_MASK) === BPF_MEM && this.isHeld(src, at);
  }
}

/** "data+26" is 26 in `data`. */
function offsetIn(base: 'data' | 'fp', place: string | undefined): number | undefined {
  if (place === base) return 0;
  const match = place === undefined ? null : new RegExp(`^${base}([+-]\\d+)$`).exec(place);
  return match === null ? undefined : Number(match[1]);
}

function isStackAddress(value: bigint): boolean {
  return value >= BigInt(STACK_BASE) && value <= BigInt(STACK_BASE + STACK_SIZE * MAX_CALL_DEPTH);
}
