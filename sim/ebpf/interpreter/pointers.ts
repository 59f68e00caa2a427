/** Arithmetic on pointers, and comparisons with them (kernel/bpf/verifier.c, with the rights of root). */

import { doubtfulSums } from '../analysis/doubtful-sums.ts';
import { region } from './access.ts';
import { OP } from './operation.ts';
import { KIND, LAST_STACK_REGION, SLICE_WRITABLE, STACK_REGION } from './provenance.ts';
import { makeRoom, type State, violate } from './state.ts';

const NAMES: readonly string[] = [
  '+=',
  '-=',
  '*=',
  '/=',
  '|=',
  '&=',
  '<<=',
  '>>=',
  'neg',
  '%=',
  '^=',
  '=',
  's>>=',
  's/=',
  's%=',
];

/** `BPF_MAX_VAR_OFF`: no pointer may be moved further at once. */
const MAX_OFFSET = 1 << 29;

/**
 * The tag of `dst += src` or `dst -= src`, where at least one of them is no plain scalar. The registers still hold
 * the operands.
 * @returns the tag; 0: a new unknown scalar
 */
export function tagOfSum(state: State, dst: number, src: number, subtracts: boolean): number {
  makeRoom(state);
  const { provenance } = state;
  const a = state.tag[dst]!;
  const b = state.tag[src]!;
  if (b === 0) violate(`R${src} !read_ok`);
  if (a === 0) violate(`R${dst} !read_ok`);
  const aScalar = provenance.isScalar(a);
  const bScalar = provenance.isScalar(b);
  if (aScalar && bScalar) return 0;
  if (!aScalar && !bScalar) {
    // "Combining two pointers by any ALU op yields an arbitrary scalar", and for root a difference is allowed.
    if (subtracts) return 0;
    violate(`R${dst} pointer += pointer prohibited`);
  }
  if (subtracts && aScalar) violate(`R${dst} tried to subtract pointer from scalar`);
  const pointer = aScalar ? b : a;
  const pointerRegister = aScalar ? src : dst;
  const number = aScalar ? dst : src;
  return movedPointer(state, pointer, pointerRegister, number, subtracts);
}

function movedPointer(
  state: State,
  tag: number,
  register: number,
  number: number,
  subtracts: boolean,
): number {
  const { provenance } = state;
  const kind = provenance.kind[tag]!;
  if (provenance.mayBeNull(tag)) {
    violate(`R${register} pointer arithmetic on ${provenance.nameOf(tag)} prohibited, null-check it first`);
  }
  if (provenance.movable[tag] === 0) {
    violate(`R${register} pointer arithmetic on ${provenance.nameOf(tag)} prohibited`);
  }
  if (subtracts && tag >= STACK_REGION && tag <= LAST_STACK_REGION) {
    violate(`R${register} subtraction from stack pointer prohibited`);
  }
  const low = state.lo[number]!;
  const high = state.hi[number]!;
  const known = provenance.isKnown(state.tag[number]!);
  checkDistance(state, tag, low, high, known);
  if (kind !== KIND.packet && kind !== KIND.packetMeta) return tag;
  if (known || mayBeKnown(state)) return tag;
  const lowest = provenance.lowest[tag]!;
  if (!subtracts) return region(provenance.packetFamily(kind, (lowest + low) | 0));
  // What was proven of the pointer moves along (a number that is not negative takes nothing from it).
  const moved = region(provenance.packetFamily(kind, (lowest - low) | 0));
  if (high >= 0 && provenance.limit[tag]! > lowest) {
    provenance.limit[moved] = provenance.limit[tag]! - low;
    provenance.writeLimit[moved] = provenance.writeLimit[tag]! - low;
  }
  return moved;
}

/** May the verifier know the number that is added here, though it is not computed from constants alone? */
function mayBeKnown({ machine, program, pc }: State): boolean {
  const { layout } = machine;
  if (program.doubtfulIn !== layout) {
    program.doubtful = doubtfulSums(machine.object, program.source, layout);
    program.doubtfulIn = layout;
  }
  return program.doubtful![pc] === 1;
}

/** `check_reg_sane_offset` on the number that is added. */
function checkDistance(state: State, tag: number, low: number, high: number, known: boolean): void {
  const name = state.provenance.nameOf(tag);
  const tooLow = high < -1 || (high === -1 && low >>> 0 <= -MAX_OFFSET >>> 0);
  if (tooLow) {
    violate(`math between ${name} pointer and a number as low as it is here is not allowed`);
  }
  const tooHigh = high > 0 || (high === 0 && low >>> 0 >= MAX_OFFSET);
  if (known && tooHigh) violate(`math between ${name} pointer and ${low >>> 0} is not allowed`);
}

/** Refuses every other operation on what is no plain scalar; returns where the result is just a number. */
export function checkPlainOperands(state: State, operation: number, dst: number, src: number): void {
  const { provenance } = state;
  if (state.tag[src] === 0) violate(`R${src} !read_ok`);
  if (state.tag[dst] === 0) violate(`R${dst} !read_ok`);
  const aScalar = provenance.isScalar(state.tag[dst]!);
  const bScalar = provenance.isScalar(state.tag[src]!);
  if (aScalar && bScalar) return;
  const narrow = operation >= OP.ADD32;
  const kind = narrow ? operation - OP.ADD32 : operation;
  const register = aScalar ? src : dst;
  // Negation makes a number of anything; so does, for root, a 32-bit difference.
  if (kind === OP.NEG64 || (narrow && kind === OP.SUB64)) return;
  if (narrow) violate(`R${register} 32-bit pointer arithmetic prohibited`);
  if (!aScalar && !bScalar) violate(`R${dst} pointer ${NAMES[kind]} pointer prohibited`);
  if (kind === OP.AND64 || kind === OP.OR64 || kind === OP.XOR64) {
    violate(`R${register} bitwise operator ${NAMES[kind]} on pointer prohibited`);
  }
  violate(`R${register} pointer arithmetic with ${NAMES[kind]} operator prohibited`);
}

/**
 * Draws the verifier's conclusions from a 64-bit comparison in which at least one side is no plain scalar.
 * @param taken did the comparison hold?
 */
export function concludeFromComparison(
  state: State,
  operation: number,
  dst: number,
  src: number,
  taken: boolean,
): void {
  const { provenance } = state;
  const a = state.tag[dst]!;
  const b = state.tag[src]!;
  if (a === 0) violate(`R${dst} !read_ok`);
  if (b === 0) violate(`R${src} !read_ok`);
  if (operation === OP.JEQ || operation === OP.JNE) {
    concludeNull(state, dst, src, a, b, taken === (operation === OP.JEQ));
    return;
  }
  if (a < 0 || b < 0) return;
  // Which of the two is the moving packet pointer, and which the bound?
  let pointer = a;
  let register = dst;
  let flipped = false;
  if (!bounds(state, a, dst, b, src)) {
    if (!bounds(state, b, src, a, dst)) return;
    pointer = b;
    register = src;
    flipped = true;
  }
  // What does the outcome say of the pointer: not above the bound, or even below it?
  let below = false;
  switch (operation) {
    case OP.JGT:
    case OP.JLE: {
      const above = taken === (operation === OP.JGT);
      // pointer > bound failed: it is at most the bound; bound > pointer held: it is below.
      if (flipped ? !above : above) return;
      below = flipped;
      break;
    }
    case OP.JGE:
    case OP.JLT: {
      const atLeast = taken === (operation === OP.JGE);
      if (flipped ? !atLeast : atLeast) return;
      below = !flipped;
      break;
    }
    default:
      return;
  }
  const address = state.lo[register]!;
  const offset = address - provenance.lowest[pointer]!;
  if (offset < 0 || (offset === 0 && below)) return;
  // A number that was negative when it was added: its upper bound is beyond every packet (`find_good_pkt_pointers`).
  const { packet } = state.machine;
  const first = provenance.kind[pointer] === KIND.packet ? packet.data : packet.dataMeta;
  if (provenance.lowest[pointer]! < first) return;
  provenance.provePacket(pointer, below ? address + 1 : address);
}

/** Is `pointer` a packet pointer and `bound` what it is measured by: `data_end`, or `data` for metadata? */
function bounds(
  state: State,
  pointer: number,
  _register: number,
  bound: number,
  boundRegister: number,
): boolean {
  const { provenance } = state;
  const kind = provenance.kind[pointer]!;
  const boundKind = provenance.kind[bound]!;
  if (kind === KIND.packet) return boundKind === KIND.packetEnd;
  // The packet's first byte itself, not a pointer that was moved.
  return (
    kind === KIND.packetMeta &&
    boundKind === KIND.packet &&
    provenance.detail[bound] === 0 &&
    state.lo[boundRegister] === provenance.lowest[bound]
  );
}

/** `if (pointer == 0)`, and comparisons with a pointer that is known not to be null. */
function concludeNull(state: State, dst: number, src: number, a: number, b: number, equal: boolean): void {
  const { provenance } = state;
  if (a > 0 && provenance.mayBeNull(a)) {
    const zero = provenance.isKnown(b) && (state.lo[src]! | state.hi[src]!) === 0;
    if (zero || (b > 0 && equal && !provenance.isScalar(b))) conclude(state, a, zero && equal);
  } else if (b > 0 && provenance.mayBeNull(b)) {
    const zero = provenance.isKnown(a) && (state.lo[dst]! | state.hi[dst]!) === 0;
    if (zero || (equal && !provenance.isScalar(a))) conclude(state, b, zero && equal);
  }
}

function conclude(state: State, tag: number, isNull: boolean): void {
  const { machine, provenance } = state;
  const map = machine.maps[provenance.detail[tag]!];
  const isValue = provenance.kind[tag] === KIND.valueOrNull;
  const writable = isValue ? map?.programWritable === true : (provenance.detail[tag]! & SLICE_WRITABLE) !== 0;
  // `mark_ptr_or_null_regs`: where there is nothing, there is nothing to give back.
  if (isNull && provenance.acquired[tag] === 1) state.references--;
  provenance.proveNonNull(tag, isNull, !isValue || map?.programReadable === true, writable);
}
