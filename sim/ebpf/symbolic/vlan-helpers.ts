/** VLAN tags of an sk_buff, term by term (net/core/skbuff.c, `skb_vlan_push`, `skb_vlan_pop`). */
import { ENOMEM } from '../../runtime/errno.ts';
import { SK_BUFF } from '../context/sk-buff.ts';
import { movedFront, withRoom } from '../helpers/buffer-front.ts';
import { packetByte } from './access.ts';
import { contextWord } from './context-fields.ts';
import type { Inputs } from './inputs.ts';
import type { PathState } from './path-state.ts';
import { is, isZero, moveFront, protocol, result, setProtocol } from './skb-bounds.ts';
import type { SymbolicHelper } from './symbolic-helper.ts';
import type { Term } from './term.ts';

const ETH_P_8021Q = 0x8100;
const ETH_P_8021AD = 0x88a8;
/** The least EtherType; what lies below is a length. */
const LEAST_TYPE = 0x600;
/** `ETH_P_802_3`, `ETH_P_802_2`. */
const RAW_8023 = 1;
const LLC = 4;
const MAC_ADDRESSES = 12;
const VLAN_HEADER = 4;
const ETHERNET_HEADER = 14;
/** An Ethernet header and the tag behind it. */
const TAGGED_HEADER = 18;

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

const vlanPush: SymbolicHelper = (inputs, state, [, proto, tci]) => {
  const { pool } = state;
  const asked = pool.swapBytes(pool.extract(proto!.term, 0, 16));
  const type = isVlan(state, asked) ? asked : pool.constant(16, ETH_P_8021Q);
  if (!isZero(state, contextWord(inputs, state, SK_BUFF.vlanPresent))) {
    const start = Number(state.number(state.packet.data));
    const outer = pool.swapBytes(pool.extract(contextWord(inputs, state, SK_BUFF.vlanProto), 0, 16));
    const old = pool.extract(contextWord(inputs, state, SK_BUFF.vlanTci), 0, 16);
    moveFront(inputs, state, MAC_ADDRESSES, -VLAN_HEADER);
    state.front = movedFront(withRoom(state.front, VLAN_HEADER), VLAN_HEADER);
    const { bytes } = state.packet;
    const at = start - VLAN_HEADER + MAC_ADDRESSES;
    bytes.store(pool, at, pool.swapBytes(outer));
    bytes.store(pool, at + 2, pool.swapBytes(old));
    setProtocol(state, outer);
  } else state.packet.generation++;
  putTag(state, type, pool.extract(tci!.term, 0, 16));
  state.macLength = state.networkOffset;
  return result(state, 0);
};

/** A tag in the bytes of the frame. */
interface InnerTag {
  readonly tci: Term;
  /** `skb->protocol` once it is taken out, in host order. */
  readonly protocol: Term;
}

/**
 * The tag behind `depth` others (`__skb_vlan_pop`), before anything changes.
 * @returns undefined where the frame ends before it does
 */
function tagAt(inputs: Inputs, state: PathState, depth: number): InnerTag | undefined {
  const { pool, packet } = state;
  const from = Number(state.number(packet.data)) + depth * VLAN_HEADER;
  if (state.decide(pool.less(packet.end, pool.constant(64, from + TAGGED_HEADER)))) return undefined;
  const u16 = (at: number): Term =>
    pool.concat([packetByte(inputs, state, from + at), packetByte(inputs, state, from + at + 1)]);
  const [tci, inner] = [u16(14), u16(16)];
  if (!state.decide(pool.less(inner, pool.constant(16, LEAST_TYPE)))) return { tci, protocol: inner };
  // `vlan_set_encap_proto`; behind a frame's end it finds zeros in a test run.
  const isThere = !state.decide(pool.less(packet.end, pool.constant(64, from + TAGGED_HEADER + 2)));
  const isRaw = isThere && state.decide(pool.equal(u16(18), pool.constant(16, 0xffff)));
  return { tci, protocol: pool.constant(16, isRaw ? RAW_8023 : LLC) };
}

/** Takes the first tag out of the frame's bytes: the network header stays where it is, behind an Ethernet header at least. */
function takeOut(inputs: Inputs, state: PathState, type: Term): void {
  moveFront(inputs, state, MAC_ADDRESSES, VLAN_HEADER);
  state.front = movedFront(state.front, -VLAN_HEADER);
  setProtocol(state, type);
  const network = Number(state.number(state.networkOffset)) - VLAN_HEADER;
  state.networkOffset = state.pool.constant(64, Math.max(network, ETHERNET_HEADER));
  state.macLength = state.networkOffset;
}

const vlanPop: SymbolicHelper = (inputs, state) => {
  const hasTag = !isZero(state, contextWord(inputs, state, SK_BUFF.vlanPresent));
  const type = protocol(inputs, state);
  if (!isVlan(state, type)) {
    if (hasTag) clearTag(state);
    state.packet.generation++;
    return result(state, 0);
  }
  // The tag beside the frame goes; without one, the first in its bytes does. The next takes the place beside the frame.
  let taken: InnerTag | undefined;
  if (!hasTag) {
    taken = tagAt(inputs, state, 0);
    if (taken === undefined) return result(state, -ENOMEM);
  }
  const outer = taken?.protocol ?? type;
  const follows = taken === undefined || isVlan(state, outer);
  const next = follows ? tagAt(inputs, state, taken === undefined ? 0 : 1) : undefined;
  if (hasTag) clearTag(state);
  if (taken !== undefined) takeOut(inputs, state, outer);
  if (!follows) return result(state, 0);
  if (next === undefined) return result(state, -ENOMEM);
  takeOut(inputs, state, next.protocol);
  putTag(state, outer, next.tci);
  return result(state, 0);
};

export const VLAN_HELPERS: Readonly<Record<string, SymbolicHelper>> = {
  bpf_skb_vlan_push: vlanPush,
  bpf_skb_vlan_pop: vlanPop,
};
