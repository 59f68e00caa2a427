/** IPv4 and IPv6 in the fast scan: the header's checksum, and where the transport begins. */
import {
  and,
  anyOf,
  byteAt,
  choose,
  difference,
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
  type Variable,
} from '../../sim/ebpf/wasm/routine.ts';
import { CHECKSUM, LAYER, PART } from '../oracle/found.ts';
import { countAt, depthShift } from './fast-scan-layout.ts';
import type { Ends, FastScanState } from './fast-scan-state.ts';

/** Fragment offset, and "more fragments", as little-endian numbers. */
const OFFSET_MASK = 0xff1f;
const MORE_FRAGMENTS = 0x0020;
/** Not 0 in a fragment, whichever it is. */
export const FRAGMENT_BITS: number = OFFSET_MASK | MORE_FRAGMENTS;

/** RFC 791 §3.1. */
export function writeIpv4(state: FastScanState, ends: Ends): void {
  const { routine, cursor, vector, part, protocol, length } = state;
  const headerLength = routine.variable();
  const total = routine.variable();
  routine.set(headerLength, 20);
  routine.set(state.ipv4, cursor);
  routine.block((ordinary) => {
    routine.block((impossible) => {
      routine.branchIf(less(state.available, 20), impossible);
      routine.branchIf(equal(byteAt(cursor), 0x45), ordinary);
      routine.branchIf(notEqual(shiftRight(byteAt(cursor), 4), 4), impossible);
      routine.set(headerLength, shiftLeft(and(byteAt(cursor), 15), 2));
      routine.branchIf(less(headerLength, 20), impossible);
      routine.branchIf(less(state.available, headerLength), impossible);
      routine.branch(ordinary);
    });
    state.count(countAt(LAYER.ipv4, CHECKSUM.unverifiable), depthShift(LAYER.ipv4), ends);
    routine.branch(ends.done);
  });
  routine.set(protocol, byteAt(cursor, 9));
  routine.set(part, and(halfAt(cursor, 6), FRAGMENT_BITS));
  routine.if(part, () => {
    routine.set(part, choose(and(part, OFFSET_MASK), PART.laterFragment, PART.firstFragment));
    state.leaveFragment(ends);
  });
  routine.set(total, networkHalf(cursor, 2));
  routine.if(
    isZero(total),
    () => {
      // A segment that is longer than the field can state, if it holds TCP.
      routine.set(total, choose(equal(protocol, 6), state.available, 0));
      state.noteLarge();
    },
    () => state.noteLength(total),
  );
  vector.clear();
  vector.add(cursor);
  const header = routine.variable();
  routine.set(header, sum(vector.total, halfAt(cursor, 16), halfAt(cursor, 18)));
  routine.if(greater(headerLength, 20), () => writeOptions(state, header, headerLength, ends));
  routine.if(
    state.isAllOnes(header),
    () => state.count(countAt(LAYER.ipv4, CHECKSUM.good), depthShift(LAYER.ipv4), ends),
    () => {
      const wrong = { layer: LAYER.ipv4, shift: depthShift(LAYER.ipv4), total: header, isUdp: 0 };
      const covered = { field: sum(cursor, 10), start: cursor, end: sum(cursor, headerLength) };
      const addresses = { from: sum(cursor, 12), to: sum(cursor, 16), addressSize: 4, portsEnd: cursor };
      const none = { isUnfinished: 0, addressLength: 0, protocol: 0, length: 0 };
      state.fault({ ...wrong, ...covered, ...addresses, ...none }, ends);
    },
  );
  const address = (offset: number) => sum(halfAt(cursor, offset), halfAt(cursor, offset + 2));
  routine.set(state.addresses, sum(address(12), address(16)));
  routine.set(state.source, sum(cursor, 12));
  routine.set(state.destination, sum(cursor, 16));
  routine.increase(cursor, headerLength);
  routine.set(length, difference(total, headerLength));
}

/** Adds the options to the header's sum; with a source route the destination is elsewhere. */
function writeOptions(state: FastScanState, header: Variable, headerLength: Variable, { leave }: Ends): void {
  const { routine, cursor } = state;
  const at = routine.variable();
  const end = routine.variable();
  routine.set(end, sum(cursor, headerLength));
  routine.set(at, sum(cursor, 20));
  routine.while(less(at, end), () => {
    routine.set(header, sum(header, halfAt(at), halfAt(at, 2)));
    routine.increase(at, 4);
  });
  routine.set(at, sum(cursor, 20));
  const type = routine.variable();
  const size = routine.variable();
  routine.block((over) =>
    routine.loop((again) => {
      routine.branchIf(isZero(less(sum(at, 2), end)), over);
      routine.set(type, byteAt(at));
      routine.branchIf(isZero(type), over);
      routine.set(size, choose(equal(type, 1), 1, byteAt(at, 1)));
      routine.branchIf(anyOf(equal(type, 131), equal(type, 137)), leave);
      routine.branchIf(less(size, choose(equal(type, 1), 1, 2)), over);
      routine.increase(at, size);
      routine.branch(again);
    }),
  );
}

/** RFC 8200 §3 and §4. */
export function writeIpv6(state: FastScanState, ends: Ends): void {
  const { routine, cursor, limit, vector, part, protocol, length } = state;
  const stated = routine.variable();
  const end = routine.variable();
  routine.branchIf(less(state.available, 40), ends.done);
  routine.branchIf(notEqual(shiftRight(byteAt(cursor), 4), 6), ends.done);
  routine.set(part, PART.whole);
  routine.set(length, networkHalf(cursor, 4));
  routine.set(protocol, byteAt(cursor, 6));
  vector.clear();
  vector.add(cursor, 8);
  vector.add(cursor, 24);
  routine.set(state.addresses, vector.total);
  routine.set(state.source, sum(cursor, 8));
  routine.set(state.destination, sum(cursor, 24));
  routine.increase(cursor, 40);
  routine.if(isZero(length), () => {
    // A jumbogram, or a segment that is longer than the field can state.
    routine.branchIf(isZero(protocol), ends.leave);
    routine.if(equal(protocol, 6), () => routine.set(length, state.available));
  });
  routine.set(stated, sum(length, 40));
  routine.set(end, sum(cursor, length));
  routine.set(end, choose(less(limit, end), limit, end));
  routine.block((transport) =>
    routine.loop((again) => {
      // A byte above 60 and below 135 is none of the extension headers.
      routine.branchIf(isPlainTransport(protocol), transport);
      writeExtension(state, { stated, end }, ends, transport);
      routine.branch(again);
    }),
  );
  state.noteLength(stated);
}

/** TCP, UDP, ICMPv6: what most packets have. */
const isPlainTransport = (protocol: Variable) =>
  anyOf(equal(protocol, 6), equal(protocol, 17), equal(protocol, 58));

const EXTENSION = { hopByHop: 0, routing: 43, fragment: 44, authentication: 51, destination: 60 } as const;

/** One extension header, or to `transport` where there is none. */
function writeExtension(
  state: FastScanState,
  { stated, end }: { stated: Variable; end: Variable },
  ends: Ends,
  transport: Label,
): void {
  const { routine, cursor, part, protocol, length } = state;
  const size = routine.variable();
  const is = (number: number) => equal(protocol, number);
  // Mobility, HIP and Shim6 are counted by name.
  routine.branchIf(anyOf(is(135), is(139), is(140)), ends.leave);
  const { hopByHop, routing, fragment, authentication, destination } = EXTENSION;
  const isOptions = anyOf(is(hopByHop), is(destination));
  routine.branchIf(isZero(anyOf(isOptions, is(routing), is(fragment), is(authentication))), transport);
  // None of them is shorter than eight bytes.
  const beyond = (): void => {
    routine.if(equal(part, PART.laterFragment), () => state.noteLength(stated));
    routine.branch(ends.done);
  };
  routine.if(or(less(difference(end, cursor), 8), equal(part, PART.laterFragment)), beyond);
  routine.set(size, 8);
  routine.if(
    is(authentication),
    () => {
      // Without an integrity check value it is none (RFC 4302 §2).
      routine.branchIf(isZero(byteAt(cursor, 1)), ends.done);
      routine.set(size, shiftLeft(sum(byteAt(cursor, 1), 2), 2));
    },
    () => {
      routine.if(notEqual(protocol, fragment), () =>
        routine.set(size, shiftLeft(sum(byteAt(cursor, 1), 1), 3)),
      );
    },
  );
  routine.branchIf(greater(size, difference(end, cursor)), ends.done);
  routine.if(is(fragment), () => {
    const field = networkHalf(cursor, 2);
    routine.set(
      part,
      choose(and(field, 0xfff8), PART.laterFragment, choose(and(field, 1), PART.firstFragment, part)),
    );
    state.leaveFragment(ends);
  });
  // While segments are left, the final destination is in the routing header.
  routine.if(and(is(routing), notEqual(byteAt(cursor, 3), 0)), () => writeRouting(state, ends));
  // A home address is the source.
  routine.if(is(destination), () => writeHomeAddress(state, size, ends));
  routine.set(protocol, byteAt(cursor));
  routine.increase(cursor, size);
  routine.set(length, difference(length, size));
}

/** Takes the final destination from the routing header (RFC 8200 §8.1): the last address of type 0, the first of 2 and 4. */
function writeRouting(state: FastScanState, { leave }: Ends): void {
  const { routine, cursor, destination, vector } = state;
  const type = byteAt(cursor, 2);
  const count = shiftRight(byteAt(cursor, 1), 1);
  routine.branchIf(isZero(count), leave);
  routine.branchIf(isZero(anyOf(isZero(type), equal(type, 2), equal(type, 4))), leave);
  routine.set(destination, sum(cursor, 8, choose(type, 0, shiftLeft(difference(count, 1), 4))));
  vector.clear();
  vector.add(state.source);
  vector.add(destination);
  routine.set(state.addresses, vector.total);
}

/** Leaves destination options with a home address (RFC 6275 §6.3). */
function writeHomeAddress(state: FastScanState, size: Variable, { leave }: Ends): void {
  const { routine, cursor } = state;
  const at = routine.variable();
  const end = routine.variable();
  routine.set(end, sum(cursor, size));
  routine.set(at, sum(cursor, 2));
  routine.while(less(sum(at, 1), end), () => {
    routine.branchIf(equal(byteAt(at), 0xc9), leave);
    routine.increase(at, choose(byteAt(at), sum(byteAt(at, 1), 2), 1));
  });
}
