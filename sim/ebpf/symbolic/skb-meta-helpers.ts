/** Fields of an sk_buff that only helpers reach, term by term: hash, type, ECN, time stamp (net/core/filter.c). */
import { EACCES, EINVAL, EOPNOTSUPP } from '../../runtime/errno.ts';
import { PACKET_OTHERHOST, SK_BUFF } from '../context/sk-buff.ts';
import { HELPERS } from '../helpers/index.ts';
import { CSUM_LEVEL, checkedBehind } from '../helpers/skb-checksum-helpers.ts';
import { firstTagAt, MOST_TAGS } from '../helpers/skb-meta-helpers.ts';
import { packetByte } from './access.ts';
import { noteAct } from './acts.ts';
import { anyValue } from './any-value.ts';
import { contextWord } from './context-fields.ts';
import type { Inputs } from './inputs.ts';
import { noteAnswer } from './note-answer.ts';
import type { PathState } from './path-state.ts';
import { is, isZero, protocol, result } from './skb-bounds.ts';
import type { SymbolicHelper } from './symbolic-helper.ts';
import type { Term } from './term.ts';

/** `skb_clear_hash`: the next who asks has it computed. */
export function forgetHash(state: PathState): void {
  state.context.store(state.pool, SK_BUFF.hash, state.pool.constant(32, 0));
  state.hash = 'forgotten';
}

const GET_HASH_RECALC = 34;

const recalculateHash: SymbolicHelper = (inputs, state, args) => {
  const { pool } = state;
  if (state.hash === 'known') {
    noteAnswer(inputs, state, 'bpf_get_hash_recalc');
    return pool.zeroExtend(64, contextWord(inputs, state, SK_BUFF.hash));
  }
  const answer = anyValue(inputs, state, HELPERS.get(GET_HASH_RECALC)!, args);
  if (answer === undefined || !('operation' in answer)) throw new RangeError('a hash is a number');
  // Only to a program that has looked is a hash that the device gave another thing than one that is computed.
  const came = state.hash === 'looked at' ? contextWord(inputs, state, SK_BUFF.hash) : undefined;
  const hash =
    came === undefined
      ? answer
      : pool.ite(pool.equal(came, pool.constant(32, 0)), answer, pool.zeroExtend(64, came));
  state.context.store(pool, SK_BUFF.hash, pool.extract(hash, 0, 32));
  state.hash = 'known';
  return hash;
};

const setHash: SymbolicHelper = (_inputs, state, [, hash]) => {
  const { pool } = state;
  state.context.store(pool, SK_BUFF.hash, pool.extract(hash!.term, 0, 32));
  state.hash = 'known';
  return result(state, 0);
};

const changeType: SymbolicHelper = (inputs, state, [, type]) => {
  const { pool } = state;
  const wanted = pool.extract(type!.term, 0, 32);
  const last = pool.constant(32, PACKET_OTHERHOST);
  for (const one of [wanted, contextWord(inputs, state, SK_BUFF.pktType)])
    if (state.decide(pool.less(last, one))) return result(state, -EINVAL);
  state.context.store(pool, SK_BUFF.pktType, wanted);
  return result(state, 0);
};

const checksumLevel: SymbolicHelper = (_inputs, state, [, level]) => {
  const { pool } = state;
  if (state.decide(pool.less(pool.constant(64, CSUM_LEVEL.reset), level!.term)))
    return result(state, -EINVAL);
  const wanted = Number(state.number(level!.term));
  const { checkedSums } = state;
  if (wanted === CSUM_LEVEL.query) return result(state, checkedSums === 0 ? -EACCES : checkedSums - 1);
  state.checkedSums = checkedBehind(checkedSums, wanted);
  noteAct(state, 'bpf_csum_level (a change)', 'frame', [pool.constant(64, wanted)]);
  return result(state, 0);
};

const BPF_SKB_CLOCK_REALTIME = 0;
const BPF_SKB_CLOCK_MONOTONIC = 1;
const BPF_SKB_CLOCK_TAI = 2;

const setTimeStamp: SymbolicHelper = (inputs, state, [, stamp, clock]) => {
  const { pool } = state;
  const type = protocol(inputs, state);
  if (!is(state, type, 0x0800) && !is(state, type, 0x86dd)) return result(state, -EOPNOTSUPP);
  const kind = pool.extract(clock!.term, 0, 32);
  const isDelivery = is(state, kind, BPF_SKB_CLOCK_MONOTONIC) || is(state, kind, BPF_SKB_CLOCK_TAI);
  const isRefused = isDelivery ? isZero(state, stamp!.term) : !is(state, kind, BPF_SKB_CLOCK_REALTIME);
  if (isRefused) return result(state, -EINVAL);
  state.context.store(pool, SK_BUFF.tstamp, stamp!.term);
  state.context.store(pool, SK_BUFF.tstampType, pool.extract(kind, 0, 8));
  return result(state, 0);
};

/** `skb_protocol` behind VLAN tags, in host order; 0 where they do not end. */
function innerProtocol(inputs: Inputs, state: PathState): Term {
  const { pool, packet } = state;
  const first = firstTagAt(Number(state.number(state.macLength)));
  let type = protocol(inputs, state);
  for (let depth = 1; is(state, type, 0x8100) || is(state, type, 0x88a8); depth++) {
    if (first === undefined || depth === MOST_TAGS) return pool.constant(16, 0);
    const end = Number(state.number(packet.data)) + first + 4 * depth;
    if (state.decide(pool.less(packet.end, pool.constant(64, end)))) return pool.constant(16, 0);
    type = pool.concat([packetByte(inputs, state, end - 2), packetByte(inputs, state, end - 1)]);
  }
  return type;
}

/** Marks congestion (`INET_ECN_set_ce`): 1 where the packet is marked afterwards, 0 where its sender does not know ECN. */
const markCongestion: SymbolicHelper = (inputs, state) => {
  const { pool, packet } = state;
  const type = innerProtocol(inputs, state);
  const at = Number(state.number(pool.add(packet.data, state.networkOffset)));
  const hasBytes = (size: number): boolean =>
    !state.decide(pool.less(packet.end, pool.constant(64, at + size)));
  const byte = packetByte(inputs, state, at + 1);
  if (is(state, type, 0x0800) && hasBytes(20)) {
    const ecn = pool.extract(byte, 0, 2);
    if (isZero(state, ecn)) return result(state, 0);
    if (is(state, ecn, 3)) return result(state, 1);
    const isSecond = is(state, ecn, 1);
    // `IP_ECN_set_ce`: the checksum falls by what the field rises, in one's complement.
    const field = pool.concat([packetByte(inputs, state, at + 10), packetByte(inputs, state, at + 11)]);
    const sum = pool.addConst(pool.zeroExtend(32, field), isSecond ? 0xfffd : 0xfffe);
    const carried = pool.add(pool.extract(sum, 0, 16), pool.zeroExtend(16, pool.extract(sum, 16, 1)));
    packet.bytes.store(pool, at + 10, pool.swapBytes(carried));
    packet.bytes.setByte(at + 1, pool.or(byte, pool.constant(8, 3)));
    return result(state, 1);
  }
  if (is(state, type, 0x86dd) && hasBytes(40)) {
    if (isZero(state, pool.extract(byte, 4, 2))) return result(state, 0);
    packet.bytes.setByte(at + 1, pool.or(byte, pool.constant(8, 0x30)));
    return result(state, 1);
  }
  return result(state, 0);
};

export const SKB_META_HELPERS: Readonly<Record<string, SymbolicHelper>> = {
  bpf_get_hash_recalc: recalculateHash,
  bpf_set_hash: setHash,
  bpf_set_hash_invalid: (_inputs, state) => {
    forgetHash(state);
    return result(state, 0);
  },
  bpf_skb_change_type: changeType,
  bpf_csum_level: checksumLevel,
  bpf_skb_set_tstamp: setTimeStamp,
  bpf_skb_ecn_set_ce: markCongestion,
};
