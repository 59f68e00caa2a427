import { InputError } from '../runtime/input-error.ts';

/** A program that the kernel's verifier refuses for its form alone. */
export class InstructionError extends InputError {
  /** Index of the offending slot. */
  readonly instruction: number;

  constructor(instruction: number, message: string) {
    super(`instruction ${instruction}: ${message}`);
    this.name = 'InstructionError';
    this.instruction = instruction;
  }
}
