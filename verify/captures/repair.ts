/** What has to be written where, so that every checksum of a packet is right. */
import { LinkHeader } from '../../corpus/formats/link-header.ts';
import { readLinkHeader } from '../../corpus/formats/link-layer.ts';
import { LINKTYPE } from '../../corpus/formats/link-type.ts';
import { writeU16, writeU32 } from '../../sim/packet/bytes.ts';
import { ChecksumScanner } from '../oracle/checksums.ts';
import { CHECKSUM, CHECKSUM_LAYERS, type ChecksumSink, type FoundChecksum, LAYER } from '../oracle/found.ts';
import type { Datagram } from './datagrams.ts';
import { frameCheckSequence } from './frame-check.ts';

/** One byte of a packet. */
export interface BytePatch {
  /** Offset from the packet's first byte. */
  readonly at: number;
  readonly value: number;
}

/** Reusable. */
export class PacketRepair implements ChecksumSink {
  readonly #scanner = new ChecksumScanner();
  /** The checksum that is looked for, and how many have passed by. */
  #wanted = -1;
  #passed = 0;
  #at = -1;
  #expected = 0;
  #isCrc = false;
  /** Was each checksum right before anything was written? */
  #wereRight: boolean[] = [];
  readonly #layers: ReadonlySet<string> | undefined;
  readonly #linkHeader = new LinkHeader();

  /** @param layers only checksums of these kinds, and what covers them and was right before; default all */
  constructor(layers?: ReadonlySet<string>) {
    this.#layers = layers;
    this.#scanner.bigTcp = true;
  }

  /**
   * Returns what has to be changed in a packet, byte by byte.
   * @param packet the captured bytes without their frame check sequence
   * @param fcs the frame check sequence behind the packet: where it was right, it is right afterwards
   */
  packet(packet: Uint8Array, linkType: number, fcs: Uint8Array = NO_BYTES): BytePatch[] {
    const hadRightFcs = fcs.length === 4 && sameBytes(frameCheckSequence(packet), fcs);
    const fixed = packet.slice();
    if (!this.#fix(fixed, linkType)) return [];
    this.#keepInnerFcs(packet, fixed, linkType);
    const patches = differences(packet, fixed);
    if (hadRightFcs) {
      frameCheckSequence(fixed).forEach((value, index) => {
        patches.push({ at: packet.length + index, value });
      });
    }
    return patches;
  }

  /** The frame check sequence that the header of a capture of radio announces: radiotap, PPI. Right before, it is right afterwards. */
  #keepInnerFcs(packet: Uint8Array, fixed: Uint8Array, linkType: number): void {
    if (linkType !== LINKTYPE.IEEE802_11_RADIOTAP && linkType !== LINKTYPE.PPI) return;
    const header = this.#linkHeader;
    const end = packet.length - 4;
    if (!readLinkHeader(packet, 0, packet.length, linkType, header) || header.end !== end) return;
    // Both state their own length at the same place.
    const start = packet[2]! | (packet[3]! << 8);
    if (!sameBytes(frameCheckSequence(packet.subarray(start, end)), packet.subarray(end))) return;
    fixed.set(frameCheckSequence(fixed.subarray(start, end)), end);
  }

  /** Returns the same for a fragmented datagram, by packet number. The fragments' own headers are not among it. */
  datagram({ bytes, origins }: Datagram<unknown>, linkType: number): Map<number, BytePatch[]> {
    const fixed = bytes.slice();
    const patches = new Map<number, BytePatch[]>();
    if (!this.#fix(fixed, linkType)) return patches;
    for (const { at, value } of differences(bytes, fixed)) {
      for (const origin of origins) {
        if (at < origin.from || at >= origin.to) continue;
        const list = patches.get(origin.packet) ?? [];
        list.push({ at: origin.at + at - origin.from, value });
        patches.set(origin.packet, list);
      }
    }
    return patches;
  }

  /** From the inside out: an outer checksum covers the inner ones. @returns whether anything was wrong */
  #fix(packet: Uint8Array, linkType: number): boolean {
    this.#wanted = -1;
    this.#passed = 0;
    this.#wereRight = [];
    this.#scanner.scan(packet, 0, packet.length, this, linkType);
    let isChanged = false;
    for (let index = this.#passed - 1; index >= 0; index--) {
      this.#wanted = index;
      this.#passed = 0;
      this.#at = -1;
      this.#scanner.scan(packet, 0, packet.length, this, linkType);
      if (this.#at < 0) continue;
      if (this.#isCrc) writeU32(packet, this.#at, this.#expected);
      else writeU16(packet, this.#at, this.#expected);
      isChanged = true;
    }
    return isChanged;
  }

  checksum(found: FoundChecksum): void {
    if (this.#wanted < 0) this.#wereRight.push(found.status === CHECKSUM.good);
    if (this.#passed++ !== this.#wanted) return;
    // One that is not asked for is changed only where it was right until another one inside it was written.
    const isAskedFor = this.#layers === undefined || this.#layers.has(CHECKSUM_LAYERS[found.layer]!);
    if (!isAskedFor && this.#wereRight[this.#wanted] !== true) return;
    const isIllegal = found.status === CHECKSUM.illegal && found.expected !== 0;
    if (found.status !== CHECKSUM.bad && !isIllegal) return;
    this.#at = found.at;
    this.#expected = found.expected;
    this.#isCrc = found.layer === LAYER.sctp;
  }
}

const NO_BYTES: Uint8Array = new Uint8Array(0);

function differences(before: Uint8Array, after: Uint8Array): BytePatch[] {
  const patches: BytePatch[] = [];
  for (let at = 0; at < after.length; at++) {
    if (before[at] !== after[at]) patches.push({ at, value: after[at]! });
  }
  return patches;
}

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, index) => byte === b[index]);
}
