/** Writing captures to files and standard output. Reading: capture-file.ts. */
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { PacketBatch } from '../../sim/packet/packet-batch.ts';
import { stimulusComment } from '../cases/stimulus-comment.ts';
import { writeAtomically } from '../files/atomic-file.ts';
import { isFile, writeFully } from '../files/write-fully.ts';
import { CaptureBatch } from './capture-batch.ts';
import { STANDARD_STREAM } from './capture-file.ts';
import { LINKTYPE, linkTypeName } from './link-type.ts';
import { PcapEncoder } from './pcap.ts';
import { PcapngEncoder } from './pcapng-encoder.ts';

const STDOUT = 1;
/** How many bytes are gathered before they are written. */
const PIECE_SIZE = 1024 * 1024;

/** Packets to be written: a `PacketBatch`, a `CaptureBatch`, or anything of their shape. */
export interface Frames {
  readonly bytes: Uint8Array;
  readonly offset: Uint32Array;
  readonly length: Uint32Array;
  readonly count: number;
  /** When a packet was captured, in nanoseconds since 1970; absent: it was not. */
  nanoseconds?(index: number): bigint;
  /** Its length on the wire; absent: that of what is there. */
  original?(index: number): number;
}

export interface WriteCaptureOptions {
  /** Default: pcap for a name that ends in `.pcap`, otherwise pcapng. */
  readonly format?: 'pcap' | 'pcapng';
  /** A comment on the whole file; pcapng only. */
  readonly comment?: string;
}

/**
 * Writes packets to a file that appears under its name only when it is complete.
 *
 * Packets of a `CaptureBatch` keep their link type, and whatever knows them its packets' lengths on the wire and, to the
 * nanosecond, their times; all others are Ethernet frames one microsecond apart, from 0 on. Comments, and what a `PacketBatch` says beside
 * the frame (metadata, device, queue, entry: as a comment), are kept in pcapng, which alone has a place for them.
 * @param path a file, or `-` for standard output
 * @returns how many packets were written
 * @throws {RangeError} for a packet that the format cannot hold: too long, or pcap and of another link type than
 *   the first
 */
export async function writeCapture(
  path: string,
  batches: AsyncIterable<Frames> | Iterable<Frames>,
  options: WriteCaptureOptions = {},
): Promise<number> {
  const format = options.format ?? (path.endsWith('.pcap') ? 'pcap' : 'pcapng');
  const target = format === 'pcap' ? new PcapTarget() : new PcapngTarget(options.comment);
  const written = { packets: 0 };
  const pieces = encode(batches, target, written);
  if (path === STANDARD_STREAM) {
    if (isFile(process.stdout, STDOUT)) {
      for await (const piece of pieces) writeFully(STDOUT, piece);
      return written.packets;
    }
    // Copies: a stream may hold on to a piece while the encoder goes on.
    await pipeline(Readable.from(copies(pieces), { objectMode: false }), process.stdout, { end: false });
  } else {
    await writeAtomically(path, pieces);
  }
  return written.packets;
}

async function* encode(
  batches: AsyncIterable<Frames> | Iterable<Frames>,
  target: PcapTarget | PcapngTarget,
  written: { packets: number },
): AsyncGenerator<Uint8Array, void, undefined> {
  const { divisor } = target;
  for await (const batch of batches) {
    for (let index = 0; index < batch.count; index++) {
      let high: number;
      let low: number;
      if (batch.nanoseconds === undefined) {
        const time = written.packets * 1000;
        high = Math.floor(time / divisor);
        low = time % divisor;
      } else {
        const time = BigInt.asUintN(64, batch.nanoseconds(index));
        high = Number(time / BigInt(divisor));
        low = Number(time % BigInt(divisor));
      }
      target.packet(batch, index, high, low);
      written.packets++;
      if (target.encoder.pending >= PIECE_SIZE) yield target.encoder.take();
    }
  }
  yield target.encoder.take();
}

/** One link type a file, no comments. */
class PcapTarget {
  /** Nanoseconds that one unit of the upper half of a time stands for. */
  readonly divisor = 1_000_000_000;
  #linkType: number | undefined;
  #encoder: PcapEncoder | undefined;

  get encoder(): PcapEncoder {
    this.#encoder ??= new PcapEncoder({ nanoseconds: true, linkType: this.#linkType ?? LINKTYPE.ETHERNET });
    return this.#encoder;
  }

  packet(batch: Frames, index: number, high: number, low: number): void {
    const linkType = linkTypeOf(batch, index);
    this.#linkType ??= linkType;
    if (linkType !== this.#linkType) {
      throw new RangeError(
        `a pcap file holds one link type: ${linkTypeName(this.#linkType)}, not ${linkTypeName(linkType)} as well; pcapng holds both`,
      );
    }
    this.encoder.packet(
      batch.bytes,
      batch.offset[index]!,
      batch.length[index]!,
      high,
      low,
      originalOf(batch, index),
    );
  }
}

/** One interface for each link type. */
class PcapngTarget {
  readonly divisor: number = 2 ** 32;
  readonly encoder: PcapngEncoder = new PcapngEncoder();
  readonly #interfaces: Map<number, number> = new Map();

  constructor(comment: string | undefined) {
    this.encoder.section({ application: 'xdpsim', comments: comment === undefined ? [] : [comment] });
  }

  packet(batch: Frames, index: number, high: number, low: number): void {
    const linkType = linkTypeOf(batch, index);
    let interfaceId = this.#interfaces.get(linkType);
    if (interfaceId === undefined) {
      interfaceId = this.encoder.interface({ linkType, ticksPerSecond: 1_000_000_000n });
      this.#interfaces.set(linkType, interfaceId);
    }
    this.encoder.packet(
      batch.bytes,
      batch.offset[index]!,
      batch.length[index]!,
      high,
      low,
      originalOf(batch, index),
      interfaceId,
      commentsOf(batch, index),
    );
  }
}

function linkTypeOf(batch: Frames, index: number): number {
  if (!(batch instanceof CaptureBatch)) return LINKTYPE.ETHERNET;
  return batch.section.interfaces[batch.interface[index]!]!.linkType;
}

function originalOf(batch: Frames, index: number): number {
  return batch.original?.(index) ?? batch.length[index]!;
}

function commentsOf(batch: Frames, index: number): readonly string[] | undefined {
  if (batch instanceof PacketBatch) return stimulusComment(batch, index);
  if (batch instanceof CaptureBatch && batch.optionsLength[index]! > 0) return batch.comments(index);
  return undefined;
}

async function* copies(pieces: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void, undefined> {
  for await (const piece of pieces) yield piece.slice();
}
