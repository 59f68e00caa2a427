/** The interpreter's registers, and what its parts share. */

import type { BpfProgram } from '../bpf-object.ts';
import type { ContextLayout } from '../context/context-access.ts';
import type { Machine } from '../machine.ts';
import { STACK_SIZE } from '../memory.ts';
import { type Provenance, UNINITIALISED } from './provenance.ts';
import { Violation } from './violation.ts';

/** A program of the object, decoded. */
export interface LoadedProgram {
  readonly index: number;
  readonly source: BpfProgram;
  /** Of each slot, which operation on which registers, and what else it needs (`operation.ts`). */
  readonly words: Int32Array;
  readonly operands: Int32Array;
  /** How often each slot's jump was taken. */
  readonly taken: Float64Array;
  /** How often a function was entered, at its first slot. */
  readonly entered: Float64Array;
  /** How often execution ended behind a slot without an exit: a violation, a tail call. */
  readonly left: Float64Array;
  /** Sums whose number the verifier may know (`doubtful-sums.ts`), once one is asked for; and in what context. */
  doubtful: Uint8Array | undefined;
  doubtfulIn: ContextLayout | undefined;
}

/** Something that the kernel accepts but that makes outcomes differ from run to run. */
export type WarningKind =
  /** Bytes of the stack that the program never wrote. */
  | 'unwritten-stack'
  /** An address as a number. */
  | 'leaked-address';

export interface Warning {
  readonly kind: WarningKind;
  readonly program: LoadedProgram;
  readonly instruction: number;
  readonly message: string;
}

export interface State {
  readonly machine: Machine;
  readonly provenance: Provenance;
  /** Lower and upper halves, and tags, of r0 to r10 and the constants. */
  readonly lo: Int32Array;
  readonly hi: Int32Array;
  readonly tag: Int32Array;
  program: LoadedProgram;
  /** The slot under work, where it may end up in a message. */
  pc: number;
  /** Depth of local calls, and so the stack frame. */
  frame: number;
  /** Instructions that this run may still execute. */
  budget: number;
  /** The first, and the first of the other kind. */
  warning: Warning | undefined;
  furtherWarning: Warning | undefined;
  /** What the program has acquired and must release: samples of ring buffers, iterators. */
  references: number;
  /** Address of the lock that the program holds, or 0. */
  lock: number;
  /** Every place beside the registers in use that holds tags of callers. */
  callerTags(): Int32Array[];
}

/** Makes room for new regions; nothing but registers and stack may hold a tag meanwhile. */
export function makeRoom(state: State): void {
  const { provenance, tag, frame } = state;
  if (!provenance.crowded) return;
  const slots = provenance.slots.subarray(0, ((frame + 1) * STACK_SIZE) / 8);
  provenance.compact([tag.subarray(0, 11), slots, ...state.callerTags()]);
}

/** What registers held is gone: the tags from one to before another are those of registers that were never written. */
export function forget(tag: Int32Array, from: number, to: number): void {
  // `fill` takes ten times as long for so few.
  for (let register = from; register < to; register++) tag[register] = UNINITIALISED;
}

/** Stops the program. */
export function violate(reason: string): never {
  throw new Violation(reason);
}

/** Notes the first warning of each kind in a run. */
export function warn(state: State, kind: WarningKind, message: string): void {
  if (state.warning?.kind === kind || state.furtherWarning?.kind === kind) return;
  const warning = { kind, program: state.program, instruction: state.pc, message };
  if (state.warning === undefined) state.warning = warning;
  else state.furtherWarning = warning;
}
