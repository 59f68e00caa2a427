/** Where things lie in the memory of the module behind `fast-scan.ts`. */
import { CHECKSUM_LAYERS } from '../oracle/found.ts';
import { REPORTED_STATUSES } from './fault.ts';

/** Packets that one call can take. */
export const FAST_CAPACITY = 4096;

const STATUSES = REPORTED_STATUSES.length;

/** A word for each layer and status, as `CaptureChecker` counts them; behind them the packets above the MTU. */
export const COUNTS: number = CHECKSUM_LAYERS.length * STATUSES;
const LARGE_INDEX: number = COUNTS;

/** Checksums that one packet can have here; with more it is left to the scanner. */
export const MAX_CHECKSUMS = 64;

const TABLES = 0x2_0000;
const MASKS: number = TABLES + 0x100;
const COUNTERS: number = MASKS + 32;
const JOURNAL: number = COUNTERS + (COUNTS + 1) * 4;
const OFFSETS = 0x2_0400;

export const PLACE = {
  /** A byte for each UDP port, by its two bytes as they stand in the packet, read in the machine's order: one of `PORT_KIND`. */
  ports: 0,
  /** A byte for each EtherType, read likewise: is what follows it left to the scanner? */
  etherTypes: 0x1_0000,
  /** The same for IP's protocol numbers. */
  protocols: TABLES,
  /** 16 bytes of ones, then 16 of zeros: the last bytes of a packet are cut out with them. */
  masks: MASKS,
  counts: COUNTERS,
  large: COUNTERS + LARGE_INDEX * 4,
  /** Places of the counts that the current packet has raised, behind `counts`. */
  journal: JOURNAL,
  offsets: OFFSETS,
  lengths: OFFSETS + FAST_CAPACITY * 4,
  /** Indices of the packets that are left to the scanner. */
  left: OFFSETS + FAST_CAPACITY * 8,
  /** Bytes of captures. */
  data: 0x3_0000,
} as const;

export const PORT_KIND = { unknown: 0, nothing: 1, tunnel: 2 } as const;

/** Where a count lies behind `PLACE.counts`. */
export function countAt(layer: number, status: number): number {
  return (layer * STATUSES + status) * 4;
}
