/** The instructions that the steps of a trace ran. */

import { isFillable, mayBeLoaders } from '../../sim/ebpf/analysis/settable-data.ts';
import type { BpfMap, BpfObject } from '../../sim/ebpf/bpf-object.ts';
import type { Instructions } from '../../sim/ebpf/instruction.ts';
import type { TraceStep } from '../../sim/ebpf/interpreter/trace.ts';
import { linkedObject } from '../../sim/ebpf/linked-object.ts';
import { mapNamed } from '../../sim/ebpf/made-maps.ts';
import type { Program } from '../../sim/runtime/program.ts';

export interface TracedInstruction {
  readonly code: number;
  readonly dst: number;
  readonly src: number;
  readonly offset: number;
  readonly imm: number;
}

export class TracedInstructions {
  readonly #byFunction: ReadonlyMap<string, Instructions>;
  readonly #object: BpfObject | undefined;

  /** @throws {ObjectError} where the program cannot be read */
  constructor({ object }: Program) {
    this.#object = object === undefined ? undefined : linkedObject(object);
    const programs = this.#object?.programs ?? [];
    this.#byFunction = new Map(programs.map((one) => [one.function, one.instructions]));
  }

  /** The map of this name, or a pointer to it that a trace places so. */
  map(name: string | undefined): BpfMap | undefined {
    if (name === undefined || this.#object === undefined) return undefined;
    return mapNamed(this.#object.maps, name);
  }

  /** Is a byte of a data section one of a variable whose contents may be user space’s to say? */
  isOpen(section: string, offset: number): boolean {
    const map = this.map(section);
    if (this.#object === undefined || map === undefined) return false;
    return mayBeLoaders(this.#object, map, offset) || isFillable(this.#object, map, offset);
  }

  /** All of a function's. */
  of(program: string): Instructions | undefined {
    return this.#byFunction.get(program);
  }

  at({ program, instruction }: TraceStep): TracedInstruction {
    const { opcode, dst, src, offset, imm } = this.#byFunction.get(program)!;
    return {
      code: opcode[instruction]!,
      dst: dst[instruction]!,
      src: src[instruction]!,
      offset: offset[instruction]!,
      imm: imm[instruction]!,
    };
  }
}
