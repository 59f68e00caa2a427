/**
 * Judges the packets of a capture in WebAssembly, and counts their checksums; says which are left for the scanner: those with
 * faults, tunnels and rare protocols.
 */

import type { CaptureMemory, WalkedHeader } from '../../corpus/formats/byte-stream.ts';
import type { CaptureBatch, CaptureSection } from '../../corpus/formats/capture-batch.ts';
import { LINKTYPE } from '../../corpus/formats/link-type.ts';
import { swapped } from '../../sim/packet/checksum.ts';
import { UNKNOWN } from '../oracle/found.ts';
import { ETHER_TYPES_FOLLOWED, IP_PROTOCOLS_FOLLOWED, UDP_PORT_KINDS } from '../oracle/walk.ts';
import { FastFaults } from './fast-scan-fault.ts';
import { COUNTS, FAST_CAPACITY, PLACE, PORT_KIND, TO_WALKED } from './fast-scan-layout.ts';
import { fastScanModule } from './fast-scan-module.ts';
import { namedNumbers } from './unexamined.ts';

const PAGE = 65_536;
const MEMORY_SIZE: number = 8 * 1024 * 1024;
/** Where bytes are copied to that lie elsewhere; behind them room for a vector that is read over the end. */
const COPY_SIZE: number = 1024 * 1024;

/** Link types with a header of one size and an EtherType at a fixed place, or none: size and place. */
const LINKS: Readonly<Record<number, readonly [size: number, typeAt: number]>> = {
  [LINKTYPE.ETHERNET]: [14, 12],
  [LINKTYPE.LINUX_SLL]: [16, 14],
  [LINKTYPE.LINUX_SLL2]: [20, 0],
  [LINKTYPE.C_HDLC]: [4, 2],
  [LINKTYPE.RAW]: [0, -1],
  [LINKTYPE.DLT_RAW]: [0, -1],
  [LINKTYPE.DLT_RAW_OPENBSD]: [0, -1],
};

type Scan = (
  first: number,
  end: number,
  base: number,
  header: number,
  typeAt: number,
  mtu: number,
  leavesFragments: number,
  arrays: number,
) => void;

type Walk = (
  first: number,
  end: number,
  base: number,
  size: number,
  lengthAt: number,
  isSwapped: number,
) => number;

export interface FastScanOptions {
  /** IP packets above this are counted as `large`. */
  readonly mtu: number;
  /** Are fragments left, to be put together? */
  readonly leavesFragments: boolean;
}

/** Reusable; holds 8 MB. */
export class FastScan implements CaptureMemory {
  /** Those of batches. */
  readonly offset: Uint32Array;
  readonly length: Uint32Array;
  /** Where the last walk ended. */
  walked = 0;
  /** Checksums that the last `scan` judged, by layer and status as `CaptureChecker` counts them. */
  readonly counts: Uint32Array;
  /** Indices of the packets that the last `scan` left, in order: `left[0..n)`. */
  readonly left: Uint32Array;
  readonly #memory: WebAssembly.Memory;
  readonly #bytes: Uint8Array;
  /** The wrong checksums that the last `scan` found, in order. */
  readonly faults: FastFaults;
  /** Packets above the MTU, packets that are left, faults. */
  readonly #totals: Uint32Array;
  readonly #offsets: Uint32Array;
  readonly #lengths: Uint32Array;
  readonly #walked: Int32Array;
  readonly #scan: Scan;
  readonly #walk: Walk;
  /** Where bytes are copied to. */
  readonly #copyAt: number;
  #allocated: number = PLACE.data;
  /** The section that was looked at last, and how many interfaces it had. */
  #section: CaptureSection | undefined;
  #interfaces = 0;
  #link: readonly [number, number] | undefined;

  /** @param memorySize bytes; a multiple of 64 KiB */
  constructor(memorySize: number = MEMORY_SIZE) {
    this.#memory = new WebAssembly.Memory({ initial: memorySize / PAGE });
    const { buffer } = this.#memory;
    this.#bytes = new Uint8Array(buffer);
    this.counts = new Uint32Array(buffer, PLACE.counts, COUNTS);
    this.#totals = new Uint32Array(buffer, PLACE.large, 3);
    this.faults = new FastFaults(buffer);
    this.#offsets = new Uint32Array(buffer, PLACE.offsets, FAST_CAPACITY);
    this.#lengths = new Uint32Array(buffer, PLACE.lengths, FAST_CAPACITY);
    this.offset = new Uint32Array(buffer, PLACE.walkedOffsets, FAST_CAPACITY);
    this.length = new Uint32Array(buffer, PLACE.walkedLengths, FAST_CAPACITY);
    this.#walked = new Int32Array(buffer, PLACE.walked, 1);
    this.left = new Uint32Array(buffer, PLACE.left, FAST_CAPACITY);
    this.#copyAt = memorySize - COPY_SIZE - PAGE;
    const module = new WebAssembly.Module(fastScanModule());
    const { exports } = new WebAssembly.Instance(module, { machine: { memory: this.#memory } });
    this.#scan = exports.scan as Scan;
    this.#walk = exports.walk as Walk;
    this.#bytes.fill(0xff, PLACE.masks, PLACE.zeros);
    for (const [port, kind] of UDP_PORT_KINDS) this.#bytes[PLACE.ports + swapped(port)] = PORT_KIND[kind];
    for (const type of [...ETHER_TYPES_FOLLOWED, ...namedNumbers(UNKNOWN.etherType)]) {
      this.#bytes[PLACE.etherTypes + swapped(type)] = 1;
    }
    for (const protocol of [...IP_PROTOCOLS_FOLLOWED, ...namedNumbers(UNKNOWN.ipProtocol)]) {
      this.#bytes[PLACE.protocols + protocol] = 1;
    }
  }

  /**
   * Bytes within the module's memory: what is read into them need not be copied.
   * @returns undefined where there is no room
   */
  readonly allocate = (size: number): Uint8Array | undefined => {
    const at = this.#allocated;
    if (at + size > this.#copyAt) return undefined;
    this.#allocated = at + ((size + 15) & ~15);
    return this.#bytes.subarray(at, at + size);
  };

  walk(bytes: Uint8Array, start: number, end: number, header: WalkedHeader): number | undefined {
    if (bytes.buffer !== this.#memory.buffer) return undefined;
    const base = bytes.byteOffset;
    const { size, lengthAt, littleEndian } = header;
    const count = this.#walk(base + start, base + end, base, size, lengthAt, littleEndian ? 0 : 1);
    this.walked = this.#walked[0]! - base;
    return count;
  }

  /** Takes back all that was allocated. */
  release(): void {
    this.#allocated = PLACE.data;
    this.#section = undefined;
  }

  /** IP packets above the MTU among those that the last `scan` judged. */
  get large(): number {
    return this.#totals[0]!;
  }

  /** How many packets of `left` are meant. */
  get leftCount(): number {
    return this.#totals[1]!;
  }

  /** How many wrong checksums `faults` holds. */
  get faultCount(): number {
    return this.#totals[2]!;
  }

  /**
   * Judges the packets of a batch.
   * @returns false where nothing of the batch can be looked at
   */
  scan(batch: CaptureBatch, { mtu, leavesFragments }: FastScanOptions): boolean {
    const link = this.#linkOf(batch.section);
    const { count } = batch;
    if (link === undefined || count > FAST_CAPACITY) return false;
    this.counts.fill(0);
    this.#totals.fill(0);
    const { mayHaveFcs } = batch;
    const isWalked = batch.offset === this.offset && !mayHaveFcs;
    if (!isWalked) {
      this.#offsets.set(batch.offset.subarray(0, count));
      this.#lengths.set(batch.length.subarray(0, count));
    }
    if (mayHaveFcs) {
      for (let index = 0; index < count; index++) this.#lengths[index] = batch.frameLength(index);
    }
    const [header, typeAt] = link;
    const run = (from: number, to: number, base: number): void => {
      const arrays = isWalked ? TO_WALKED : 0;
      this.#scan(from, to, base, header, typeAt, mtu, leavesFragments ? 1 : 0, arrays);
    };
    if (batch.bytes.buffer === this.#memory.buffer) run(0, count, batch.bytes.byteOffset);
    else this.#copyAndRun(batch, run);
    return true;
  }

  /** Piece by piece, as many packets as fit. @param run takes packets, and what is to be added to their offsets */
  #copyAndRun(batch: CaptureBatch, run: (from: number, to: number, base: number) => void): void {
    const { bytes, offset, length, count } = batch;
    for (let from = 0; from < count; ) {
      const start = offset[from]!;
      // One packet always fits: captures hold none that are longer.
      let to = from + 1;
      while (to < count && offset[to]! + length[to]! - start <= COPY_SIZE) to++;
      this.#bytes.set(bytes.subarray(start, offset[to - 1]! + length[to - 1]!), this.#copyAt);
      run(from, to, this.#copyAt - start);
      from = to;
    }
  }

  /** Link type of all interfaces of the section, where they have one and the same. */
  #linkOf(section: CaptureSection): readonly [number, number] | undefined {
    const { interfaces } = section;
    if (this.#section === section && this.#interfaces === interfaces.length) return this.#link;
    this.#section = section;
    this.#interfaces = interfaces.length;
    const linkType = interfaces[0]?.linkType ?? -1;
    this.#link = interfaces.every((one) => one.linkType === linkType) ? LINKS[linkType] : undefined;
    return this.#link;
  }
}
