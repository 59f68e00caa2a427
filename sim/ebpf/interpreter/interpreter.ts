/**
 * The interpreter: runs one program on one packet, and checks every step as the verifier would.
 *
 * Registers are pairs of 32-bit halves in typed arrays (big integers cost four times as much), with a tag beside
 * each (`provenance.ts`). The main loop handles what is plainly right by itself; everything else goes to
 * `access.ts`, `pointers.ts` and `calls.ts`, which either explain it or stop the program.
 */
import { TC_ACT_REDIRECT, TC_ACT_SHOT } from '../../runtime/actions.ts';
import { CALL_COST, DEFAULT_BUDGET, MAX_LOOPS } from '../limits.ts';
import { CopySent, Forbidden, type Machine, Unsupported } from '../machine.ts';
import { CONTEXT_BASE, STACK_BASE, STACK_FRAMES, STACK_SIZE } from '../memory.ts';
import { clobber } from './calls.ts';
import { Constants } from './constants.ts';
import { type Execution, execute, exhausted } from './execute.ts';
import { decodeOperations, type Operations } from './operation.ts';
import { CONTEXT_REGION, Provenance, STACK_REGION, UNINITIALISED } from './provenance.ts';
import { loadConstants, type RegisterFile, registerFile } from './registers.ts';
import { forget, type LoadedProgram, makeRoom, violate, type Warning } from './state.ts';
import type { Tracer } from './tracer.ts';
import { Violation } from './violation.ts';

export interface Stop {
  readonly reason: string;
  /** Is it the machine that falls short, and not the program? */
  readonly unsupported: boolean;
  readonly program: LoadedProgram;
  readonly instruction: number;
}

/** How a run ended. */
export interface RunResult {
  /** What the program returned, as a signed 32-bit number; 0 after a violation. */
  action: number;
  /** Why the program was stopped, and where. */
  violation: Stop | undefined;
  /** What the kernel accepts, but should worry the author. */
  warning: Warning | undefined;
  /** The first of the other kind. */
  furtherWarning: Warning | undefined;
}

const NOT_DECODED: Operations = { words: new Int32Array(0), operands: new Int32Array(0) };

/** What a program may be given instead of a context. */
export interface EntryValue {
  /** Index of the map that it belongs to. */
  readonly map: number;
  readonly address: number;
  readonly size: number;
}

export class Interpreter implements Execution {
  readonly machine: Machine;
  readonly provenance: Provenance;
  readonly programs: readonly LoadedProgram[];
  readonly lo: Int32Array;
  readonly hi: Int32Array;
  readonly tag: Int32Array;
  readonly #constants: RegisterFile;
  program: LoadedProgram;
  pc = 0;
  frame = 0;
  budget = 0;
  warning: Warning | undefined;
  furtherWarning: Warning | undefined;
  references = 0;
  lock = 0;
  /** Is told of every step; slow. */
  tracer: Tracer | undefined;
  /** Instructions that the next runs may execute. */
  fullBudget: number;
  /** Rounds that `may_goto` still allows in this run. */
  mayGoto = 0;
  /** Registers r6 to r9 of the callers: halves, and beside them their tags. */
  readonly #saved = new Int32Array(8 * STACK_FRAMES);
  readonly #savedTags = new Int32Array(4 * STACK_FRAMES);
  /** Tags of r1 to r5 of helpers that are calling back, by frame. */
  readonly #heldTags = new Int32Array(5 * STACK_FRAMES);
  /** Where each frame's call is, and of which program, for the one above it. */
  readonly #callSites = new Int32Array(STACK_FRAMES);
  readonly #callers: LoadedProgram[] = [];
  readonly #result: RunResult = {
    action: 0,
    violation: undefined,
    warning: undefined,
    furtherWarning: undefined,
  };

  /**
   * @param wanted the programs to decode, as indices into the object's; default: all
   * @param budget instructions that one run may execute
   */
  constructor(machine: Machine, wanted?: ReadonlySet<number>, budget: number = DEFAULT_BUDGET) {
    this.machine = machine;
    this.fullBudget = budget;
    this.provenance = new Provenance(machine.maps);
    const constants = new Constants(machine.maps, this.provenance);
    this.programs = machine.object.programs.map((source, index) => {
      const { count } = source.instructions;
      const decodes = wanted === undefined || wanted.has(index);
      return {
        index,
        source,
        ...(decodes ? decodeOperations(source.instructions, constants) : NOT_DECODED),
        taken: new Float64Array(count),
        entered: new Float64Array(count),
        left: new Float64Array(count),
        doubtful: undefined,
        doubtfulIn: undefined,
      };
    });
    this.program = this.programs[0]!;
    this.#constants = constants.values();
    const { lo, hi, tag } = registerFile();
    this.lo = lo;
    this.hi = hi;
    this.tag = tag;
    loadConstants(this.#constants);
    machine.invoke = (target, kind, a, b, c, d) => this.#callBack(target, kind === 'loop', a, b, c, d);
  }

  /**
   * Runs a program on the packet that the machine holds. The result is the same object every time.
   * @param value a map value that the program gets instead of the context: its address in r1, its size in r2
   */
  run(index: number, value?: EntryValue): RunResult {
    const result = this.#result;
    const { provenance } = this;
    result.violation = undefined;
    this.warning = undefined;
    this.furtherWarning = undefined;
    this.machine.tailCall = -1;
    this.program = this.programs[index]!;
    this.frame = 0;
    this.references = 0;
    this.lock = 0;
    this.budget = this.fullBudget;
    this.mayGoto = MAX_LOOPS;
    if (provenance.take()) loadConstants(this.#constants);
    try {
      provenance.begin();
      forget(this.tag, 0, 11);
      this.lo[1] = CONTEXT_BASE;
      this.hi[1] = 0;
      this.tag[1] = CONTEXT_REGION;
      if (value !== undefined) this.#enterWith(value);
      this.#enterFrame(0);
      this.#function(0);
      result.action = this.machine.isOfCopies ? TC_ACT_SHOT : this.lo[0]!;
    } catch (error) {
      this.#enterEnd(error);
      this.program.left[this.pc]!++;
      for (let frame = 0; frame < this.frame; frame++) {
        this.#callers[frame]!.left[this.#callSites[frame]!]!++;
      }
      provenance.restart();
    } finally {
      provenance.end();
    }
    result.warning = this.warning;
    result.furtherWarning = this.furtherWarning;
    return result;
  }

  /** @throws what ends no run */
  #enterEnd(error: unknown): void {
    const result = this.#result;
    if (error instanceof CopySent) {
      result.action = TC_ACT_REDIRECT;
      return;
    }
    const reason = reasonOf(error);
    if (reason === undefined) throw error;
    const unsupported = error instanceof Unsupported;
    result.action = 0;
    result.violation = { reason, unsupported, program: this.program, instruction: this.pc };
  }

  #enterWith({ map, address, size }: EntryValue): void {
    const { provenance } = this;
    this.lo[1] = address;
    this.tag[1] =
      size === 0 ? provenance.freshScalar() : provenance.memoryRegion(address, size, map, true, true);
    this.lo[2] = size;
    this.hi[2] = 0;
    this.tag[2] = provenance.freshScalar();
  }

  #enterFrame(frame: number): void {
    this.frame = frame;
    this.lo[10] = STACK_BASE + STACK_SIZE * (frame + 1);
    this.hi[10] = 0;
    this.tag[10] = STACK_REGION + frame;
    this.provenance.clearFrame(frame);
  }

  /** Runs a function to its end, tail calls included. */
  #function(start: number): void {
    let pc = start;
    const { machine } = this;
    const caller = this.program;
    for (;;) {
      this.program.entered[pc]!++;
      if (execute(this, pc)) break;
      // A tail call: another program in this frame, with nothing but the context.
      this.program.left[this.pc]!++;
      this.program = this.programs[machine.tailCall]!;
      machine.tailCall = -1;
      forget(this.tag, 0, 11);
      this.lo[1] = CONTEXT_BASE;
      this.hi[1] = 0;
      this.tag[1] = CONTEXT_REGION;
      this.#enterFrame(this.frame);
      pc = 0;
    }
    this.program = caller;
  }

  callLocal(target: number): void {
    const { lo, hi, tag, frame } = this;
    const saved = this.#saved;
    const savedTags = this.#savedTags;
    if (frame + 1 >= STACK_FRAMES) {
      violate(`the call stack of ${STACK_FRAMES + 1} frames is too deep !`);
    }
    const callSite = this.pc;
    this.#callSites[frame] = callSite;
    this.#callers[frame] = this.program;
    for (let register = 6; register < 10; register++) {
      saved[8 * frame + register - 6] = lo[register]!;
      saved[8 * frame + register - 2] = hi[register]!;
      savedTags[4 * frame + register - 6] = tag[register]!;
      tag[register] = UNINITIALISED;
    }
    tag[0] = UNINITIALISED;
    this.#enterFrame(frame + 1);
    this.#function(target);
    const returned = tag[0]!;
    if (returned > 0 && returned === STACK_REGION + frame + 1)
      violate('cannot return stack pointer to the caller');
    for (let register = 6; register < 10; register++) {
      lo[register] = saved[8 * frame + register - 6]!;
      hi[register] = saved[8 * frame + register - 2]!;
      tag[register] = savedTags[4 * frame + register - 6]!;
    }
    this.frame = frame;
    lo[10] = STACK_BASE + STACK_SIZE * (frame + 1);
    hi[10] = 0;
    tag[10] = STACK_REGION + frame;
    this.pc = callSite;
    clobber(this);
  }

  callerTags(): Int32Array[] {
    return [
      this.#savedTags.subarray(0, 4 * this.frame),
      this.#heldTags.subarray(0, 5 * this.frame),
      // What a function that has returned held is of no interest, nor is what none ever set.
    ];
  }

  /** What a helper's callback gets in its registers comes from the helper's own arguments, in r1 to r4 still. */
  #callBack(target: number, isLoop: boolean, a: number, b: number, c: number, d: number): number {
    const { lo, hi, tag, provenance, frame } = this;
    const held = this.#heldTags;
    makeRoom(this);
    for (let register = 1; register <= 5; register++) held[5 * frame + register - 1] = tag[register]!;
    forget(tag, 1, 6);
    const set = (register: number, value: number, valueTag: number): void => {
      lo[register] = value;
      hi[register] = 0;
      tag[register] = valueTag;
    };
    if (isLoop) {
      set(1, a, provenance.freshScalar());
      set(2, b, held[5 * frame + 2]!);
    } else {
      const map = this.machine.mapAt(a);
      const index = this.machine.maps.indexOf(map);
      set(1, a, held[5 * frame]!);
      set(2, b, provenance.memoryRegion(b, map.definition.keySize, index, true, false));
      set(3, c, provenance.memoryRegion(c, map.valueSize, index, map.programReadable, map.programWritable));
      set(4, d, held[5 * frame + 2]!);
    }
    this.budget -= CALL_COST;
    if (this.budget < 0) exhausted(this, this.pc);
    this.callLocal(target);
    const result = lo[0]!;
    if (hi[0] !== 0 || (result !== 0 && result !== 1) || tag[0]! >= 0) {
      violate('At callback return the register R0 should have been in [0, 1]');
    }
    for (let register = 1; register <= 5; register++) tag[register] = held[5 * frame + register - 1]!;
    return result;
  }
}

/** Why a run was stopped; undefined: it was not, something else went wrong. */
function reasonOf(error: unknown): string | undefined {
  if (error instanceof Violation) return error.reason;
  return error instanceof Forbidden || error instanceof Unsupported ? error.message : undefined;
}
