/**
 * Copies a capture with some packets changed or left out, and everything else byte for byte as it was: blocks that
 * nobody knows, comments, times.
 */
import { AnyCaptureDecoder } from './capture.ts';
import type { CaptureBatch, CaptureFormat } from './capture-batch.ts';
import { CaptureError } from './capture-error.ts';
import { PcapngEncoder } from './pcapng-encoder.ts';

/** What becomes of one packet: `undefined`: it stays as it is; `drop`; or single bytes of it, from its first one on. */
export type PacketEdit = undefined | 'drop' | readonly { readonly at: number; readonly value: number }[];

/** @param packet number of the packet, from 1 */
export type EditPacket = (batch: CaptureBatch, index: number, packet: number) => PacketEdit;

export interface EditOptions {
  /** Is a capture of another format written as pcapng? Then times, link types and lengths stay what they were. */
  readonly asPcapng: boolean;
  /** Is what comes behind a fault in the file copied as it is, or left out? */
  readonly keepUnreadable: boolean;
  /** Called with the format of the input before anything is written. */
  readonly onFormat?: (format: CaptureFormat) => void;
}

/** Bytes that are held back, so that a section's header can still be changed when its first packet is seen. */
const HELD_BACK: number = 4 * 1024 * 1024;
const SECTION_LENGTH_AT = 16;
const SECTION_LENGTH_SIZE = 8;

/**
 * A capture that is truncated or malformed is edited up to there. What is handed out is valid until the next piece is asked for.
 * @param chunks the capture, unpacked; a chunk is not used any more once the next one is asked for
 */
export async function* editCapture(
  chunks: AsyncIterable<Uint8Array>,
  edit: EditPacket,
  options: EditOptions,
): AsyncGenerator<Uint8Array, void, undefined> {
  const decoder = new AnyCaptureDecoder();
  const copy = new EditedCopy();
  let conversion: Conversion | undefined;
  let packets = 0;
  let format: CaptureFormat | undefined;
  const take = (): void => {
    for (let batch = decoder.next(); batch !== undefined; batch = decoder.next()) {
      if (format === undefined) {
        format = batch.section.format;
        options.onFormat?.(format);
        if (options.asPcapng && format !== 'pcapng') conversion = new Conversion();
      }
      conversion?.section(batch);
      for (let index = 0; index < batch.count; index++) {
        const change = edit(batch, index, ++packets);
        if (conversion !== undefined) conversion.packet(batch, index, change);
        else copy.note(batch, index, change);
      }
    }
  };
  const source = chunks[Symbol.asyncIterator]();
  try {
    for (let next = await source.next(); next.done !== true; next = await source.next()) {
      if (conversion === undefined) copy.push(next.value);
      decoder.push(next.value);
      take();
      yield* conversion === undefined ? copy.flush(decoder.position) : conversion.take();
    }
    decoder.end();
    take();
    yield* conversion === undefined ? copy.rest() : conversion.take();
  } catch (error) {
    if (!(error instanceof CaptureError)) throw error;
    if (conversion !== undefined) yield* conversion.take();
    else if (!options.keepUnreadable) yield* copy.flush(decoder.position);
    else {
      yield* copy.rest();
      yield* remaining(source);
    }
  } finally {
    await source.return?.();
  }
}

/** What is left of the chunks, up to where they cannot be unpacked. */
async function* remaining(source: AsyncIterator<Uint8Array>): AsyncGenerator<Uint8Array, void, undefined> {
  try {
    for (let next = await source.next(); next.done !== true; next = await source.next())
      yield next.value.slice();
  } catch (error) {
    if (!(error instanceof CaptureError)) throw error;
  }
}

interface Change {
  readonly from: number;
  readonly to: number;
  /** What stands there instead; undefined: nothing. */
  readonly bytes: Uint8Array | undefined;
}

/** The bytes of the file on their way through, with changes to be made, in order. Offsets are the file's. */
class EditedCopy {
  /** What has come and was not handed out: the first `#held` bytes. */
  #bytes: Uint8Array = new Uint8Array(0);
  #held = 0;
  /** Of those in front of them, which were handed out and may be overwritten from the next chunk on. */
  #taken = 0;
  /** Offset of the first byte that is held. */
  #start = 0;
  #changes: Change[] = [];
  /** The section whose length has been made unknown. */
  #opened = -1;
  #lastRecord = 0;

  push(chunk: Uint8Array): void {
    const left = this.#bytes.subarray(this.#taken, this.#taken + this.#held);
    if (this.#held + chunk.length > this.#bytes.length) {
      const grown = new Uint8Array(Math.max(this.#held + chunk.length, this.#bytes.length * 2));
      grown.set(left);
      this.#bytes = grown;
    } else {
      this.#bytes.set(left);
    }
    this.#taken = 0;
    this.#bytes.set(chunk, this.#held);
    this.#held += chunk.length;
  }

  note(batch: CaptureBatch, index: number, change: PacketEdit): void {
    const from = batch.base + batch.records.offset(batch, index);
    this.#lastRecord = from + batch.records.length(batch, index);
    if (change === undefined) return;
    if (change === 'drop') {
      const { offset, format } = batch.section;
      if (format === 'pcapng' && this.#opened !== offset && offset >= this.#start) {
        // Its length would no longer be right: −1 says that it is not known (draft-ietf-opsawg-pcapng §4.1).
        const at = offset + SECTION_LENGTH_AT;
        this.#changes.push({ from: at, to: at + SECTION_LENGTH_SIZE, bytes: UNKNOWN_LENGTH });
      }
      this.#opened = offset;
      this.#changes.push({ from, to: this.#lastRecord, bytes: undefined });
      return;
    }
    const packetAt = batch.base + batch.offset[index]!;
    for (const { at, value } of [...change].sort((a, b) => a.at - b.at)) {
      this.#changes.push({ from: packetAt + at, to: packetAt + at + 1, bytes: Uint8Array.of(value) });
    }
  }

  /** Hands out what is decided, in one piece: up to the last packet, or further where much is held. */
  *flush(decided: number): Generator<Uint8Array, void, undefined> {
    const end = this.#held > HELD_BACK ? decided : Math.min(decided, this.#lastRecord);
    const bytes = this.#bytes;
    const first = this.#taken;
    const place = (offset: number): number => first + offset - this.#start;
    // Changes are made in place: none is longer than what it replaces.
    let from = first;
    let to = first;
    const keep = (until: number): void => {
      if (until <= from) return;
      if (to !== from) bytes.copyWithin(to, from, until);
      to += until - from;
      from = until;
    };
    for (const change of this.#changes) {
      keep(place(change.from));
      if (change.bytes !== undefined) {
        bytes.set(change.bytes, to);
        to += change.bytes.length;
      }
      from = place(change.to);
    }
    this.#changes = [];
    keep(Math.min(place(end), first + this.#held));
    this.#taken = from;
    this.#held -= from - first;
    this.#start += from - first;
    if (to > first) yield bytes.subarray(first, to);
  }

  *rest(): Generator<Uint8Array, void, undefined> {
    this.#lastRecord = Number.POSITIVE_INFINITY;
    yield* this.flush(this.#start + this.#held);
  }
}

const UNKNOWN_LENGTH: Uint8Array = new Uint8Array(SECTION_LENGTH_SIZE).fill(0xff);

/** Packets of another format as pcapng. */
class Conversion {
  readonly #encoder = new PcapngEncoder();
  #isOpen = false;

  section({ section }: CaptureBatch): void {
    if (this.#isOpen) return;
    this.#isOpen = true;
    this.#encoder.section({ littleEndian: section.littleEndian, application: 'xdpsim' });
    for (const one of section.interfaces) {
      const { linkType, snapLength, ticksPerSecond, fcsLength } = one;
      this.#encoder.interface({
        linkType,
        snapLength,
        ticksPerSecond,
        ...(fcsLength === undefined ? {} : { fcsLength }),
      });
    }
  }

  packet(batch: CaptureBatch, index: number, change: PacketEdit): void {
    if (change === 'drop') return;
    const { ticksPerSecond } = batch.section.interfaces[0]!;
    const { records } = batch;
    const seconds = BigInt(records.timeHigh(batch, index));
    const ticks = seconds * ticksPerSecond + BigInt(records.timeLow(batch, index));
    const packet = batch.packet(index);
    for (const { at, value } of change ?? []) packet[at] = value;
    this.#encoder.packet(
      packet,
      0,
      packet.length,
      Number(ticks >> 32n),
      Number(ticks & 0xffff_ffffn),
      batch.original(index),
    );
  }

  *take(): Generator<Uint8Array, void, undefined> {
    if (this.#encoder.pending > 0) yield this.#encoder.take().slice();
  }
}
