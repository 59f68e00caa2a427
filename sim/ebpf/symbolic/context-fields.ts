/** The context on a path: `xdp_md` and `__sk_buff`, field by field, as unknowns or as what the frame says. */
import { ACCESS } from '../context/context-access.ts';
import { SK_BUFF } from '../context/sk-buff.ts';
import { XDP_MD } from '../context/xdp-md.ts';
import { asksMetadata, type Inputs } from './inputs.ts';
import { type PathState, PathViolation } from './path-state.ts';
import type { Value } from './path-value.ts';
import { FRAME_SOCKET, opaque } from './socket-helpers.ts';
import type { Term } from './term.ts';

/** Fields of `__sk_buff` that a frame may come with: an unknown of so many bits. */
const GIVEN: ReadonlyMap<number, readonly [name: string, bits: number]> = new Map<
  number,
  readonly [string, number]
>([
  [SK_BUFF.mark, ['skb.mark', 32]],
  [SK_BUFF.priority, ['skb.priority', 32]],
  ...[0, 1, 2, 3, 4].map((word) => [SK_BUFF.cb + 4 * word, [`skb.cb${word}`, 32]] as const),
  [SK_BUFF.gsoSegs, ['skb.gso_segs', 16]],
  [SK_BUFF.gsoSize, ['skb.gso_size', 32]],
  [SK_BUFF.vlanPresent, ['skb.vlan_present', 1]],
  [SK_BUFF.queueMapping, ['skb.queue_mapping', 16]],
  [SK_BUFF.tcIndex, ['skb.tc_index', 16]],
  [SK_BUFF.tcClassid, ['skb.tc_classid', 16]],
  [SK_BUFF.hash, ['skb.hash', 32]],
]);
const GIVEN_WIDE: ReadonlyMap<number, string> = new Map([
  [SK_BUFF.tstamp, 'skb.tstamp'],
  [SK_BUFF.hwtstamp, 'skb.hwtstamp'],
]);

/** An ifindex, or 0: an `int` that is never negative. */
const IFINDEX_BITS = 31;

const AT_INGRESS =
  'the program is attached at TC ingress, which its section leaves open: frames came in by the device that they are on';

/** `skb_iif` of a frame on its way out: the device that it came in by, where it is forwarded; else 0. */
const CAME_BY = 'skb.ingress_ifindex';

/**
 * A type that the frame has for another reason than its destination, 1 more than the type; 0: there is no other reason, and it is as its
 * destination says on the loopback device. Multicasts and
 * broadcasts of this host come back as PACKET_LOOPBACK (`dev_loopback_xmit`), frames on their way out are PACKET_HOST unless they are
 * forwarded, and programs and actions (`skbedit ptype`) set what they like.
 */
export const GIVEN_TYPE = { name: 'given.pkt_type', bits: 4 } as const;

/** By how much `wire_len` exceeds the frame. */
export const WIRE_EXTRA = { name: 'skb.wire_extra', bits: 31 } as const;

/** What a value of `GIVEN_TYPE` stands for, unless the destination says it. */
export function givenType(value: number): number {
  return (value - 1) & 7;
}

export function loadContext(inputs: Inputs, state: PathState, offset: number, size: number): Term | Value {
  const { layout } = inputs;
  const { packet, pool } = state;
  const { generation } = packet;
  switch (layout.read(offset, size, false)) {
    case ACCESS.data:
      return { term: packet.data, region: { kind: 'packet', generation } };
    case ACCESS.dataMeta:
      asksMetadata(inputs, state);
      return { term: packet.meta, region: { kind: 'packet', generation } };
    case ACCESS.dataEnd:
      return { term: packet.end, region: { kind: 'packet end', generation } };
    case ACCESS.socket:
      return state.decide(pool.unknown(1, 'given.no_socket'))
        ? pool.constant(64, 0)
        : opaque(inputs, FRAME_SOCKET);
    case ACCESS.scalar: {
      const bytes: Term[] = [];
      for (let index = size - 1; index >= 0; index--) bytes.push(contextByte(inputs, state, offset + index));
      return pool.concat(bytes);
    }
    default:
      throw new PathViolation(`a context access that is not permitted (${layout.field(offset)})`);
  }
}

/** Stores into the context. */
export function storeContext(state: PathState, offset: number, size: number, value: Term): void {
  const { pool } = state;
  const narrow =
    offset === SK_BUFF.tcIndex || offset === SK_BUFF.tcClassid || offset === SK_BUFF.queueMapping;
  if (offset === SK_BUFF.queueMapping) {
    // `NO_QUEUE_MAPPING`: nobody may state that there is no queue.
    if (!state.decide(pool.less(value, pool.constant(32, 0xffff)))) return;
  }
  const kept = narrow ? pool.and(value, pool.constant(size * 8, 0xffff)) : value;
  state.context.store(pool, offset, kept);
}

/** A word of the context as it is now. */
export function contextWord(inputs: Inputs, state: PathState, field: number): Term {
  const bytes = [3, 2, 1, 0].map((index) => contextByte(inputs, state, field + index));
  return state.pool.concat(bytes);
}

export function contextByte(inputs: Inputs, state: PathState, offset: number): Term {
  const written = state.context.byte(state.pool, offset);
  if (written !== undefined) return written;
  const wide = [...GIVEN_WIDE].find(([at]) => offset >= at && offset < at + 8);
  if (wide !== undefined)
    return state.pool.extract(state.pool.unknown(64, wide[1]), (offset - wide[0]) * 8, 8);
  const field = offset & ~3;
  const word = inputs.layout.name === 'xdp_md' ? xdpWord(inputs, field) : skbWord(inputs, state, field);
  return state.pool.extract(word, (offset - field) * 8, 8);
}

function xdpWord(inputs: Inputs, field: number): Term {
  const { pool } = inputs;
  if (field === XDP_MD.ingressIfindex) return inputs.ingressIfindex;
  return field === XDP_MD.rxQueueIndex ? pool.unknown(32, 'rx_queue') : inputs.egressIfindex;
}

function skbWord(inputs: Inputs, state: PathState, field: number): Term {
  const { pool, hook } = inputs;
  const given = GIVEN.get(field);
  if (field === SK_BUFF.hash && state.hash === 'as it came') state.hash = 'looked at';
  if (given !== undefined) return pool.zeroExtend(32, pool.unknown(given[1], given[0]));
  switch (field) {
    case SK_BUFF.len:
      return pool.extract(pool.subtract(state.packet.end, state.packet.data), 0, 32);
    case SK_BUFF.wireLen:
      return pool.add(
        pool.zeroExtend(32, inputs.length),
        // The headers of all segments but the first (`qdisc_pkt_len_init`): more than the frame has bytes, for small segments.
        pool.zeroExtend(32, pool.unknown(WIRE_EXTRA.bits, WIRE_EXTRA.name)),
      );
    case SK_BUFF.ifindex:
      return inputs.ingressIfindex;
    case SK_BUFF.ingressIfindex:
      if (hook === 'tc-egress') return pool.zeroExtend(32, pool.unknown(IFINDEX_BITS, CAME_BY));
      if (inputs.isAnywhere) state.assume(AT_INGRESS);
      return inputs.ingressIfindex;
    case SK_BUFF.tstampType:
      // Two bits: the real time, the monotonic clock, the atomic time.
      return pool.zeroExtend(32, pool.unknown(2, `given.${inputs.layout.field(field)}`));
    case SK_BUFF.napiId:
      return pool.unknown(32, `given.${inputs.layout.field(field)}`);
    case SK_BUFF.protocol:
    case SK_BUFF.pktType:
    case SK_BUFF.vlanTci:
    case SK_BUFF.vlanProto:
      return concluded(inputs, field);
    default:
      // What a frame has there in a network, and nobody can give it here.
      return pool.unknown(32, `fixed.${inputs.layout.field(field)}`);
  }
}

type ConcludedField = (typeof CONCLUDED)[number];

/** Fields that the kernel concludes from what it sees of the frame. */
const CONCLUDED = [SK_BUFF.protocol, SK_BUFF.pktType, SK_BUFF.vlanTci, SK_BUFF.vlanProto] as const;

function concluded(inputs: Inputs, field: ConcludedField): Term {
  const { pool } = inputs;
  switch (field) {
    case SK_BUFF.protocol:
      return protocol(inputs);
    case SK_BUFF.pktType:
      return packetType(inputs);
    case SK_BUFF.vlanTci:
      return whereTagged(inputs, pool.zeroExtend(32, pool.unknown(16, 'skb.vlan_tci')));
    case SK_BUFF.vlanProto: {
      const isService = pool.unknown(1, 'skb.vlan_service');
      return whereTagged(inputs, pool.ite(isService, pool.constant(32, 0xa888), pool.constant(32, 0x0081)));
    }
  }
}

/** A field of the context as a path begins with it, for whoever names it. */
export interface NamedContextField {
  readonly name: string;
  readonly term: Term;
  /** Are its lower two bytes in the network's order? */
  readonly isSwapped: boolean;
}

/** The fields of an sk_buff that are no unknowns of their own: terms over the frame and the tag beside it. */
export function concludedFields(inputs: Inputs): NamedContextField[] {
  if (inputs.layout.name === 'xdp_md') return [];
  return CONCLUDED.map((field) => ({
    name: `skb.${inputs.layout.field(field)}`,
    term: concluded(inputs, field),
    isSwapped: field === SK_BUFF.protocol || field === SK_BUFF.vlanProto,
  }));
}

/** A field of the tag that lies beside the frame; 0 where there is none. */
function whereTagged({ pool }: Inputs, field: Term): Term {
  return pool.ite(pool.unknown(1, 'skb.vlan_present'), field, pool.constant(32, 0));
}

/** `eth_type_trans`, in network order. */
function protocol(inputs: Inputs): Term {
  const { pool } = inputs;
  const [high, low] = [inputs.frameByte(12), inputs.frameByte(13)];
  const isType = pool.not(pool.less(pool.concat([high, low]), pool.constant(16, 0x600)));
  const ones = pool.constant(8, 0xff);
  const isRaw = pool.all([
    pool.not(pool.less(inputs.length, pool.constant(16, 16))),
    pool.equal(inputs.frameByte(14), ones),
    pool.equal(inputs.frameByte(15), ones),
  ]);
  const other = pool.ite(isRaw, pool.constant(32, 0x0100), pool.constant(32, 0x0400));
  return pool.ite(isType, pool.zeroExtend(32, pool.concat([low, high])), other);
}

/** As its destination says on the loopback device; or any that the three bits of the field hold (`GIVEN_TYPE`). */
function packetType(inputs: Inputs): Term {
  const { pool } = inputs;
  const zero = pool.all(
    [0, 1, 2, 3, 4, 5].map((at) => pool.equal(inputs.frameByte(at), pool.constant(8, 0))),
  );
  const own = pool.ite(
    pool.extract(inputs.frameByte(0), 0, 1),
    pool.constant(32, 2),
    pool.ite(zero, pool.constant(32, 0), pool.constant(32, 3)),
  );
  const given = pool.unknown(GIVEN_TYPE.bits, GIVEN_TYPE.name);
  const other = pool.extract(pool.subtract(given, pool.constant(GIVEN_TYPE.bits, 1)), 0, 3);
  const isLoopback = pool.equal(inputs.ingressIfindex, pool.constant(32, 1));
  const isOwn = pool.all([isLoopback, pool.equal(given, pool.constant(GIVEN_TYPE.bits, 0))]);
  return pool.ite(isOwn, own, pool.zeroExtend(32, other));
}
