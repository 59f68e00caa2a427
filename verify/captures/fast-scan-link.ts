/** The fast scan's way to the network layer: Ethernet, tags, LLC, or another header of one size. */
import {
  and,
  anyOf,
  byteAt,
  choose,
  equal,
  halfAt,
  isZero,
  less,
  notEqual,
  shiftRight,
  sum,
} from '../../sim/ebpf/wasm/routine.ts';
import { UNKNOWN } from '../oracle/found.ts';
import { PLACE } from './fast-scan-layout.ts';
import type { Ends, FastScanState } from './fast-scan-state.ts';
import { namedNumbers } from './unexamined.ts';

/** EtherTypes as little-endian numbers. */
export const TYPE = {
  ipv4: 0x0008,
  ipv6: 0xdd86,
  arp: 0x0608,
  tags: [0x0081, 0xa888, 0x0091, 0x0092],
} as const;
const ETHERNET_SIZE = 14;
/** SNAP, IP, and what is not looked into. */
const SAPS_LEFT: readonly number[] = [0xaa, 0x06, ...namedNumbers(UNKNOWN.llcSap)];

/** Sets `isIpv4`, with `cursor` and `limit` at the IP packet. */
export function writeLinkLayer(state: FastScanState, ends: Ends): void {
  const { routine, cursor, limit, type, typeAt, headerSize } = state;
  routine.if(
    less(typeAt, 0),
    () => {
      routine.branchIf(less(state.available, 1), ends.done);
      // The first four bits are the version: all but 6 is read as IPv4.
      const isIpv6 = equal(shiftRight(byteAt(cursor), 4), 6);
      routine.set(type, choose(isIpv6, TYPE.ipv6, TYPE.ipv4));
    },
    () => {
      routine.branchIf(less(state.available, headerSize), ends.done);
      routine.set(type, halfAt(sum(cursor, typeAt)));
      routine.increase(cursor, headerSize);
      // Most frames have no tag, and are asked one thing instead of four.
      routine.if(and(notEqual(type, TYPE.ipv4), notEqual(type, TYPE.ipv6)), () => writeTags(state, ends));
      routine.branchIf(equal(cursor, limit), ends.done);
    },
  );
  routine.set(state.isIpv4, equal(type, TYPE.ipv4));
  routine.if(and(isZero(state.isIpv4), notEqual(type, TYPE.ipv6)), () => writeOther(state, ends));
}

function writeTags(state: FastScanState, { done, leave }: Ends): void {
  const { routine, cursor, type } = state;
  const [first, ...others] = TYPE.tags.map((tag) => equal(type, tag));
  routine.while(anyOf(first!, ...others), () => {
    routine.branchIf(less(state.available, 4), done);
    routine.set(type, halfAt(cursor, 2));
    routine.increase(cursor, 4);
    // LLC behind a tag.
    routine.branchIf(less(and(type, 0xff), 6), leave);
  });
}

/** Whatever is no IP. */
function writeOther(state: FastScanState, { done, leave }: Ends): void {
  const { routine, cursor, type, headerSize } = state;
  routine.branchIf(equal(type, TYPE.arp), done);
  // Other link types have numbers of their own.
  routine.branchIf(notEqual(headerSize, ETHERNET_SIZE), leave);
  routine.if(less(and(type, 0xff), 6), () => {
    // LLC: SNAP, IP, and what is to be counted; nothing else has a checksum. Its length may cut the three bytes off.
    routine.branchIf(less(state.available, 3), done);
    const service = byteAt(cursor);
    const [first, ...others] = SAPS_LEFT.map((sap) => equal(service, sap));
    routine.branchIf(anyOf(first!, ...others), leave);
    routine.branch(done);
  });
  routine.branchIf(byteAt(type, PLACE.etherTypes), leave);
  routine.branch(done);
}
