/**
 * BPF_MAP_TYPE_RINGBUF (kernel/bpf/ringbuf.c).
 *
 * ```
 *   storage ┌────────────────┬──────────────┬────────────────┬────────
 *           │ u32 length     │ sample, to 8 │ u32 length     │ …         bits 31 and 30 of the length: busy, discarded
 *           │ u32 0          │              │ u32 0          │
 *           └────────────────┴──────────────┴────────────────┴────────
 * ```
 *
 * The positions count bytes since the map was made (`oldest`: consumer, `newest`: producer). Nobody consumes
 * while a case runs, here as in `BPF_PROG_TEST_RUN`: so a ring runs full, and nothing wraps around.
 */
import { EAGAIN, EINVAL, EOPNOTSUPP } from '../../runtime/errno.ts';
import type { World } from '../../runtime/world.ts';
import type { BpfMap } from '../bpf-object.ts';
import { type LinearMemory, roundUp8 } from '../memory.ts';
import { unwrittenByte } from '../stack-fill.ts';
import { DESCRIPTOR, LiveMap } from './live-map.ts';

export const BPF_RB_AVAIL_DATA = 0;
export const BPF_RB_RING_SIZE = 1;
export const BPF_RB_CONS_POS = 2;
export const BPF_RB_PROD_POS = 3;

export const RINGBUF_HEADER = 8;
const BUSY = 0x8000_0000;
const DISCARDED = 0x4000_0000;
export const LENGTH_MASK = 0x3fff_ffff;

export class RingBufferMap extends LiveMap {
  readonly storage: number;
  /** Bytes of the ring. */
  readonly size: number;

  constructor(memory: LinearMemory, source: BpfMap, index: number, typeNumber: number) {
    super(memory, source, index, typeNumber);
    this.size = source.maxEntries;
    this.storage = memory.allocate(this.size);
    this.setWord(DESCRIPTOR.storage, this.storage);
  }

  /** Address of a fresh sample of `size` bytes, or 0 when it does not fit. */
  reserve(size: number): number {
    if (size > LENGTH_MASK) return 0;
    const length = roundUp8(size + RINGBUF_HEADER);
    const producer = this.word(DESCRIPTOR.newest);
    if (length > this.size || producer + length - this.word(DESCRIPTOR.oldest) > this.size - 1) return 0;
    const header = this.storage + producer;
    this.memory.setU32(header, (size | BUSY) >>> 0);
    this.memory.setU32(header + 4, 0);
    this.setWord(DESCRIPTOR.newest, producer + length);
    return header + RINGBUF_HEADER;
  }

  /**
   * What `bpf_ringbuf_reserve` gives: `reserve`, and in the sample whatever a world says of bytes that nobody wrote, since the
   * kernel does not clear it. Where the world says nothing, what was there stays.
   */
  reserveFor({ stackFill }: Pick<World, 'stackFill'>, size: number): number {
    const sample = this.reserve(size);
    if (sample === 0 || stackFill === undefined) return sample;
    const { u8 } = this.memory;
    for (let at = sample; at < sample + size; at++) u8[at] = unwrittenByte({ stackFill }, at);
    return sample;
  }

  /** Makes it what it is where user space has so much left unread: one record of so many bytes, header included. */
  occupy(bytes: number): void {
    if (bytes > 0) this.memory.setU32(this.storage, ((bytes - RINGBUF_HEADER) | DISCARDED) >>> 0);
    this.setWord(DESCRIPTOR.oldest, 0);
    this.setWord(DESCRIPTOR.newest, bytes);
  }

  /** Ends a reservation, at the address that `reserve` gave. */
  commit(sample: number, discard: boolean): void {
    const header = sample - RINGBUF_HEADER;
    const size = this.memory.u32(header) & LENGTH_MASK;
    this.memory.setU32(header, discard ? size | DISCARDED : size);
  }

  /** `bpf_ringbuf_output`. */
  output(data: number, size: number): number {
    const sample = this.reserve(size);
    if (sample === 0) return -EAGAIN;
    this.memory.u8.copyWithin(sample, data, data + size);
    this.commit(sample, false);
    return 0;
  }

  query(what: number): number {
    switch (what) {
      case BPF_RB_AVAIL_DATA:
        return this.word(DESCRIPTOR.newest) - this.word(DESCRIPTOR.oldest);
      case BPF_RB_RING_SIZE:
        return this.size;
      case BPF_RB_CONS_POS:
        return this.word(DESCRIPTOR.oldest);
      case BPF_RB_PROD_POS:
        return this.word(DESCRIPTOR.newest);
      default:
        return 0;
    }
  }

  /** Do these bytes lie wholly inside one sample that is still reserved? */
  holds(address: number, size: number): boolean {
    const end = this.storage + this.word(DESCRIPTOR.newest);
    for (let header = this.storage + this.word(DESCRIPTOR.oldest); header < end; ) {
      const word = this.memory.u32(header);
      const sample = header + RINGBUF_HEADER;
      const length = word & LENGTH_MASK;
      if ((word & BUSY) !== 0 && address >= sample && address + size <= sample + length) return true;
      header += roundUp8(length + RINGBUF_HEADER);
    }
    return false;
  }

  /** The samples that were submitted, oldest first. */
  *samples(): Iterable<Uint8Array> {
    const end = this.word(DESCRIPTOR.newest);
    for (let at = this.word(DESCRIPTOR.oldest); at < end; ) {
      const header = this.memory.u32(this.storage + at);
      const size = header & LENGTH_MASK;
      if ((header & (BUSY | DISCARDED)) === 0) {
        yield this.memory.read(this.storage + at + RINGBUF_HEADER, size);
      }
      at += roundUp8(size + RINGBUF_HEADER);
    }
  }

  override lookup(_key: number): number {
    return 0;
  }

  override update(_key: number, _value: number, _flags: number): number {
    return -EOPNOTSUPP;
  }

  override delete(_key: number): number {
    return -EOPNOTSUPP;
  }

  override clear(): void {
    this.setWord(DESCRIPTOR.oldest, 0);
    this.setWord(DESCRIPTOR.newest, 0);
  }

  override snapshot(): undefined {
    return undefined;
  }

  override load(_key: Uint8Array, _value: Uint8Array, _scratch: number): number {
    return -EINVAL;
  }
}
