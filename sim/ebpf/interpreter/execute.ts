/**
 * The main loop: what is plainly right it does by itself; everything else goes to `access.ts`, `pointers.ts` and
 * `calls.ts`, which either explain it or stop the program.
 *
 * Operations are numbered as in `operation.ts`. `case 0 satisfies typeof OP.ADD64` is `case 0` when it runs: only literal
 * numbers become a jump table, and the compiler sees to it that they are the right ones.
 */
import { CALL_COST } from '../limits.ts';
import { requireRounds } from '../may-goto.ts';
import { checkLoad, checkStore } from './access.ts';
import { runAtomic } from './atomic.ts';
import { callHelper, callKernelFunction } from './calls.ts';
import { OP } from './operation.ts';
import { loadPacket } from './packet-load.ts';
import { checkPlainOperands, concludeFromComparison, tagOfSum } from './pointers.ts';
import { type KNOWN, PIN_MASK, regionColumns, UNINITIALISED } from './provenance.ts';
import { registerFile } from './registers.ts';
import { UNREADABLE } from './results.ts';
import { type State, violate } from './state.ts';
import type { Tracer } from './tracer.ts';
import { divide, divide32, multiplyHigh, quotient, swap32 } from './wide.ts';

/** What the loop needs of the interpreter beside its state. */
export interface Execution extends State {
  readonly tracer: Tracer | undefined;
  /** The budget that a run begins with. */
  readonly fullBudget: number;
  /** Rounds that `may_goto` still allows in this run. */
  mayGoto: number;
  /** Runs a function of the program in a frame of its own. */
  callLocal(target: number): void;
}

/**
 * Runs the function that begins at `start`.
 * @returns true at its exit, false where a tail call leaves it
 */
export const execute: (state: Execution, start: number) => boolean = makeExecute();

/**
 * Called once: to V8, what a closure that exists once holds are constants, so that it compiles where the registers lie,
 * and how many there are, into the code. Read from the state they would take three loads and a comparison each.
 */
function makeExecute(): (state: Execution, start: number) => boolean {
  const { lo, hi, tag } = registerFile();
  const { lowest, limit, writeLimit, movable, pinned } = regionColumns();

  return function execute(state: Execution, start: number): boolean {
    const { provenance, machine, tracer } = state;
    const { u8, view } = machine.memory;
    const { words, operands, taken } = state.program;
    // Each step has a tag for the unknown scalar that it may make; handed over around calls.
    // `| 0` tells the compiler that these stay 32-bit integers; the others are literals to it, unlike imports.
    let unknown = provenance.unknown | 0;
    let pc = start | 0;
    const known: typeof KNOWN = -1;
    const pinMask: typeof PIN_MASK = 0x3fff;
    const unset: typeof UNINITIALISED = 0;
    for (;;) {
      if (tracer !== undefined) tracer.before(state, pc);
      unknown = (unknown - 2) | 0;
      const word = words[pc]!;
      const d = (word >> 8) & 0xff;
      const s = word >>> 16;
      let jump = false;
      switch (word & 0xff) {
        case 0 satisfies typeof OP.ADD64: {
          const td = tag[d]!;
          const ts = tag[s]!;
          let sum: number;
          if ((td & ts) < 0)
            sum = pinned[td & pinMask] === td && pinned[ts & pinMask] === ts ? known : unknown;
          else if (ts === known && td > 0 && movable[td] === 1 && isNear(lo[s]!, hi[s]!)) sum = td;
          else {
            state.pc = pc;
            sum = tagOfSum(state, d, s, false);
            if (sum === 0) sum = unknown;
          }
          tag[d] = sum;
          const low = (lo[d]! + lo[s]!) | 0;
          hi[d] = hi[d]! + hi[s]! + (low >>> 0 < lo[s]! >>> 0 ? 1 : 0);
          lo[d] = low;
          pc = (pc + 1) | 0;
          continue;
        }
        case 1 satisfies typeof OP.SUB64: {
          const td = tag[d]!;
          const ts = tag[s]!;
          let difference: number;
          if ((td & ts) < 0) {
            difference = pinned[td & pinMask] === td && pinned[ts & pinMask] === ts ? known : unknown;
          } else {
            state.pc = pc;
            difference = tagOfSum(state, d, s, true);
            if (difference === 0) difference = unknown;
          }
          tag[d] = difference;
          const borrow = lo[d]! >>> 0 < lo[s]! >>> 0 ? 1 : 0;
          lo[d] = lo[d]! - lo[s]!;
          hi[d] = hi[d]! - hi[s]! - borrow;
          pc = (pc + 1) | 0;
          continue;
        }
        case 11 satisfies typeof OP.MOV64:
          if (tag[s] === unset) unreadable(state, pc, s);
          lo[d] = lo[s]!;
          hi[d] = hi[s]!;
          tag[d] = tag[s]!;
          pc = (pc + 1) | 0;
          continue;
        case 34 satisfies typeof OP.LDDW:
          lo[d] = lo[s]!;
          hi[d] = hi[s]!;
          tag[d] = tag[s]!;
          pc = (pc + 2) | 0;
          continue;
        case 27 satisfies typeof OP.MOV32: {
          // A copy of what fits into 32 bits, otherwise a number of its own
          const ts = tag[s]!;
          if (ts === unset) unreadable(state, pc, s);
          lo[d] = lo[s]!;
          tag[d] = ts < 0 && (ts === known || hi[s] === 0) ? ts : unknown;
          hi[d] = 0;
          pc = (pc + 1) | 0;
          continue;
        }
        case 15 satisfies typeof OP.MOVSX64:
        case 31 satisfies typeof OP.MOVSX32: {
          const argument = operands[pc]!;
          const ts = tag[s]!;
          if (ts >= 0) partialCopy(state, pc, s);
          const value =
            argument === 8 ? (lo[s]! << 24) >> 24 : argument === 16 ? (lo[s]! << 16) >> 16 : lo[s]!;
          lo[d] = value;
          hi[d] = (word & 0xff) === (15 satisfies typeof OP.MOVSX64) ? value >> 31 : 0;
          tag[d] = ts === known ? known : unknown;
          pc = (pc + 1) | 0;
          continue;
        }
        case 58 satisfies typeof OP.LOAD8: {
          const argument = operands[pc]!;
          const t = tag[s]!;
          const address = (lo[s]! + argument) | 0;
          let loaded = 0;
          if (!(t > 0 && address >= lowest[t]! && address < limit[t]! && hi[s] === 0)) {
            state.pc = pc;
            loaded = checkLoad(state, s, address, 1, false);
          }
          lo[d] = u8[address]!;
          hi[d] = 0;
          tag[d] = loaded !== 0 ? loaded : unknown;
          pc = (pc + 1) | 0;
          continue;
        }
        case 59 satisfies typeof OP.LOAD16: {
          const argument = operands[pc]!;
          const t = tag[s]!;
          const address = (lo[s]! + argument) | 0;
          let loaded = 0;
          if (!(t > 0 && address >= lowest[t]! && address + 2 <= limit[t]! && hi[s] === 0)) {
            state.pc = pc;
            loaded = checkLoad(state, s, address, 2, false);
          }
          lo[d] = view.getUint16(address, true);
          hi[d] = 0;
          tag[d] = loaded !== 0 ? loaded : unknown;
          pc = (pc + 1) | 0;
          continue;
        }
        case 60 satisfies typeof OP.LOAD32: {
          const argument = operands[pc]!;
          const t = tag[s]!;
          const address = (lo[s]! + argument) | 0;
          let loaded = 0;
          if (!(t > 0 && address >= lowest[t]! && address + 4 <= limit[t]! && hi[s] === 0)) {
            state.pc = pc;
            loaded = checkLoad(state, s, address, 4, false);
          }
          lo[d] = view.getInt32(address, true);
          hi[d] = 0;
          tag[d] = loaded !== 0 ? loaded : unknown;
          pc = (pc + 1) | 0;
          continue;
        }
        case 61 satisfies typeof OP.LOAD64: {
          const argument = operands[pc]!;
          const t = tag[s]!;
          const address = (lo[s]! + argument) | 0;
          let loaded = 0;
          if (!(t > 0 && address >= lowest[t]! && address + 8 <= limit[t]! && hi[s] === 0)) {
            state.pc = pc;
            loaded = checkLoad(state, s, address, 8, false);
          }
          lo[d] = view.getInt32(address, true);
          hi[d] = view.getInt32(address + 4, true);
          tag[d] = loaded !== 0 ? loaded : unknown;
          pc = (pc + 1) | 0;
          continue;
        }
        case 62 satisfies typeof OP.LOADS8: {
          const argument = operands[pc]!;
          const t = tag[s]!;
          const address = (lo[s]! + argument) | 0;
          let loaded = 0;
          if (!(t > 0 && address >= lowest[t]! && address < limit[t]! && hi[s] === 0)) {
            state.pc = pc;
            loaded = checkLoad(state, s, address, 1, true);
          }
          const value = view.getInt8(address);
          lo[d] = value;
          hi[d] = value >> 31;
          tag[d] = loaded !== 0 ? loaded : unknown;
          pc = (pc + 1) | 0;
          continue;
        }
        case 63 satisfies typeof OP.LOADS16: {
          const argument = operands[pc]!;
          const t = tag[s]!;
          const address = (lo[s]! + argument) | 0;
          let loaded = 0;
          if (!(t > 0 && address >= lowest[t]! && address + 2 <= limit[t]! && hi[s] === 0)) {
            state.pc = pc;
            loaded = checkLoad(state, s, address, 2, true);
          }
          const value = view.getInt16(address, true);
          lo[d] = value;
          hi[d] = value >> 31;
          tag[d] = loaded !== 0 ? loaded : unknown;
          pc = (pc + 1) | 0;
          continue;
        }
        case 64 satisfies typeof OP.LOADS32: {
          const argument = operands[pc]!;
          const t = tag[s]!;
          const address = (lo[s]! + argument) | 0;
          let loaded = 0;
          if (!(t > 0 && address >= lowest[t]! && address + 4 <= limit[t]! && hi[s] === 0)) {
            state.pc = pc;
            loaded = checkLoad(state, s, address, 4, true);
          }
          const value = view.getInt32(address, true);
          lo[d] = value;
          hi[d] = value >> 31;
          tag[d] = loaded !== 0 ? loaded : unknown;
          pc = (pc + 1) | 0;
          continue;
        }
        case 65 satisfies typeof OP.STORE8: {
          const argument = operands[pc]!;
          const t = tag[d]!;
          const address = (lo[d]! + argument) | 0;
          if (!(t > 0 && address >= lowest[t]! && address < writeLimit[t]! && hi[d] === 0 && tag[s]! < 0)) {
            state.pc = pc;
            if (checkStore(state, d, address, 1, s)) {
              pc = (pc + 1) | 0;
              continue;
            }
          }
          u8[address] = lo[s]!;
          pc = (pc + 1) | 0;
          continue;
        }
        case 66 satisfies typeof OP.STORE16: {
          const argument = operands[pc]!;
          const t = tag[d]!;
          const address = (lo[d]! + argument) | 0;
          if (
            !(t > 0 && address >= lowest[t]! && address + 2 <= writeLimit[t]! && hi[d] === 0 && tag[s]! < 0)
          ) {
            state.pc = pc;
            if (checkStore(state, d, address, 2, s)) {
              pc = (pc + 1) | 0;
              continue;
            }
          }
          view.setInt16(address, lo[s]!, true);
          pc = (pc + 1) | 0;
          continue;
        }
        case 67 satisfies typeof OP.STORE32: {
          const argument = operands[pc]!;
          const t = tag[d]!;
          const address = (lo[d]! + argument) | 0;
          if (
            !(t > 0 && address >= lowest[t]! && address + 4 <= writeLimit[t]! && hi[d] === 0 && tag[s]! < 0)
          ) {
            state.pc = pc;
            if (checkStore(state, d, address, 4, s)) {
              pc = (pc + 1) | 0;
              continue;
            }
          }
          view.setInt32(address, lo[s]!, true);
          pc = (pc + 1) | 0;
          continue;
        }
        case 68 satisfies typeof OP.STORE64: {
          const argument = operands[pc]!;
          const t = tag[d]!;
          const address = (lo[d]! + argument) | 0;
          if (
            !(t > 0 && address >= lowest[t]! && address + 8 <= writeLimit[t]! && hi[d] === 0 && tag[s]! < 0)
          ) {
            state.pc = pc;
            if (checkStore(state, d, address, 8, s)) {
              pc = (pc + 1) | 0;
              continue;
            }
          }
          view.setInt32(address, lo[s]!, true);
          view.setInt32(address + 4, hi[s]!, true);
          pc = (pc + 1) | 0;
          continue;
        }
        case 35 satisfies typeof OP.JA:
          jump = true;
          break;
        case 36 satisfies typeof OP.JEQ:
          jump = lo[d] === lo[s] && hi[d] === hi[s];
          if ((tag[d]! & tag[s]!) >= 0) {
            state.pc = pc;
            concludeFromComparison(state, OP.JEQ, d, s, jump);
          } else if (jump) pin(pinned, tag[d]!, tag[s]!);
          break;
        case 37 satisfies typeof OP.JNE:
          jump = lo[d] !== lo[s] || hi[d] !== hi[s];
          if ((tag[d]! & tag[s]!) >= 0) {
            state.pc = pc;
            concludeFromComparison(state, OP.JNE, d, s, jump);
          } else if (!jump) pin(pinned, tag[d]!, tag[s]!);
          break;
        case 38 satisfies typeof OP.JGT:
          jump = hi[d] === hi[s] ? lo[d]! >>> 0 > lo[s]! >>> 0 : hi[d]! >>> 0 > hi[s]! >>> 0;
          if ((tag[d]! & tag[s]!) >= 0) {
            state.pc = pc;
            concludeFromComparison(state, OP.JGT, d, s, jump);
          }
          break;
        case 39 satisfies typeof OP.JGE:
          jump = hi[d] === hi[s] ? lo[d]! >>> 0 >= lo[s]! >>> 0 : hi[d]! >>> 0 > hi[s]! >>> 0;
          if ((tag[d]! & tag[s]!) >= 0) {
            state.pc = pc;
            concludeFromComparison(state, OP.JGE, d, s, jump);
          }
          break;
        case 40 satisfies typeof OP.JLT:
          jump = hi[d] === hi[s] ? lo[d]! >>> 0 < lo[s]! >>> 0 : hi[d]! >>> 0 < hi[s]! >>> 0;
          if ((tag[d]! & tag[s]!) >= 0) {
            state.pc = pc;
            concludeFromComparison(state, OP.JLT, d, s, jump);
          }
          break;
        case 41 satisfies typeof OP.JLE:
          jump = hi[d] === hi[s] ? lo[d]! >>> 0 <= lo[s]! >>> 0 : hi[d]! >>> 0 < hi[s]! >>> 0;
          if ((tag[d]! & tag[s]!) >= 0) {
            state.pc = pc;
            concludeFromComparison(state, OP.JLE, d, s, jump);
          }
          break;
        case 42 satisfies typeof OP.JSET:
          jump = ((lo[d]! & lo[s]!) | (hi[d]! & hi[s]!)) !== 0;
          if ((tag[d]! & tag[s]!) >= 0) readable(state, pc, d, s);
          break;
        case 43 satisfies typeof OP.JSGT:
          jump = hi[d] === hi[s] ? lo[d]! >>> 0 > lo[s]! >>> 0 : hi[d]! > hi[s]!;
          if ((tag[d]! & tag[s]!) >= 0) readable(state, pc, d, s);
          break;
        case 44 satisfies typeof OP.JSGE:
          jump = hi[d] === hi[s] ? lo[d]! >>> 0 >= lo[s]! >>> 0 : hi[d]! > hi[s]!;
          if ((tag[d]! & tag[s]!) >= 0) readable(state, pc, d, s);
          break;
        case 45 satisfies typeof OP.JSLT:
          jump = hi[d] === hi[s] ? lo[d]! >>> 0 < lo[s]! >>> 0 : hi[d]! < hi[s]!;
          if ((tag[d]! & tag[s]!) >= 0) readable(state, pc, d, s);
          break;
        case 46 satisfies typeof OP.JSLE:
          jump = hi[d] === hi[s] ? lo[d]! >>> 0 <= lo[s]! >>> 0 : hi[d]! < hi[s]!;
          if ((tag[d]! & tag[s]!) >= 0) readable(state, pc, d, s);
          break;
        case 47 satisfies typeof OP.JEQ32:
          // Knows the whole register only where there is no upper half
          jump = lo[d] === lo[s];
          if ((tag[d]! & tag[s]!) >= 0) readable(state, pc, d, s);
          else if (jump && (hi[d]! | hi[s]!) === 0) pin(pinned, tag[d]!, tag[s]!);
          else if (jump && hi[d] === 0 && tag[s] === known) pinned[tag[d]! & pinMask] = tag[d]!;
          else if (jump && hi[s] === 0 && tag[d] === known) pinned[tag[s]! & pinMask] = tag[s]!;
          break;
        case 48 satisfies typeof OP.JNE32:
          jump = lo[d] !== lo[s];
          if ((tag[d]! & tag[s]!) >= 0) readable(state, pc, d, s);
          else if (!jump && (hi[d]! | hi[s]!) === 0) pin(pinned, tag[d]!, tag[s]!);
          else if (!jump && hi[d] === 0 && tag[s] === known) pinned[tag[d]! & pinMask] = tag[d]!;
          else if (!jump && hi[s] === 0 && tag[d] === known) pinned[tag[s]! & pinMask] = tag[s]!;
          break;
        case 49 satisfies typeof OP.JGT32:
          jump = lo[d]! >>> 0 > lo[s]! >>> 0;
          if ((tag[d]! & tag[s]!) >= 0) readable(state, pc, d, s);
          break;
        case 50 satisfies typeof OP.JGE32:
          jump = lo[d]! >>> 0 >= lo[s]! >>> 0;
          if ((tag[d]! & tag[s]!) >= 0) readable(state, pc, d, s);
          break;
        case 51 satisfies typeof OP.JLT32:
          jump = lo[d]! >>> 0 < lo[s]! >>> 0;
          if ((tag[d]! & tag[s]!) >= 0) readable(state, pc, d, s);
          break;
        case 52 satisfies typeof OP.JLE32:
          jump = lo[d]! >>> 0 <= lo[s]! >>> 0;
          if ((tag[d]! & tag[s]!) >= 0) readable(state, pc, d, s);
          break;
        case 53 satisfies typeof OP.JSET32:
          jump = (lo[d]! & lo[s]!) !== 0;
          if ((tag[d]! & tag[s]!) >= 0) readable(state, pc, d, s);
          break;
        case 54 satisfies typeof OP.JSGT32:
          jump = lo[d]! > lo[s]!;
          if ((tag[d]! & tag[s]!) >= 0) readable(state, pc, d, s);
          break;
        case 55 satisfies typeof OP.JSGE32:
          jump = lo[d]! >= lo[s]!;
          if ((tag[d]! & tag[s]!) >= 0) readable(state, pc, d, s);
          break;
        case 56 satisfies typeof OP.JSLT32:
          jump = lo[d]! < lo[s]!;
          if ((tag[d]! & tag[s]!) >= 0) readable(state, pc, d, s);
          break;
        case 57 satisfies typeof OP.JSLE32:
          jump = lo[d]! <= lo[s]!;
          if ((tag[d]! & tag[s]!) >= 0) readable(state, pc, d, s);
          break;
        case 74 satisfies typeof OP.MAY_GOTO:
          // Leaves the loop when its rounds are used up
          jump = --state.mayGoto < 0;
          if (jump) {
            state.pc = pc;
            requireRounds(state.machine.kernel);
          }
          break;
        case 69 satisfies typeof OP.ATOMIC: {
          state.pc = pc;
          // For what is loaded, and for what is left in memory
          unknown = (unknown - 2) | 0;
          runAtomic(state, operands[pc]!, unknown);
          pc = (pc + 1) | 0;
          continue;
        }
        case 70 satisfies typeof OP.CALL: {
          const argument = operands[pc]!;
          state.pc = pc;
          provenance.unknown = unknown;
          const result = callHelper(state, argument);
          unknown = (provenance.unknown - 2) | 0;
          if (machine.tailCall >= 0) {
            if (state.references > 0) leaves(state, pc);
            provenance.unknown = unknown;
            return false;
          }
          tag[0] = result === 0 ? unknown : result === UNREADABLE ? unset : result;
          pc = (pc + 1) | 0;
          continue;
        }
        case 71 satisfies typeof OP.CALL_LOCAL:
          state.pc = pc;
          provenance.unknown = unknown;
          state.budget -= CALL_COST;
          if (state.budget < 0) exhausted(state, pc);
          state.callLocal(operands[pc]!);
          unknown = provenance.unknown | 0;
          pc = (pc + 1) | 0;
          continue;
        case 72 satisfies typeof OP.CALL_KERNEL: {
          const argument = operands[pc]!;
          state.pc = pc;
          provenance.unknown = unknown;
          const result = callKernelFunction(state, argument);
          unknown = (provenance.unknown - 2) | 0;
          tag[0] = result === 0 ? unknown : result === UNREADABLE ? unset : result;
          pc = (pc + 1) | 0;
          continue;
        }
        case 73 satisfies typeof OP.EXIT:
          // Only the program itself has to return something; a static function may leave r0 unset.
          if (tag[0] === unset && state.frame === 0) unreadable(state, pc, 0);
          if (state.references > 0 || state.lock !== 0) leaves(state, pc);
          provenance.unknown = unknown;
          return true;
        case 75 satisfies typeof OP.LOAD_PACKET: {
          const argument = operands[pc]!;
          state.pc = pc;
          if (loadPacket(state, argument, s)) {
            tag[0] = unknown;
            pc = (pc + 1) | 0;
            continue;
          }
          // Out of the packet's bounds: the function, mostly the program, ends with 0.
          lo[0] = 0;
          hi[0] = 0;
          tag[0] = unknown;
          state.program.left[pc]!++;
          provenance.unknown = unknown;
          return true;
        }
        case 4 satisfies typeof OP.OR64: {
          const td = tag[d]!;
          const ts = tag[s]!;
          if ((td & ts) >= 0) checkPlain(state, pc, OP.OR64, d, s);
          tag[d] =
            (td & ts) < 0 && pinned[td & pinMask] === td && pinned[ts & pinMask] === ts ? known : unknown;
          lo[d] = lo[d]! | lo[s]!;
          hi[d] = hi[d]! | hi[s]!;
          pc = (pc + 1) | 0;
          continue;
        }
        case 5 satisfies typeof OP.AND64: {
          const td = tag[d]!;
          const ts = tag[s]!;
          if ((td & ts) >= 0) checkPlain(state, pc, OP.AND64, d, s);
          tag[d] =
            (td & ts) < 0 && pinned[td & pinMask] === td && pinned[ts & pinMask] === ts ? known : unknown;
          lo[d] = lo[d]! & lo[s]!;
          hi[d] = hi[d]! & hi[s]!;
          pc = (pc + 1) | 0;
          continue;
        }
        case 6 satisfies typeof OP.LSH64: {
          const td = tag[d]!;
          const ts = tag[s]!;
          if ((td & ts) >= 0) checkPlain(state, pc, OP.LSH64, d, s);
          tag[d] =
            (td & ts) < 0 && pinned[td & pinMask] === td && pinned[ts & pinMask] === ts ? known : unknown;
          const n = lo[s]! & 63;
          if (n >= 32) {
            hi[d] = lo[d]! << (n - 32);
            lo[d] = 0;
          } else if (n > 0) {
            hi[d] = (hi[d]! << n) | (lo[d]! >>> (32 - n));
            lo[d] = lo[d]! << n;
          }
          pc = (pc + 1) | 0;
          continue;
        }
        case 7 satisfies typeof OP.RSH64: {
          const td = tag[d]!;
          const ts = tag[s]!;
          if ((td & ts) >= 0) checkPlain(state, pc, OP.RSH64, d, s);
          tag[d] =
            (td & ts) < 0 && pinned[td & pinMask] === td && pinned[ts & pinMask] === ts ? known : unknown;
          const n = lo[s]! & 63;
          if (n >= 32) {
            lo[d] = hi[d]! >>> (n - 32);
            hi[d] = 0;
          } else if (n > 0) {
            lo[d] = (lo[d]! >>> n) | (hi[d]! << (32 - n));
            hi[d] = hi[d]! >>> n;
          }
          pc = (pc + 1) | 0;
          continue;
        }
        case 16 satisfies typeof OP.ADD32: {
          const td = tag[d]!;
          const ts = tag[s]!;
          if ((td & ts) >= 0) checkPlain(state, pc, OP.ADD32, d, s);
          tag[d] =
            (td & ts) < 0 && pinned[td & pinMask] === td && pinned[ts & pinMask] === ts ? known : unknown;
          lo[d] = lo[d]! + lo[s]!;
          hi[d] = 0;
          pc = (pc + 1) | 0;
          continue;
        }
        case 20 satisfies typeof OP.OR32: {
          const td = tag[d]!;
          const ts = tag[s]!;
          if ((td & ts) >= 0) checkPlain(state, pc, OP.OR32, d, s);
          tag[d] =
            (td & ts) < 0 && pinned[td & pinMask] === td && pinned[ts & pinMask] === ts ? known : unknown;
          lo[d] = lo[d]! | lo[s]!;
          hi[d] = 0;
          pc = (pc + 1) | 0;
          continue;
        }
        case 21 satisfies typeof OP.AND32: {
          const td = tag[d]!;
          const ts = tag[s]!;
          if ((td & ts) >= 0) checkPlain(state, pc, OP.AND32, d, s);
          tag[d] =
            (td & ts) < 0 && pinned[td & pinMask] === td && pinned[ts & pinMask] === ts ? known : unknown;
          lo[d] = lo[d]! & lo[s]!;
          hi[d] = 0;
          pc = (pc + 1) | 0;
          continue;
        }
        case 22 satisfies typeof OP.LSH32: {
          const td = tag[d]!;
          const ts = tag[s]!;
          if ((td & ts) >= 0) checkPlain(state, pc, OP.LSH32, d, s);
          tag[d] =
            (td & ts) < 0 && pinned[td & pinMask] === td && pinned[ts & pinMask] === ts ? known : unknown;
          lo[d] = lo[d]! << lo[s]!;
          hi[d] = 0;
          pc = (pc + 1) | 0;
          continue;
        }
        case 23 satisfies typeof OP.RSH32: {
          const td = tag[d]!;
          const ts = tag[s]!;
          if ((td & ts) >= 0) checkPlain(state, pc, OP.RSH32, d, s);
          tag[d] =
            (td & ts) < 0 && pinned[td & pinMask] === td && pinned[ts & pinMask] === ts ? known : unknown;
          lo[d] = lo[d]! >>> lo[s]!;
          hi[d] = 0;
          pc = (pc + 1) | 0;
          continue;
        }
        case 26 satisfies typeof OP.XOR32: {
          const td = tag[d]!;
          const ts = tag[s]!;
          if ((td & ts) >= 0) checkPlain(state, pc, OP.XOR32, d, s);
          tag[d] =
            (td & ts) < 0 && pinned[td & pinMask] === td && pinned[ts & pinMask] === ts ? known : unknown;
          lo[d] = lo[d]! ^ lo[s]!;
          hi[d] = 0;
          pc = (pc + 1) | 0;
          continue;
        }
        case 33 satisfies typeof OP.BSWAP: {
          const argument = operands[pc]!;
          const td = tag[d]!;
          const ts = tag[s]!;
          if ((td & ts) >= 0) checkPlain(state, pc, OP.BSWAP, d, s);
          tag[d] =
            (td & ts) < 0 && pinned[td & pinMask] === td && pinned[ts & pinMask] === ts ? known : unknown;
          const low = swap32(lo[d]!);
          if (argument === 64) {
            lo[d] = swap32(hi[d]!);
            hi[d] = low;
          } else {
            lo[d] = argument === 16 ? low >>> 16 : low;
            hi[d] = 0;
          }
          pc = (pc + 1) | 0;
          continue;
        }
        default: {
          const argument = operands[pc]!;
          // The rest of arithmetic: no pointers but for what makes numbers of them.
          const td = tag[d]!;
          const ts = tag[s]!;
          if ((td & ts) >= 0) checkPlain(state, pc, word & 0xff, d, s);
          tag[d] =
            (td & ts) < 0 && pinned[td & pinMask] === td && pinned[ts & pinMask] === ts ? known : unknown;
          switch (word & 0xff) {
            case 2 satisfies typeof OP.MUL64: {
              const low = Math.imul(lo[d]!, lo[s]!);
              const high = multiplyHigh(lo[d]!, lo[s]!);
              hi[d] = high + Math.imul(lo[d]!, hi[s]!) + Math.imul(hi[d]!, lo[s]!);
              lo[d] = low;
              break;
            }
            case 3 satisfies typeof OP.DIV64:
            case 9 satisfies typeof OP.MOD64:
            case 13 satisfies typeof OP.SDIV64:
            case 14 satisfies typeof OP.SMOD64: {
              const operation = word & 0xff;
              divide(
                lo[d]!,
                hi[d]!,
                lo[s]!,
                hi[s]!,
                operation >= (13 satisfies typeof OP.SDIV64),
                operation === (9 satisfies typeof OP.MOD64) || operation === (14 satisfies typeof OP.SMOD64),
              );
              lo[d] = quotient.low;
              hi[d] = quotient.high;
              // The verifier does not divide (kernel/bpf/verifier.c, `is_safe_to_compute_dst_reg_range`).
              tag[d] = unknown;
              break;
            }
            case 8 satisfies typeof OP.NEG64: {
              const borrow = lo[d] === 0 ? 0 : 1;
              lo[d] = -lo[d]!;
              hi[d] = -hi[d]! - borrow;
              break;
            }
            case 10 satisfies typeof OP.XOR64:
              lo[d] = lo[d]! ^ lo[s]!;
              hi[d] = hi[d]! ^ hi[s]!;
              break;
            case 12 satisfies typeof OP.ARSH64: {
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
            case 17 satisfies typeof OP.SUB32:
              lo[d] = lo[d]! - lo[s]!;
              hi[d] = 0;
              break;
            case 18 satisfies typeof OP.MUL32:
              lo[d] = Math.imul(lo[d]!, lo[s]!);
              hi[d] = 0;
              break;
            case 19 satisfies typeof OP.DIV32:
            case 25 satisfies typeof OP.MOD32:
            case 29 satisfies typeof OP.SDIV32:
            case 30 satisfies typeof OP.SMOD32: {
              const operation = word & 0xff;
              lo[d] = divide32(
                lo[d]!,
                lo[s]!,
                operation >= (29 satisfies typeof OP.SDIV32),
                operation === (25 satisfies typeof OP.MOD32) || operation === (30 satisfies typeof OP.SMOD32),
              );
              hi[d] = 0;
              tag[d] = unknown;
              break;
            }
            case 24 satisfies typeof OP.NEG32:
              lo[d] = -lo[d]!;
              hi[d] = 0;
              break;
            case 28 satisfies typeof OP.ARSH32:
              lo[d] = lo[d]! >> lo[s]!;
              hi[d] = 0;
              break;
            case 32 satisfies typeof OP.TO_LE:
              if (argument < 64) hi[d] = 0;
              if (argument === 16) lo[d] = lo[d]! & 0xffff;
              break;
            default:
              state.pc = pc;
              violate(`unknown operation ${word & 0xff}`);
          }
          pc = (pc + 1) | 0;
          continue;
        }
      }
      if (!jump) {
        pc = (pc + 1) | 0;
        continue;
      }
      const target = operands[pc]!;
      if (target <= pc) {
        state.budget -= pc - target + 1;
        if (state.budget < 0) exhausted(state, pc);
      }
      taken[pc]!++;
      pc = target;
    }
  };
}

function unreadable(state: State, pc: number, register: number): never {
  state.pc = pc;
  return violate(`R${register} !read_ok`);
}

/** What arithmetic other than addition and subtraction may not have for operands. */
function checkPlain(state: State, pc: number, operation: number, d: number, s: number): void {
  state.pc = pc;
  checkPlainOperands(state, operation, d, s);
}

/** Comparisons that prove nothing only need their operands written. */
function readable(state: State, pc: number, a: number, b: number): void {
  if (state.tag[a] === UNINITIALISED) unreadable(state, pc, a);
  if (state.tag[b] === UNINITIALISED) unreadable(state, pc, b);
}

function partialCopy(state: State, pc: number, register: number): void {
  if (state.tag[register] === UNINITIALISED) unreadable(state, pc, register);
  state.pc = pc;
  if (!state.provenance.isScalar(state.tag[register]!)) {
    violate(`R${register} sign-extension part of pointer`);
  }
}

/** A function of the program may end with samples and a lock in hand, the program may not. */
function leaves(state: State, pc: number): void {
  state.pc = pc;
  if (state.frame > 0) return;
  if (state.lock !== 0) violate('bpf_spin_unlock is missing');
  violate('Unreleased reference: what a helper gave (a sample of a ring buffer, say) is not given back');
}

/** Stops a run that has used its budget up. */
export function exhausted(state: Execution, pc: number): never {
  state.pc = pc;
  return violate(
    `the run executed more than ${state.fullBudget} instructions: BPF program is too large, or loops for ever`,
  );
}

/** Is a number so small that any pointer may be moved by it (`BPF_MAX_VAR_OFF`)? */
function isNear(low: number, high: number): boolean {
  return high === low >> 31 && low < 1 << 29 && low > -(1 << 29);
}

/** Two scalars turned out to be equal: if the verifier knows one of them, it knows the other from here on. */
function pin(pinned: Int32Array, a: number, b: number): void {
  if (pinned[b & PIN_MASK] === b) pinned[a & PIN_MASK] = a;
  else if (pinned[a & PIN_MASK] === a) pinned[b & PIN_MASK] = b;
}
