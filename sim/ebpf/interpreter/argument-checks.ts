/** What the interpreter asks of the arguments of helpers, by their types (kernel/bpf/verifier.c, `check_func_arg`). */
import { ROOT_CGROUP_ADDRESS } from '../context/socket.ts';
import {
  ARGUMENT_TYPES,
  type ArgumentMemory,
  type ArgumentRecord,
  type ArgumentType,
} from '../helpers/argument-types.ts';
import { readDynptr } from '../helpers/dynptr.ts';
import type { Helper } from '../helpers/helper.ts';
import type { LiveMap } from '../maps/live-map.ts';
import { holdsSockets } from '../maps/socket-map.ts';
import { checkHelperMemory } from './access.ts';
import {
  CONTEXT_REGION,
  FUNCTION_REGION,
  KIND,
  LAST_STACK_REGION,
  STACK_REGION,
  UNINITIALISED,
  VARIABLE_REGION,
} from './provenance.ts';
import { type State, violate } from './state.ts';

/** An argument, with what is looked up for its type once and not at every call. */
interface PreparedArgument {
  readonly record: ArgumentRecord;
  readonly check: Check;
}

/** A helper whose calls are checked. */
export interface CheckedCall {
  readonly helper: Helper;
  readonly arguments: readonly PreparedArgument[];
  /** The map that the call under work is passed; undefined: none yet. */
  map: LiveMap | undefined;
  /** Its place among the machine's. */
  mapIndex: number;
  /** The kind of map that the helper was passed last, and may be. */
  accepted: LiveMap['definition']['type'] | undefined;
}

/** @param index of the argument; it is in the register after that */
type Check = (state: State, call: CheckedCall, index: number, record: ArgumentRecord) => void;

const CHECKS: Readonly<Record<ArgumentType, Check>> = {
  anything: () => {},
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
  function: checkFunction,
  stack_or_null: checkMemory,
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
  timer: checkTimer,
  dynptr_out: checkMemory,
  dynptr: checkDynptr,
  iterator_out: checkMemory,
  iterator: checkMemory,
  bits_iterator_out: checkMemory,
  bits_iterator: checkMemory,
  irq_flags_out: checkMemory,
  irq_flags: checkMemory,
  kernel_variable: checkKernelVariable,
} satisfies Record<ArgumentType, Check>;

/** What checking a helper's calls takes: made once. */
export function prepareArguments(types: readonly ArgumentType[]): PreparedArgument[] {
  return types.map((type) => ({ record: ARGUMENT_TYPES[type], check: CHECKS[type] }));
}

/** Judges the arguments of a call in r1 to r5, and finds its map. @throws {Violation} */
export function checkArguments(state: State, call: CheckedCall): void {
  const list = call.arguments;
  call.map = undefined;
  for (let index = 0; index < list.length; index++) {
    if (state.tag[index + 1] === UNINITIALISED) violate(`R${index + 1} !read_ok`);
    const { check, record } = list[index]!;
    check(state, call, index, record);
  }
}

function expected(state: State, register: number, what: string): never {
  const tag = state.tag[register]!;
  return violate(`R${register} type=${state.provenance.nameOf(tag)} expected=${what}`);
}

function checkContext(state: State, _call: CheckedCall, index: number): void {
  const register = index + 1;
  if (state.tag[register] !== CONTEXT_REGION) expected(state, register, 'ctx');
  if (state.lo[register] !== state.provenance.lowest[CONTEXT_REGION]) {
    violate(`dereference of modified ctx ptr R${register} disallowed`);
  }
}

function checkContextOrNull(state: State, call: CheckedCall, index: number): void {
  const isNumber = state.provenance.isScalar(state.tag[index + 1]!);
  if (!isNumber || (state.lo[index + 1]! | state.hi[index + 1]!) !== 0) checkContext(state, call, index);
}

function checkCgroup(state: State, _call: CheckedCall, index: number): void {
  const tag = state.tag[index + 1]!;
  const isStruct = tag > 0 && state.provenance.kind[tag] === KIND.kernelStruct;
  if (!isStruct || state.lo[index + 1] !== ROOT_CGROUP_ADDRESS) {
    expected(state, index + 1, 'ptr_, trusted_ptr_, rcu_ptr_');
  }
}

function checkCgroupOrNull(state: State, call: CheckedCall, index: number): void {
  const isNumber = state.provenance.isScalar(state.tag[index + 1]!);
  if (!isNumber || (state.lo[index + 1]! | state.hi[index + 1]!) !== 0) checkCgroup(state, call, index);
}

function checkKernelVariable(state: State, _call: CheckedCall, index: number): void {
  if (state.tag[index + 1] !== VARIABLE_REGION)
    expected(state, index + 1, 'percpu_ptr_, percpu_rcu_ptr_, percpu_trusted_ptr_');
}

function checkMap(state: State, call: CheckedCall, argument: number): void {
  const { machine, provenance } = state;
  const { helper } = call;
  const tag = state.tag[argument + 1]!;
  if (tag < 0 || provenance.kind[tag] !== KIND.map) expected(state, argument + 1, 'map_ptr');
  const index = provenance.detail[tag]!;
  const map = machine.maps[index]!;
  call.map = map;
  call.mapIndex = index;
  const { type } = map.definition;
  if (type === call.accepted) return;
  if (helper.maps !== undefined && !helper.maps.includes(type)) {
    violate(`cannot pass map_type ${type} into func ${helper.name}#${helper.number}`);
  }
  call.accepted = type;
}

function checkFunction(state: State, _call: CheckedCall, index: number): void {
  if (state.tag[index + 1] !== FUNCTION_REGION) expected(state, index + 1, 'func');
}

function checkSample(state: State, _call: CheckedCall, index: number): void {
  const { provenance } = state;
  const tag = state.tag[index + 1]!;
  if (tag < 0 || provenance.kind[tag] !== KIND.sample) expected(state, index + 1, 'ringbuf_mem');
  if (state.lo[index + 1] !== provenance.lowest[tag]) {
    violate(`R${index + 1} must have zero offset when passed to release func`);
  }
}

function checkSocket(state: State, { helper }: CheckedCall, index: number): void {
  const tag = state.tag[index + 1]!;
  const kind = tag > 0 ? state.provenance.kind[tag] : KIND.none;
  if (kind === KIND.commonSocket || kind === KIND.fullSocket || kind === KIND.tcpSocket) return;
  const sockets = 'sock_common, sock, tcp_sock, xdp_sock';
  if (helper.arguments[index] === 'socket') expected(state, index + 1, sockets);
  if (kind !== KIND.kernelStruct) expected(state, index + 1, `${sockets}, ptr_, trusted_ptr_`);
}

function checkSize(state: State, call: CheckedCall, index: number, record: ArgumentRecord): void {
  const { provenance } = state;
  const tag = state.tag[index + 1]!;
  if (record.number?.constant === true) {
    if (!provenance.isScalar(tag)) expected(state, index + 1, 'scalar');
    if (!provenance.isKnown(tag)) violate(`R${index + 1} is not a known constant`);
  }
  sizeAt(state, call, index);
}

/** The size that an argument is. */
function sizeAt(state: State, call: CheckedCall, index: number): number {
  const { provenance, lo, hi } = state;
  const register = index + 1;
  const tag = state.tag[register]!;
  if (tag === UNINITIALISED) violate(`R${register} !read_ok`);
  if (!provenance.isScalar(tag)) expected(state, register, 'scalar');
  const size = lo[register]!;
  if (size < 0 || hi[register] !== 0) {
    violate(
      `R${register} ${hi[register]! < 0 ? 'min value is negative' : 'unbounded memory access'}, use 'var &= const' or 'if (var < const)'`,
    );
  }
  if (size === 0 && call.arguments[index]!.record.number?.least === 1) {
    violate(`R${register} invalid zero-sized read`);
  }
  return size;
}

/** How many bytes an argument reaches; 0 where only whoever is passed it knows. */
function bytesOf(state: State, call: CheckedCall, index: number, { size }: ArgumentMemory): number {
  switch (size) {
    case 'map key':
      return call.map!.definition.keySize;
    case 'map value':
      return call.map!.definition.valueSize;
    case 'next argument':
      return sizeAt(state, call, index + 1);
    case 'up to its zero':
    case 'unknown':
      return 0;
    default:
      return size;
  }
}

/** Where a map holds sockets, what goes in is a socket: whatever it is, the helper stops there. */
function checkValue(state: State, call: CheckedCall, index: number, record: ArgumentRecord): void {
  if (!holdsSockets(call.map!)) checkMemory(state, call, index, record);
}

/** `resolve_map_arg_type` */
function checkPeeked(state: State, call: CheckedCall, index: number, record: ArgumentRecord): void {
  const { definition } = call.map!;
  if (definition.type !== 'BLOOM_FILTER') checkMemory(state, call, index, record);
  else checkHelperMemory(state, index + 1, definition.valueSize, false);
}

function checkMemory(state: State, call: CheckedCall, index: number, record: ArgumentRecord): void {
  const { provenance } = state;
  const { helper } = call;
  const memory = record.memory!;
  const register = index + 1;
  const tag = state.tag[register]!;
  const size = bytesOf(state, call, index, memory);
  if (memory.nullable !== 'never') {
    const isNull = provenance.isScalar(tag) && (state.lo[register]! | state.hi[register]!) === 0;
    if (isNull && (memory.nullable === 'always' || size === 0)) return;
  }
  const kind = tag > 0 ? provenance.kind[tag]! : KIND.none;
  if (memory.region === 'stack' && (tag < STACK_REGION || tag > LAST_STACK_REGION)) {
    expected(state, register, 'fp');
  }
  if (memory.region === 'map value' && kind !== KIND.value) expected(state, register, 'map_value');
  if ((kind === KIND.packet || kind === KIND.packetMeta) && !helper.rules.packetAccess) {
    violate(`helper access to the packet is not allowed: R${register} of ${helper.name}`);
  }
  if (tag < 0 || kind === KIND.context || kind === KIND.map || kind === KIND.function) {
    expected(state, register, 'fp, pkt, pkt_meta, map_value, mem');
  }
  if (memory.size === 'unknown') return;
  if (memory.access !== 'written') checkHelperMemory(state, register, size, false);
  if (memory.access !== 'read') checkHelperMemory(state, register, size, true);
}

/** `process_timer_func`, `check_map_field_pointer` */
function checkTimer(state: State, call: CheckedCall, index: number, record: ArgumentRecord): void {
  checkMemory(state, call, index, record);
  const { machine, provenance } = state;
  const tag = state.tag[index + 1]!;
  const { name, timerOffset } = machine.maps[provenance.detail[tag]!]!;
  if (timerOffset < 0) violate(`map '${name}' has no valid bpf_timer`);
  const off = state.lo[index + 1]! - provenance.lowest[tag]!;
  if (off !== timerOffset)
    violate(`off ${off} doesn't point to 'struct bpf_timer' that is at ${timerOffset}`);
}

function checkDynptr(state: State, call: CheckedCall, index: number, record: ArgumentRecord): void {
  checkMemory(state, call, index, record);
  if (readDynptr(state.machine, state.lo[index + 1]!) === undefined) {
    violate(`Expected an initialized dynptr as arg #${index}`);
  }
}

/** A string that the verifier can see the end of: `R%d is not a const string`, `string is not zero-terminated`. */
function checkString(state: State, _call: CheckedCall, index: number): void {
  const { machine, provenance, lo } = state;
  const tag = state.tag[index + 1]!;
  const map =
    tag > 0 && provenance.kind[tag] === KIND.value ? machine.maps[provenance.detail[tag]!] : undefined;
  if (map === undefined) expected(state, index + 1, 'map_value');
  if (map.source.global?.readOnly !== true) violate(`R${index + 1} does not point to a readonly map`);
  const from = lo[index + 1]!;
  const end = provenance.lowest[tag]! + provenance.size[tag]!;
  for (let at = from; at < end; at++) if (machine.memory.u8[at] === 0) return;
  violate('string is not zero-terminated');
}
