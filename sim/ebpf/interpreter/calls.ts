/** Calls of helpers: arguments checked against the signature, results given their provenance. */
import { EINVAL } from '../../runtime/errno.ts';
import { readDynptr } from '../helpers/dynptr.ts';
import type { ArgumentType, Helper } from '../helpers/helper.ts';
import { HELPERS } from '../helpers/index.ts';
import type { LiveMap } from '../maps/live-map.ts';
import { MACHINE_WORD, STACK_BASE } from '../memory.ts';
import { checkHelperMemory, region } from './access.ts';
import {
  CONTEXT_REGION,
  FUNCTION_REGION,
  KIND,
  KNOWN,
  LAST_STACK_REGION,
  SLICE_ON_PACKET,
  SLICE_WRITABLE,
  STACK_REGION,
  UNINITIALISED,
} from './provenance.ts';
import { makeRoom, type State, violate } from './state.ts';

const SNPRINTF = 165;

/** What arguments say about each other, while one call is checked. */
interface CallFacts {
  map: LiveMap | undefined;
}

const facts: CallFacts = { map: undefined };

/**
 * Checks and runs a helper; r0 and the tags of r0 to r5 are then as after the call.
 * @returns the tag of r0; 0: a new unknown scalar
 */
export function callHelper(state: State, number: number): number {
  const helper = HELPERS.get(number);
  if (helper === undefined) return violate(`invalid func unknown#${number}`);
  return runHelper(state, helper);
}

/** The same for a helper that has been looked up. */
export function runHelper(state: State, helper: Helper): number {
  const { machine, provenance, lo, hi } = state;
  const parameters = helper.arguments;
  makeRoom(state);
  facts.map = undefined;
  for (let index = 0; index < parameters.length; index++) {
    checkArgument(state, helper, index, parameters[index]!);
  }
  holdAndRelease(state, helper);
  const map = facts.map as LiveMap | undefined;
  const knownKey = map !== undefined && hasKnownIndex(state, map);
  const words = machine.memory.i32;
  for (let index = 0; index < 5; index++) words[MACHINE_WORD.argumentHigh + index] = hi[index + 1]!;
  const size = helper.returns === 'sample_or_null' ? lo[2]! : 0;
  const spent = parameters[0] === 'sample' ? state.tag[1]! : 0;
  const low = helper.run(machine, lo[1]!, lo[2]!, lo[3]!, lo[4]!, lo[5]!);
  lo[0] = low;
  hi[0] = helper.returns === 'u64' ? words[MACHINE_WORD.resultHigh]! : low >> 31;
  // `check_bpf_snprintf_call`: the verifier reads the format, which it can, since it cannot change.
  if (helper.number === SNPRINTF && low === -EINVAL) violate('Invalid format string');
  if (spent !== 0) provenance.become(spent, KIND.spent);
  if (helper.movesPacket === true || machine.packetMoved) {
    machine.packetMoved = false;
    provenance.voidPackets();
  }
  clobber(state);
  return resultTag(state, helper, map, size, knownKey);
}

const SPIN_LOCK = 93;
const SPIN_UNLOCK = 94;
const RINGBUF_SUBMIT = 132;
const RINGBUF_DISCARD = 133;
const RINGBUF_RESERVE_DYNPTR = 198;
const RINGBUF_SUBMIT_DYNPTR = 199;
const RINGBUF_DISCARD_DYNPTR = 200;

/** Keeps count of what the program has to give back (kernel/bpf/verifier.c, `check_reference_leak`, `process_spin_lock`). */
function holdAndRelease(state: State, helper: Helper): void {
  const lock = state.lo[1]!;
  switch (helper.number) {
    case SPIN_LOCK:
      if (state.lock !== 0) violate('Locking two bpf_spin_locks are not allowed');
      state.lock = lock;
      return;
    case SPIN_UNLOCK:
      if (state.lock === 0) violate('bpf_spin_unlock without taking a lock');
      if (state.lock !== lock) violate('bpf_spin_unlock of different lock');
      state.lock = 0;
      return;
    case RINGBUF_RESERVE_DYNPTR:
      // Even one that failed has to be given back.
      state.samples++;
      break;
    case RINGBUF_SUBMIT:
    case RINGBUF_DISCARD:
    case RINGBUF_SUBMIT_DYNPTR:
    case RINGBUF_DISCARD_DYNPTR:
      state.samples--;
      break;
    default:
  }
  if (state.lock !== 0) violate('function calls are not allowed while holding a lock');
}

/** r1 to r5 are gone after every call. */
export function clobber(state: State): void {
  state.tag.fill(UNINITIALISED, 1, 6);
}

function resultTag(
  state: State,
  helper: Helper,
  map: LiveMap | undefined,
  size: number,
  knownKey: boolean,
): number {
  const { machine, provenance, lo, hi } = state;
  switch (helper.returns) {
    case 'void':
      return UNREADABLE;
    case 'map_value_or_null':
      hi[0] = 0;
      return lookupTag(state, map!, knownKey);
    case 'sample_or_null':
      hi[0] = 0;
      if (lo[0] !== 0) state.samples++;
      return region(provenance.create(KIND.sampleOrNull, lo[0]!, size, SLICE_WRITABLE));
    case 'socket_or_null':
      hi[0] = 0;
      return region(provenance.create(KIND.fullSocketOrNull, lo[0]!, 0, 0));
    case 'slice_or_null': {
      hi[0] = 0;
      const { sliceSize, sliceWritable, sliceOnPacket } = machine;
      machine.sliceOnPacket = false;
      const detail = (sliceWritable ? SLICE_WRITABLE : 0) | (sliceOnPacket ? SLICE_ON_PACKET : 0);
      return region(provenance.create(KIND.sliceOrNull, lo[0]!, sliceSize, detail));
    }
    default:
      return 0;
  }
}

/** The caller takes this for "r0 may not be read". */
export const UNREADABLE: number = 1 << 30;

function lookupTag(state: State, map: LiveMap, knownKey: boolean): number {
  const { machine, provenance, lo } = state;
  const address = lo[0]!;
  const index = machine.maps.indexOf(map);
  switch (map.definition.type) {
    case 'ARRAY_OF_MAPS':
    case 'HASH_OF_MAPS': {
      const inner = address === 0 ? -1 : machine.maps.indexOf(machine.mapAt(address));
      return region(provenance.create(KIND.mapOrNull, address, 0, inner));
    }
    case 'XSKMAP':
      return region(provenance.create(KIND.socketOrNull, address, 0, index));
    default: {
      const made = region(provenance.create(KIND.valueOrNull, address, map.valueSize, index));
      // An index that the verifier knows, in bounds: it sees that the lookup cannot fail (Linux 6.14).
      if (knownKey && address !== 0) {
        provenance.proveNonNull(made, false, map.programReadable, map.programWritable);
      }
      return made;
    }
  }
}

/** Is the key of a lookup in an array on the stack, of bytes that the verifier knows? */
function hasKnownIndex(state: State, map: LiveMap): boolean {
  const { type } = map.definition;
  if (type !== 'ARRAY' && type !== 'PERCPU_ARRAY') return false;
  const tag = state.tag[2]!;
  if (tag < STACK_REGION || tag > LAST_STACK_REGION) return false;
  const at = state.lo[2]! - STACK_BASE;
  return at % 4 === 0 && state.provenance.loadStack(at, 4) === KNOWN;
}

function checkArgument(state: State, helper: Helper, index: number, type: ArgumentType): void {
  const { provenance, lo } = state;
  const register = index + 1;
  const tag = state.tag[register]!;
  if (tag === UNINITIALISED) violate(`R${register} !read_ok`);
  switch (type) {
    case 'anything':
      return;
    case 'context':
      if (tag !== CONTEXT_REGION) expected(state, register, 'ctx');
      if (lo[register] !== provenance.lowest[CONTEXT_REGION]) {
        violate(`dereference of modified ctx ptr R${register} disallowed`);
      }
      return;
    case 'map':
      checkMap(state, helper, register, tag);
      return;
    case 'key':
      memory(state, helper, register, facts.map!.definition.keySize, false);
      return;
    case 'value':
      memory(state, helper, register, facts.map!.definition.valueSize, false);
      return;
    case 'value_out':
      memory(state, helper, register, facts.map!.definition.valueSize, true);
      return;
    case 'memory':
    case 'memory_out':
      memory(state, helper, register, sizeArgument(state, helper, index + 1), type === 'memory_out');
      return;
    case 'memory_or_null': {
      const size = sizeArgument(state, helper, index + 1);
      const isNull = provenance.isScalar(tag) && (lo[register]! | state.hi[register]!) === 0;
      if (!(isNull && size === 0)) memory(state, helper, register, size, false);
      return;
    }
    case 'size':
    case 'size_or_zero':
      sizeArgument(state, helper, index);
      return;
    case 'constant_size':
      if (!provenance.isScalar(tag)) expected(state, register, 'scalar');
      if (!provenance.isKnown(tag)) violate(`R${register} is not a known constant`);
      sizeArgument(state, helper, index);
      return;
    case 'u64_out':
      memory(state, helper, register, 8, true);
      return;
    case 'u32_inout':
      memory(state, helper, register, 4, false);
      memory(state, helper, register, 4, true);
      return;
    case 'function':
      if (tag !== FUNCTION_REGION) expected(state, register, 'func');
      return;
    case 'stack_or_null': {
      const isNull = provenance.isScalar(tag) && (lo[register]! | state.hi[register]!) === 0;
      const onStack = tag >= STACK_REGION && tag <= LAST_STACK_REGION;
      if (!isNull && !onStack) expected(state, register, 'fp');
      return;
    }
    case 'sample':
      if (tag < 0 || provenance.kind[tag] !== KIND.sample) expected(state, register, 'ringbuf_mem');
      if (lo[register] !== provenance.lowest[tag]) {
        violate(`R${register} must have zero offset when passed to release func`);
      }
      return;
    case 'socket': {
      const kind = tag > 0 ? provenance.kind[tag] : KIND.none;
      if (kind !== KIND.commonSocket && kind !== KIND.fullSocket) expected(state, register, 'sock_common');
      return;
    }
    case 'string':
      checkString(state, register, tag);
      return;
    case 'spin_lock':
      memory(state, helper, register, 4, true);
      return;
    case 'buffer_or_null': {
      const size = sizeArgument(state, helper, index + 1);
      const isNull = provenance.isScalar(tag) && (lo[register]! | state.hi[register]!) === 0;
      if (!isNull) memory(state, helper, register, size, true);
      return;
    }
    case 'dynptr_out':
    case 'dynptr':
      if (tag < STACK_REGION || tag > LAST_STACK_REGION) expected(state, register, 'fp');
      memory(state, helper, register, DYNPTR_SIZE, type === 'dynptr_out');
      if (type === 'dynptr' && readDynptr(state.machine, lo[register]!) === undefined) {
        violate(`Expected an initialized dynptr as arg #${index}`);
      }
      return;
    case 'iterator_out':
    case 'iterator':
      if (tag < STACK_REGION || tag > LAST_STACK_REGION) expected(state, register, 'fp');
      memory(state, helper, register, ITERATOR_SIZE, type === 'iterator_out');
      return;
    default:
  }
}

/** Bytes of `struct bpf_dynptr`. */
const DYNPTR_SIZE = 16;
/** Bytes of `struct bpf_iter_num`. */
const ITERATOR_SIZE = 8;

function expected(state: State, register: number, what: string): never {
  const tag = state.tag[register]!;
  return violate(`R${register} type=${state.provenance.nameOf(tag)} expected=${what}`);
}

function checkMap(state: State, helper: Helper, register: number, tag: number): void {
  const { machine, provenance } = state;
  if (tag < 0 || provenance.kind[tag] !== KIND.map) expected(state, register, 'map_ptr');
  const map = machine.maps[provenance.detail[tag]!]!;
  facts.map = map;
  if (helper.maps !== undefined && !helper.maps.includes(map.definition.type)) {
    violate(`cannot pass map_type ${map.definition.type} into func ${helper.name}#${helper.number}`);
  }
}

function sizeArgument(state: State, helper: Helper, index: number): number {
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
  if (size === 0 && helper.arguments[index] === 'size') {
    violate(`R${register} invalid zero-sized read`);
  }
  return size;
}

function memory(state: State, helper: Helper, register: number, size: number, writes: boolean): void {
  const { provenance } = state;
  const tag = state.tag[register]!;
  const kind = tag > 0 ? provenance.kind[tag]! : KIND.none;
  if ((kind === KIND.packet || kind === KIND.packetMeta) && helper.packetAccess !== true) {
    violate(`helper access to the packet is not allowed: R${register} of ${helper.name}`);
  }
  if (tag < 0 || kind === KIND.context || kind === KIND.map || kind === KIND.function) {
    expected(state, register, 'fp, pkt, pkt_meta, map_value, mem');
  }
  checkHelperMemory(state, register, size, writes);
}

/** A string that the verifier can see the end of: `R%d is not a const string`, `string is not zero-terminated`. */
function checkString(state: State, register: number, tag: number): void {
  const { machine, provenance, lo } = state;
  const map =
    tag > 0 && provenance.kind[tag] === KIND.value ? machine.maps[provenance.detail[tag]!] : undefined;
  if (map === undefined) {
    expected(state, register, 'map_value');
  }
  if (map.source.global?.readOnly !== true) violate(`R${register} does not point to a readonly map`);
  const from = lo[register]!;
  const end = provenance.lowest[tag]! + provenance.size[tag]!;
  for (let at = from; at < end; at++) if (machine.memory.u8[at] === 0) return;
  violate('string is not zero-terminated');
}
