/**
 * Dynptrs on a path: on the packet, on memory, and on ring buffer samples (kernel/bpf/helpers.c). A program cannot look into its 16
 * bytes, so here they hold what the path needs to know:
 *
 * ```
 *   0                4                8                12
 *   ┌────────────────┬────────────────┬────────────────┬────────────────┐
 *   │ packet: 0      │ offset         │ size           │ kind and seal  │
 *   ├────────────────┴────────────────┼────────────────┼────────────────┤
 *   │ else: the pointer               │ size           │ kind and seal  │
 *   └─────────────────────────────────┴────────────────┴────────────────┘
 * ```
 *
 * A slice is a pointer into the frame where that lies in one piece, and else a copy in the program's buffer.
 */
import { E2BIG, EINVAL, ERANGE } from '../../runtime/errno.ts';
import { DYNPTR, type DynptrKind, dynptrSeal, LARGEST_DYNPTR } from '../helpers/dynptr.ts';
import { ETHERNET_HEADER } from '../packet-area.ts';
import { load, packetByte, readBytes, store, writeBytes } from './access.ts';
import { ELSEWHERE, type Inputs } from './inputs.ts';
import { PACKET_HELPERS } from './packet-helpers.ts';
import { NotFollowed, type PathState } from './path-state.ts';
import type { Value } from './path-value.ts';
import { RING_HELPERS } from './ring-helpers.ts';
import type { SymbolicHelper } from './symbolic-helper.ts';
import { isConst, type Term } from './term.ts';

const KIND_BITS = 7;

interface PathDynptr {
  readonly kind: DynptrKind;
  /** On the packet: where it begins in it. */
  readonly offset: Term;
  /** Elsewhere: where it begins. */
  readonly pointer: Value | undefined;
  readonly size: Term;
}

function number(state: PathState, value: number): Term {
  return state.pool.constant(64, value);
}

/** What a kernel function answers: an int, without its sign above. */
function word(state: PathState, value: number): Term {
  return state.pool.constant(64, value >>> 0);
}

/** The lower half of an argument. */
function low(state: PathState, { term }: Value): Term {
  return state.pool.zeroExtend(64, state.pool.extract(term, 0, 32));
}

function isZero(state: PathState, term: Term): boolean {
  return state.decide(state.pool.equal(term, number(state, 0)));
}

function sealOf(state: PathState, at: Value): number {
  return dynptrSeal(Number(state.number(at.term)));
}

function write(state: PathState, at: Value, { kind, offset, pointer, size }: PathDynptr): void {
  const { pool } = state;
  const plain = (term: Term): Value => ({ term, region: undefined });
  const first = pointer ?? plain(pool.concat([pool.extract(offset, 0, 32), pool.constant(32, 0)]));
  store(state, at, 0, 8, first);
  store(state, at, 8, 4, plain(size));
  store(state, at, 12, 4, plain(word(state, sealOf(state, at) | kind)));
}

function writeNull(state: PathState, at: Value): void {
  const zero = number(state, 0);
  write(state, at, { kind: DYNPTR.null, offset: zero, pointer: undefined, size: zero });
}

function read(inputs: Inputs, state: PathState, at: Value): PathDynptr {
  const { pool } = state;
  const term = (from: number, size: number): Term => {
    const loaded = load(inputs, state, at, from, size);
    return 'operation' in loaded ? loaded : loaded.term;
  };
  const last = term(12, 4);
  if (!isConst(last) || (Number(last.value) | 0) >> 8 !== sealOf(state, at) >> 8)
    throw new NotFollowed('a dynptr that nobody knows');
  const kind = (Number(last.value) & KIND_BITS) as DynptrKind;
  const first = load(inputs, state, at, 0, 8);
  return {
    kind,
    pointer: 'operation' in first ? undefined : first,
    offset: pool.zeroExtend(64, term(4, 4)),
    size: pool.zeroExtend(64, term(8, 4)),
  };
}

/** `bpf_dynptr_check_off_len`. */
function reaches(state: PathState, { size }: PathDynptr, offset: Term, length: Term): boolean {
  const { pool } = state;
  if (state.decide(pool.less(size, length))) return false;
  return !state.decide(pool.less(pool.subtract(size, length), offset));
}

/** Behind which bytes of the packet there are so many; undefined: it has shrunk since, or the kernel keeps such offsets not. */
function inPacket(state: PathState, offset: Term, length: Term): Value | undefined {
  const { pool, packet, hook } = state;
  const isFar = hook === 'xdp' && state.decide(pool.less(number(state, 0xffff), offset));
  const from = pool.add(packet.data, offset);
  if (isFar || state.decide(pool.less(packet.end, pool.add(from, length)))) return undefined;
  return { term: from, region: { kind: 'packet', generation: packet.generation } };
}

const fromPacket: SymbolicHelper = (_inputs, state, [, flags, at]) => {
  const { pool, packet } = state;
  if (!isZero(state, flags!.term)) {
    writeNull(state, at!);
    return word(state, -EINVAL);
  }
  const size = pool.subtract(packet.end, packet.data);
  write(state, at!, { kind: DYNPTR.packet, offset: number(state, 0), pointer: undefined, size });
  return word(state, 0);
};

/** `bpf_dynptr_check_size`. */
function isTooLong(state: PathState, size: Term): boolean {
  return state.decide(state.pool.less(number(state, LARGEST_DYNPTR), size));
}

const fromMemory: SymbolicHelper = (_inputs, state, [data, size, flags, at]) => {
  if (isTooLong(state, low(state, size!))) {
    writeNull(state, at!);
    return number(state, -E2BIG);
  }
  if (!isZero(state, flags!.term)) {
    writeNull(state, at!);
    return number(state, -EINVAL);
  }
  const offset = number(state, 0);
  write(state, at!, { kind: DYNPTR.memory, offset, pointer: data!, size: low(state, size!) });
  return number(state, 0);
};

const reserve: SymbolicHelper = (inputs, state, [map, size, flags, at]) => {
  const bytes = { term: low(state, size!), region: undefined };
  if (isZero(state, flags!.term) && isTooLong(state, bytes.term)) {
    writeNull(state, at!);
    return number(state, -E2BIG);
  }
  const reserved = RING_HELPERS.bpf_ringbuf_reserve!(inputs, state, [map!, bytes, flags!]);
  if (reserved === undefined || 'operation' in reserved) {
    writeNull(state, at!);
    return number(state, -EINVAL);
  }
  const offset = number(state, 0);
  write(state, at!, { kind: DYNPTR.sample, offset, pointer: reserved, size: bytes.term });
  return number(state, 0);
};

function release(helper: 'bpf_ringbuf_submit' | 'bpf_ringbuf_discard'): SymbolicHelper {
  return (inputs, state, [at, flags]) => {
    const { kind, pointer } = read(inputs, state, at!);
    if (kind === DYNPTR.sample) RING_HELPERS[helper]!(inputs, state, [pointer!, flags!]);
    writeNull(state, at!);
    return undefined;
  };
}

/** `bpf_dynptr_slice`, of which the one that may be written to is no different here. */
const slice: SymbolicHelper = (inputs, state, [at, from, buffer, length]) => {
  const { pool } = state;
  const dynptr = read(inputs, state, at!);
  const offset = low(state, from!);
  const size = low(state, length!);
  const none = number(state, 0);
  if (dynptr.kind === DYNPTR.null || !reaches(state, dynptr, offset, size)) return none;
  if (dynptr.kind !== DYNPTR.packet)
    return { ...dynptr.pointer!, term: pool.add(dynptr.pointer!.term, offset) };
  const start = pool.add(dynptr.offset, offset);
  const place = inPacket(state, start, size);
  const hasBuffer = buffer!.region !== undefined;
  if (place === undefined && state.hook === 'xdp' && hasBuffer)
    throw new NotFollowed('a slice of a frame that has become shorter');
  if (place === undefined) return none;
  if (!isCopied(inputs, state, pool.add(start, size))) return place;
  if (!hasBuffer) return none;
  const first = Number(state.number(place.term));
  const bytes = Array.from({ length: state.int(size) }, (_, index) =>
    packetByte(inputs, state, first + index),
  );
  writeBytes(state, buffer!, bytes);
  return buffer!;
};

/** Does a slice that ends there lie in what is not in one piece with the Ethernet header? */
function isCopied(inputs: Inputs, state: PathState, end: Term): boolean {
  const { pool } = state;
  const comesInPieces = state.hook !== 'xdp' || inputs.machine.object.programs[state.program]!.frags;
  if (!comesInPieces || !state.decide(pool.unknown(1, ELSEWHERE.inPieces.name))) return false;
  return state.decide(pool.less(number(state, ETHERNET_HEADER), end));
}

/** `bpf_dynptr_data`: of packets there is none. */
const dataOf: SymbolicHelper = (inputs, state, [at, from, length]) => {
  const { kind, pointer, size } = read(inputs, state, at!);
  const offset = low(state, from!);
  const none = number(state, 0);
  if (kind === DYNPTR.null || kind === DYNPTR.packet) return none;
  const isThere = reaches(state, { kind, pointer, size, offset }, offset, low(state, length!));
  return isThere ? { ...pointer!, term: state.pool.add(pointer!.term, offset) } : none;
};

/** The packet's own helper does what one on a dynptr of it does, at the offset that counts from the packet. */
function asPacket(state: PathState, { offset }: PathDynptr, from: Value): Value {
  return { term: state.pool.add(offset, low(state, from)), region: undefined };
}

const readFrom: SymbolicHelper = (inputs, state, [to, length, at, from, flags]) => {
  const dynptr = read(inputs, state, at!);
  const { kind, pointer } = dynptr;
  if (kind === DYNPTR.null || !isZero(state, flags!.term)) return number(state, -EINVAL);
  const offset = low(state, from!);
  if (!reaches(state, dynptr, offset, low(state, length!))) return number(state, -E2BIG);
  if (kind === DYNPTR.packet) {
    const name = state.hook === 'xdp' ? 'bpf_xdp_load_bytes' : 'bpf_skb_load_bytes';
    return PACKET_HELPERS[name]!(inputs, state, [to!, asPacket(state, dynptr, from!), to!, length!]);
  }
  const source = { ...pointer!, term: state.pool.add(pointer!.term, offset) };
  writeBytes(state, to!, readBytes(inputs, state, source, state.int(length!.term)));
  return number(state, 0);
};

const writeTo: SymbolicHelper = (inputs, state, [at, to, from, length, flags]) => {
  const dynptr = read(inputs, state, at!);
  const { kind, pointer } = dynptr;
  if (kind === DYNPTR.null) return number(state, -EINVAL);
  const offset = low(state, to!);
  if (!reaches(state, dynptr, offset, low(state, length!))) return number(state, -E2BIG);
  if (kind === DYNPTR.packet && state.hook !== 'xdp') {
    const args = [at!, asPacket(state, dynptr, to!), from!, length!, flags!];
    return PACKET_HELPERS.bpf_skb_store_bytes!(inputs, state, args);
  }
  if (!isZero(state, flags!.term)) return number(state, -EINVAL);
  if (kind === DYNPTR.packet) {
    const args = [at!, asPacket(state, dynptr, to!), from!, length!];
    return PACKET_HELPERS.bpf_xdp_store_bytes!(inputs, state, args);
  }
  const target = { ...pointer!, term: state.pool.add(pointer!.term, offset) };
  writeBytes(state, target, readBytes(inputs, state, from!, state.int(length!.term)));
  return number(state, 0);
};

const adjust: SymbolicHelper = (inputs, state, [at, start, end]) => {
  const { pool } = state;
  const dynptr = read(inputs, state, at!);
  const [from, to] = [low(state, start!), low(state, end!)];
  if (dynptr.kind === DYNPTR.null || state.decide(pool.less(to, from))) return word(state, -EINVAL);
  if (state.decide(pool.less(dynptr.size, to))) return word(state, -ERANGE);
  const { pointer } = dynptr;
  write(state, at!, {
    ...dynptr,
    offset: pool.add(dynptr.offset, from),
    pointer: pointer === undefined ? undefined : { ...pointer, term: pool.add(pointer.term, from) },
    size: pool.subtract(to, from),
  });
  return word(state, 0);
};

const clone: SymbolicHelper = (inputs, state, [at, copy]) => {
  const dynptr = read(inputs, state, at!);
  write(state, copy!, dynptr);
  return word(state, dynptr.kind === DYNPTR.null ? -EINVAL : 0);
};

export const DYNPTR_HELPERS: Readonly<Record<string, SymbolicHelper>> = {
  bpf_dynptr_from_xdp: fromPacket,
  bpf_dynptr_from_skb: fromPacket,
  bpf_dynptr_from_mem: fromMemory,
  bpf_ringbuf_reserve_dynptr: reserve,
  bpf_ringbuf_submit_dynptr: release('bpf_ringbuf_submit'),
  bpf_ringbuf_discard_dynptr: release('bpf_ringbuf_discard'),
  bpf_dynptr_slice: slice,
  bpf_dynptr_slice_rdwr: slice,
  bpf_dynptr_data: dataOf,
  bpf_dynptr_read: readFrom,
  bpf_dynptr_write: writeTo,
  bpf_dynptr_adjust: adjust,
  bpf_dynptr_clone: clone,
  bpf_dynptr_is_null: (inputs, state, [at]) =>
    word(state, read(inputs, state, at!).kind === DYNPTR.null ? 1 : 0),
  // Of what XDP and TC programs get, every one may be written to.
  bpf_dynptr_is_rdonly: (inputs, state, [at]) => {
    read(inputs, state, at!);
    return word(state, 0);
  },
  bpf_dynptr_size: (inputs, state, [at]) => {
    const { kind, size } = read(inputs, state, at!);
    return kind === DYNPTR.null ? word(state, -EINVAL) : size;
  },
};
