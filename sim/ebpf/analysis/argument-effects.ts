/** What the arguments of a call do to what is known of the caller's frame, by their types. */

import type { BpfMap } from '../bpf-object.ts';
import { type ArgumentType, memoryOf } from '../helpers/argument-types.ts';
import type { Helper } from '../helpers/helper.ts';
import { MAX_BPF_STACK } from '../instruction.ts';
import type { AbstractState } from './abstract-state.ts';
import { ANY, isConstant, KIND, type Value } from './abstract-value.ts';

/** One call, as the analysis walks over it. */
export interface AnalysedCall {
  readonly helper: Helper;
  /** Before the call; what it does is entered here. */
  readonly state: AbstractState;
  /** The map that it is passed, where that is known. */
  readonly map: BpfMap | undefined;
  /** Notes a read through a pointer; undefined: nobody knows of how many bytes. */
  readonly read: (pointer: Value, size: number | undefined) => void;
  /** Notes that a function of the program may be called. */
  readonly callBack: (target: Value) => void;
  /** Notes a write to memory that may be on any frame. */
  readonly writesSomewhere: () => void;
}

/** @param index of the argument; it is in the register after that */
type Effect = (call: AnalysedCall, index: number) => void;

const EFFECTS: Readonly<Record<ArgumentType, Effect>> = {
  anything: mayReadAnywhere,
  context: none,
  map: none,
  key: reads,
  value: reads,
  value_out: fills,
  value_peeked: fills,
  memory: reads,
  memory_or_null: reads,
  memory_out: fills,
  memory_inout: changes,
  buffer_or_null: mayFill,
  size: none,
  size_or_zero: none,
  constant_size: none,
  u64_out: fills,
  u32_inout: changes,
  u64_inout: changes,
  u16_inout: changes,
  fib_tuple: changes,
  function: ({ state, callBack }, index) => callBack(state.registers[index + 1]!),
  // A callback does with it what it likes.
  stack_or_null: changes,
  // Gone, in every copy.
  sample: ({ state }) => state.replace((one) => (one.kind === KIND.sample ? ANY : one)),
  // In a read-only map.
  string: none,
  socket: none,
  socket_or_struct: none,
  context_or_null: none,
  cgroup: none,
  cgroup_or_null: none,
  value_or_null: reads,
  ipv4_header: reads,
  tcp_header: reads,
  ipv6_header: reads,
  spin_lock: changes,
  res_spin_lock: changes,
  // Its bytes stay zeros.
  timer: none,
  dynptr_out: fills,
  dynptr: changesWhatItPointsTo,
  iterator_out: fills,
  iterator: changes,
  bits_iterator_out: fills,
  bits_iterator: changes,
  irq_flags_out: fills,
  irq_flags: changes,
  kernel_variable: none,
} satisfies Record<ArgumentType, Effect>;

/** Enters what the arguments of a call do. */
export function applyArguments(call: AnalysedCall): void {
  for (const [index, type] of call.helper.arguments.entries()) EFFECTS[type](call, index);
}

function none(): void {}

/** Who is not asked where the address leads reads over the end of the frame, too. */
function mayReadAnywhere({ helper: { readsAnywhere }, state, read }: AnalysedCall, index: number): void {
  if (readsAnywhere?.at !== index) return;
  const pointer = state.registers[index + 1]!;
  const count = state.registers[readsAnywhere.count + 1]!;
  const size = isConstant(count) ? count.max * readsAnywhere.unit : undefined;
  const isInside = size !== undefined && size >= 0 && pointer.max + size <= 0;
  read(pointer, isInside ? size : undefined);
}

function reads(call: AnalysedCall, index: number): void {
  call.read(call.state.registers[index + 1]!, bytesOf(call, index).most);
}

/** Bytes are written as a whole, whatever the helper returns. */
function fills(call: AnalysedCall, index: number): void {
  const { state } = call;
  const pointer = state.registers[index + 1]!;
  const { exact, most } = bytesOf(call, index);
  if (pointer.kind === KIND.stack && pointer.min === pointer.max && exact !== undefined) {
    state.initialise(pointer.min, exact);
  }
  forget(call, pointer, most);
}

function changes(call: AnalysedCall, index: number): void {
  reads(call, index);
  forget(call, call.state.registers[index + 1]!, bytesOf(call, index).most);
}

/** Whether anything is written, nobody knows. */
function mayFill(call: AnalysedCall, index: number): void {
  const pointer = call.state.registers[index + 1]!;
  call.read(pointer, undefined);
  forget(call, pointer, bytesOf(call, index).most);
}

function changesWhatItPointsTo(call: AnalysedCall, index: number): void {
  changes(call, index);
  call.state.forgetCells();
}

/** @param most bytes that are written at most; undefined: nobody knows */
function forget({ state, writesSomewhere }: AnalysedCall, pointer: Value, most: number | undefined): void {
  // Beyond the frame the call is refused.
  const isBounded = pointer.min >= -MAX_BPF_STACK && pointer.max <= 0;
  if (pointer.kind === KIND.stack && most !== undefined && isBounded) {
    state.store(pointer.min, pointer.max - pointer.min + most, undefined);
  } else if (pointer.kind === KIND.stack) state.forgetCells();
  else if (pointer.kind === KIND.any) writesSomewhere();
}

/** How many bytes an argument reaches: at most, and exactly; undefined where that is not known. */
function bytesOf(
  { helper, state, map }: AnalysedCall,
  index: number,
): { most: number | undefined; exact: number | undefined } {
  const { size } = memoryOf(helper.arguments[index]!);
  switch (size) {
    case 'map key':
      return { most: map?.keySize, exact: map?.keySize };
    case 'map value':
      return { most: map?.valueSize, exact: map?.valueSize };
    case 'next argument': {
      const next = state.registers[index + 2]!;
      const bounded = next.kind === KIND.scalar && next.min >= 0 && next.max <= MAX_BPF_STACK;
      const known = isConstant(next) && Number.isFinite(next.min);
      return { most: bounded ? next.max : undefined, exact: known ? next.min : undefined };
    }
    case 'up to its zero':
    case 'unknown':
      return { most: undefined, exact: undefined };
    default:
      return { most: size, exact: size };
  }
}
