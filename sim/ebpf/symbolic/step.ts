/** One instruction on a path: the third reader of the instruction set, beside interpreter and compiler. */

import { isPerCpu } from '../../runtime/maps.ts';
import {
  accessSize,
  BPF_ABS,
  BPF_ADD,
  BPF_ALU,
  BPF_ALU64,
  BPF_AND,
  BPF_ARSH,
  BPF_ATOMIC_ADD,
  BPF_ATOMIC_AND,
  BPF_ATOMIC_OR,
  BPF_ATOMIC_XOR,
  BPF_CALL,
  BPF_CMPXCHG,
  BPF_DIV,
  BPF_END,
  BPF_EXIT,
  BPF_FETCH,
  BPF_IND,
  BPF_JA,
  BPF_JCOND,
  BPF_JEQ,
  BPF_JGE,
  BPF_JGT,
  BPF_JLE,
  BPF_JLT,
  BPF_JMP,
  BPF_JMP32,
  BPF_JNE,
  BPF_JSET,
  BPF_JSGE,
  BPF_JSGT,
  BPF_JSLE,
  BPF_JSLT,
  BPF_LD,
  BPF_LDX,
  BPF_LOAD_ACQ,
  BPF_LSH,
  BPF_MEMSX,
  BPF_MOD,
  BPF_MOV,
  BPF_MUL,
  BPF_NEG,
  BPF_OR,
  BPF_PSEUDO_BTF_ID,
  BPF_PSEUDO_CALL,
  BPF_PSEUDO_FUNC,
  BPF_PSEUDO_MAP_FD,
  BPF_PSEUDO_MAP_VALUE,
  BPF_RSH,
  BPF_ST,
  BPF_STORE_REL,
  BPF_STX,
  BPF_SUB,
  BPF_TO_BE,
  BPF_X,
  BPF_XCHG,
  BPF_XOR,
  CLASS_MASK,
  callTarget,
  type Instructions,
  isAtomic,
  jumpTarget,
  LDDW,
  MODE_MASK,
  OPERATION_MASK,
  SOURCE_MASK,
} from '../instruction.ts';
import { SKF_LL_OFF, SKF_NET_OFF } from '../packet-load-offsets.ts';
import { blockPointer, load, packetByte, store } from './access.ts';
import { noteShared } from './acts.ts';
import { requireComparable, requireOneMemory } from './addresses.ts';
import { enter } from './frames.ts';
import { callHelper, callKernelFunction } from './helper-calls.ts';
import type { Inputs } from './inputs.ts';
import { leave } from './leave.ts';
import { loadAnywhere } from './load-anywhere.ts';
import { globalBlock } from './map-entries.ts';
import { settlePlaces } from './open-places.ts';
import { NotFollowed, type PathState, PathViolation } from './path-state.ts';
import type { Value } from './path-value.ts';
import type { Term } from './term.ts';

/**
 * Runs the instruction that the path stands at, and moves it on, or ends it.
 * @throws {Split} or {Enumerate} before anything has changed, where the path does not know enough
 * @throws {NotFollowed} and {PathViolation}, which end it
 */
export function step(inputs: Inputs, state: PathState): void {
  const { instructions } = inputs.machine.object.programs[state.program]!;
  const opcode = instructions.opcode[state.slot]!;
  switch (opcode & CLASS_MASK) {
    case BPF_ALU:
    case BPF_ALU64:
      arithmetic(state, instructions, opcode);
      break;
    case BPF_JMP:
    case BPF_JMP32:
      jump(inputs, state, instructions, opcode);
      break;
    case BPF_LDX:
      loadRegister(inputs, state, instructions, opcode);
      break;
    case BPF_ST:
    case BPF_STX:
      storeRegister(inputs, state, instructions, opcode);
      break;
    case BPF_LD:
      loadImmediate(inputs, state, instructions, opcode);
      break;
    default:
      throw new PathViolation(`unknown opcode ${opcode}`);
  }
  state.steps++;
}

function register(state: PathState, number: number): Value {
  const value = state.registers[number];
  if (value === undefined) throw new PathViolation(`R${number} !read_ok`);
  return value;
}

function scalar(term: Term): Value {
  return { term, region: undefined };
}

function operand(state: PathState, instructions: Instructions, opcode: number): Value {
  if ((opcode & SOURCE_MASK) === BPF_X) return register(state, instructions.src[state.slot]!);
  return scalar(state.pool.constant(64, instructions.imm[state.slot]!));
}

function arithmetic(state: PathState, instructions: Instructions, opcode: number): void {
  const { pool, slot } = state;
  const wide = (opcode & CLASS_MASK) === BPF_ALU64;
  const width = wide ? 64 : 32;
  const operation = opcode & OPERATION_MASK;
  const dst = instructions.dst[slot]!;
  const set = (value: Value): void => {
    state.registers[dst] = value;
    state.slot++;
  };
  const number = (term: Term): void => set(scalar(pool.zeroExtend(64, term)));
  const cut = (value: Value): Term => pool.extract(value.term, 0, width);
  if (operation === BPF_MOV) {
    const source = operand(state, instructions, opcode);
    const extension = instructions.offset[slot]!;
    if (extension !== 0) number(pool.signExtend(width, pool.extract(source.term, 0, extension)));
    else if (wide) set(source);
    else number(cut(source));
    return;
  }
  const before = register(state, dst);
  if (operation === BPF_NEG) {
    number(pool.negate(cut(before)));
    return;
  }
  if (operation === BPF_END) {
    const bits = instructions.imm[slot]!;
    const part = pool.extract(before.term, 0, bits);
    const swaps = wide || (opcode & SOURCE_MASK) === BPF_TO_BE;
    number(swaps ? pool.swapBytes(part) : part);
    return;
  }
  const other = operand(state, instructions, opcode);
  if (
    wide &&
    (operation === BPF_ADD || operation === BPF_SUB) &&
    movePointer(state, operation, before, other, set)
  ) {
    return;
  }
  number(binary(state, operation, cut(before), cut(other), instructions.offset[slot] === 1));
}

function binary(state: PathState, operation: number, a: Term, b: Term, signed: boolean): Term {
  const { pool } = state;
  // What holds for frames up to the limit only is not known of longer ones.
  const known = state.unlimited ?? state.knowledge;
  const shifted = (by: 'shl' | 'lshr' | 'ashr'): Term => pool.shift(by, a, b, known.range(b).max);
  switch (operation) {
    case BPF_ADD:
      return pool.add(a, b);
    case BPF_SUB:
      return pool.subtract(a, b);
    case BPF_MUL:
      return pool.multiply(a, b);
    case BPF_DIV:
      return pool.divide(signed ? 'sdiv' : 'udiv', a, b);
    case BPF_MOD:
      return pool.divide(signed ? 'srem' : 'urem', a, b);
    case BPF_OR:
      return pool.or(a, b);
    case BPF_AND:
      return pool.and(a, b);
    case BPF_XOR:
      return pool.xor(a, b);
    case BPF_LSH:
      return shifted('shl');
    case BPF_RSH:
      return shifted('lshr');
    case BPF_ARSH:
      return shifted('ashr');
    default:
      throw new PathViolation(`unknown operation ${operation}`);
  }
}

/** @returns whether it was arithmetic on a pointer */
function movePointer(
  state: PathState,
  operation: number,
  a: Value,
  b: Value,
  set: (value: Value) => void,
): boolean {
  if (a.region === undefined && b.region === undefined) return false;
  const { pool } = state;
  if (operation === BPF_SUB) {
    if (b.region !== undefined) {
      requireOneMemory(a, b, 'a difference');
      return false;
    }
    set({ term: pool.subtract(a.term, b.term), region: a.region });
    return true;
  }
  if (a.region !== undefined && b.region !== undefined)
    throw new PathViolation('pointer += pointer prohibited');
  set({ term: pool.add(a.term, b.term), region: a.region ?? b.region });
  return true;
}

function jump(inputs: Inputs, state: PathState, instructions: Instructions, opcode: number): void {
  const { slot } = state;
  const operation = opcode & OPERATION_MASK;
  if (operation === BPF_JA) {
    state.slot = jumpTarget(instructions, slot);
    return;
  }
  if (operation === BPF_CALL) {
    call(inputs, state, instructions);
    return;
  }
  if (operation === BPF_EXIT) {
    leave(inputs, state);
    return;
  }
  let taken = false;
  if (operation === BPF_JCOND) {
    // Taken when eight million rounds are over: nobody follows a path that long.
    state.assume('may_goto goes on: its budget of rounds is not used up');
  } else {
    requireComparable(
      state,
      opcode,
      register(state, instructions.dst[slot]!),
      operand(state, instructions, opcode),
    );
    taken = state.decide(jumpCondition(state, instructions));
  }
  state.decisions = { program: state.program, slot, taken, before: state.decisions };
  state.slot = taken ? jumpTarget(instructions, slot) : slot + 1;
}

/** When the conditional jump that a path stands at is taken; `may_goto` is none of these. */
export function jumpCondition(state: PathState, instructions: Instructions): Term {
  const { slot, pool } = state;
  const opcode = instructions.opcode[slot]!;
  const a = register(state, instructions.dst[slot]!);
  const b = operand(state, instructions, opcode);
  const width = (opcode & CLASS_MASK) === BPF_JMP ? 64 : 32;
  return comparison(
    state,
    opcode & OPERATION_MASK,
    pool.extract(a.term, 0, width),
    pool.extract(b.term, 0, width),
  );
}

function comparison({ pool }: PathState, operation: number, a: Term, b: Term): Term {
  switch (operation) {
    case BPF_JEQ:
      return pool.equal(a, b);
    case BPF_JNE:
      return pool.not(pool.equal(a, b));
    case BPF_JGT:
      return pool.less(b, a);
    case BPF_JGE:
      return pool.not(pool.less(a, b));
    case BPF_JLT:
      return pool.less(a, b);
    case BPF_JLE:
      return pool.not(pool.less(b, a));
    case BPF_JSET:
      return pool.not(pool.equal(pool.and(a, b), pool.constant(a.width, 0)));
    case BPF_JSGT:
      return pool.lessSigned(b, a);
    case BPF_JSGE:
      return pool.not(pool.lessSigned(a, b));
    case BPF_JSLT:
      return pool.lessSigned(a, b);
    case BPF_JSLE:
      return pool.not(pool.lessSigned(b, a));
    default:
      throw new PathViolation(`unknown comparison ${operation}`);
  }
}

function call(inputs: Inputs, state: PathState, instructions: Instructions): void {
  const { slot } = state;
  const source = instructions.src[slot]!;
  if (source === BPF_PSEUDO_CALL) {
    enter(state, callTarget(instructions, slot), slot + 1, undefined);
    return;
  }
  if (source === 0) callHelper(inputs, state, instructions.imm[slot]!);
  else callKernelFunction(inputs, state, instructions.imm[slot]!);
}

function loadRegister(inputs: Inputs, state: PathState, instructions: Instructions, opcode: number): void {
  const { slot, pool } = state;
  const size = accessSize(opcode);
  const pointer = register(state, instructions.src[slot]!);
  const offset = instructions.offset[slot]!;
  const loaded =
    loadAnywhere(inputs, state, pointer, offset, size) ?? load(inputs, state, pointer, offset, size);
  const dst = instructions.dst[slot]!;
  if (!('operation' in loaded)) state.registers[dst] = loaded;
  else if ((opcode & MODE_MASK) === BPF_MEMSX) state.registers[dst] = scalar(pool.signExtend(64, loaded));
  else state.registers[dst] = scalar(pool.zeroExtend(64, loaded));
  state.slot++;
}

function storeRegister(inputs: Inputs, state: PathState, instructions: Instructions, opcode: number): void {
  const { slot } = state;
  const size = accessSize(opcode);
  const offset = instructions.offset[slot]!;
  if (isAtomic(opcode)) {
    atomic(inputs, state, instructions, size);
    state.slot++;
    return;
  }
  // Before the registers are looked at: they may name bytes otherwise afterwards.
  if (register(state, instructions.dst[slot]!).region?.kind === 'packet') settlePlaces(state);
  const pointer = register(state, instructions.dst[slot]!);
  const value =
    (opcode & CLASS_MASK) === BPF_ST
      ? scalar(state.pool.constant(64, instructions.imm[slot]!))
      : register(state, instructions.src[slot]!);
  store(state, pointer, offset, size, value);
  state.slot++;
}

/** RFC 9669 §5.3. */
function atomic(inputs: Inputs, state: PathState, instructions: Instructions, size: 1 | 2 | 4 | 8): void {
  const { slot, pool, registers } = state;
  const [dst, src] = [instructions.dst[slot]!, instructions.src[slot]!];
  const offset = instructions.offset[slot]!;
  const operation = instructions.imm[slot]!;
  const bits = size * 8;
  requireAtomicPlace(state, register(state, operation === BPF_LOAD_ACQ ? src : dst), offset, size);
  const read = (pointer: Value): Term => {
    const loaded = load(inputs, state, pointer, offset, size);
    if (!('operation' in loaded)) throw new NotFollowed('an atomic operation on an address');
    return loaded;
  };
  if (operation === BPF_LOAD_ACQ) {
    registers[dst] = scalar(pool.zeroExtend(64, read(register(state, src))));
    return;
  }
  const pointer = register(state, dst);
  const given = register(state, src);
  const write = (term: Term): void => store(state, pointer, offset, size, scalar(pool.zeroExtend(64, term)));
  if (operation === BPF_STORE_REL) {
    store(state, pointer, offset, size, given);
    return;
  }
  if (given.region !== undefined) throw new NotFollowed('an atomic operation with an address');
  noteAtomic(inputs, state, pointer);
  const old = read(pointer);
  const value = pool.extract(given.term, 0, bits);
  if (operation === BPF_CMPXCHG) {
    const expected = pool.extract(register(state, 0).term, 0, bits);
    write(pool.ite(pool.equal(old, expected), value, old));
    registers[0] = scalar(pool.zeroExtend(64, old));
    return;
  }
  write(atomicResult(state, operation, old, value));
  if ((operation & BPF_FETCH) !== 0) registers[src] = scalar(pool.zeroExtend(64, old));
}

/** Of what only one CPU sees, it is nobody's business. */
function noteAtomic({ machine }: Inputs, state: PathState, { region }: Value): void {
  if (region?.kind !== 'block') return;
  const { what, map } = state.blocks[region.block]!;
  const shared = what === 'map value' || what === 'globals' ? machine.maps[map] : undefined;
  if (shared === undefined || isPerCpu(shared.definition.type)) return;
  noteShared(state, `atomic ${shared.name}`, `changes map ${shared.name} atomically`);
}

/** Context and packet, and what is known not to be aligned, no atomic operation reaches (kernel/bpf/verifier.c, `atomic_ptr_type_ok`). */
function requireAtomicPlace(
  { pool, knowledge }: PathState,
  { region, term }: Value,
  offset: number,
  size: number,
): void {
  if (region?.kind === 'context' || region?.kind === 'packet')
    throw new PathViolation(`an atomic operation on the ${region.kind}`);
  if (region?.kind !== 'block') return;
  const { min, max } = knowledge.range(pool.addConst(term, offset));
  if (min === max && min % BigInt(size) !== 0n) throw new PathViolation('a misaligned atomic operation');
}

function atomicResult({ pool }: PathState, operation: number, old: Term, value: Term): Term {
  if (operation === BPF_XCHG) return value;
  switch (operation & ~BPF_FETCH) {
    case BPF_ATOMIC_ADD:
      return pool.add(old, value);
    case BPF_ATOMIC_OR:
      return pool.or(old, value);
    case BPF_ATOMIC_AND:
      return pool.and(old, value);
    case BPF_ATOMIC_XOR:
      return pool.xor(old, value);
    default:
      throw new PathViolation(`unknown atomic operation ${operation}`);
  }
}

function loadImmediate(inputs: Inputs, state: PathState, instructions: Instructions, opcode: number): void {
  const { slot, pool } = state;
  const mode = opcode & MODE_MASK;
  if (mode === BPF_ABS || mode === BPF_IND) {
    loadClassic(inputs, state, instructions, opcode);
    return;
  }
  if (opcode !== LDDW) throw new PathViolation(`unknown opcode ${opcode}`);
  const dst = instructions.dst[slot]!;
  const [low, high] = [instructions.imm[slot]!, instructions.imm[slot + 1]!];
  switch (instructions.src[slot]) {
    case 0: {
      const value = (BigInt(high) << 32n) | BigInt(low >>> 0);
      state.registers[dst] = scalar(pool.constant(64, value));
      break;
    }
    case BPF_PSEUDO_MAP_FD: {
      const { address } = inputs.machine.maps[low]!;
      state.registers[dst] = { term: pool.constant(64, address), region: { kind: 'map', map: low } };
      break;
    }
    case BPF_PSEUDO_MAP_VALUE: {
      const pointer = blockPointer(state, globalBlock(inputs, state, low));
      state.registers[dst] = { ...pointer, term: pool.addConst(pointer.term, high) };
      break;
    }
    case BPF_PSEUDO_BTF_ID: {
      const { address } = inputs.machine.variables[low]!;
      state.registers[dst] = {
        term: pool.constant(64, address),
        region: { kind: 'kernel variable', variable: low },
      };
      break;
    }
    case BPF_PSEUDO_FUNC: {
      const target = callTarget(instructions, slot);
      state.registers[dst] = { term: pool.constant(64, 1), region: { kind: 'function', target } };
      break;
    }
    default:
      throw new PathViolation(`a constant of unknown kind ${instructions.src[slot]}`);
  }
  state.slot += 2;
}

/** `BPF_LD | BPF_ABS` and `BPF_IND`: the packet loads of classic BPF. Beyond the frame's end the program is over. */
function loadClassic(inputs: Inputs, state: PathState, instructions: Instructions, opcode: number): void {
  const { slot, pool, packet } = state;
  const size = accessSize(opcode);
  const isIndirect = (opcode & MODE_MASK) === BPF_IND;
  let offset: Term = pool.constant(32, instructions.imm[slot]!);
  if (isIndirect)
    offset = pool.add(offset, pool.extract(register(state, instructions.src[slot]!).term, 0, 32));
  const from = classicAddress(state, offset);
  if (from === undefined || state.decide(pool.less(packet.end, pool.addConst(from, size)))) {
    state.registers[0] = scalar(pool.constant(64, 0));
    leave(inputs, state);
    return;
  }
  const at = Number(state.number(from));
  const bytes = Array.from({ length: size }, (_, index) => packetByte(inputs, state, at + index));
  state.registers[0] = scalar(pool.zeroExtend(64, pool.concat(bytes)));
  for (let number = 1; number <= 5; number++) state.registers[number] = undefined;
  state.slot++;
}

/** Where such a load begins: negative offsets count from a header, or mean nothing. */
function classicAddress(state: PathState, offset: Term): Term | undefined {
  const { pool, packet, networkOffset } = state;
  if (!state.decide(pool.extract(offset, 31, 1))) return pool.add(packet.data, pool.zeroExtend(64, offset));
  if (state.decide(pool.less(offset, pool.constant(32, SKF_LL_OFF)))) return undefined;
  const isFromMac = state.decide(pool.less(offset, pool.constant(32, SKF_NET_OFF)));
  const distance = pool.addConst(offset, -(isFromMac ? SKF_LL_OFF : SKF_NET_OFF));
  const header = isFromMac ? packet.data : pool.add(packet.data, networkOffset);
  return pool.add(header, pool.zeroExtend(64, distance));
}
