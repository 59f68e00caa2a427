/** Captures of any format. Pure: files are opened in capture-file.ts. */
import type { CaptureMemory } from './byte-stream.ts';
import { CAPTURE_BATCH_PACKETS, type CaptureBatch, type CaptureDecoder } from './capture-batch.ts';
import { CaptureError } from './capture-error.ts';
import { PcapDecoder, pcapByteOrder } from './pcap.ts';
import { PcapngDecoder } from './pcapng.ts';
import { BLOCK } from './pcapng-blocks.ts';
import { SNOOP_MAGIC, SnoopDecoder } from './snoop.ts';

const MAGIC_SIZE = 4;

/** Decodes pcap, pcapng or snoop, whichever the first four bytes announce. */
export class AnyCaptureDecoder implements CaptureDecoder {
  #decoder: CaptureDecoder | undefined;
  /** The first bytes, while there are too few of them. */
  #head: Uint8Array = new Uint8Array(0);
  #ended = false;
  readonly #memory: CaptureMemory | undefined;
  readonly #most: number | undefined;

  /**
   * @param memory where bytes that have to be joined shall lie
   * @param most how many packets there can be at the most, where that is known
   */
  constructor(memory?: CaptureMemory, most?: number) {
    this.#memory = memory;
    this.#most = most === undefined ? undefined : Math.min(most, CAPTURE_BATCH_PACKETS);
  }

  push(chunk: Uint8Array, headroom?: number): void {
    if (this.#decoder !== undefined) {
      this.#decoder.push(chunk, headroom);
      return;
    }
    if (this.#head.length > 0) {
      const joined = new Uint8Array(this.#head.length + chunk.length);
      joined.set(this.#head);
      joined.set(chunk, this.#head.length);
      this.#open(joined);
    } else {
      this.#open(chunk);
    }
  }

  end(): void {
    this.#ended = true;
    this.#decoder?.end();
  }

  get position(): number {
    return this.#decoder?.position ?? 0;
  }

  next(): CaptureBatch | undefined {
    if (this.#decoder !== undefined) return this.#decoder.next();
    if (this.#head.length >= MAGIC_SIZE || this.#ended) {
      throw new CaptureError(0, 'the magic number of a pcap, pcapng or snoop file', this.#description());
    }
    return undefined;
  }

  #open(bytes: Uint8Array): void {
    if (bytes.length >= MAGIC_SIZE) {
      const magic = new DataView(bytes.buffer, bytes.byteOffset, MAGIC_SIZE).getUint32(0);
      if (pcapByteOrder(magic) !== undefined) this.#decoder = new PcapDecoder(this.#memory, this.#most);
      else if (magic === BLOCK.sectionHeader) {
        this.#decoder = new PcapngDecoder(this.#memory?.allocate, this.#most);
      } else if (magic === SNOOP_MAGIC) this.#decoder = new SnoopDecoder(this.#memory, this.#most);
    }
    if (this.#decoder === undefined) this.#head = Uint8Array.from(bytes.subarray(0, MAGIC_SIZE));
    else this.#decoder.push(bytes);
  }

  #description(): string {
    if (this.#head.length === 0) return 'an empty file';
    const hex = Array.from(this.#head, (byte) => byte.toString(16).padStart(2, '0')).join(' ');
    return this.#head.length < MAGIC_SIZE ? `${hex} and the end of the file` : hex;
  }
}
