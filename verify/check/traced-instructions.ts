/** The instructions that the steps of a trace ran. */
import type { Instructions } from '../../sim/ebpf/instruction.ts';
import type { TraceStep } from '../../sim/ebpf/interpreter/trace.ts';
import { linkedObject } from '../../sim/ebpf/linked-object.ts';
import type { Program } from '../../sim/runtime/program.ts';

export interface TracedInstruction {
  readonly code: number;
  readonly dst: number;
  readonly src: number;
  readonly offset: number;
}

export class TracedInstructions {
  readonly #byFunction: ReadonlyMap<string, Instructions>;

  /** @throws {ObjectError} where the program cannot be read */
  constructor({ object }: Program) {
    const programs = object === undefined ? [] : linkedObject(object).programs;
    this.#byFunction = new Map(programs.map((one) => [one.function, one.instructions]));
  }

  at({ program, instruction }: TraceStep): TracedInstruction {
    const { opcode, dst, src, offset } = this.#byFunction.get(program)!;
    return {
      code: opcode[instruction]!,
      dst: dst[instruction]!,
      src: src[instruction]!,
      offset: offset[instruction]!,
    };
  }
}
