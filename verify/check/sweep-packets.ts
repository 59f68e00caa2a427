/**
 * Packets that differ in one 16-bit word, which takes all of its 65,536 values, and in the checksums that follow from
 * it: a fold that is missing or a carry that is lost shows in one value of many, which random packets seldom have.
 */
import type { PacketSource } from '../batch-runner.ts';
import { verifyChecksums } from '../oracle/checksums.ts';
import { CHECKSUM, type ChecksumSink, type FoundChecksum, LAYER } from '../oracle/found.ts';
import type { Rewritten } from './rewritten.ts';

/** The values of a word. */
export const SWEEP_SIZE = 0x1_0000;

/** Checksums may cover one another; a packet with more of them in each other is no sweep's subject. */
const MAX_ROUNDS = 4;

/** Packet `index` of the run belongs to sweep `index >> 16`, and its word has the lower 16 bits. */
export class SweepSource implements PacketSource {
  readonly #sweeps: readonly Rewritten[];
  readonly #repair = new ChecksumRepair();

  constructor(sweeps: readonly Rewritten[]) {
    this.#sweeps = sweeps;
  }

  fill(batch: Parameters<PacketSource['fill']>[0], _seed: unknown, firstIndex: number, count: number): void {
    for (let index = firstIndex; index < firstIndex + count; index++) {
      const { stimulus, at, balance } = this.#sweeps[Math.floor(index / SWEEP_SIZE)]!;
      const frame = batch.offset[batch.push(stimulus)]!;
      this.#repair.apply(batch.bytes, frame, stimulus.packet.length, at, index % SWEEP_SIZE, balance);
    }
  }
}

/** Gives a word a value and makes the checksums right again. Reusable; makes no object per packet. */
export class ChecksumRepair implements ChecksumSink {
  #bytes: Uint8Array = new Uint8Array(0);
  #frame = 0;
  /** The checksum that is to stay as it is; -1: none. */
  #kept = -1;
  #changed = false;
  /** Does one checksum cover another? Not without tunnels and quotes, and then one round is enough. */
  #isNested = false;
  /** Was one met that covers what lies behind its header? */
  #isWithin = false;
  /** What the kept checksum should be. */
  #wanted = 0;

  /**
   * @param at offset of the word in the frame
   * @param balance where the word is a checksum: offset of another word that it covers, which makes it right; else -1
   */
  apply(bytes: Uint8Array, frame: number, length: number, at: number, value: number, balance: number): void {
    this.#bytes = bytes;
    this.#frame = frame;
    this.#kept = balance < 0 ? -1 : at;
    this.#write(at, value);
    this.#settle(length);
    // A checksum of 0 says that there is none (RFC 768), or is one like any other.
    if (balance < 0 || this.#wanted === value) return;
    const word = (bytes[frame + balance]! << 8) | bytes[frame + balance + 1]!;
    let sum = word + (~value & 0xffff) + this.#wanted;
    sum = (sum & 0xffff) + (sum >> 16);
    this.#write(balance, (sum & 0xffff) + (sum >> 16));
    this.#settle(length);
  }

  checksum({ layer, status, at, expected, got, depth }: FoundChecksum): void {
    if (depth > 0 || this.#isWithin) this.#isNested = true;
    if (layer !== LAYER.ipv4) this.#isWithin = true;
    if (at === this.#kept) {
      this.#wanted = status === CHECKSUM.bad ? expected : got;
      return;
    }
    if (status !== CHECKSUM.bad) return;
    if (layer === LAYER.sctp) {
      this.#write(at, expected >>> 16);
      this.#write(at + 2, expected & 0xffff);
    } else this.#write(at, expected);
    this.#changed = true;
  }

  #settle(length: number): void {
    for (let round = 0; round < MAX_ROUNDS; round++) {
      this.#changed = false;
      this.#isNested = false;
      this.#isWithin = false;
      verifyChecksums(this.#bytes, this.#frame, length, this);
      if (!this.#changed || !this.#isNested) return;
    }
  }

  #write(at: number, value: number): void {
    this.#bytes[this.#frame + at] = value >> 8;
    this.#bytes[this.#frame + at + 1] = value;
  }
}
