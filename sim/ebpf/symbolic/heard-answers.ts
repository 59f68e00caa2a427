/**
 * What helpers answered a packet in the machine, where its path takes anything for an answer: the values of the path's
 * unknowns, which no input can choose freely.
 */
import { helperAt } from '../helpers/helper-at.ts';
import { CALL } from '../instruction.ts';
import type { State } from '../interpreter/state.ts';
import type { Tracer } from '../interpreter/tracer.ts';
import type { Machine } from '../machine.ts';
import type { Answer } from './path-state.ts';
import type { Assignment, Term } from './term.ts';
import { allOnes, unknownsOf } from './term.ts';

/** Listens to the calls of one run. The answers come in the order of the path's, as long as the run keeps to the path. */
export class AnswerTracer implements Tracer {
  readonly #machine: Machine;
  readonly #answers: readonly Answer[];
  readonly #values = new Map<Term, bigint>();
  #next = 0;
  /** A call whose answer is there before the next instruction, and r1 to r5 as they were. */
  #pending: { readonly answer: Answer; readonly registers: readonly number[] } | undefined;
  /** A helper that answered what its record rules out. */
  broken: string | undefined;

  constructor(machine: Machine, answers: readonly Answer[]) {
    this.#machine = machine;
    this.#answers = answers;
  }

  before({ lo, hi, program }: State, pc: number): void {
    const pending = this.#pending;
    if (pending !== undefined) {
      this.#pending = undefined;
      this.hear(pending.answer, pending.registers, lo[0]!, hi[0]!);
    }
    const answer = this.#answers[this.#next];
    if (answer === undefined || program.source.instructions.opcode[pc] !== CALL) return;
    if (helperAt(this.#machine.object, program.source, pc)?.name !== answer.helper) return;
    this.#next++;
    this.#pending = { answer, registers: [...lo.subarray(1, 6)] };
  }

  /** Takes an answer from what the machine has after the call. @param registers r1 to r5, lower halves, before it */
  hear({ helper, open, written }: Answer, registers: readonly number[], low: number, high: number): void {
    const { u8 } = this.#machine.memory;
    const { number, isNull, address, behind, through, between } = open;
    if (number !== undefined) {
      const all = (BigInt(high >>> 0) << 32n) | BigInt(low >>> 0);
      this.#values.set(number, all & allOnes(number.width));
      if (between !== undefined && (low < between[0] || low > between[1])) this.broken = helper;
    }
    const isThere = low !== 0 || high !== 0;
    if (isNull !== undefined) this.#values.set(isNull, isThere ? 0n : 1n);
    if (isThere && address !== undefined) this.#place(address, low);
    if (isThere) for (const [at, byte] of (behind ?? []).entries()) this.#set(byte, u8[low + at]!);
    for (const [index, bytes] of written.entries()) {
      const from = registers[through[index]!]!;
      for (const [at, byte] of bytes.entries()) this.#set(byte, u8[from + at]!);
    }
  }

  /** @param address an unknown of 16 bits, and a number */
  #place(address: Term, low: number): void {
    for (const unknown of unknownsOf(address))
      this.#values.set(unknown, BigInt(low >>> 0) & allOnes(unknown.width));
  }

  #set(byte: Term, value: number): void {
    this.#values.set(byte, BigInt(value));
  }

  /** Values in which the unknowns of answers are what the machine answered. */
  heard(values: Assignment): Assignment {
    return this.#values.size === 0 ? values : new Map([...values, ...this.#values]);
  }
}
