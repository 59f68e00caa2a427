/**
 * Loads and stores that are not plainly inside a region: the stack, the context, and everything forbidden
 * (kernel/bpf/verifier.c, `check_mem_access`).
 */
import { ACCESS } from '../context/context-access.ts';
import { maySocketBeRead, mayTcpSocketBeRead, NO_KERNEL_STRUCTS } from '../context/socket.ts';
import type { ReadsAnywhere } from '../helpers/helper.ts';
import { Unsupported } from '../machine.ts';
import { CONTEXT_BASE, MAX_FRAME, SOCKET_BASE, STACK_BASE, STACK_SIZE } from '../memory.ts';
import { unwrittenByte } from '../stack-fill.ts';
import { FIRST_UNKNOWN, KIND, LAST_STACK_REGION, STACK_REGION } from './provenance.ts';
import { makeRoom, type State, violate, warn } from './state.ts';

/**
 * Judges a load of `size` bytes at `address` through register `register`.
 * @returns the tag of what is loaded; 0: a new unknown scalar
 */
export function checkLoad(
  state: State,
  register: number,
  address: number,
  size: number,
  signExtending: boolean,
): number {
  const { provenance } = state;
  const tag = state.tag[register]!;
  if (tag >= STACK_REGION && tag <= LAST_STACK_REGION && state.hi[register] === 0) {
    return loadStack(state, register, tag, address, size);
  }
  const kind = tag > 0 ? provenance.kind[tag]! : KIND.none;
  if (kind === KIND.context) return loadContext(state, register, address, size, signExtending);
  if (kind === KIND.commonSocket || kind === KIND.fullSocket || kind === KIND.tcpSocket) {
    const offset = address - provenance.lowest[tag]!;
    const readable =
      kind === KIND.tcpSocket
        ? mayTcpSocketBeRead(offset, size)
        : maySocketBeRead(offset, size, kind === KIND.fullSocket);
    if (state.hi[register] === 0 && readable) return 0;
    violate(`R${register} invalid ${provenance.nameOf(tag)} access off=${offset} size=${size}`);
  }
  if (kind === KIND.kernelStruct) {
    throw new Unsupported(NO_KERNEL_STRUCTS);
  }
  if (kind === KIND.value && isReadOnlyData(state, tag) && withinValue(state, tag, address, size)) {
    // The verifier knows what is in frozen maps.
    return -1;
  }
  return refuse(state, register, address, size, false);
}

/**
 * Judges a store of `size` bytes from register `source` through register `register`.
 * @returns whether the bytes have been written here already
 */
export function checkStore(
  state: State,
  register: number,
  address: number,
  size: number,
  source: number,
): boolean {
  const { provenance } = state;
  const tag = state.tag[register]!;
  const value = state.tag[source]!;
  if (value === 0) violate(`R${source} !read_ok`);
  if (tag >= STACK_REGION && tag <= LAST_STACK_REGION && state.hi[register] === 0) {
    const at = stackOffset(state, register, tag, address, size, true);
    // A pointer stored in part is a number.
    provenance.storeStack(at, size, value > 0 && size < 8 ? FIRST_UNKNOWN : value);
    return false;
  }
  const kind = tag > 0 ? provenance.kind[tag]! : KIND.none;
  if (kind === KIND.context) return storeContext(state, register, address, size, source);
  const inside =
    tag > 0 && address >= provenance.lowest[tag]! && address + size <= provenance.writeLimit[tag]!;
  if (!inside || state.hi[register] !== 0) refuse(state, register, address, size, true);
  if (!provenance.isScalar(value)) {
    warn(
      state,
      'leaked-address',
      `R${source} leaks an address into ${provenance.nameOf(tag)}: it differs from run to run`,
    );
  }
  return false;
}

/** Refuses what no atomic operation reaches: context and packet (kernel/bpf/verifier.c, `atomic_ptr_type_ok`), and what is not aligned. */
export function checkAtomicPlace(
  state: State,
  register: number,
  address: number,
  size: number,
  what: 'loads from' | 'stores into',
): void {
  const { provenance } = state;
  const tag = state.tag[register]!;
  const kind = tag > 0 ? provenance.kind[tag]! : KIND.none;
  if (kind === KIND.context || kind === KIND.packet || kind === KIND.packetMeta) {
    violate(`BPF_ATOMIC ${what} R${register} ${provenance.nameOf(tag)} is not allowed`);
  }
  // Of the stack, that is said where it is looked at.
  const isStack = tag >= STACK_REGION && tag <= LAST_STACK_REGION;
  if (!isStack && kind !== KIND.none && address % size !== 0)
    violate(`misaligned access off ${address} size ${size} of an atomic operation`);
}

/**
 * Judges an atomic operation that reads and writes (`check_atomic_rmw`).
 * @param stored the tag of what it leaves in memory, an unknown scalar
 */
export function checkAtomic(
  state: State,
  register: number,
  address: number,
  size: number,
  stored: number,
): void {
  const { provenance } = state;
  const tag = state.tag[register]!;
  checkAtomicPlace(state, register, address, size, 'stores into');
  if (tag >= STACK_REGION && tag <= LAST_STACK_REGION && state.hi[register] === 0) {
    loadStack(state, register, tag, address, size);
    const at = address - STACK_BASE;
    provenance.storeStack(at, size, stored);
    return;
  }
  const inside =
    tag > 0 && address >= provenance.lowest[tag]! && address + size <= provenance.writeLimit[tag]!;
  if (!inside || state.hi[register] !== 0) refuse(state, register, address, size, true);
}

/**
 * Judges memory that a helper takes: `size` bytes at the register's value.
 * @param writes does the helper write it? Then it need not be initialised, and is afterwards.
 */
export function checkHelperMemory(state: State, register: number, size: number, writes: boolean): void {
  const { provenance } = state;
  const tag = state.tag[register]!;
  const address = state.lo[register]!;
  if (tag >= STACK_REGION && tag <= LAST_STACK_REGION && state.hi[register] === 0) {
    const base = frameBase(tag);
    if (address < base || address + size > base + STACK_SIZE) {
      const what = writes ? 'write to' : 'read from';
      violate(`invalid ${what} stack R${register} off=${address - base - STACK_SIZE} size=${size}`);
    }
    const at = address - STACK_BASE;
    if (writes) provenance.fillStack(at, size);
    else if (!provenance.isWritten(at, size)) {
      const where = `fp${address - base - STACK_SIZE}`;
      readUnwritten(state, at, size, `${size} bytes of stack at ${where} are passed on, not all written`);
    }
    return;
  }
  const end = tag > 0 ? (writes ? provenance.writeLimit[tag]! : provenance.limit[tag]!) : 0;
  const readOnly = !writes && tag > 0 && isReadOnlyData(state, tag) && withinValue(state, tag, address, size);
  const inside = tag > 0 && address >= provenance.lowest[tag]! && address + size <= end;
  if ((!inside && !readOnly) || state.hi[register] !== 0) refuse(state, register, address, size, writes);
}

function frameBase(tag: number): number {
  return STACK_BASE + (tag - STACK_REGION) * STACK_SIZE;
}

/** Where on the stacks an access goes, in bounds and aligned; the verifier wants alignment on the stack always. */
function stackOffset(
  state: State,
  register: number,
  tag: number,
  address: number,
  size: number,
  writes: boolean,
): number {
  const base = frameBase(tag);
  const offset = address - base - STACK_SIZE;
  if (address < base || address + size > base + STACK_SIZE) {
    violate(`invalid ${writes ? 'write to' : 'read from'} stack R${register} off=${offset} size=${size}`);
  }
  // `size` is a power of two.
  if ((offset & (size - 1)) !== 0) violate(`misaligned stack access off ${offset} size ${size}`);
  if (tag - STACK_REGION > state.frame)
    violate(`R${register} points to the stack of a function that returned`);
  return address - STACK_BASE;
}

function loadStack(state: State, register: number, tag: number, address: number, size: number): number {
  const { provenance } = state;
  const at = stackOffset(state, register, tag, address, size, false);
  const held = size < 8 ? provenance.slots[at >> 3]! : 0;
  if (held > 0 && !provenance.isScalar(held)) {
    // The verifier takes this where it does not know which bytes are read, and not where it does.
    warn(state, 'leaked-address', `part of an address is read from the stack: it differs from run to run`);
  }
  const loaded = provenance.loadStack(at, size);
  if (loaded === undefined) {
    const offset = address - frameBase(tag) - STACK_SIZE;
    const message = `${size} bytes of stack at fp${offset} are read, not all of them written before`;
    readUnwritten(state, at, size, message);
    return 0;
  }
  return loaded;
}

/**
 * Notes what a helper is about to read of the stack at an address that the verifier does not look at: nothing says that
 * the program has written there, or that it is in its frame.
 */
export function noteReadAnywhere(state: State, { at: argument, count, unit, isText }: ReadsAnywhere): void {
  const { provenance, machine } = state;
  const register = argument + 1;
  const tag = state.tag[register]!;
  if (tag < STACK_REGION || tag > LAST_STACK_REGION || state.hi[register] !== 0) return;
  const start = state.lo[register]! - STACK_BASE;
  const frame = frameBase(tag) - STACK_BASE;
  const end = start + unit * (state.lo[count + 1]! >>> 0);
  for (let at = start; at < end; at++) {
    const isOutside = at < frame || at >= frame + STACK_SIZE;
    if (isOutside || !provenance.isWritten(at, 1)) {
      const left = Math.min(end, frame + STACK_SIZE) - at;
      const offset = at - frame - STACK_SIZE;
      const why = isOutside ? 'outside the frame' : 'not written before';
      const message = `stack at fp${offset < 0 ? '' : '+'}${offset} is read, ${why}`;
      if (isOutside) warn(state, 'unwritten-stack', message);
      else readUnwritten(state, at, left, message);
      return;
    }
    if (isText && machine.memory.u8[STACK_BASE + at] === 0) return;
  }
}

/** Privileged programs may read what they never wrote. The machine has the world's choice there, the kernel anything. */
function readUnwritten(state: State, at: number, size: number, message: string): void {
  const { machine, provenance } = state;
  const { u8 } = machine.memory;
  for (let place = at; place < at + size; place++)
    if (!provenance.isWritten(place, 1))
      u8[STACK_BASE + place] = unwrittenByte(machine.world, STACK_BASE + place);
  warn(state, 'unwritten-stack', message);
}

function loadContext(
  state: State,
  register: number,
  address: number,
  size: number,
  signExtending: boolean,
): number {
  const { machine, provenance } = state;
  checkContextPointer(state, register);
  makeRoom(state);
  const offset = address - CONTEXT_BASE;
  switch (machine.layout.read(offset, size, signExtending)) {
    case ACCESS.scalar:
      return 0;
    case ACCESS.data:
      return region(provenance.packetRegion(KIND.packet, machine.packet.data));
    case ACCESS.dataMeta:
      return region(provenance.packetRegion(KIND.packetMeta, machine.packet.dataMeta));
    case ACCESS.dataEnd:
      return region(provenance.create(KIND.packetEnd, machine.packet.dataEnd, 0, 0));
    case ACCESS.socket:
      return region(provenance.create(KIND.commonSocketOrNull, SOCKET_BASE, 0, 0));
    default:
      return violate(
        `invalid bpf_context access off=${offset} size=${size} (${machine.layout.field(offset)} of ${machine.layout.name})`,
      );
  }
}

function storeContext(
  state: State,
  register: number,
  address: number,
  size: number,
  source: number,
): boolean {
  const { machine, provenance } = state;
  checkContextPointer(state, register);
  const offset = address - CONTEXT_BASE;
  if (!machine.layout.write(offset, size)) {
    violate(
      `invalid bpf_context access off=${offset} size=${size}: ${machine.layout.field(offset)} of ${machine.layout.name} is not writable so`,
    );
  }
  if (!provenance.isScalar(state.tag[source]!)) {
    warn(state, 'leaked-address', `R${source} leaks an address into ctx: it differs from run to run`);
  }
  const mask = machine.layout.writeMask(offset);
  if (mask === -1) return false;
  const low = state.lo[source]! >>> 0;
  if ((state.hi[source]! >>> 0) * 2 ** 32 + low >= machine.layout.writeLimit(offset)) return true;
  machine.memory.setU32(address, state.lo[source]! & mask);
  return true;
}

function checkContextPointer(state: State, register: number): void {
  const off = state.lo[register]! - CONTEXT_BASE;
  if (off !== 0) violate(`dereference of modified ctx ptr R${register} off=${off} disallowed`);
}

/** @throws {Violation} when a run makes more pointers than the machine can tell apart */
export function region(number: number): number {
  if (number === 0) violate('too many pointers of their own in one run: the machine tells some 4000 apart');
  return number;
}

function isReadOnlyData(state: State, tag: number): boolean {
  const { provenance, machine } = state;
  if (provenance.kind[tag] !== KIND.value) return false;
  return machine.maps[provenance.detail[tag]!]?.source.global?.readOnly === true;
}

function withinValue(state: State, tag: number, address: number, size: number): boolean {
  const { provenance } = state;
  const lowest = provenance.lowest[tag]!;
  return address >= lowest && address + size <= lowest + provenance.size[tag]!;
}

/** Says why an access is forbidden. */
export function refuse(
  state: State,
  register: number,
  address: number,
  size: number,
  writes: boolean,
): never {
  const { provenance } = state;
  const tag = state.tag[register]!;
  const name = `R${register}`;
  if (tag === 0) violate(`${name} !read_ok`);
  if (tag < 0) {
    const zero = state.lo[register] === 0 && state.hi[register] === 0;
    violate(`${name} invalid mem access 'scalar'${zero ? ' (it is null)' : ''}`);
  }
  const kind = provenance.kind[tag]!;
  const offset = address - provenance.lowest[tag]!;
  switch (kind) {
    case KIND.packet:
    case KIND.packetMeta: {
      const proven = Math.max(0, provenance.limit[tag]! - provenance.lowest[tag]!);
      const bound = kind === KIND.packet ? 'data_end' : 'data';
      if (offset < 0 || offset > MAX_FRAME || state.hi[register] !== 0) {
        violate(`${name} offset is outside of the packet (off=${offset} size=${size})`);
      }
      return violate(
        `invalid access to packet, off=${offset} size=${size}, ${name}(r=${proven}): ` +
          `the comparison with ${bound} covers ${proven} bytes`,
      );
    }
    case KIND.value: {
      const map = state.machine.maps[provenance.detail[tag]!]!;
      const valueSize = provenance.size[tag]!;
      const where = `value_size=${valueSize} off=${offset} size=${size}`;
      if (state.hi[register] === 0 && offset >= 0 && offset + size <= valueSize) {
        const what = writes ? 'write into' : 'read from';
        violate(`${what} map ${map.name} forbidden, ${where}`);
      }
      return violate(`invalid access to map value of ${map.name}, ${where}`);
    }
    case KIND.sample:
    case KIND.slice:
      return violate(
        `invalid access to memory, mem_size=${provenance.size[tag]!} off=${offset} size=${size}`,
      );
    case KIND.valueOrNull:
    case KIND.sampleOrNull:
    case KIND.mapOrNull:
    case KIND.socketOrNull:
    case KIND.sliceOrNull:
    case KIND.commonSocketOrNull:
    case KIND.fullSocketOrNull:
    case KIND.tcpSocketOrNull:
    case KIND.kernelStructOrNull:
      return violate(`${name} invalid mem access '${provenance.nameOf(tag)}': compare it with null first`);
    case KIND.deadPacket:
      return violate(
        `${name} invalid mem access 'scalar': a helper has moved the packet since this pointer was loaded`,
      );
    case KIND.spent:
      return violate(`${name} invalid mem access 'scalar': it was released, submitted or discarded`);
    case KIND.null:
      return violate(`${name} invalid mem access 'scalar' (it is null)`);
    case KIND.stack:
      return violate(
        `invalid ${writes ? 'write to' : 'read from'} stack ${name} off=${offset - STACK_SIZE} size=${size}`,
      );
    case KIND.commonSocket:
    case KIND.fullSocket:
    case KIND.tcpSocket:
      if (writes) return violate(`${name} cannot write into ${provenance.nameOf(tag)}`);
      return violate(`${name} invalid mem access '${provenance.nameOf(tag)}'`);
    default:
      return violate(`${name} invalid mem access '${provenance.nameOf(tag)}'`);
  }
}
