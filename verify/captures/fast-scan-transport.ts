/** TCP, UDP and ICMP in the fast scan: the checksum, and whether there is more to look into behind it. */
import {
  and,
  anyOf,
  byteAt,
  choose,
  difference,
  type Expression,
  equal,
  greater,
  halfAt,
  isZero,
  type Label,
  less,
  networkHalf,
  notEqual,
  or,
  shiftLeft,
  shiftRight,
  sum,
  type Value,
  type Variable,
} from '../../sim/ebpf/wasm/routine.ts';
import { CHECKSUM, LAYER, PART } from '../oracle/found.ts';
import { countAt, depthShift, layerOf, PLACE, PORT_KIND } from './fast-scan-layout.ts';
import type { Ends, FastScanState } from './fast-scan-state.ts';
import { LEAST_LARGE_SEGMENT } from './offload.ts';

export const PROTOCOL = { icmp: 1, ipip: 4, tcp: 6, udp: 17, ipv6: 41, icmpv6: 58 } as const;

/** What differs from protocol to protocol. */
interface Segment {
  /** `countAt` of its layer. */
  readonly counts: Variable;
  /** Its `depthShift`. */
  readonly shift: Variable;
  readonly leastHeader: Variable;
  /** Where the checksum stands in the header. */
  readonly field: Variable;
  /** Covered bytes, by the packet's account. */
  readonly claimed: Variable;
  /** Are all of them there, and the lengths not contradictory? */
  readonly fits: Variable;
}

/** `cursor` is at the IP payload. Branches to `again` where an IP packet follows. */
export function writeTransport(state: FastScanState, ends: Ends, again: Label): void {
  const { routine, cursor, limit, part, protocol, length, isIpv4 } = state;
  const variable = () => routine.variable();
  const segment = {
    counts: variable(),
    shift: variable(),
    leastHeader: variable(),
    field: variable(),
    claimed: variable(),
    fits: variable(),
  };
  const { claimed, fits } = segment;
  const set = (layer: number, leastHeader: number, field: number): void => {
    routine.set(segment.counts, countAt(layer, 0));
    routine.set(segment.shift, depthShift(layer));
    routine.set(segment.leastHeader, leastHeader);
    routine.set(segment.field, field);
  };
  const is = (number: number) => equal(protocol, number);
  // More than a sum of 32 bits can take.
  routine.branchIf(greater(length, 0xffff), ends.leave);
  routine.set(fits, and(isZero(less(length, 0)), isZero(greater(length, state.available))));
  routine.set(claimed, length);
  const end = routine.variable();
  routine.set(end, sum(cursor, choose(less(length, 0), 0, length)));
  routine.set(limit, choose(less(end, limit), end, limit));

  routine.if(
    is(PROTOCOL.tcp),
    () => set(LAYER.tcp, 20, 16),
    () =>
      routine.if(
        is(PROTOCOL.udp),
        () => {
          set(LAYER.udp, 8, 6);
          writeUdpLength(state, segment);
        },
        () =>
          routine.if(
            is(PROTOCOL.icmp),
            () => {
              routine.branchIf(isZero(isIpv4), ends.leave);
              set(LAYER.icmp, 8, 2);
            },
            () =>
              routine.if(
                is(PROTOCOL.icmpv6),
                () => {
                  routine.branchIf(isIpv4, ends.leave);
                  set(LAYER.icmpv6, 8, 2);
                },
                () => writeOther(state, ends, again),
              ),
          ),
      ),
  );
  writeSegment(state, segment, ends);
  routine.branchIf(or(equal(part, PART.laterFragment), is(PROTOCOL.tcp)), ends.done);
  routine.if(is(PROTOCOL.udp), () => writeUdpData(state, claimed, ends));
  // Errors quote a packet.
  routine.branchIf(less(state.available, 9), ends.done);
  leaveExtensions(state, ends);
  routine.branchIf(isZero(quotes(byteAt(cursor), isIpv4)), ends.done);
  routine.set(state.isQuoted, 1);
  routine.increase(cursor, 8);
  routine.branch(again);
}

/** Leaves messages of ICMP that have extensions, or may have (RFC 4884 §4, RFC 8335 §2): few do. */
function leaveExtensions({ routine, cursor, isIpv4, available }: FastScanState, { leave }: Ends): void {
  const type = byteAt(cursor);
  routine.branchIf(equal(type, choose(isIpv4, 42, 160)), leave);
  const extended = and(shiftRight(choose(isIpv4, bits([3, 11, 12]), bits([1, 3])), type), 1);
  routine.if(and(less(type, 32), extended), () => {
    routine.branchIf(byteAt(sum(cursor, choose(isIpv4, 5, 4))), leave);
    // Who states no length has them behind 128 bytes; they begin with 0x2000.
    routine.if(greater(available, 8 + 128), () =>
      routine.branchIf(equal(halfAt(cursor, 8 + 128), 0x0020), leave),
    );
  });
}

const bits = (numbers: readonly number[]): number => numbers.reduce((all, one) => all | (1 << one), 0);

/** Is a message of ICMP or ICMPv6 of this type an error, which quotes a packet (RFC 792, RFC 4443 §3)? */
export function quotes(type: Expression, isIpv4: Value): Expression {
  const errors = choose(isIpv4, bits([3, 4, 5, 11, 12]), bits([1, 2, 3, 4]));
  return and(less(type, 32), and(shiftRight(errors, type), 1));
}

/** Other protocols: IP in IP is followed, the rest left, or without a checksum. */
function writeOther(state: FastScanState, { done, leave }: Ends, again: Label): void {
  const { routine, part, protocol, isIpv4 } = state;
  const is = (number: number) => equal(protocol, number);
  routine.if(equal(part, PART.laterFragment), () => {
    routine.branchIf(byteAt(protocol, PLACE.protocols), leave);
    routine.branch(done);
  });
  routine.branchIf(isZero(greater(state.available, 0)), done);
  routine.if(or(is(PROTOCOL.ipip), is(PROTOCOL.ipv6)), () => {
    routine.set(isIpv4, is(PROTOCOL.ipip));
    routine.branch(again);
  });
  routine.branchIf(byteAt(protocol, PLACE.protocols), leave);
  routine.branch(done);
}

/** The UDP length decides how much is summed; what the IP length says beyond it does not (RFC 768). */
function writeUdpLength(state: FastScanState, { claimed, fits }: Segment): void {
  const { routine, cursor, part, length } = state;
  routine.if(notEqual(part, PART.laterFragment), () => {
    routine.if(greater(state.available, 5), () => routine.set(claimed, networkHalf(cursor, 4)));
  });
  const isWithin = and(isZero(greater(claimed, length)), isZero(greater(claimed, state.available)));
  routine.set(fits, and(isZero(less(claimed, 8)), choose(equal(part, PART.whole), isWithin, fits)));
}

/** Judges the checksum: counts it, or writes it down where it is wrong. */
function writeSegment(state: FastScanState, segment: Segment, ends: Ends): void {
  const { routine, cursor, part } = state;
  const { counts, shift, leastHeader, field, claimed, fits } = segment;
  const isHeld = routine.variable();
  const isUdp = equal(counts, countAt(LAYER.udp, 0));
  routine.set(isHeld, and(notEqual(part, PART.laterFragment), isZero(less(state.available, sum(field, 2)))));
  const isShort = and(notEqual(part, PART.laterFragment), or(isZero(isHeld), less(claimed, leastHeader)));
  const isUnverifiable = anyOf(isZero(fits), notEqual(part, PART.whole), isShort);
  routine.block((judged) => {
    routine.if(and(isUdp, isHeld), () => {
      routine.if(isZero(halfAt(cursor, 6)), () => {
        // None over IPv4; over IPv6 it depends on the port.
        routine.branchIf(isZero(state.isIpv4), ends.leave);
        state.count(countAt(LAYER.udp, CHECKSUM.absent), shift, ends);
        routine.branch(judged);
      });
    });
    routine.if(isUnverifiable, () => {
      state.count(sum(counts, countAt(0, CHECKSUM.unverifiable)), shift, ends);
      routine.branch(judged);
    });
    writeSum(state, segment);
    const total = routine.variable();
    routine.set(total, totalOf(state, segment));
    routine.if(
      state.isAllOnes(total),
      () => state.count(counts, shift, ends),
      () => {
        const isIcmp = equal(counts, countAt(LAYER.icmp, 0));
        const wrong = { layer: layerOf(shift), shift, total, isUdp };
        const covered = { field: sum(cursor, field), start: cursor, end: sum(cursor, claimed) };
        const addressLength = choose(isIcmp, 0, choose(state.isIpv4, 4, 16));
        const protocol = choose(isIcmp, 0, state.protocol);
        const hasPorts = or(isUdp, equal(counts, countAt(LAYER.tcp, 0)));
        const conversation = {
          from: state.source,
          to: state.destination,
          addressSize: choose(state.isIpv4, 4, 16),
          portsEnd: choose(hasPorts, sum(cursor, 4), cursor),
        };
        const isUnfinished = and(hasPorts, writeUnfinished(state, segment));
        state.fault(
          { ...wrong, ...covered, ...conversation, isUnfinished, addressLength, protocol, length: claimed },
          ends,
        );
      },
    );
  });
}

/** Is the checksum its pseudo-header's sum, of long segments that of one without the length (`offload.ts`)? */
function writeUnfinished(state: FastScanState, { field, claimed }: Segment): Expression {
  const { routine, cursor } = state;
  const stands = routine.variable();
  const withLength = routine.variable();
  const withoutLength = routine.variable();
  const folded = (value: Value): Expression => {
    const { scratch } = state;
    const fold = (one: Value): Expression => {
      routine.set(scratch, one);
      return sum(and(scratch, 0xffff), shiftRight(scratch, 16));
    };
    return fold(fold(value));
  };
  routine.set(stands, halfAt(sum(cursor, field)));
  const constant = sum(state.addresses, shiftLeft(state.protocol, 8));
  routine.set(withLength, equal(stands, folded(sum(constant, swapped(claimed)))));
  routine.set(withoutLength, equal(stands, folded(constant)));
  return or(withLength, and(withoutLength, greater(claimed, LEAST_LARGE_SEGMENT - 1)));
}

/** A number of 16 bits the other way round. */
export function swapped(value: Variable): Expression {
  return or(shiftRight(value, 8), shiftLeft(and(value, 0xff), 8));
}

/** Adds the covered bytes up in `vector`. */
function writeSum({ routine, cursor, vector }: FastScanState, { claimed }: Segment): void {
  const at = routine.variable();
  const end = routine.variable();
  routine.set(at, cursor);
  routine.set(end, sum(cursor, claimed));
  vector.clear();
  routine.while(isZero(less(difference(end, at), 16)), () => {
    vector.add(at);
    routine.increase(at, 16);
  });
  // The last 0 to 15 bytes, and zeros: an odd one is the first half of a word (RFC 1071 §4.1).
  vector.addMasked(at, sum(difference(at, end), PLACE.zeros));
}

/** The sum with its pseudo-header, which ICMP over IPv4 alone does not have. */
function totalOf(state: FastScanState, { counts, claimed }: Segment): Value {
  // A length of 16 bits and a protocol of 8, as little-endian numbers.
  const pseudo = sum(state.addresses, shiftLeft(state.protocol, 8), swapped(claimed));
  return sum(state.vector.total, choose(notEqual(counts, countAt(LAYER.icmp, 0)), pseudo, 0));
}

/** What is behind a UDP header: nothing with a checksum, unless port or looks say otherwise. */
function writeUdpData(state: FastScanState, claimed: Variable, { done, leave }: Ends): void {
  const { routine, cursor, limit, scratch } = state;
  const end = routine.variable();
  routine.branchIf(and(less(claimed, 8), notEqual(claimed, 0)), done);
  routine.set(end, sum(cursor, choose(claimed, claimed, state.available)));
  routine.set(limit, choose(less(end, limit), end, limit));
  routine.branchIf(less(state.available, 9), done);
  // The destination's kind counts, then the source's.
  routine.set(scratch, byteAt(halfAt(cursor, 2), PLACE.ports));
  routine.if(isZero(scratch), () => routine.set(scratch, byteAt(halfAt(cursor), PLACE.ports)));
  routine.branchIf(equal(scratch, PORT_KIND.nothing), done);
  routine.branchIf(equal(scratch, PORT_KIND.tunnel), leave);
  routine.increase(cursor, 8);
  const first = byteAt(cursor);
  // IP begins with 4 or 6 and ends with the datagram; VXLAN begins with 0x08, its extension with 0x0c.
  routine.if(equal(and(first, 0xd0), 0x40), () => {
    const isIpv4 = equal(shiftRight(first, 4), 4);
    routine.branchIf(less(state.available, 20), done);
    const size = choose(isIpv4, networkHalf(cursor, 2), sum(networkHalf(cursor, 4), 40));
    routine.branchIf(equal(size, state.available), leave);
    routine.branch(done);
  });
  routine.branchIf(equal(and(first, 0xfb), 0x08), leave);
  routine.branch(done);
}
