/**
 * The lines that a test run prints with `bpf_printk`, told apart from everybody else's.
 *
 * Since Linux 5.9 such a line is the trace event `bpf_trace:bpf_trace_printk`, and a perf event on it that
 * watches the calling thread alone sees exactly our lines, in order: a test run executes on the thread that asks
 * for it. The ring's head is looked at after each packet without a system call. Nothing outside the process is
 * changed, and the kernel removes it all with the process, however that ends.
 */
import { closeSync, openSync, readFileSync } from 'node:fs';
import { EngineError } from '../../sim/engines/engine.ts';
import { traceText } from '../../sim/runtime/trace-text.ts';
import { PERF_EVENT_ATTR, PERF_MMAP_PAGE } from '../libbpf/layouts.ts';
import { addressOf, requireLibbpf } from '../libbpf/libbpf.ts';
import { type Syscalls, syscalls } from './syscalls.ts';

const PERF_TYPE_TRACEPOINT = 2;
const PERF_SAMPLE_RAW = 1024;
const PERF_FLAG_FD_CLOEXEC = 8;
const PERF_RECORD_LOST = 2;
const PERF_RECORD_SAMPLE = 9;
/** `struct perf_event_header`: u32 type, u16 misc, u16 size. */
const RECORD_HEADER = 8;

const PROT_READ_WRITE = 3;
const MAP_SHARED = 1;
const PAGE = 4096;
/** A power of two; one packet's lines (at most 1 KiB each) have to fit. */
const RING_PAGES = 64;

/** `common_flags` of a trace event: set while an interrupt is served. Test runs are no part of one, foreign programs may be. */
const TRACE_FLAG_HARDIRQ = 0x08;
const TRACE_FLAG_SOFTIRQ = 0x10;
const COMMON_FLAGS = 2;

const SIZE = (RING_PAGES + 1) * PAGE;

/** Where the event lies in its raw record. */
interface TracePoint {
  readonly id: number;
  /** Of the `__data_loc` word of the printed string. */
  readonly stringAt: number;
}

let available: boolean | undefined;

/** Can lines be observed here (perf events, tracefs, the event itself)? Tried once per thread. */
export function canObserveTrace(): boolean {
  if (available === undefined) {
    try {
      new TraceReader().close();
      available = true;
    } catch {
      available = false;
    }
  }
  return available;
}

/** Belongs to the thread that made it. */
export class TraceReader {
  readonly #fd: number;
  readonly #address: number;
  readonly #stringAt: number;
  readonly #bytes: Uint8Array;
  readonly #words: Uint32Array;
  readonly #sys: Syscalls;
  /** Position of the next unread record, modulo 2^32 as the ring's size divides it. */
  #tail = 0;
  #open = true;

  /** @throws {EngineError} `environment`, where the event cannot be watched */
  constructor() {
    this.#sys = syscalls();
    const { koffi } = requireLibbpf();
    const point = tracePoint(this.#sys);
    this.#stringAt = point.stringAt;
    const attributes = new Uint8Array(PERF_EVENT_ATTR.size);
    const view = new DataView(attributes.buffer);
    view.setUint32(PERF_EVENT_ATTR.type, PERF_TYPE_TRACEPOINT, true);
    view.setUint32(PERF_EVENT_ATTR.size_of_attr, PERF_EVENT_ATTR.size, true);
    view.setBigUint64(PERF_EVENT_ATTR.config, BigInt(point.id), true);
    view.setBigUint64(PERF_EVENT_ATTR.sample_period, 1n, true);
    view.setBigUint64(PERF_EVENT_ATTR.sample_type, BigInt(PERF_SAMPLE_RAW), true);
    // This thread, on any CPU; nobody waits for it, so wake nobody up.
    view.setUint32(PERF_EVENT_ATTR.wakeup_events, 0x7fff_ffff, true);
    this.#fd = this.#sys.perfEventOpen(addressOf(attributes), 0, -1, -1, PERF_FLAG_FD_CLOEXEC);
    if (this.#fd < 0) throw unobservable(`perf_event_open failed (errno ${koffi.errno()})`);
    this.#address = this.#sys.mmap(0, SIZE, PROT_READ_WRITE, MAP_SHARED, this.#fd, 0);
    if (this.#address < 0) {
      this.#sys.close(this.#fd);
      throw unobservable(`the ring of a perf event cannot be mapped (errno ${koffi.errno()})`);
    }
    const ring = koffi.view(BigInt(this.#address), SIZE);
    this.#bytes = new Uint8Array(ring);
    this.#words = new Uint32Array(ring);
  }

  /** Has anything been printed since the last `take` or `discard`? Costs no system call. */
  get pending(): boolean {
    return this.#words[PERF_MMAP_PAGE.data_head / 4] !== this.#tail;
  }

  /** Forgets what has been printed so far. */
  discard(): void {
    this.#tail = this.#words[PERF_MMAP_PAGE.data_head / 4]!;
    this.#release();
  }

  /**
   * Appends the lines printed since the last call to `lines`, each without its newline.
   * @returns how many more were lost because the ring was full
   */
  take(lines: string[]): number {
    const head = this.#words[PERF_MMAP_PAGE.data_head / 4]!;
    let lost = 0;
    while (this.#tail !== head) {
      const record = this.#record(this.#tail);
      const view = new DataView(record.buffer, record.byteOffset, record.byteLength);
      const type = view.getUint32(0, true);
      // struct { header; u64 id; u64 lost; }
      if (type === PERF_RECORD_LOST) lost += view.getUint32(RECORD_HEADER + 8, true);
      if (type === PERF_RECORD_SAMPLE) {
        const line = this.#line(record, view);
        if (line !== undefined) lines.push(line);
      }
      this.#tail = (this.#tail + record.length) >>> 0;
    }
    this.#release();
    return lost;
  }

  close(): void {
    if (!this.#open) return;
    this.#open = false;
    this.#sys.munmap(this.#address, SIZE);
    this.#sys.close(this.#fd);
  }

  /** struct { header; u32 size; char raw[size]; }, the raw bytes being the trace event. */
  #line(record: Uint8Array, view: DataView): string | undefined {
    const raw = RECORD_HEADER + 4;
    if ((record[raw + COMMON_FLAGS]! & (TRACE_FLAG_HARDIRQ | TRACE_FLAG_SOFTIRQ)) !== 0) return undefined;
    // A __data_loc: offset in the low half, length with the final zero in the high half.
    const location = view.getUint32(raw + this.#stringAt, true);
    const start = raw + (location & 0xffff);
    const string = record.subarray(start, start + (location >>> 16));
    const end = string.indexOf(0);
    return traceText(end < 0 ? string : string.subarray(0, end)).replace(/\n+$/, '');
  }

  /** One record, a copy where it wraps around the ring's end. */
  #record(at: number): Uint8Array {
    const ringSize = RING_PAGES * PAGE;
    const start = at % ringSize;
    // Records are multiples of 8 bytes: the header never wraps.
    const size = this.#bytes[PAGE + start + 6]! | (this.#bytes[PAGE + start + 7]! << 8);
    if (start + size <= ringSize) return this.#bytes.subarray(PAGE + start, PAGE + start + size);
    const copy = new Uint8Array(size);
    const first = ringSize - start;
    copy.set(this.#bytes.subarray(PAGE + start, PAGE + ringSize));
    copy.set(this.#bytes.subarray(PAGE, PAGE + size - first), first);
    return copy;
  }

  /** Gives the room up to `#tail` back to the kernel, which compares 64 bits: the high half is the head's. */
  #release(): void {
    const head = PERF_MMAP_PAGE.data_head / 4;
    const tail = PERF_MMAP_PAGE.data_tail / 4;
    this.#words[tail + 1] = this.#words[head + 1]!;
    this.#words[tail] = this.#tail;
  }
}

let point: TracePoint | undefined;

function tracePoint(sys: Syscalls): TracePoint {
  point ??= readTracePoint(sys);
  return point;
}

const EVENT = 'events/bpf_trace/bpf_trace_printk/format';

function readTracePoint(sys: Syscalls): TracePoint {
  let format: string | undefined;
  for (const root of ['/sys/kernel/tracing', '/sys/kernel/debug/tracing']) {
    format ??= readIfThere(`${root}/${EVENT}`);
  }
  format ??= readFromOwnMount(sys);
  if (format === undefined) throw unobservable('tracefs cannot be read');
  const id = /^ID: (\d+)$/m.exec(format)?.[1];
  const stringAt = /__data_loc char\[\] bpf_string;\s*offset:(\d+);/.exec(format)?.[1];
  if (id === undefined || stringAt === undefined) throw unobservable('the trace event has another format');
  return { id: Number(id), stringAt: Number(stringAt) };
}

/** A mount that stands nowhere in the file tree: only its descriptor knows it, and it ends with that. */
function readFromOwnMount(sys: Syscalls): string | undefined {
  const mount = sys.mountDetached('tracefs');
  if (mount < 0) return undefined;
  try {
    return readIfThere(`/proc/thread-self/fd/${mount}/${EVENT}`);
  } finally {
    sys.close(mount);
  }
}

function readIfThere(path: string): string | undefined {
  try {
    const fd = openSync(path, 'r');
    try {
      return readFileSync(fd, 'latin1');
    } finally {
      closeSync(fd);
    }
  } catch {
    return undefined;
  }
}

function unobservable(reason: string): EngineError {
  return new EngineError('environment', `trace lines cannot be observed: ${reason}`, {
    remedy: 'run as root on Linux 5.9 or later with perf events and tracefs',
  });
}
