/**
 * The interpreter: runs one program on one packet, and checks every step as the verifier would.
 *
 * Registers are pairs of 32-bit halves in typed arrays (big integers cost four times as much), with a tag beside
 * each (`provenance.ts`). The main loop handles what is plainly right by itself; everything else goes to
 * `access.ts`, `pointers.ts` and `calls.ts`, which either explain it or stop the program.
 */
import { type Machine, Unsupported } from '../machine.ts';
import { CONTEXT_BASE, STACK_BASE, STACK_FRAMES, STACK_SIZE } from '../memory.ts';
import { checkLoad, checkStore } from './access.ts';
import { runAtomic } from './atomic.ts';
import { callHelper, clobber, UNREADABLE } from './calls.ts';
import { Constants } from './constants.ts';
import { callKernelFunction } from './kernel-calls.ts';
import { decodeOperations } from './operation.ts';
import { loadPacket } from './packet-load.ts';
import { checkPlainOperands, concludeFromComparison, tagOfSum } from './pointers.ts';
import { CONTEXT_REGION, KNOWN, PIN_MASK, Provenance, STACK_REGION, UNINITIALISED } from './provenance.ts';
import { type LoadedProgram, makeRoom, type State, violate, type Warning } from './state.ts';
import type { Tracer } from './tracer.ts';
import { Violation } from './violation.ts';
import { divide, divide32, multiplyHigh, quotient, swap32 } from './wide.ts';

/** Instructions that one run may execute: the kernel's verifier walks as many (`BPF_COMPLEXITY_LIMIT_INSNS`), callbacks more. */
export const DEFAULT_BUDGET = 64_000_000;

/** `BPF_MAX_LOOPS` (include/linux/bpf.h). */
export const MAX_MAY_GOTO: number = 8 * 1024 * 1024;

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
}

/** What a program may be given instead of a context. */
export interface EntryValue {
  /** Index of the map that it belongs to. */
  readonly map: number;
  readonly address: number;
  readonly size: number;
}

const TAIL_CALL_HELPER = 12;
/** What a call takes from the budget: callbacks have no backward jump that would. */
const CALL_COST = 4;

export class Interpreter implements State {
  readonly machine: Machine;
  readonly provenance: Provenance;
  readonly programs: readonly LoadedProgram[];
  readonly lo: Int32Array;
  readonly hi: Int32Array;
  readonly tag: Int32Array;
  program: LoadedProgram;
  pc = 0;
  frame = 0;
  budget = 0;
  warning: Warning | undefined;
  samples = 0;
  lock = 0;
  /** Is told of every step; slow. */
  tracer: Tracer | undefined;
  readonly #budget: number;
  /** Rounds that `may_goto` still allows in this run. */
  #mayGoto = 0;
  /** Registers r6 to r9 of the callers: halves, and beside them their tags. */
  readonly #saved = new Int32Array(8 * STACK_FRAMES);
  readonly #savedTags = new Int32Array(4 * STACK_FRAMES);
  /** Tags of r1 to r5 of helpers that are calling back, by frame. */
  readonly #heldTags = new Int32Array(5 * STACK_FRAMES);
  /** Where each frame's call is, and of which program, for the one above it. */
  readonly #callSites = new Int32Array(STACK_FRAMES);
  readonly #callers: LoadedProgram[] = [];
  readonly #result: RunResult = { action: 0, violation: undefined, warning: undefined };

  /**
   * @param wanted the programs to decode, as indices into the object's; default: all
   * @param budget instructions that one run may execute
   */
  constructor(machine: Machine, wanted?: ReadonlySet<number>, budget: number = DEFAULT_BUDGET) {
    this.machine = machine;
    this.#budget = budget;
    this.provenance = new Provenance(machine.maps);
    const constants = new Constants(machine.maps, this.provenance);
    this.programs = machine.object.programs.map((source, index) => {
      const { count } = source.instructions;
      const decodes = wanted === undefined || wanted.has(index);
      return {
        index,
        source,
        words: decodes ? decodeOperations(source.instructions, constants) : new Int32Array(0),
        taken: new Float64Array(count),
        entered: new Float64Array(count),
        left: new Float64Array(count),
      };
    });
    this.program = this.programs[0]!;
    const registers = constants.registers();
    this.lo = registers.lo;
    this.hi = registers.hi;
    this.tag = registers.tag;
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
    this.machine.tailCall = -1;
    this.program = this.programs[index]!;
    this.frame = 0;
    this.samples = 0;
    this.lock = 0;
    this.budget = this.#budget;
    this.#mayGoto = MAX_MAY_GOTO;
    provenance.begin();
    this.tag.fill(UNINITIALISED, 0, 11);
    this.lo[1] = CONTEXT_BASE;
    this.hi[1] = 0;
    this.tag[1] = CONTEXT_REGION;
    if (value !== undefined) this.#enterWith(value);
    this.#enterFrame(0);
    try {
      this.#function(0);
      result.action = this.lo[0]!;
    } catch (error) {
      if (!(error instanceof Violation) && !(error instanceof Unsupported)) throw error;
      const unsupported = error instanceof Unsupported;
      const reason = unsupported ? error.message : error.reason;
      result.action = 0;
      result.violation = { reason, unsupported, program: this.program, instruction: this.pc };
      this.program.left[this.pc]!++;
      for (let frame = 0; frame < this.frame; frame++) {
        this.#callers[frame]!.left[this.#callSites[frame]!]!++;
      }
      provenance.restart();
    }
    result.warning = this.warning;
    return result;
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
      if (this.#execute(pc)) break;
      // A tail call: another program in this frame, with nothing but the context.
      this.program.left[this.pc]!++;
      this.program = this.programs[machine.tailCall]!;
      machine.tailCall = -1;
      this.tag.fill(UNINITIALISED, 0, 11);
      this.lo[1] = CONTEXT_BASE;
      this.hi[1] = 0;
      this.tag[1] = CONTEXT_REGION;
      this.#enterFrame(this.frame);
      pc = 0;
    }
    this.program = caller;
  }

  #callLocal(target: number): void {
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
    tag.fill(UNINITIALISED, 1, 6);
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
    if (this.budget < 0) this.#exhausted(this.pc);
    this.#callLocal(target);
    const result = lo[0]!;
    if (hi[0] !== 0 || (result !== 0 && result !== 1) || tag[0]! >= 0) {
      violate('At callback return the register R0 should have been in [0, 1]');
    }
    for (let register = 1; register <= 5; register++) tag[register] = held[5 * frame + register - 1]!;
    return result;
  }

  /** The main loop. @returns true at the function's exit, false where a tail call leaves it */
  #execute(start: number): boolean {
    const { lo, hi, tag, provenance, machine, tracer } = this;
    const { lowest, limit, writeLimit, movable, pinned } = provenance;
    const { u8, view } = machine.memory;
    const { words, taken } = this.program;
    // Each step has a tag for the unknown scalar that it may make; handed over around calls.
    let unknown = provenance.unknown;
    let pc = start;
    for (;;) {
      if (tracer !== undefined) tracer.before(this, pc);
      unknown -= 2;
      const word = words[pc * 2]!;
      const d = (word >> 8) & 0xff;
      const s = word >>> 16;
      const argument = words[pc * 2 + 1]!;
      let jump = false;
      switch (word & 0xff) {
        case 0: {
          // ADD64
          const td = tag[d]!;
          const ts = tag[s]!;
          let sum: number;
          if ((td & ts) < 0)
            sum = pinned[td & PIN_MASK] === td && pinned[ts & PIN_MASK] === ts ? KNOWN : unknown;
          else if (ts === KNOWN && td > 0 && movable[td] === 1 && isNear(lo[s]!, hi[s]!)) sum = td;
          else {
            this.pc = pc;
            sum = tagOfSum(this, d, s, false);
            if (sum === 0) sum = unknown;
          }
          tag[d] = sum;
          const low = (lo[d]! + lo[s]!) | 0;
          hi[d] = hi[d]! + hi[s]! + (low >>> 0 < lo[s]! >>> 0 ? 1 : 0);
          lo[d] = low;
          pc++;
          continue;
        }
        case 1: {
          // SUB64
          const td = tag[d]!;
          const ts = tag[s]!;
          let difference: number;
          if ((td & ts) < 0) {
            difference = pinned[td & PIN_MASK] === td && pinned[ts & PIN_MASK] === ts ? KNOWN : unknown;
          } else {
            this.pc = pc;
            difference = tagOfSum(this, d, s, true);
            if (difference === 0) difference = unknown;
          }
          tag[d] = difference;
          const borrow = lo[d]! >>> 0 < lo[s]! >>> 0 ? 1 : 0;
          lo[d] = lo[d]! - lo[s]!;
          hi[d] = hi[d]! - hi[s]! - borrow;
          pc++;
          continue;
        }
        case 11:
          // MOV64
          if (tag[s] === UNINITIALISED) this.#unreadable(pc, s);
          lo[d] = lo[s]!;
          hi[d] = hi[s]!;
          tag[d] = tag[s]!;
          pc++;
          continue;
        case 34:
          // LDDW
          lo[d] = lo[s]!;
          hi[d] = hi[s]!;
          tag[d] = tag[s]!;
          pc += 2;
          continue;
        case 27: {
          // MOV32: a copy of what fits into 32 bits, otherwise a number of its own
          const ts = tag[s]!;
          if (ts === UNINITIALISED) this.#unreadable(pc, s);
          lo[d] = lo[s]!;
          tag[d] = ts < 0 && (ts === KNOWN || hi[s] === 0) ? ts : unknown;
          hi[d] = 0;
          pc++;
          continue;
        }
        case 15:
        case 31: {
          // MOVSX64, MOVSX32
          const ts = tag[s]!;
          if (ts >= 0) this.#partialCopy(pc, s);
          const value =
            argument === 8 ? (lo[s]! << 24) >> 24 : argument === 16 ? (lo[s]! << 16) >> 16 : lo[s]!;
          lo[d] = value;
          hi[d] = (word & 0xff) === 15 ? value >> 31 : 0;
          tag[d] = ts === KNOWN ? KNOWN : unknown;
          pc++;
          continue;
        }
        case 58: {
          // LOAD8
          const t = tag[s]!;
          const address = (lo[s]! + argument) | 0;
          let loaded = 0;
          if (!(t > 0 && address >= lowest[t]! && address < limit[t]! && hi[s] === 0)) {
            this.pc = pc;
            loaded = checkLoad(this, s, address, 1, false);
          }
          lo[d] = u8[address]!;
          hi[d] = 0;
          tag[d] = loaded !== 0 ? loaded : unknown;
          pc++;
          continue;
        }
        case 59: {
          // LOAD16
          const t = tag[s]!;
          const address = (lo[s]! + argument) | 0;
          let loaded = 0;
          if (!(t > 0 && address >= lowest[t]! && address + 2 <= limit[t]! && hi[s] === 0)) {
            this.pc = pc;
            loaded = checkLoad(this, s, address, 2, false);
          }
          lo[d] = view.getUint16(address, true);
          hi[d] = 0;
          tag[d] = loaded !== 0 ? loaded : unknown;
          pc++;
          continue;
        }
        case 60: {
          // LOAD32
          const t = tag[s]!;
          const address = (lo[s]! + argument) | 0;
          let loaded = 0;
          if (!(t > 0 && address >= lowest[t]! && address + 4 <= limit[t]! && hi[s] === 0)) {
            this.pc = pc;
            loaded = checkLoad(this, s, address, 4, false);
          }
          lo[d] = view.getInt32(address, true);
          hi[d] = 0;
          tag[d] = loaded !== 0 ? loaded : unknown;
          pc++;
          continue;
        }
        case 61: {
          // LOAD64
          const t = tag[s]!;
          const address = (lo[s]! + argument) | 0;
          let loaded = 0;
          if (!(t > 0 && address >= lowest[t]! && address + 8 <= limit[t]! && hi[s] === 0)) {
            this.pc = pc;
            loaded = checkLoad(this, s, address, 8, false);
          }
          lo[d] = view.getInt32(address, true);
          hi[d] = view.getInt32(address + 4, true);
          tag[d] = loaded !== 0 ? loaded : unknown;
          pc++;
          continue;
        }
        case 62: {
          // LOADS8
          const t = tag[s]!;
          const address = (lo[s]! + argument) | 0;
          let loaded = 0;
          if (!(t > 0 && address >= lowest[t]! && address < limit[t]! && hi[s] === 0)) {
            this.pc = pc;
            loaded = checkLoad(this, s, address, 1, true);
          }
          const value = view.getInt8(address);
          lo[d] = value;
          hi[d] = value >> 31;
          tag[d] = loaded !== 0 ? loaded : unknown;
          pc++;
          continue;
        }
        case 63: {
          // LOADS16
          const t = tag[s]!;
          const address = (lo[s]! + argument) | 0;
          let loaded = 0;
          if (!(t > 0 && address >= lowest[t]! && address + 2 <= limit[t]! && hi[s] === 0)) {
            this.pc = pc;
            loaded = checkLoad(this, s, address, 2, true);
          }
          const value = view.getInt16(address, true);
          lo[d] = value;
          hi[d] = value >> 31;
          tag[d] = loaded !== 0 ? loaded : unknown;
          pc++;
          continue;
        }
        case 64: {
          // LOADS32
          const t = tag[s]!;
          const address = (lo[s]! + argument) | 0;
          let loaded = 0;
          if (!(t > 0 && address >= lowest[t]! && address + 4 <= limit[t]! && hi[s] === 0)) {
            this.pc = pc;
            loaded = checkLoad(this, s, address, 4, true);
          }
          const value = view.getInt32(address, true);
          lo[d] = value;
          hi[d] = value >> 31;
          tag[d] = loaded !== 0 ? loaded : unknown;
          pc++;
          continue;
        }
        case 65: {
          // STORE8
          const t = tag[d]!;
          const address = (lo[d]! + argument) | 0;
          if (!(t > 0 && address >= lowest[t]! && address < writeLimit[t]! && hi[d] === 0 && tag[s]! < 0)) {
            this.pc = pc;
            if (checkStore(this, d, address, 1, s)) {
              pc++;
              continue;
            }
          }
          u8[address] = lo[s]!;
          pc++;
          continue;
        }
        case 66: {
          // STORE16
          const t = tag[d]!;
          const address = (lo[d]! + argument) | 0;
          if (
            !(t > 0 && address >= lowest[t]! && address + 2 <= writeLimit[t]! && hi[d] === 0 && tag[s]! < 0)
          ) {
            this.pc = pc;
            if (checkStore(this, d, address, 2, s)) {
              pc++;
              continue;
            }
          }
          view.setInt16(address, lo[s]!, true);
          pc++;
          continue;
        }
        case 67: {
          // STORE32
          const t = tag[d]!;
          const address = (lo[d]! + argument) | 0;
          if (
            !(t > 0 && address >= lowest[t]! && address + 4 <= writeLimit[t]! && hi[d] === 0 && tag[s]! < 0)
          ) {
            this.pc = pc;
            if (checkStore(this, d, address, 4, s)) {
              pc++;
              continue;
            }
          }
          view.setInt32(address, lo[s]!, true);
          pc++;
          continue;
        }
        case 68: {
          // STORE64
          const t = tag[d]!;
          const address = (lo[d]! + argument) | 0;
          if (
            !(t > 0 && address >= lowest[t]! && address + 8 <= writeLimit[t]! && hi[d] === 0 && tag[s]! < 0)
          ) {
            this.pc = pc;
            if (checkStore(this, d, address, 8, s)) {
              pc++;
              continue;
            }
          }
          view.setInt32(address, lo[s]!, true);
          view.setInt32(address + 4, hi[s]!, true);
          pc++;
          continue;
        }
        case 35:
          // JA
          jump = true;
          break;
        case 36:
          // JEQ
          jump = lo[d] === lo[s] && hi[d] === hi[s];
          if ((tag[d]! & tag[s]!) >= 0) {
            this.pc = pc;
            concludeFromComparison(this, 36, d, s, jump);
          } else if (jump) pin(pinned, tag[d]!, tag[s]!);
          break;
        case 37:
          // JNE
          jump = lo[d] !== lo[s] || hi[d] !== hi[s];
          if ((tag[d]! & tag[s]!) >= 0) {
            this.pc = pc;
            concludeFromComparison(this, 37, d, s, jump);
          } else if (!jump) pin(pinned, tag[d]!, tag[s]!);
          break;
        case 38:
          // JGT
          jump = hi[d] === hi[s] ? lo[d]! >>> 0 > lo[s]! >>> 0 : hi[d]! >>> 0 > hi[s]! >>> 0;
          if ((tag[d]! & tag[s]!) >= 0) {
            this.pc = pc;
            concludeFromComparison(this, 38, d, s, jump);
          }
          break;
        case 39:
          // JGE
          jump = hi[d] === hi[s] ? lo[d]! >>> 0 >= lo[s]! >>> 0 : hi[d]! >>> 0 > hi[s]! >>> 0;
          if ((tag[d]! & tag[s]!) >= 0) {
            this.pc = pc;
            concludeFromComparison(this, 39, d, s, jump);
          }
          break;
        case 40:
          // JLT
          jump = hi[d] === hi[s] ? lo[d]! >>> 0 < lo[s]! >>> 0 : hi[d]! >>> 0 < hi[s]! >>> 0;
          if ((tag[d]! & tag[s]!) >= 0) {
            this.pc = pc;
            concludeFromComparison(this, 40, d, s, jump);
          }
          break;
        case 41:
          // JLE
          jump = hi[d] === hi[s] ? lo[d]! >>> 0 <= lo[s]! >>> 0 : hi[d]! >>> 0 < hi[s]! >>> 0;
          if ((tag[d]! & tag[s]!) >= 0) {
            this.pc = pc;
            concludeFromComparison(this, 41, d, s, jump);
          }
          break;
        case 42:
          // JSET
          jump = ((lo[d]! & lo[s]!) | (hi[d]! & hi[s]!)) !== 0;
          if ((tag[d]! & tag[s]!) >= 0) this.#readable(pc, d, s);
          break;
        case 43:
          // JSGT
          jump = hi[d] === hi[s] ? lo[d]! >>> 0 > lo[s]! >>> 0 : hi[d]! > hi[s]!;
          if ((tag[d]! & tag[s]!) >= 0) this.#readable(pc, d, s);
          break;
        case 44:
          // JSGE
          jump = hi[d] === hi[s] ? lo[d]! >>> 0 >= lo[s]! >>> 0 : hi[d]! > hi[s]!;
          if ((tag[d]! & tag[s]!) >= 0) this.#readable(pc, d, s);
          break;
        case 45:
          // JSLT
          jump = hi[d] === hi[s] ? lo[d]! >>> 0 < lo[s]! >>> 0 : hi[d]! < hi[s]!;
          if ((tag[d]! & tag[s]!) >= 0) this.#readable(pc, d, s);
          break;
        case 46:
          // JSLE
          jump = hi[d] === hi[s] ? lo[d]! >>> 0 <= lo[s]! >>> 0 : hi[d]! < hi[s]!;
          if ((tag[d]! & tag[s]!) >= 0) this.#readable(pc, d, s);
          break;
        case 47:
          // JEQ32: knows the whole register only where there is no upper half
          jump = lo[d] === lo[s];
          if ((tag[d]! & tag[s]!) >= 0) this.#readable(pc, d, s);
          else if (jump && (hi[d]! | hi[s]!) === 0) pin(pinned, tag[d]!, tag[s]!);
          else if (jump && hi[d] === 0 && tag[s] === KNOWN) pinned[tag[d]! & PIN_MASK] = tag[d]!;
          break;
        case 48:
          // JNE32
          jump = lo[d] !== lo[s];
          if ((tag[d]! & tag[s]!) >= 0) this.#readable(pc, d, s);
          else if (!jump && (hi[d]! | hi[s]!) === 0) pin(pinned, tag[d]!, tag[s]!);
          else if (!jump && hi[d] === 0 && tag[s] === KNOWN) pinned[tag[d]! & PIN_MASK] = tag[d]!;
          break;
        case 49:
          // JGT32
          jump = lo[d]! >>> 0 > lo[s]! >>> 0;
          if ((tag[d]! & tag[s]!) >= 0) this.#readable(pc, d, s);
          break;
        case 50:
          // JGE32
          jump = lo[d]! >>> 0 >= lo[s]! >>> 0;
          if ((tag[d]! & tag[s]!) >= 0) this.#readable(pc, d, s);
          break;
        case 51:
          // JLT32
          jump = lo[d]! >>> 0 < lo[s]! >>> 0;
          if ((tag[d]! & tag[s]!) >= 0) this.#readable(pc, d, s);
          break;
        case 52:
          // JLE32
          jump = lo[d]! >>> 0 <= lo[s]! >>> 0;
          if ((tag[d]! & tag[s]!) >= 0) this.#readable(pc, d, s);
          break;
        case 53:
          // JSET32
          jump = (lo[d]! & lo[s]!) !== 0;
          if ((tag[d]! & tag[s]!) >= 0) this.#readable(pc, d, s);
          break;
        case 54:
          // JSGT32
          jump = lo[d]! > lo[s]!;
          if ((tag[d]! & tag[s]!) >= 0) this.#readable(pc, d, s);
          break;
        case 55:
          // JSGE32
          jump = lo[d]! >= lo[s]!;
          if ((tag[d]! & tag[s]!) >= 0) this.#readable(pc, d, s);
          break;
        case 56:
          // JSLT32
          jump = lo[d]! < lo[s]!;
          if ((tag[d]! & tag[s]!) >= 0) this.#readable(pc, d, s);
          break;
        case 57:
          // JSLE32
          jump = lo[d]! <= lo[s]!;
          if ((tag[d]! & tag[s]!) >= 0) this.#readable(pc, d, s);
          break;
        case 74:
          // MAY_GOTO: leaves the loop when its rounds are used up
          jump = --this.#mayGoto < 0;
          break;
        case 69: {
          // ATOMIC
          this.pc = pc;
          runAtomic(this, argument, unknown);
          pc++;
          continue;
        }
        case 70: {
          // CALL
          this.pc = pc;
          provenance.unknown = unknown;
          const result = callHelper(this, argument);
          unknown = provenance.unknown - 2;
          if (argument === TAIL_CALL_HELPER && machine.tailCall >= 0) {
            if (this.samples > 0) this.#leaves(pc);
            provenance.unknown = unknown;
            return false;
          }
          tag[0] = result === 0 ? unknown : result === UNREADABLE ? UNINITIALISED : result;
          pc++;
          continue;
        }
        case 71:
          // CALL_LOCAL
          this.pc = pc;
          provenance.unknown = unknown;
          this.budget -= CALL_COST;
          this.#callLocal(argument);
          unknown = provenance.unknown;
          pc++;
          continue;
        case 72: {
          // CALL_KERNEL
          this.pc = pc;
          provenance.unknown = unknown;
          const result = callKernelFunction(this, argument);
          unknown = provenance.unknown - 2;
          tag[0] = result === 0 ? unknown : result === UNREADABLE ? UNINITIALISED : result;
          pc++;
          continue;
        }
        case 73:
          // EXIT
          if (tag[0] === UNINITIALISED) this.#unreadable(pc, 0);
          if (this.samples > 0 || this.lock !== 0) this.#leaves(pc);
          provenance.unknown = unknown;
          return true;
        case 75: {
          // LOAD_PACKET
          this.pc = pc;
          if (loadPacket(this, argument, s)) {
            tag[0] = unknown;
            pc++;
            continue;
          }
          // Out of the packet's bounds: the program ends with 0.
          lo[0] = 0;
          hi[0] = 0;
          this.program.left[pc]!++;
          provenance.unknown = unknown;
          return true;
        }
        case 4: {
          // OR64
          const td = tag[d]!;
          const ts = tag[s]!;
          if ((td & ts) >= 0) this.#checkPlain(pc, 4, d, s);
          tag[d] =
            (td & ts) < 0 && pinned[td & PIN_MASK] === td && pinned[ts & PIN_MASK] === ts ? KNOWN : unknown;
          lo[d] = lo[d]! | lo[s]!;
          hi[d] = hi[d]! | hi[s]!;
          pc++;
          continue;
        }
        case 5: {
          // AND64
          const td = tag[d]!;
          const ts = tag[s]!;
          if ((td & ts) >= 0) this.#checkPlain(pc, 5, d, s);
          tag[d] =
            (td & ts) < 0 && pinned[td & PIN_MASK] === td && pinned[ts & PIN_MASK] === ts ? KNOWN : unknown;
          lo[d] = lo[d]! & lo[s]!;
          hi[d] = hi[d]! & hi[s]!;
          pc++;
          continue;
        }
        case 6: {
          // LSH64
          const td = tag[d]!;
          const ts = tag[s]!;
          if ((td & ts) >= 0) this.#checkPlain(pc, 6, d, s);
          tag[d] =
            (td & ts) < 0 && pinned[td & PIN_MASK] === td && pinned[ts & PIN_MASK] === ts ? KNOWN : unknown;
          const n = lo[s]! & 63;
          if (n >= 32) {
            hi[d] = lo[d]! << (n - 32);
            lo[d] = 0;
          } else if (n > 0) {
            hi[d] = (hi[d]! << n) | (lo[d]! >>> (32 - n));
            lo[d] = lo[d]! << n;
          }
          pc++;
          continue;
        }
        case 7: {
          // RSH64
          const td = tag[d]!;
          const ts = tag[s]!;
          if ((td & ts) >= 0) this.#checkPlain(pc, 7, d, s);
          tag[d] =
            (td & ts) < 0 && pinned[td & PIN_MASK] === td && pinned[ts & PIN_MASK] === ts ? KNOWN : unknown;
          const n = lo[s]! & 63;
          if (n >= 32) {
            lo[d] = hi[d]! >>> (n - 32);
            hi[d] = 0;
          } else if (n > 0) {
            lo[d] = (lo[d]! >>> n) | (hi[d]! << (32 - n));
            hi[d] = hi[d]! >>> n;
          }
          pc++;
          continue;
        }
        case 16: {
          // ADD32
          const td = tag[d]!;
          const ts = tag[s]!;
          if ((td & ts) >= 0) this.#checkPlain(pc, 16, d, s);
          tag[d] =
            (td & ts) < 0 && pinned[td & PIN_MASK] === td && pinned[ts & PIN_MASK] === ts ? KNOWN : unknown;
          lo[d] = lo[d]! + lo[s]!;
          hi[d] = 0;
          pc++;
          continue;
        }
        case 20: {
          // OR32
          const td = tag[d]!;
          const ts = tag[s]!;
          if ((td & ts) >= 0) this.#checkPlain(pc, 20, d, s);
          tag[d] =
            (td & ts) < 0 && pinned[td & PIN_MASK] === td && pinned[ts & PIN_MASK] === ts ? KNOWN : unknown;
          lo[d] = lo[d]! | lo[s]!;
          hi[d] = 0;
          pc++;
          continue;
        }
        case 21: {
          // AND32
          const td = tag[d]!;
          const ts = tag[s]!;
          if ((td & ts) >= 0) this.#checkPlain(pc, 21, d, s);
          tag[d] =
            (td & ts) < 0 && pinned[td & PIN_MASK] === td && pinned[ts & PIN_MASK] === ts ? KNOWN : unknown;
          lo[d] = lo[d]! & lo[s]!;
          hi[d] = 0;
          pc++;
          continue;
        }
        case 22: {
          // LSH32
          const td = tag[d]!;
          const ts = tag[s]!;
          if ((td & ts) >= 0) this.#checkPlain(pc, 22, d, s);
          tag[d] =
            (td & ts) < 0 && pinned[td & PIN_MASK] === td && pinned[ts & PIN_MASK] === ts ? KNOWN : unknown;
          lo[d] = lo[d]! << lo[s]!;
          hi[d] = 0;
          pc++;
          continue;
        }
        case 23: {
          // RSH32
          const td = tag[d]!;
          const ts = tag[s]!;
          if ((td & ts) >= 0) this.#checkPlain(pc, 23, d, s);
          tag[d] =
            (td & ts) < 0 && pinned[td & PIN_MASK] === td && pinned[ts & PIN_MASK] === ts ? KNOWN : unknown;
          lo[d] = lo[d]! >>> lo[s]!;
          hi[d] = 0;
          pc++;
          continue;
        }
        case 26: {
          // XOR32
          const td = tag[d]!;
          const ts = tag[s]!;
          if ((td & ts) >= 0) this.#checkPlain(pc, 26, d, s);
          tag[d] =
            (td & ts) < 0 && pinned[td & PIN_MASK] === td && pinned[ts & PIN_MASK] === ts ? KNOWN : unknown;
          lo[d] = lo[d]! ^ lo[s]!;
          hi[d] = 0;
          pc++;
          continue;
        }
        case 33: {
          // BSWAP
          const td = tag[d]!;
          const ts = tag[s]!;
          if ((td & ts) >= 0) this.#checkPlain(pc, 33, d, s);
          tag[d] =
            (td & ts) < 0 && pinned[td & PIN_MASK] === td && pinned[ts & PIN_MASK] === ts ? KNOWN : unknown;
          const low = swap32(lo[d]!);
          if (argument === 64) {
            lo[d] = swap32(hi[d]!);
            hi[d] = low;
          } else {
            lo[d] = argument === 16 ? low >>> 16 : low;
            hi[d] = 0;
          }
          pc++;
          continue;
        }
        default: {
          // The rest of arithmetic: no pointers but for what makes numbers of them.
          const td = tag[d]!;
          const ts = tag[s]!;
          if ((td & ts) >= 0) this.#checkPlain(pc, word & 0xff, d, s);
          tag[d] =
            (td & ts) < 0 && pinned[td & PIN_MASK] === td && pinned[ts & PIN_MASK] === ts ? KNOWN : unknown;
          switch (word & 0xff) {
            case 2: {
              // MUL64
              const low = Math.imul(lo[d]!, lo[s]!);
              const high = multiplyHigh(lo[d]!, lo[s]!);
              hi[d] = high + Math.imul(lo[d]!, hi[s]!) + Math.imul(hi[d]!, lo[s]!);
              lo[d] = low;
              break;
            }
            case 3:
            case 9:
            case 13:
            case 14: {
              // DIV64, MOD64, SDIV64, SMOD64
              const operation = word & 0xff;
              divide(lo[d]!, hi[d]!, lo[s]!, hi[s]!, operation >= 13, operation === 9 || operation === 14);
              lo[d] = quotient.low;
              hi[d] = quotient.high;
              break;
            }
            case 8: {
              // NEG64
              const borrow = lo[d] === 0 ? 0 : 1;
              lo[d] = -lo[d]!;
              hi[d] = -hi[d]! - borrow;
              break;
            }
            case 10:
              // XOR64
              lo[d] = lo[d]! ^ lo[s]!;
              hi[d] = hi[d]! ^ hi[s]!;
              break;
            case 12: {
              // ARSH64
              const n = lo[s]! & 63;
              if (n >= 32) {
                lo[d] = hi[d]! >> (n - 32);
                hi[d] = hi[d]! >> 31;
              } else if (n > 0) {
                lo[d] = (lo[d]! >>> n) | (hi[d]! << (32 - n));
                hi[d] = hi[d]! >> n;
              }
              break;
            }
            case 17:
              // SUB32
              lo[d] = lo[d]! - lo[s]!;
              hi[d] = 0;
              break;
            case 18:
              // MUL32
              lo[d] = Math.imul(lo[d]!, lo[s]!);
              hi[d] = 0;
              break;
            case 19:
            case 25:
            case 29:
            case 30: {
              // DIV32, MOD32, SDIV32, SMOD32
              const operation = word & 0xff;
              lo[d] = divide32(lo[d]!, lo[s]!, operation >= 29, operation === 25 || operation === 30);
              hi[d] = 0;
              break;
            }
            case 24:
              // NEG32
              lo[d] = -lo[d]!;
              hi[d] = 0;
              break;
            case 28:
              // ARSH32
              lo[d] = lo[d]! >> lo[s]!;
              hi[d] = 0;
              break;
            case 32:
              // TO_LE
              if (argument < 64) hi[d] = 0;
              if (argument === 16) lo[d] = lo[d]! & 0xffff;
              break;
            default:
              this.pc = pc;
              violate(`unknown operation ${word & 0xff}`);
          }
          pc++;
          continue;
        }
      }
      if (!jump) {
        pc++;
        continue;
      }
      taken[pc]!++;
      if (argument <= pc) {
        this.budget -= pc - argument + 1;
        if (this.budget < 0) this.#exhausted(pc);
      }
      pc = argument;
    }
  }

  #unreadable(pc: number, register: number): never {
    this.pc = pc;
    return violate(`R${register} !read_ok`);
  }

  /** What arithmetic other than addition and subtraction may not have for operands. */
  #checkPlain(pc: number, operation: number, d: number, s: number): void {
    this.pc = pc;
    checkPlainOperands(this, operation, d, s);
  }

  /** Comparisons that prove nothing only need their operands written. */
  #readable(pc: number, a: number, b: number): void {
    if (this.tag[a] === UNINITIALISED) this.#unreadable(pc, a);
    if (this.tag[b] === UNINITIALISED) this.#unreadable(pc, b);
  }

  #partialCopy(pc: number, register: number): void {
    if (this.tag[register] === UNINITIALISED) this.#unreadable(pc, register);
    this.pc = pc;
    if (!this.provenance.isScalar(this.tag[register]!))
      violate(`R${register} sign-extension part of pointer`);
  }

  /** A function of the program may end with both in hand, the program may not. */
  #leaves(pc: number): void {
    this.pc = pc;
    if (this.frame > 0) return;
    if (this.lock !== 0) violate('bpf_spin_unlock is missing');
    violate('Unreleased reference: a sample of a ring buffer is neither submitted nor discarded');
  }

  #exhausted(pc: number): never {
    this.pc = pc;
    return violate(
      `the run executed more than ${this.#budget} instructions: BPF program is too large, or loops for ever`,
    );
  }
}

/** Is a number so small that any pointer may be moved by it (`BPF_MAX_VAR_OFF`)? */
function isNear(low: number, high: number): boolean {
  return high === low >> 31 && (low + (1 << 29)) >>> 0 < 1 << 30;
}

/** Two scalars turned out to be equal: if the verifier knows one of them, it knows the other from here on. */
function pin(pinned: Int32Array, a: number, b: number): void {
  if (pinned[b & PIN_MASK] === b) pinned[a & PIN_MASK] = a;
  else if (pinned[a & PIN_MASK] === a) pinned[b & PIN_MASK] = b;
}
