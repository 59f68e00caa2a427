/** Helpers that move, read and write the frame, term by term: what `PacketArea` and the helpers' records do on numbers. */
import { EACCES, EFAULT, EINVAL, ENOMEM, ENOTSUPP } from '../../runtime/errno.ts';
import { PACKET_BASE, XDP_FRAME_SIZE, XDP_HEADROOM, XDP_LINEAR_LIMIT } from '../memory.ts';
import { ETHERNET_HEADER, MAX_METADATA, OLD_MAX_METADATA } from '../packet-area.ts';
import { packetByte, readBytes, writeBytes } from './access.ts';
import { noteAct } from './acts.ts';
import { checksumAdd, fold16, not32 } from './exact-helpers.ts';
import { asksMetadata, ELSEWHERE, type Inputs } from './inputs.ts';
import { NotFollowed, type PathState } from './path-state.ts';
import { forgetHash } from './skb-meta-helpers.ts';
import type { SymbolicHelper } from './symbolic-helper.ts';
import type { Term } from './term.ts';

function result(state: PathState, value: number): Term {
  return state.pool.constant(64, value);
}

/** Drivers leave as much room in front of a frame as they like; most, and every test run, leave this much. */
function takesRoom(state: PathState, isNew: boolean): void {
  if (isNew) state.assume(`there are ${XDP_HEADROOM} bytes of room in front of the frame`);
}

/**
 * How far the frame with its metadata would reach beyond where it has been before: no more than 0 is room that it has given
 * away itself.
 */
function beyond({ pool, knowledge, packet, foremost }: PathState, meta: Term): bigint {
  const distance = pool.subtract(foremost ?? packet.meta, meta);
  return BigInt.asIntN(64, knowledge.only(distance) ?? 1n);
}

/** A signed 32-bit argument as 64 bits. */
function wide(state: PathState, term: Term): Term {
  return state.pool.signExtend(64, state.pool.extract(term, 0, 32));
}

const adjustHead: SymbolicHelper = (inputs, state, [, delta]) => {
  const { pool, packet } = state;
  const by = BigInt.asIntN(64, state.number(wide(state, delta!.term)));
  const moved = pool.addConst(packet.data, by);
  const metaLength = pool.subtract(packet.data, packet.meta);
  const lowest = pool.addConst(metaLength, PACKET_BASE + XDP_FRAME_SIZE);
  if (by < 0n) asksMetadata(inputs, state);
  const meta = pool.addConst(packet.meta, by);
  const isNew = beyond(state, meta) > 0n;
  if (lacksRoom(state, isNew, pool.less(moved, lowest))) return result(state, -EINVAL);
  if (state.decide(pool.less(packet.end, pool.addConst(moved, ETHERNET_HEADER))))
    return result(state, -EINVAL);
  takesRoom(state, isNew);
  if (by !== 0n) moveMetadata(inputs, state, metaLength, Number(by));
  state.foremost = isNew ? meta : (state.foremost ?? packet.meta);
  packet.data = moved;
  packet.meta = meta;
  packet.generation++;
  return result(state, 0);
};

/** Is there no room for what is to come in front? Where there always is as the machine has it, elsewhere there may be less. */
function lacksRoom(state: PathState, isNew: boolean, isTooMuch: Term): boolean {
  const { pool, knowledge } = state;
  // Where the path has been split by it, it is false on one half only.
  const isAsked = state.constraints.some(({ condition }) => condition === pool.not(isTooMuch));
  if (!isNew || isAsked || knowledge.settle(isTooMuch) !== pool.false) return state.decide(isTooMuch);
  // Each time anew: the room that there is may be enough for a first header only.
  return state.decide(pool.unknown(1, `${ELSEWHERE.noRoom.name}.${state.packet.generation}`));
}

/**
 * Metadata moves along, whatever its length: a path for each of them would be dozens for every program that makes room for
 * a header.
 */
function moveMetadata(inputs: Inputs, state: PathState, length: Term, by: number): void {
  const { pool, packet, knowledge } = state;
  const data = Number(state.number(packet.data));
  const most = Number(knowledge.range(length).max);
  const bytes = Array.from({ length: most }, (_, index) => packetByte(inputs, state, data - 1 - index));
  const moved = bytes.map((byte, index) => {
    const isMetadata = knowledge.settle(pool.less(pool.constant(64, index), length));
    return pool.ite(isMetadata, byte, packetByte(inputs, state, data + by - 1 - index));
  });
  for (const [index, byte] of moved.entries()) packet.bytes.setByte(data + by - 1 - index, byte);
}

const adjustTail: SymbolicHelper = (inputs, state, [, delta]) => {
  const { pool, packet } = state;
  const change = wide(state, delta!.term);
  const grows = !state.decide(pool.lessSigned(change, pool.constant(64, 0)));
  if (grows && !inputs.machine.kernel.adjustTailGrows) return result(state, -EINVAL);
  const moved = pool.add(packet.end, change);
  if (state.decide(pool.lessSigned(pool.constant(64, inputs.data + XDP_LINEAR_LIMIT), moved))) {
    return result(state, -EINVAL);
  }
  if (state.decide(pool.lessSigned(moved, pool.addConst(packet.data, ETHERNET_HEADER))))
    return result(state, -EINVAL);
  if (grows) zeroBehind(inputs, state, packet.end, moved);
  packet.end = moved;
  packet.generation++;
  return result(state, 0);
};

/** How much of a frame may be zeroed when it grows. */
const MOST_ZEROED = 4096n;

function zeroBehind(inputs: Inputs, state: PathState, from: Term, to: Term): void {
  const { pool, packet } = state;
  const least = state.knowledge.range(from).min;
  const most = state.knowledge.range(to).max;
  if (most - least > MOST_ZEROED) throw new NotFollowed('a frame that grows by a number without bounds');
  const zero = pool.constant(8, 0);
  for (let at = least; at < most; at++) {
    const isInside = state.knowledge.settle(pool.less(pool.constant(64, at), from));
    packet.bytes.setByte(Number(at), pool.ite(isInside, packetByte(inputs, state, Number(at)), zero));
  }
}

const adjustMeta: SymbolicHelper = (inputs, state, [, delta]) => {
  const { pool, packet } = state;
  // `xdp_data_meta_unsupported()`: what a driver answers that has no place for metadata.
  if (state.decide(pool.unknown(1, ELSEWHERE.noMetadata.name))) return result(state, -ENOTSUPP);
  asksMetadata(inputs, state);
  const by = BigInt.asIntN(64, state.number(wide(state, delta!.term)));
  const moved = pool.addConst(packet.meta, by);
  // Too far in front, and, as a length below 0, behind the frame's begin.
  const length = pool.subtract(packet.data, moved);
  const room = pool.addConst(packet.data, -BigInt(PACKET_BASE + XDP_FRAME_SIZE));
  if (state.decide(pool.less(room, length))) return result(state, -EINVAL);
  if (!state.decide(pool.equal(pool.extract(length, 0, 2), pool.constant(2, 0))))
    return result(state, -EACCES);
  const most = inputs.machine.kernel.longMetadata ? MAX_METADATA : OLD_MAX_METADATA;
  if (state.decide(pool.less(pool.constant(64, most), length))) return result(state, -EACCES);
  const isNew = beyond(state, moved) > 0n;
  takesRoom(state, isNew);
  state.foremost = isNew ? moved : (state.foremost ?? packet.meta);
  packet.meta = moved;
  packet.generation++;
  return result(state, 0);
};

function frameLength({ pool, packet }: PathState): Term {
  return pool.subtract(packet.end, packet.data);
}

/** Is a range of the frame not all there? @param offset 64 bits */
function isBeyond(state: PathState, from: Term, size: number): boolean {
  return state.decide(state.pool.less(state.packet.end, state.pool.addConst(from, size)));
}

function bytesAt(inputs: Inputs, state: PathState, from: Term, size: number): Term[] {
  const at = Number(state.number(from));
  return Array.from({ length: size }, (_, index) => packetByte(inputs, state, at + index));
}

function offset64(state: PathState, term: Term): Term {
  return state.pool.zeroExtend(64, state.pool.extract(term, 0, 32));
}

/** How much a helper copies at the most. */
const MOST_COPIED = 1024;

function sizeOf(state: PathState, term: Term): number {
  const size = state.int(term);
  if (size > MOST_COPIED) throw new NotFollowed(`a copy of ${size} bytes`);
  return size;
}

const xdpLoad: SymbolicHelper = (inputs, state, [, offset, to, length]) => {
  const { pool, packet } = state;
  const size = sizeOf(state, length!.term);
  const at = offset64(state, offset!.term);
  if (state.decide(pool.less(pool.constant(64, 0xffff), at))) return result(state, -EFAULT);
  const from = pool.add(packet.data, at);
  if (isBeyond(state, from, size)) return result(state, -EINVAL);
  writeBytes(state, to!, bytesAt(inputs, state, from, size));
  return result(state, 0);
};

const xdpStore: SymbolicHelper = (inputs, state, [, offset, from, length]) => {
  const { pool, packet } = state;
  const size = sizeOf(state, length!.term);
  const at = offset64(state, offset!.term);
  if (state.decide(pool.less(pool.constant(64, 0xffff), at))) return result(state, -EFAULT);
  const to = pool.add(packet.data, at);
  if (isBeyond(state, to, size)) return result(state, -EINVAL);
  const start = Number(state.number(to));
  const bytes = readBytes(inputs, state, from!, size);
  for (const [index, byte] of bytes.entries()) packet.bytes.setByte(start + index, byte);
  return result(state, 0);
};

function skbLoadFrom(
  inputs: Inputs,
  state: PathState,
  base: Term,
  args: Parameters<SymbolicHelper>[2],
): Term {
  const { pool } = state;
  const [, offset, to, length] = args;
  const size = sizeOf(state, length!.term);
  const at = offset64(state, offset!.term);
  const from = pool.add(base, at);
  if (state.decide(pool.extract(at, 31, 1)) || isBeyond(state, from, size)) {
    writeBytes(state, to!, new Array(size).fill(pool.constant(8, 0)));
    return result(state, -EFAULT);
  }
  writeBytes(state, to!, bytesAt(inputs, state, from, size));
  return result(state, 0);
}

const skbStore: SymbolicHelper = (inputs, state, [, offset, from, length, flags]) => {
  const { pool, packet } = state;
  if (!state.decide(pool.less(flags!.term, pool.constant(64, 4)))) return result(state, -EINVAL);
  // BPF_F_INVALIDATE_HASH.
  const forgets = state.decide(pool.extract(flags!.term, 1, 1));
  const size = sizeOf(state, length!.term);
  const at = offset64(state, offset!.term);
  const to = pool.add(packet.data, at);
  if (state.decide(pool.extract(at, 31, 1)) || isBeyond(state, to, size)) return result(state, -EFAULT);
  const start = Number(state.number(to));
  const bytes = readBytes(inputs, state, from!, size);
  // BPF_F_RECOMPUTE_CSUM.
  const recomputes = pool.extract(flags!.term, 0, 1);
  if (state.knowledge.only(recomputes) !== 0n) {
    const before = bytesAt(inputs, state, to, size);
    noteAct(state, 'bpf_skb_store_bytes (BPF_F_RECOMPUTE_CSUM)', 'frame', [
      recomputes,
      at,
      ...before,
      ...bytes,
    ]);
  }
  for (const [index, byte] of bytes.entries()) packet.bytes.setByte(start + index, byte);
  if (forgets) forgetHash(state);
  packet.generation++;
  return result(state, 0);
};

/** Where a checksum lies; undefined: not in the frame. */
function fieldAt(state: PathState, offset: Term): Term | undefined {
  const { pool, packet } = state;
  const at = offset64(state, offset);
  if (state.decide(pool.less(pool.constant(64, 0xffff), at))) return undefined;
  if (state.decide(pool.extract(at, 0, 1))) return undefined;
  const field = pool.add(packet.data, at);
  return isBeyond(state, field, 2) ? undefined : field;
}

function replaceByDifference(state: PathState, sum: Term, difference: Term): Term {
  const { pool } = state;
  const part = pool.zeroExtend(64, pool.extract(difference, 0, 32));
  return pool.not(pool.extract(fold16(state, checksumAdd(state, part, not32(state, sum))), 0, 16));
}

function replace4(state: PathState, sum: Term, from: Term, to: Term): Term {
  const { pool } = state;
  const without = checksumAdd(state, not32(state, sum), not32(state, from));
  const after = checksumAdd(state, without, pool.zeroExtend(64, pool.extract(to, 0, 32)));
  return pool.not(pool.extract(fold16(state, after), 0, 16));
}

function replace2(state: PathState, sum: Term, from: Term, to: Term): Term {
  const { pool } = state;
  const part = (term: Term): Term => pool.zeroExtend(32, pool.extract(term, 0, 16));
  const add16 = (a: Term, b: Term): Term => {
    const total = pool.add(a, b);
    return pool.add(part(total), pool.zeroExtend(32, pool.extract(total, 16, 16)));
  };
  const inverse = (term: Term): Term => pool.zeroExtend(32, pool.not(pool.extract(term, 0, 16)));
  return pool.not(pool.extract(add16(add16(inverse(sum), inverse(from)), part(to)), 0, 16));
}

/** BPF_F_HDR_FIELD_MASK. */
const FIELD_SIZE = 0xfn;

const l3Replace: SymbolicHelper = (inputs, state, [, offset, from, to, flags]) => {
  const { pool, packet } = state;
  const kind = state.number(flags!.term);
  if ((kind & ~FIELD_SIZE) !== 0n) return result(state, -EINVAL);
  const field = fieldAt(state, offset!.term);
  if (field === undefined) return result(state, -EFAULT);
  if (kind !== 0n && kind !== 2n && kind !== 4n) return result(state, -EINVAL);
  const [low, high] = bytesAt(inputs, state, field, 2);
  const sum = pool.zeroExtend(64, pool.concat([high!, low!]));
  let changed: Term;
  if (kind === 0n) {
    if (!state.decide(pool.equal(from!.term, pool.constant(64, 0)))) return result(state, -EINVAL);
    changed = replaceByDifference(state, sum, to!.term);
  } else if (kind === 2n) changed = replace2(state, sum, from!.term, to!.term);
  else changed = replace4(state, sum, from!.term, to!.term);
  packet.bytes.store(pool, Number(state.number(field)), changed);
  packet.generation++;
  return result(state, 0);
};

const BPF_F_PSEUDO_HDR = 0x10n;
const BPF_F_IPV6 = 0x80n;
/** With these, what the device has computed over the frame changes along, and what is left to it (`skb->csum`). */
const DEVICE_FLAGS = BPF_F_PSEUDO_HDR | BPF_F_IPV6;
const BPF_F_MARK_MANGLED_0 = 0x20n;
const BPF_F_MARK_ENFORCE = 0x40n;
const L4_FLAGS = 0xffn;

const l4Replace: SymbolicHelper = (inputs, state, [, offset, from, to, flags]) => {
  const { pool, packet } = state;
  const given = state.number(flags!.term);
  if ((given & ~L4_FLAGS) !== 0n) return result(state, -EINVAL);
  const kind = given & FIELD_SIZE;
  const field = fieldAt(state, offset!.term);
  if (field === undefined) return result(state, -EFAULT);
  const [low, high] = bytesAt(inputs, state, field, 2);
  const word = pool.concat([high!, low!]);
  const sum = pool.zeroExtend(64, word);
  const keepsZero = (given & BPF_F_MARK_MANGLED_0) !== 0n;
  const zero = pool.constant(16, 0);
  if (keepsZero && (given & BPF_F_MARK_ENFORCE) === 0n && state.decide(pool.equal(word, zero))) {
    packet.generation++;
    return result(state, 0);
  }
  if (kind !== 0n && kind !== 2n && kind !== 4n) return result(state, -EINVAL);
  const narrow = (term: Term): Term => pool.zeroExtend(64, pool.extract(term, 0, 16));
  let changed: Term;
  if (kind === 0n) {
    if (!state.decide(pool.equal(from!.term, pool.constant(64, 0)))) return result(state, -EINVAL);
    changed = replaceByDifference(state, sum, to!.term);
  } else if (kind === 2n) changed = replace4(state, sum, narrow(from!.term), narrow(to!.term));
  else changed = replace4(state, sum, from!.term, to!.term);
  // One question more, and two simple formulas instead of one that no solver likes.
  if (keepsZero && state.decide(pool.equal(changed, zero))) changed = pool.constant(16, 0xffff);
  if ((given & DEVICE_FLAGS) !== 0n) {
    const numbers = [pool.constant(64, given), from!.term, to!.term];
    const flag = (given & BPF_F_PSEUDO_HDR) === 0n ? 'BPF_F_IPV6' : 'BPF_F_PSEUDO_HDR';
    noteAct(state, `bpf_l4_csum_replace (${flag})`, 'frame', numbers);
  }
  packet.bytes.store(pool, Number(state.number(field)), changed);
  packet.generation++;
  return result(state, 0);
};

export const PACKET_HELPERS: Readonly<Record<string, SymbolicHelper>> = {
  bpf_xdp_adjust_head: adjustHead,
  bpf_xdp_adjust_tail: adjustTail,
  bpf_xdp_adjust_meta: adjustMeta,
  bpf_xdp_get_buff_len: (_inputs, state) => frameLength(state),
  bpf_xdp_load_bytes: xdpLoad,
  bpf_xdp_store_bytes: xdpStore,
  bpf_skb_load_bytes: (inputs, state, args) => skbLoadFrom(inputs, state, state.packet.data, args),
  bpf_skb_load_bytes_relative: (inputs, state, args) => {
    const start = state.int(args[4]!.term);
    if (start !== 0 && start !== 1)
      throw new NotFollowed('bpf_skb_load_bytes_relative from an unknown header');
    const { pool, packet, networkOffset } = state;
    return skbLoadFrom(inputs, state, start === 0 ? packet.data : pool.add(packet.data, networkOffset), args);
  },
  bpf_skb_store_bytes: skbStore,
  bpf_skb_pull_data: (_inputs, state, [, length]) => {
    const { pool } = state;
    const wanted = offset64(state, length!.term);
    const isTooMuch = state.decide(pool.less(frameLength(state), wanted));
    state.packet.generation++;
    return result(state, isTooMuch ? -ENOMEM : 0);
  },
  bpf_l3_csum_replace: l3Replace,
  bpf_l4_csum_replace: l4Replace,
};
