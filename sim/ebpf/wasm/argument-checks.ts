/**
 * What compiled programs check of the arguments of helpers, by their types: what the analysis has not proven is left for run
 * time. What only the interpreter knows (`unchecked.ts`) is not asked.
 */
import type { AbstractState } from '../analysis/abstract-state.ts';
import { isPacket, KIND, type Value } from '../analysis/abstract-value.ts';
import { judgeMemory, VERDICT } from '../analysis/access.ts';
import type { BpfMap } from '../bpf-object.ts';
import { KERNEL_FORM, ROOT_CGROUP_ADDRESS, SOCKET_ROW, TCP_FORM } from '../context/socket.ts';
import {
  ARGUMENT_TYPES,
  type ArgumentMemory,
  type ArgumentType,
  LARGEST_SIZE,
  memoryOf,
} from '../helpers/argument-types.ts';
import type { Helper } from '../helpers/helper.ts';
import { DESCRIPTOR, type LiveMap } from '../maps/live-map.ts';
import { holdsSockets } from '../maps/socket-map.ts';
import {
  CONTEXT_BASE,
  KERNEL_VARIABLE_BASE,
  KERNEL_VARIABLE_LIMIT,
  SOCKET_BASE,
  SOCKET_LIMIT,
} from '../memory.ts';
import type { FunctionWriter } from './function-writer.ts';
import { WASM } from './opcodes.ts';

/** One call, while its arguments are checked. */
export interface CompiledCall {
  readonly writer: FunctionWriter;
  readonly slot: number;
  readonly helper: Helper;
  /** What is known before the call. */
  readonly state: AbstractState;
  readonly maps: readonly LiveMap[];
  readonly sources: readonly BpfMap[];
  /** The register that holds the map, and the map if it is certain. */
  mapRegister: number;
  map: LiveMap | undefined;
}

/**
 * Writes the checks that are left for run time.
 * @param index of the argument; it is in the register after that
 * @returns false where the call is a violation for certain
 */
type Check = (call: CompiledCall, index: number) => boolean;

const CHECKS: Readonly<Record<ArgumentType, Check>> = {
  anything: () => true,
  context: checkContext,
  map: checkMap,
  key: checkMemory,
  value: checkValue,
  value_out: checkMemory,
  value_peeked: checkPeeked,
  memory: checkMemory,
  memory_or_null: checkMemory,
  memory_out: checkMemory,
  memory_inout: checkMemory,
  buffer_or_null: checkMemory,
  size: checkSize,
  size_or_zero: checkSize,
  constant_size: checkSize,
  u64_out: checkMemory,
  u32_inout: checkMemory,
  u64_inout: checkMemory,
  u16_inout: checkMemory,
  fib_tuple: checkMemory,
  // Callbacks go through a table, which has its own bounds.
  function: (call, index) => isKind(argumentOf(call, index), KIND.function),
  stack_or_null: checkStackOrNull,
  sample: checkSample,
  string: checkString,
  socket: checkSocket,
  socket_or_struct: checkSocket,
  context_or_null: checkContextOrNull,
  cgroup: checkCgroup,
  cgroup_or_null: checkCgroupOrNull,
  value_or_null: checkMemory,
  ipv4_header: checkMemory,
  tcp_header: checkMemory,
  ipv6_header: checkMemory,
  spin_lock: checkMemory,
  res_spin_lock: checkMemory,
  timer: checkMemory,
  dynptr_out: checkMemory,
  // Whether a helper made it is seen when it is called (`compiled-machine.ts`).
  dynptr: checkMemory,
  iterator_out: checkMemory,
  iterator: checkMemory,
  bits_iterator_out: checkMemory,
  bits_iterator: checkMemory,
  irq_flags_out: checkMemory,
  irq_flags: checkMemory,
  kernel_variable: checkKernelVariable,
} satisfies Record<ArgumentType, Check>;

/** Checks all arguments of a call, and finds its map. @returns false where the call is a violation for certain */
export function checkArguments(call: CompiledCall): boolean {
  return call.helper.arguments.every(
    (type, index) => argumentOf(call, index).kind !== KIND.unset && CHECKS[type](call, index),
  );
}

function argumentOf({ state }: CompiledCall, index: number): Value {
  return state.registers[index + 1]!;
}

/** Is it of a kind, or may it be? */
function isKind(value: Value, kind: Value['kind']): boolean {
  return value.kind === kind || value.kind === KIND.any;
}

/** Requires a register to hold an address. */
function requireAddress({ writer, slot }: CompiledCall, register: number, address: number): void {
  writer.push(register);
  writer.code.i64(address).op(WASM.i64_eq);
  writer.require(slot);
}

function checkContext(call: CompiledCall, index: number): boolean {
  const value = argumentOf(call, index);
  if (value.kind === KIND.context) return value.min === 0 && value.max === 0;
  if (value.kind !== KIND.any) return false;
  requireAddress(call, index + 1, CONTEXT_BASE);
  return true;
}

function checkContextOrNull(call: CompiledCall, index: number): boolean {
  const { kind } = argumentOf(call, index);
  return kind === KIND.context ? checkContext(call, index) : checkAddressOrNull(call, index, CONTEXT_BASE);
}

function checkCgroup(call: CompiledCall, index: number): boolean {
  if (argumentOf(call, index).kind !== KIND.any) return false;
  requireAddress(call, index + 1, ROOT_CGROUP_ADDRESS);
  return true;
}

function checkCgroupOrNull(call: CompiledCall, index: number): boolean {
  return checkAddressOrNull(call, index, ROOT_CGROUP_ADDRESS);
}

function checkAddressOrNull({ writer, slot, state }: CompiledCall, index: number, address: number): boolean {
  const value = state.registers[index + 1]!;
  if (value.kind === KIND.scalar) return value.min === 0 && value.max === 0;
  if (value.kind !== KIND.any) return false;
  writer.push(index + 1);
  writer.code.i64(address).op(WASM.i64_eq);
  writer.push(index + 1);
  writer.code.op(WASM.i64_eqz).op(WASM.i32_or);
  writer.require(slot);
  return true;
}

function checkSocket(call: CompiledCall, index: number): boolean {
  if (argumentOf(call, index).kind !== KIND.any) return false;
  const { writer, slot, helper } = call;
  const { code } = writer;
  // One of the rows of sockets, in one of the forms that the helper takes.
  const forms = helper.arguments[index] === 'socket' ? [0, TCP_FORM] : [0, TCP_FORM, KERNEL_FORM];
  const offset = (): void => {
    writer.push(index + 1);
    code.i64(SOCKET_BASE).op(WASM.i64_sub);
  };
  offset();
  code
    .i64(SOCKET_LIMIT - SOCKET_BASE)
    .op(WASM.i64_lt_u)
    .i32(0);
  for (const form of forms) {
    offset();
    code.i64(SOCKET_ROW).op(WASM.i64_rem_u).i64(form).op(WASM.i64_eq).op(WASM.i32_or);
  }
  code.op(WASM.i32_and);
  writer.require(slot);
  return true;
}

function checkKernelVariable(call: CompiledCall, index: number): boolean {
  if (argumentOf(call, index).kind !== KIND.any) return false;
  const { writer, slot } = call;
  // One of the places that stand for variables; whether one is there the helper sees.
  writer.push(index + 1);
  writer.code
    .i64(KERNEL_VARIABLE_BASE)
    .op(WASM.i64_sub)
    .i64(KERNEL_VARIABLE_LIMIT - KERNEL_VARIABLE_BASE)
    .op(WASM.i64_lt_u);
  writer.require(slot);
  return true;
}

function checkMap(call: CompiledCall, index: number): boolean {
  const { writer, maps, helper } = call;
  const value = argumentOf(call, index);
  const register = index + 1;
  call.mapRegister = register;
  const takes = (map: LiveMap): boolean =>
    helper.maps === undefined || helper.maps.includes(map.definition.type);
  if (value.kind === KIND.map && value.map >= 0) {
    call.map = maps[value.map];
    return call.map !== undefined && takes(call.map);
  }
  if (value.kind !== KIND.any && (value.kind !== KIND.map || value.nullable)) return false;
  // One of those that the helper takes.
  writer.code.i32(0);
  for (const map of maps) {
    if (!takes(map)) continue;
    writer.push(register);
    writer.code.i64(map.address).op(WASM.i64_eq).op(WASM.i32_or);
  }
  writer.require(call.slot);
  return true;
}

function checkStackOrNull(call: CompiledCall, index: number): boolean {
  const value = argumentOf(call, index);
  return isKind(value, KIND.stack) || (value.kind === KIND.scalar && value.min <= 0 && value.max >= 0);
}

function checkSample(call: CompiledCall, index: number): boolean {
  const value = argumentOf(call, index);
  const isSample = value.kind === KIND.sample && value.min === 0 && value.max === 0;
  return (isSample || value.kind === KIND.any) && checkFixed(call, index, 1, true);
}

function checkString(call: CompiledCall, index: number): boolean {
  return isKind(argumentOf(call, index), KIND.mapValue) && checkFixed(call, index, 1, false);
}

function checkSize(call: CompiledCall, index: number): boolean {
  const { writer, slot, helper } = call;
  const size = argumentOf(call, index);
  if (!isKind(size, KIND.scalar)) return false;
  const { least } = ARGUMENT_TYPES[helper.arguments[index]!].number!;
  if (size.kind === KIND.scalar && size.min >= least && size.max <= LARGEST_SIZE) return true;
  writer.push(index + 1);
  if (least > 0) writer.code.i64(least).op(WASM.i64_sub);
  writer.code.i64(LARGEST_SIZE - least).op(WASM.i64_gt_u);
  writer.refuse(slot);
  return true;
}

/** Where a map holds sockets, what goes in is a socket: whatever it is, the helper stops there. */
function checkValue(call: CompiledCall, index: number): boolean {
  return (call.map !== undefined && holdsSockets(call.map)) || checkMemory(call, index);
}

/** `resolve_map_arg_type` */
function checkPeeked(call: CompiledCall, index: number): boolean {
  if (call.map?.definition.type !== 'BLOOM_FILTER') return checkMemory(call, index);
  return checkFixed(call, index, call.map.definition.valueSize, false);
}

function checkMemory(call: CompiledCall, index: number): boolean {
  const { helper } = call;
  const { size, access, region, nullable } = memoryOf(helper.arguments[index]!);
  const value = argumentOf(call, index);
  if (region === 'stack' && !isKind(value, KIND.stack)) return false;
  if (region === 'map value' && !isKind(value, KIND.mapValue)) return false;
  const check = (writes: boolean): boolean => checkBytes(call, index, size, nullable, writes);
  return (access === 'written' || check(false)) && (access === 'read' || check(true));
}

function checkBytes(
  call: CompiledCall,
  index: number,
  size: ArgumentMemory['size'],
  nullable: ArgumentMemory['nullable'],
  writes: boolean,
): boolean {
  const { map } = call;
  switch (size) {
    case 'map key':
      if (map === undefined) return checkByDescriptor(call, index, DESCRIPTOR.keySize, writes);
      return checkFixed(call, index, map.definition.keySize, writes);
    case 'map value':
      if (nullable === 'always') return checkValueOrNull(call, index, writes);
      if (map === undefined) return checkByDescriptor(call, index, DESCRIPTOR.valueSize, writes);
      return checkFixed(call, index, map.definition.valueSize, writes);
    case 'next argument':
      if (nullable === 'if empty') return checkSizedIfAny(call, index, writes);
      return nullable === 'always' ? checkSizedOrNull(call, index, writes) : checkSized(call, index, writes);
    case 'up to its zero':
    case 'unknown':
      return true;
    default:
      return checkFixed(call, index, size, writes);
  }
}

function isForbiddenPacket({ helper }: CompiledCall, value: Value): boolean {
  return isPacket(value) && !helper.rules.packetAccess;
}

/** Memory of as many bytes as a word of the map's descriptor says. */
function checkByDescriptor(call: CompiledCall, index: number, word: number, writes: boolean): boolean {
  const { writer, slot, mapRegister } = call;
  if (isForbiddenPacket(call, argumentOf(call, index))) return false;
  writer.push(index + 1);
  writer.push(mapRegister, false);
  writer.code.memory(WASM.i64_load32_u, 4 * word);
  writer.checkMemory(slot, writes);
  return true;
}

/** A value of the map's, or null. */
function checkValueOrNull(call: CompiledCall, index: number, writes: boolean): boolean {
  const { map, writer, slot } = call;
  const value = argumentOf(call, index);
  if (value.kind === KIND.scalar) return value.min === 0 && value.max === 0;
  if (map !== undefined && value.kind !== KIND.any && !value.nullable) {
    return checkFixed(call, index, map.definition.valueSize, writes);
  }
  writer.push(index + 1);
  writer.code.i64(0).op(WASM.i64_ne).if();
  if (map === undefined) checkByDescriptor(call, index, DESCRIPTOR.valueSize, writes);
  else {
    writer.push(index + 1);
    writer.code.i64(map.definition.valueSize);
    writer.checkMemory(slot, writes);
  }
  writer.code.end();
  return true;
}

/** Memory of so many bytes. */
function checkFixed(call: CompiledCall, index: number, size: number, writes: boolean): boolean {
  const { writer, slot, state, sources } = call;
  const value = argumentOf(call, index);
  if (isForbiddenPacket(call, value)) return false;
  const verdict = judgeMemory(state, sources, value, 0, size, writes);
  if (verdict === VERDICT.violation) return false;
  if (verdict === VERDICT.open) {
    writer.push(index + 1);
    writer.code.i64(size);
    writer.checkMemory(slot, writes);
  }
  return true;
}

/** Leaves for run time: memory whose size is the next argument. */
function requireSized({ writer, slot }: CompiledCall, index: number, writes: boolean): void {
  writer.push(index + 1);
  writer.push(index + 2);
  writer.checkMemory(slot, writes);
}

/** Memory whose size is the next argument. */
function checkSized(call: CompiledCall, index: number, writes: boolean): boolean {
  const { state, sources } = call;
  const value = argumentOf(call, index);
  const size = argumentOf(call, index + 1);
  if (isForbiddenPacket(call, value) || !isKind(size, KIND.scalar)) return false;
  if (size.kind === KIND.scalar && size.min >= 0 && size.max <= LARGEST_SIZE) {
    const verdict = judgeMemory(state, sources, value, 0, size.max, writes, size.min);
    if (verdict !== VERDICT.open) return verdict === VERDICT.proven;
  }
  requireSized(call, index, writes);
  return true;
}

/** The same, or null with size 0. */
function checkSizedIfAny(call: CompiledCall, index: number, writes: boolean): boolean {
  const value = argumentOf(call, index);
  if (argumentOf(call, index + 1).kind === KIND.unset) return false;
  if (!isKind(value, KIND.scalar) && !value.nullable) return checkSized(call, index, writes);
  const { writer } = call;
  writer.push(index + 1);
  writer.push(index + 2);
  writer.code.op(WASM.i64_or).i64(0).op(WASM.i64_ne).if();
  requireSized(call, index, writes);
  writer.code.end();
  return true;
}

/** The same, or null with any size. */
function checkSizedOrNull(call: CompiledCall, index: number, writes: boolean): boolean {
  const value = argumentOf(call, index);
  if (value.kind === KIND.scalar) return value.min === 0 && value.max === 0;
  if (value.kind !== KIND.any && !value.nullable) return checkSized(call, index, writes);
  const { writer } = call;
  writer.push(index + 1);
  writer.code.i64(0).op(WASM.i64_ne).if();
  requireSized(call, index, writes);
  writer.code.end();
  return true;
}
