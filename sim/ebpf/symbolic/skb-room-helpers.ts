/** Helpers that make an sk_buff longer or shorter, term by term (net/core/filter.c). */
import { EFAULT, EINVAL, ENOMEM, ENOTSUPP } from '../../runtime/errno.ts';
import { SK_BUFF } from '../context/sk-buff.ts';
import {
  BEHIND_THE_END,
  leastLength,
  movedFront,
  movedHeaders,
  ONLY_IN_TEST_RUNS,
  withRoom,
  withTransport,
} from '../helpers/buffer-front.ts';
import {
  BPF_ADJ_ROOM_MAC,
  BPF_ADJ_ROOM_NET,
  EALREADY,
  ETH_P_IP,
  ETH_P_IPV6,
  knownRoomFlags,
  LENGTH_DIFFERENCE,
  MAX_SKB,
  ROOM,
} from '../helpers/skb-change-helpers.ts';
import { packetByte } from './access.ts';
import { noteAct } from './acts.ts';
import type { Inputs } from './inputs.ts';
import { NotFollowed, type PathState } from './path-state.ts';
import type { Value } from './path-value.ts';
import { is, isGso, isZero, moveFront, protocol, result, setBounds, setProtocol } from './skb-bounds.ts';
import { forgetHash } from './skb-meta-helpers.ts';
import type { SymbolicHelper } from './symbolic-helper.ts';
import type { Term } from './term.ts';

const changeTail: SymbolicHelper = (inputs, state, [, length, flags]) => {
  const { pool, packet } = state;
  const wanted = pool.zeroExtend(64, pool.extract(length!.term, 0, 32));
  if (!isZero(state, flags!.term)) return result(state, -EINVAL);
  if (state.decide(pool.less(pool.constant(64, MAX_SKB), wanted))) return result(state, -EINVAL);
  const { networkOffset, front } = state;
  const network = Number(state.number(networkOffset));
  const least = leastLength(front, network);
  const isTooShort = state.decide(pool.less(wanted, pool.constant(64, least)));
  if (state.encapsulated) return result(state, isTooShort ? -EINVAL : -ENOTSUPP);
  if (least !== network && state.decide(pool.less(wanted, networkOffset)) !== isTooShort)
    throw new NotFollowed(ONLY_IN_TEST_RUNS);
  if (isTooShort) return result(state, -EINVAL);
  // `skb_gso_reset`: nobody knows any more how to cut it.
  const isCut = isGso(inputs, state);
  const end = pool.add(packet.data, wanted);
  if (state.decide(pool.less(packet.end, end))) {
    const lowest = state.knowledge.range(packet.end).min;
    const most = state.knowledge.range(end).max;
    if (most - lowest > 4096n) throw new NotFollowed('a frame that grows by a number without bounds');
    for (let at = lowest; at < most; at++) {
      const isInside = state.knowledge.settle(pool.less(pool.constant(64, at), packet.end));
      const byte = pool.ite(isInside, packetByte(inputs, state, Number(at)), pool.constant(8, 0));
      packet.bytes.setByte(Number(at), byte);
    }
  }
  if (isCut) {
    for (const field of [SK_BUFF.gsoSize, SK_BUFF.gsoSegs])
      state.context.store(pool, field, pool.constant(32, 0));
  }
  setBounds(state, packet.data, end);
  return result(state, 0);
};

/** Would it be longer than a frame may be that is not cut into segments? */
function isTooLong(inputs: Inputs, state: PathState, by: number): boolean {
  const { pool, packet } = state;
  const longest = pool.addConst(packet.data, MAX_SKB);
  return state.decide(pool.less(longest, pool.addConst(packet.end, by))) && !isGso(inputs, state);
}

const changeHead: SymbolicHelper = (inputs, state, [, length, flags]) => {
  const { pool } = state;
  if (!isZero(state, flags!.term)) return result(state, -EINVAL);
  const by = state.int(length!.term);
  if (by < 0) return result(state, -EINVAL);
  if (by > 4096) throw new NotFollowed('bpf_skb_change_head by more than 4096 bytes');
  if (isTooLong(inputs, state, by)) return result(state, -EINVAL);
  moveFront(inputs, state, 0, -by);
  state.front = movedFront(withRoom(state.front, by), by);
  // The network header stays where it was.
  state.networkOffset = pool.addConst(state.networkOffset, by);
  state.macLength = state.networkOffset;
  return result(state, 0);
};

/** Room that was made or taken away: of the flags, the kernel keeps what the frame alone does not show. */
const adjustRoom: SymbolicHelper = (inputs, state, args) => {
  const answer = madeRoom(inputs, state, args);
  if (state.knowledge.only(answer) !== 0n) return answer;
  const numbers = numbersOf(state, args);
  noteAct(state, 'bpf_skb_adjust_room', 'frame', numbers);
  const keepsChecked = (Number(state.number(numbers[2]!) & 0xffff_ffffn) & ROOM.noChecksumReset) !== 0;
  if (!keepsChecked) state.checkedSums = 0;
  return answer;
};

/** The numbers behind the context, of which the first two have 32 bits. */
function numbersOf({ pool }: PathState, [, difference, mode, flags]: readonly Value[]): Term[] {
  return [pool.extract(difference!.term, 0, 32), pool.extract(mode!.term, 0, 32), flags!.term];
}

const madeRoom = (inputs: Inputs, state: PathState, [, difference, mode, given]: readonly Value[]): Term => {
  const { pool, packet } = state;
  const by = state.int(difference!.term);
  const where = state.int(mode!.term);
  const all = state.number(given!.term);
  const flags = Number(all & 0xffff_ffffn);
  // The length of the inner MAC header.
  const inner = Number(all >> 56n);
  if ((flags & ~knownRoomFlags(inputs.machine)) !== 0 || ((all >> 32n) & 0xff_ffffn) !== 0n)
    return result(state, -EINVAL);
  const distance = Math.abs(by);
  if (distance > 0xfff) return result(state, -EFAULT);
  const type = protocol(inputs, state);
  const isIpv4 = is(state, type, ETH_P_IP);
  if (!isIpv4 && !is(state, type, ETH_P_IPV6)) return result(state, -ENOTSUPP);
  const base = isIpv4 ? 20 : 40;
  if (where !== BPF_ADJ_ROOM_NET && where !== BPF_ADJ_ROOM_MAC) return result(state, -ENOTSUPP);
  const network = Number(state.number(state.networkOffset));
  const offset = network + (where === BPF_ADJ_ROOM_NET ? base : 0);
  let shortest = base;
  const decap = flags & (ROOM.decapIpv4 | ROOM.decapIpv6);
  if (decap !== 0) {
    if (by >= 0 || decap === (ROOM.decapIpv4 | ROOM.decapIpv6)) return result(state, -EINVAL);
    shortest = decap === ROOM.decapIpv4 ? 20 : 40;
  }
  if (by >= 0) {
    if (isTooLong(inputs, state, distance)) return result(state, -ENOTSUPP);
    return grow(inputs, state, { offset, distance, flags, inner });
  }
  const least = pool.addConst(packet.data, network + distance + shortest);
  if (state.decide(pool.less(packet.end, least))) return result(state, -ENOTSUPP);
  const known = ROOM.fixedGso | ROOM.decapIpv4 | ROOM.decapIpv6 | ROOM.noChecksumReset;
  if ((flags & ~known) !== 0 || inner !== 0) return result(state, -EINVAL);
  if (isGso(inputs, state)) return result(state, -ENOTSUPP);
  if (state.decide(pool.less(packet.end, pool.addConst(packet.data, offset + distance))))
    return result(state, -ENOMEM);
  moveFront(inputs, state, offset, distance);
  state.front = movedHeaders(state.front, -distance, network);
  if (decap !== 0) setProtocol(state, pool.constant(16, decap === ROOM.decapIpv6 ? ETH_P_IPV6 : ETH_P_IP));
  return result(state, 0);
};

/** What is asked of `bpf_skb_adjust_room` where the frame grows. */
interface Growth {
  /** Where room is made, from the frame's first byte on, and how much. */
  readonly offset: number;
  readonly distance: number;
  readonly flags: number;
  readonly inner: number;
}

function grow(inputs: Inputs, state: PathState, { offset, distance, flags, inner }: Growth): Term {
  if (isGso(inputs, state)) return result(state, -ENOTSUPP);
  // The buffer is made large enough before anything else is looked at.
  state.front = withRoom(state.front, distance);
  const encap = flags & (ROOM.encapIpv4 | ROOM.encapIpv6);
  if (encap !== 0) {
    const both = ROOM.encapGre | ROOM.encapUdp;
    if (encap === (ROOM.encapIpv4 | ROOM.encapIpv6) || (flags & both) === both) return result(state, -EINVAL);
    if ((flags & ROOM.encapEthernet) !== 0 && inner < 14) return result(state, -EINVAL);
    if (state.encapsulated) return result(state, -EALREADY);
    if (inner > distance) return result(state, -EINVAL);
  }
  pushHeaders(inputs, state, offset, distance);
  if (encap !== 0) {
    state.encapsulated = true;
    if ((flags & (ROOM.encapGre | ROOM.encapUdp)) !== 0) {
      const header = (flags & ROOM.encapIpv6) !== 0 ? 40 : 20;
      state.front = withTransport(state.front, Number(state.number(state.networkOffset)) + header);
    }
    setProtocol(state, state.pool.constant(16, encap === ROOM.encapIpv6 ? ETH_P_IPV6 : ETH_P_IP));
  }
  return result(state, 0);
}

/** Room that is made behind the first bytes, which move to the front: into a larger buffer, where there is none. */
function pushHeaders(inputs: Inputs, state: PathState, offset: number, distance: number): void {
  const { pool, packet } = state;
  const enough = withRoom(state.front, distance);
  if (enough.isLarger && state.decide(pool.less(packet.end, pool.addConst(packet.data, offset))))
    throw new NotFollowed(BEHIND_THE_END);
  const network = Number(state.number(state.networkOffset));
  moveFront(inputs, state, offset, -distance);
  state.front = movedHeaders(enough, distance, network);
}

const changeProtocol: SymbolicHelper = (inputs, state, [, wanted, flags]) => {
  const { pool, packet } = state;
  if (!isZero(state, flags!.term)) return result(state, -EINVAL);
  const to = pool.swapBytes(pool.extract(wanted!.term, 0, 16));
  const type = protocol(inputs, state);
  const network = Number(state.number(state.networkOffset));
  if (is(state, type, ETH_P_IP) && is(state, to, ETH_P_IPV6))
    pushHeaders(inputs, state, network, LENGTH_DIFFERENCE);
  else if (is(state, type, ETH_P_IPV6) && is(state, to, ETH_P_IP)) {
    const least = pool.addConst(packet.data, network + LENGTH_DIFFERENCE);
    if (state.decide(pool.less(packet.end, least))) return result(state, -ENOMEM);
    moveFront(inputs, state, network, LENGTH_DIFFERENCE);
    state.front = movedHeaders(state.front, -LENGTH_DIFFERENCE, network);
  } else return result(state, -ENOTSUPP);
  setProtocol(state, to);
  forgetHash(state);
  noteAct(state, 'bpf_skb_change_proto', 'frame', [to]);
  return result(state, 0);
};

export const SKB_ROOM_HELPERS: Readonly<Record<string, SymbolicHelper>> = {
  bpf_skb_change_tail: changeTail,
  bpf_skb_change_head: changeHead,
  bpf_skb_adjust_room: adjustRoom,
  bpf_skb_change_proto: changeProtocol,
};
