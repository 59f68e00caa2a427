/** Where things lie in the memory of the module behind `fast-scan.ts`. */
import { type Expression, quotient, type Value } from '../../sim/ebpf/wasm/routine.ts';
import { CHECKSUM_LAYERS } from '../oracle/found.ts';
import { REPORTED_STATUSES } from './fault.ts';

/** Packets that a batch can have. */
export const FAST_CAPACITY = 4096;

const STATUSES = REPORTED_STATUSES.length;

/** A word for each layer and status, as `CaptureChecker` counts them. */
export const COUNTS: number = CHECKSUM_LAYERS.length * STATUSES;

/** Right or unjudged checksums, and wrong ones, that one packet can have here; with more it is left to the scanner. */
export const MAX_CHECKSUMS = 32;

/** Wrong checksums that one call can report, and bytes of each record. */
export const MAX_FAULTS = 1024;
export const FAULT_SIZE = 80;

const TABLES = 0x2_0000;
const MASKS: number = TABLES + 0x100;
const COUNTERS: number = MASKS + 128;
const TOTALS: number = COUNTERS + COUNTS * 4;
const JOURNAL: number = TOTALS + 5 * 4;
const OFFSETS = 0x2_0400;
const FAULTS = 0x4_0000;

export const PLACE = {
  /** A byte for each UDP port, by its two bytes as they stand in the packet, read in the machine's order: one of `PORT_KIND`. */
  ports: 0,
  /** A byte for each EtherType, read likewise: is what follows it left to the scanner? */
  etherTypes: 0x1_0000,
  /** The same for IP's protocol numbers. */
  protocols: TABLES,
  /** 64 bytes of ones, then as many of zeros: the last bytes of a packet are cut out with them. */
  masks: MASKS,
  /** Where the zeros begin. */
  zeros: MASKS + 64,
  counts: COUNTERS,
  /** Packets above the MTU, packets that are left, faults that were found. */
  large: TOTALS,
  leftCount: TOTALS + 4,
  faultCount: TOTALS + 8,
  /** Where a walk ended, and what it has touched. */
  walked: TOTALS + 12,
  touched: TOTALS + 16,
  /** Places of the counts that the current packet has raised, behind `counts`. */
  journal: JOURNAL,
  offsets: OFFSETS,
  lengths: OFFSETS + FAST_CAPACITY * 4,
  /** Indices of the packets that are left to the scanner. */
  left: OFFSETS + FAST_CAPACITY * 8,
  /** The arrays of batches that were walked through here: `offsets` and `lengths` of their own are not needed then. */
  walkedOffsets: OFFSETS + FAST_CAPACITY * 12,
  walkedLengths: OFFSETS + FAST_CAPACITY * 16,
  /** Records of `FAULT_SIZE`. */
  faults: FAULTS,
  /** Bytes of captures. */
  data: FAULTS + MAX_FAULTS * FAULT_SIZE,
} as const;

/** From `offsets` and `lengths` to the arrays of batches that were walked through. */
export const TO_WALKED: number = PLACE.walkedOffsets - PLACE.offsets;

export const PORT_KIND = { unknown: 0, nothing: 1, tunnel: 2 } as const;

/** A packet's checksums of each layer are counted in six bits: all of those here together. */
const DEPTH_BITS = 6;

export function depthShift(layer: number): number {
  return layer * DEPTH_BITS;
}

/** The other way round. */
export function layerOf(shift: Value): Expression {
  return quotient(shift, DEPTH_BITS);
}

/** Where a count lies behind `PLACE.counts`. */
export function countAt(layer: number, status: number): number {
  return (layer * STATUSES + status) * 4;
}
