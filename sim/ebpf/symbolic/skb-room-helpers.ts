/** Helpers that make room in an sk_buff or take it away, tags included, term by term (net/core/filter.c, net/core/skbuff.c). */
import { EFAULT, EINVAL, ENOMEM, ENOTSUPP } from '../../runtime/errno.ts';
import { SK_BUFF } from '../context/sk-buff.ts';
import { packetByte } from './access.ts';
import { contextWord } from './context-fields.ts';
import type { Inputs } from './inputs.ts';
import { NotFollowed, type PathState } from './path-state.ts';
import type { SymbolicHelper } from './symbolic-helper.ts';
import type { Term } from './term.ts';

const ETH_P_8021Q = 0x8100;
const ETH_P_8021AD = 0x88a8;
const ETH_P_IP = 0x0800;
const ETH_P_IPV6 = 0x86dd;
const MAC_ADDRESSES = 12;
const VLAN_HEADER = 4;
const MAX_SKB = 65_535;
/** The only flag of `bpf_skb_adjust_room` that changes nothing here: BPF_F_ADJ_ROOM_FIXED_GSO, and NO_CSUM_RESET. */
const HARMLESS_ROOM_FLAGS = 0x21n;

function result(state: PathState, value: number): Term {
  return state.pool.constant(64, value);
}

function isZero(state: PathState, term: Term): boolean {
  return state.decide(state.pool.equal(term, state.pool.constant(term.width, 0)));
}

/** The frame's bounds, and what follows from its length; metadata does not survive. */
function setBounds(state: PathState, data: Term, end: Term): void {
  const { packet, pool } = state;
  packet.data = data;
  packet.end = end;
  packet.meta = data;
  packet.generation++;
  state.context.store(pool, SK_BUFF.len, pool.extract(pool.subtract(end, data), 0, 32));
}

/** `skb->protocol` in host order, 16 bits. */
function protocol(inputs: Inputs, state: PathState): Term {
  return state.pool.swapBytes(state.pool.extract(contextWord(inputs, state, SK_BUFF.protocol), 0, 16));
}

function setProtocol(state: PathState, value: Term): void {
  const { pool } = state;
  state.context.store(pool, SK_BUFF.protocol, pool.swapBytes(value));
}

function is(state: PathState, term: Term, value: number): boolean {
  return state.decide(state.pool.equal(term, state.pool.constant(term.width, value)));
}

function isVlan(state: PathState, type: Term): boolean {
  return is(state, type, ETH_P_8021Q) || is(state, type, ETH_P_8021AD);
}

function putTag(state: PathState, proto: Term, tci: Term): void {
  const { pool, context } = state;
  context.store(pool, SK_BUFF.vlanPresent, pool.constant(32, 1));
  context.store(pool, SK_BUFF.vlanTci, pool.zeroExtend(32, tci));
  context.store(pool, SK_BUFF.vlanProto, pool.zeroExtend(32, pool.swapBytes(proto)));
}

function clearTag(state: PathState): void {
  for (const field of [SK_BUFF.vlanPresent, SK_BUFF.vlanTci, SK_BUFF.vlanProto]) {
    state.context.store(state.pool, field, state.pool.constant(32, 0));
  }
}

/** Moves the first bytes of the frame, and its start with them. */
function moveFront(inputs: Inputs, state: PathState, size: number, by: number): void {
  const { pool, packet } = state;
  const start = Number(state.number(packet.data));
  const front = Array.from({ length: size }, (_, at) => packetByte(inputs, state, start + at));
  for (const [at, byte] of front.entries()) packet.bytes.setByte(start + by + at, byte);
  if (by < 0) {
    for (let at = 0; at < -by; at++) packet.bytes.setByte(start + by + size + at, pool.constant(8, 0));
  }
  setBounds(state, pool.addConst(packet.data, by), packet.end);
}

const vlanPush: SymbolicHelper = (inputs, state, [, proto, tci]) => {
  const { pool } = state;
  const asked = pool.swapBytes(pool.extract(proto!.term, 0, 16));
  const type = isVlan(state, asked) ? asked : pool.constant(16, ETH_P_8021Q);
  if (!isZero(state, contextWord(inputs, state, SK_BUFF.vlanPresent))) {
    const start = Number(state.number(state.packet.data));
    const outer = pool.swapBytes(pool.extract(contextWord(inputs, state, SK_BUFF.vlanProto), 0, 16));
    const old = pool.extract(contextWord(inputs, state, SK_BUFF.vlanTci), 0, 16);
    moveFront(inputs, state, MAC_ADDRESSES, -VLAN_HEADER);
    const { bytes } = state.packet;
    const at = start - VLAN_HEADER + MAC_ADDRESSES;
    bytes.store(pool, at, pool.swapBytes(outer));
    bytes.store(pool, at + 2, pool.swapBytes(old));
    setProtocol(state, outer);
  } else state.packet.generation++;
  putTag(state, type, pool.extract(tci!.term, 0, 16));
  return result(state, 0);
};

/** A tag in the bytes, if there is one. @returns it, and what follows; a negative errno; undefined: no tag */
function tagInFront(
  inputs: Inputs,
  state: PathState,
  from: number,
): { readonly tci: Term; readonly inner: Term } | number {
  const { pool, packet } = state;
  if (state.decide(pool.less(packet.end, pool.constant(64, from + 18)))) return -ENOMEM;
  const u16 = (at: number): Term =>
    pool.concat([packetByte(inputs, state, from + at), packetByte(inputs, state, from + at + 1)]);
  return { tci: u16(14), inner: u16(16) };
}

const vlanPop: SymbolicHelper = (inputs, state) => {
  const { pool } = state;
  const hasTag = !isZero(state, contextWord(inputs, state, SK_BUFF.vlanPresent));
  const type = protocol(inputs, state);
  let start = Number(state.number(state.packet.data));
  if (!hasTag) {
    if (!isVlan(state, type)) {
      state.packet.generation++;
      return result(state, 0);
    }
    const tag = tagInFront(inputs, state, start);
    if (typeof tag === 'number') return result(state, tag);
    if (state.decide(pool.less(tag.inner, pool.constant(16, 0x600))))
      throw new NotFollowed('a tag before an LLC frame');
    // Asked before anything changes: does another tag follow?
    if (isVlan(state, tag.inner)) throw new NotFollowed('bpf_skb_vlan_pop of a frame with two tags');
    moveFront(inputs, state, MAC_ADDRESSES, VLAN_HEADER);
    setProtocol(state, tag.inner);
    return result(state, 0);
  }
  if (!isVlan(state, type)) {
    clearTag(state);
    state.packet.generation++;
    return result(state, 0);
  }
  start = Number(state.number(state.packet.data));
  const tag = tagInFront(inputs, state, start);
  if (typeof tag === 'number') {
    clearTag(state);
    return result(state, tag);
  }
  if (state.decide(pool.less(tag.inner, pool.constant(16, 0x600))))
    throw new NotFollowed('a tag before an LLC frame');
  moveFront(inputs, state, MAC_ADDRESSES, VLAN_HEADER);
  setProtocol(state, tag.inner);
  putTag(state, type, tag.tci);
  return result(state, 0);
};

function isGso(inputs: Inputs, state: PathState): boolean {
  return !isZero(state, contextWord(inputs, state, SK_BUFF.gsoSize));
}

const changeTail: SymbolicHelper = (inputs, state, [, length, flags]) => {
  const { pool, packet } = state;
  const wanted = pool.zeroExtend(64, pool.extract(length!.term, 0, 32));
  if (!isZero(state, flags!.term)) return result(state, -EINVAL);
  if (state.decide(pool.less(pool.constant(64, MAX_SKB), wanted))) return result(state, -EINVAL);
  if (state.decide(pool.less(wanted, state.networkOffset))) return result(state, -EINVAL);
  if (isGso(inputs, state)) throw new NotFollowed('bpf_skb_change_tail of a frame that is cut into segments');
  const end = pool.add(packet.data, wanted);
  if (state.decide(pool.less(packet.end, end))) {
    const least = state.knowledge.range(packet.end).min;
    const most = state.knowledge.range(end).max;
    if (most - least > 4096n) throw new NotFollowed('a frame that grows by a number without bounds');
    for (let at = least; at < most; at++) {
      const isInside = state.knowledge.settle(pool.less(pool.constant(64, at), packet.end));
      const byte = pool.ite(isInside, packetByte(inputs, state, Number(at)), pool.constant(8, 0));
      packet.bytes.setByte(Number(at), byte);
    }
  }
  setBounds(state, packet.data, end);
  return result(state, 0);
};

const changeHead: SymbolicHelper = (inputs, state, [, length, flags]) => {
  const { pool } = state;
  if (!isZero(state, flags!.term)) return result(state, -EINVAL);
  const by = state.int(length!.term);
  if (by < 0) return result(state, -EINVAL);
  if (by > 4096) throw new NotFollowed('bpf_skb_change_head by more than 4096 bytes');
  if (by === 0) state.packet.generation++;
  else moveFront(inputs, state, 0, -by);
  // The network header stays where it was.
  state.networkOffset = pool.addConst(state.networkOffset, by);
  return result(state, 0);
};

const adjustRoom: SymbolicHelper = (inputs, state, [, difference, mode, flags]) => {
  const { pool, packet } = state;
  const by = state.int(difference!.term);
  const where = state.number(mode!.term) & 0xffff_ffffn;
  if ((state.number(flags!.term) & ~HARMLESS_ROOM_FLAGS) !== 0n) {
    throw new NotFollowed('bpf_skb_adjust_room that makes or takes off a tunnel');
  }
  const distance = Math.abs(by);
  if (distance > 0xfff) return result(state, -EFAULT);
  const type = protocol(inputs, state);
  const isIpv4 = is(state, type, ETH_P_IP);
  if (!isIpv4 && !is(state, type, ETH_P_IPV6)) return result(state, -ENOTSUPP);
  const base = isIpv4 ? 20 : 40;
  if (where > 1n) return result(state, -ENOTSUPP);
  const network = Number(state.number(state.networkOffset));
  // BPF_ADJ_ROOM_NET, BPF_ADJ_ROOM_MAC.
  const offset = network + (where === 0n ? base : 0);
  if (by >= 0) {
    if (isGso(inputs, state)) return result(state, -ENOTSUPP);
    if (by === 0) packet.generation++;
    else moveFront(inputs, state, offset, -by);
    return result(state, 0);
  }
  const least = pool.addConst(packet.data, network + distance + Math.max(base, 1));
  if (state.decide(pool.less(packet.end, least))) return result(state, -ENOTSUPP);
  if (state.decide(pool.less(packet.end, pool.addConst(packet.data, offset + distance))))
    return result(state, -ENOMEM);
  moveFront(inputs, state, offset, distance);
  return result(state, 0);
};

export const SKB_ROOM_HELPERS: Readonly<Record<string, SymbolicHelper>> = {
  bpf_skb_vlan_push: vlanPush,
  bpf_skb_vlan_pop: vlanPop,
  bpf_skb_change_tail: changeTail,
  bpf_skb_change_head: changeHead,
  bpf_skb_adjust_room: adjustRoom,
};
