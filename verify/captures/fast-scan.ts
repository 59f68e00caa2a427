/**
 * Judges the packets of a capture in WebAssembly, and counts their checksums; says which are left for the scanner: those with
 * faults, tunnels and rare protocols.
 */
import type { CaptureBatch, CaptureSection } from '../../corpus/formats/capture-batch.ts';
import { LINKTYPE } from '../../corpus/formats/link-type.ts';
import { UNKNOWN } from '../oracle/found.ts';
import { ETHER_TYPES_FOLLOWED, IP_PROTOCOLS_FOLLOWED, UDP_PORT_KINDS } from '../oracle/walk.ts';
import { COUNTS, FAST_CAPACITY, PLACE, PORT_KIND } from './fast-scan-layout.ts';
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
  packets: number,
  base: number,
  header: number,
  typeAt: number,
  mtu: number,
  leavesFragments: number,
) => number;

export interface FastScanOptions {
  /** IP packets above this are counted as `large`. */
  readonly mtu: number;
  /** Are fragments left, to be put together? */
  readonly leavesFragments: boolean;
}

/** Reusable; holds 8 MB. */
export class FastScan {
  /** Checksums that the last `scan` judged, by layer and status as `CaptureChecker` counts them. */
  readonly counts: Uint32Array;
  /** Indices of the packets that the last `scan` left, in order: `left[0..n)`. */
  readonly left: Uint32Array;
  readonly #memory: WebAssembly.Memory;
  readonly #bytes: Uint8Array;
  readonly #large: Uint32Array;
  readonly #offsets: Uint32Array;
  readonly #lengths: Uint32Array;
  readonly #left: Uint32Array;
  readonly #scan: Scan;
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
    this.#large = new Uint32Array(buffer, PLACE.large, 1);
    this.#offsets = new Uint32Array(buffer, PLACE.offsets, FAST_CAPACITY);
    this.#lengths = new Uint32Array(buffer, PLACE.lengths, FAST_CAPACITY);
    this.#left = new Uint32Array(buffer, PLACE.left, FAST_CAPACITY);
    this.#copyAt = memorySize - COPY_SIZE - PAGE;
    const module = new WebAssembly.Module(fastScanModule());
    const { exports } = new WebAssembly.Instance(module, { machine: { memory: this.#memory } });
    this.#scan = exports.scan as Scan;
    this.left = new Uint32Array(FAST_CAPACITY);
    this.#bytes.fill(0xff, PLACE.masks, PLACE.masks + 16);
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

  /** Takes back all that was allocated. */
  release(): void {
    this.#allocated = PLACE.data;
    this.#section = undefined;
  }

  /** IP packets above the MTU among those that the last `scan` judged. */
  get large(): number {
    return this.#large[0]!;
  }

  /**
   * Judges the packets of a batch.
   * @returns how many are left; undefined where nothing of the batch can be looked at
   */
  scan(batch: CaptureBatch, options: FastScanOptions): number | undefined {
    const link = this.#linkOf(batch.section);
    const { count } = batch;
    if (link === undefined || count > FAST_CAPACITY) return undefined;
    this.counts.fill(0);
    this.#large[0] = 0;
    const isHere = batch.bytes.buffer === this.#memory.buffer;
    return isHere
      ? this.#run(batch, 0, count, batch.bytes.byteOffset, link, options, 0)
      : this.#copyAndRun(batch, link, options);
  }

  /** @param base what has to be added to the batch's offsets; `left` of its packets are left already */
  #run(
    batch: CaptureBatch,
    from: number,
    to: number,
    base: number,
    link: readonly [number, number],
    { mtu, leavesFragments }: FastScanOptions,
    left: number,
  ): number {
    this.#offsets.set(batch.offset.subarray(from, to));
    this.#lengths.set(batch.length.subarray(from, to));
    if (batch.mayHaveFcs) {
      for (let index = from; index < to; index++) this.#lengths[index - from] = batch.frameLength(index);
    }
    const found = this.#scan(to - from, base, link[0], link[1], mtu, leavesFragments ? 1 : 0);
    for (let index = 0; index < found; index++) this.left[left + index] = this.#left[index]! + from;
    return left + found;
  }

  /** Piece by piece, as many packets as fit. */
  #copyAndRun(batch: CaptureBatch, link: readonly [number, number], options: FastScanOptions): number {
    const { bytes, offset, length, count } = batch;
    let left = 0;
    for (let from = 0; from < count; ) {
      const start = offset[from]!;
      let to = from;
      while (to < count && offset[to]! >= start && offset[to]! + length[to]! - start <= COPY_SIZE) to++;
      if (to === from) {
        // Longer than any packet, or in another order: neither occurs.
        this.left[left++] = from++;
        continue;
      }
      this.#bytes.set(bytes.subarray(start, offset[to - 1]! + length[to - 1]!), this.#copyAt);
      left = this.#run(batch, from, to, this.#copyAt - start, link, options, left);
      from = to;
    }
    return left;
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

/** Two bytes of a packet as the module reads them: little-endian. */
function swapped(number: number): number {
  return ((number & 0xff) << 8) | (number >> 8);
}
