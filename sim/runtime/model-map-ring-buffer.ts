/**
 * BPF_MAP_TYPE_RINGBUF (kernel/bpf/ringbuf.c), as far as a program can see it: whether a sample still fits. Nobody
 * consumes while a case runs, neither here nor in a test run, so that a ring runs full.
 */
import { EAGAIN } from './errno.ts';
import { BaseModelMap } from './model-map-base.ts';

/** Before each sample; both together are padded to a multiple of 8 (`BPF_RINGBUF_HDR_SZ`). */
const HEADER = 8;

export class RingBufferModelMap extends BaseModelMap {
  #used = 0;

  override output(sample: Uint8Array): number {
    const length = Math.ceil((sample.length + HEADER) / 8) * 8;
    // The producer must not catch up with the consumer: one byte stays free.
    if (this.#used + length > this.definition.maxEntries - 1) return -EAGAIN;
    this.#used += length;
    return 0;
  }
}
