/** Packets through loaded programs with `BPF_PROG_TEST_RUN`, one each or many: the hot loop of the engine `testrun`. */
import { refusalText } from '../../sim/engines/engine.ts';
import { type OutcomeBatch, STATUS } from '../../sim/engines/outcome-batch.ts';
import { DEFAULT_INGRESS_IFINDEX, type PacketBatch, type SkbInput } from '../../sim/packet/packet-batch.ts';
import type { Hook } from '../../sim/runtime/actions.ts';
import { SK_BUFF, TEST_RUN_OPTS, XDP_MD } from '../libbpf/layouts.ts';
import { addressOf, errnoName, type LoadedLibbpf, type Pointer, requireLibbpf } from '../libbpf/libbpf.ts';
import {
  CHUNK_ROOM,
  createPacketLoop,
  HARNESS_ERROR,
  type LoopMemory,
  type PacketLoop,
} from '../native/packet-loop.ts';
import { maxTestRunMetadata } from './availability.ts';
import { type Giver, givenByProgram } from './giver.ts';
import type { Harness } from './harness.ts';
import { FRAGS_ROOM, refusalReason, TC_ROOM, XDP_ROOM } from './limits.ts';
import { type FixedMemory, lowPage } from './syscalls.ts';
import type { TraceReader } from './trace.ts';

export interface RunnableEntry {
  readonly fd: number;
  readonly hook: Hook;
  /** See `ProgramEntry.after`: such an entry does not run here. */
  readonly after?: string | undefined;
  /** Does it take frames in several buffers? */
  readonly frags?: boolean | undefined;
  /** May the program change the metadata's length? Then the kernel has to be asked for it. */
  readonly changesMetadata: boolean;
  /** What gives a frame the fields that only a program can; undefined where this kernel does not take it. */
  readonly giver?: () => Giver | undefined;
}

const TWO_32 = 2 ** 32;
const EINVAL = 22;

/** Word indices in `struct bpf_test_run_opts`; pointers take two words, the low one first. */
const DATA_IN = TEST_RUN_OPTS.data_in / 4;
const DATA_OUT = TEST_RUN_OPTS.data_out / 4;
const DATA_SIZE_IN = TEST_RUN_OPTS.data_size_in / 4;
const DATA_SIZE_OUT = TEST_RUN_OPTS.data_size_out / 4;
const CTX_IN = TEST_RUN_OPTS.ctx_in / 4;
const CTX_OUT = TEST_RUN_OPTS.ctx_out / 4;
const CTX_SIZE_IN = TEST_RUN_OPTS.ctx_size_in / 4;
const CTX_SIZE_OUT = TEST_RUN_OPTS.ctx_size_out / 4;
const RETVAL = TEST_RUN_OPTS.retval / 4;

/** Where the two contexts lie in the memory behind the options. */
const CONTEXT_IN = 128;
const CONTEXT_OUT = 320;

/**
 * Holds the structures that the kernel reads and writes. They are filled in place, word by word: per packet there
 * is one call, and no object.
 */
export class PacketRunner {
  readonly #libbpf: LoadedLibbpf;
  readonly #memory: FixedMemory;
  readonly #address: Pointer;
  readonly #options: Uint32Array;
  readonly #contextIn: Uint32Array;
  readonly #contextOut: Uint32Array;
  readonly #loop: PacketLoop | null;

  /** @param loop null: every packet runs by a call of its own, as on machines without a built loop */
  constructor(loop: PacketLoop | null = createPacketLoop()) {
    this.#loop = loop;
    this.#libbpf = requireLibbpf();
    this.#memory = lowPage();
    const { address, buffer } = this.#memory;
    this.#address = address;
    this.#options = new Uint32Array(buffer, 0, TEST_RUN_OPTS.size / 4);
    this.#contextIn = new Uint32Array(buffer, CONTEXT_IN, SK_BUFF.size / 4);
    this.#contextOut = new Uint32Array(buffer, CONTEXT_OUT, SK_BUFF.size / 4);
    this.#options[TEST_RUN_OPTS.sz / 4] = TEST_RUN_OPTS.size;
    this.#options[TEST_RUN_OPTS.repeat / 4] = 1;
  }

  /** Can it make use of a harness? Only the compiled loop can. */
  get takesHarness(): boolean {
    return this.#loop !== null;
  }

  /**
   * Runs the batch in order into `output`, which is empty and has room for it.
   * @param harness with the one program in it
   */
  run(
    entries: readonly RunnableEntry[],
    input: PacketBatch,
    output: OutcomeBatch,
    trace: TraceReader | undefined,
    harness?: Harness,
  ): void {
    trace?.discard();
    const loop = this.#loop;
    const entry = entries[0]!;
    if (loop !== null && entries.length === 1 && trace === undefined && isPlain(entry, input)) {
      if (harness !== undefined) this.#runThrough(harness, loop, entry, input, output);
      if (!entry.changesMetadata) this.#runPlain(loop, entry, input, output);
    }
    this.#runAny(entries, input, output, trace, input.count);
  }

  /** Frames without metadata on the default device, as nearly all are, through a harness: all, if it does not fail. */
  #runThrough(
    harness: Harness,
    loop: PacketLoop,
    entry: RunnableEntry,
    input: PacketBatch,
    output: OutcomeBatch,
  ): void {
    blankOutcomes(output, input.count);
    while (output.count < input.count) {
      output.reserve(CHUNK_ROOM);
      loop.runThroughHarness(harness, memoryOf(input, output), input.count, output.count, output.used);
      output.count = loop.next;
      output.used = loop.used;
      if (loop.error === HARNESS_ERROR.failed) {
        harness.hasFailed = true;
        return;
      }
      if (loop.error === HARNESS_ERROR.takesNoSuchFrame)
        this.#runAny([entry], input, output, undefined, output.count + 1);
      else if (loop.error !== 0) this.#fault([entry], input, output, output.count, loop.error);
    }
  }

  /** The same by a call each. */
  #runPlain(loop: PacketLoop, entry: RunnableEntry, input: PacketBatch, output: OutcomeBatch): void {
    blankOutcomes(output, input.count);
    const room = roomFor(entry);
    while (output.count < input.count) {
      output.reserve(room);
      loop.run(entry.fd, memoryOf(input, output), room, input.count, output.count, output.used);
      output.count = loop.next;
      output.used = loop.used;
      if (loop.error !== 0) this.#fault([entry], input, output, output.count, loop.error);
    }
  }

  /** Runs packets `output.count` to `end`. */
  #runAny(
    entries: readonly RunnableEntry[],
    input: PacketBatch,
    output: OutcomeBatch,
    trace: TraceReader | undefined,
    end: number,
  ): void {
    if (output.count === end) return;
    const { testRun, koffi } = this.#libbpf;
    const address = this.#address;
    const options = this.#options;
    const contextOut = this.#contextOut;
    const { offset, length, metaLength, ingressIfindex, rxQueueIndex } = input;
    const inputBase = addressOf(input.bytes);
    let arena = output.bytes;
    let outputBase = addressOf(arena);
    for (let index = output.count; index < end; index++) {
      const entry = entries[input.entry[index]!];
      if (entry === undefined || entry.after !== undefined) {
        this.#fault(entries, input, output, index, EINVAL);
        continue;
      }
      const isXdp = entry.hook === 'xdp';
      const room = roomFor(entry);
      const at = output.reserve(room);
      if (output.bytes !== arena) {
        arena = output.bytes;
        outputBase = addressOf(arena);
      }
      const metaIn = metaLength[index]!;
      const from = inputBase + offset[index]! - metaIn;
      const to = outputBase + at;
      options[DATA_IN] = from;
      options[DATA_IN + 1] = from / TWO_32;
      options[DATA_OUT] = to;
      options[DATA_OUT + 1] = to / TWO_32;
      options[DATA_SIZE_IN] = metaIn + length[index]!;
      options[DATA_SIZE_OUT] = room;
      const withContext =
        !isXdp ||
        entry.changesMetadata ||
        metaIn !== 0 ||
        ingressIfindex[index] !== DEFAULT_INGRESS_IFINDEX ||
        rxQueueIndex[index] !== 0;
      if (withContext) this.#setContext(entry.hook, input, index);
      else if (options[CTX_SIZE_IN] !== 0) this.#dropContext();

      let fd = entry.fd;
      const given = isXdp || input.skb.size === 0 ? undefined : givenByProgram(input.skb.get(index));
      if (given !== undefined) {
        const giver = entry.giver?.();
        if (giver?.canGive(given) !== true) {
          const isTunnel = given.noSocket !== true && giver !== undefined;
          unseen(output, index, given.noSocket === true ? SOCKET : isTunnel ? NO_SUCH_TUNNEL : NO_FIELDS);
          continue;
        }
        giver.give(given);
        fd = giver.fd;
      }
      testRun(fd, address);

      // No packet fills the room: a size at or above it is the one put in, or one for which the room was too small.
      const size = options[DATA_SIZE_OUT]!;
      if (size >= room) {
        this.#fault(entries, input, output, index, koffi.errno());
      } else {
        // What comes out starts with the metadata, and the context counts from there.
        const metaOut = withContext && isXdp ? contextOut[XDP_MD.data / 4]! : 0;
        output.commit(options[RETVAL]! | 0, size - metaOut, metaOut);
        if (!isXdp) this.#takeSkbFields(output, index);
      }
      if (trace?.pending) takeLines(trace, output, index);
    }
  }

  /** Gives the memory back. */
  close(): void {
    this.#memory.release();
  }

  #setContext(hook: Hook, input: PacketBatch, index: number): void {
    const options = this.#options;
    const context = this.#contextIn;
    const ifindex = input.ingressIfindex[index]!;
    const contextIn = this.#address + CONTEXT_IN;
    const contextOut = this.#address + CONTEXT_OUT;
    const size = hook === 'xdp' ? XDP_MD.size : SK_BUFF.size;
    options[CTX_IN] = contextIn;
    options[CTX_IN + 1] = contextIn / TWO_32;
    options[CTX_OUT] = contextOut;
    options[CTX_OUT + 1] = contextOut / TWO_32;
    options[CTX_SIZE_IN] = size;
    options[CTX_SIZE_OUT] = size;
    // One memory serves both kinds, and the kernel refuses what it does not expect.
    context.fill(0);
    if (hook === 'xdp') {
      // `data = N` makes the first N bytes metadata.
      context[XDP_MD.data / 4] = input.metaLength[index]!;
      context[XDP_MD.data_end / 4] = input.metaLength[index]! + input.length[index]!;
      context[XDP_MD.ingress_ifindex / 4] = ifindex;
      context[XDP_MD.rx_queue_index / 4] = input.rxQueueIndex[index]!;
    } else {
      context[SK_BUFF.ifindex / 4] = ifindex;
      const skb = input.skb.size === 0 ? undefined : input.skb.get(index);
      context[SK_BUFF.ingress_ifindex / 4] = hook === 'tc-ingress' ? ifindex : (skb?.ingressIfindex ?? 0);
      if (skb !== undefined) setSkbInput(context, skb);
    }
  }

  #dropContext(): void {
    this.#options.fill(0, CTX_IN, CTX_SIZE_OUT + 1);
  }

  #takeSkbFields(output: OutcomeBatch, index: number): void {
    const context = this.#contextOut;
    output.mark[index] = context[SK_BUFF.mark / 4]!;
    output.priority[index] = context[SK_BUFF.priority / 4]!;
    for (let word = 0; word < 5; word++) output.cb[index * 5 + word] = context[SK_BUFF.cb / 4 + word]!;
    output.tstamp[index * 2] = context[SK_BUFF.tstamp / 4]!;
    output.tstamp[index * 2 + 1] = context[SK_BUFF.tstamp / 4 + 1]!;
  }

  #fault(
    entries: readonly RunnableEntry[],
    input: PacketBatch,
    output: OutcomeBatch,
    index: number,
    error: number,
  ): void {
    output.commit(0, 0);
    output.status[index] = STATUS.fault;
    const refusal = refusalReason(entries, input, index, { maxMetadata: maxTestRunMetadata() });
    const reason =
      (refusal === undefined ? undefined : refusalText(refusal)) ??
      REASONS[errnoName(error)]?.(input, index) ??
      'the kernel does not say why';
    output.notes.set(index, { message: `BPF_PROG_TEST_RUN: ${errnoName(error)}: ${reason}` });
  }
}

const NO_FIELDS =
  'this kernel gives frames in test runs no VLAN tag beside the bytes, queue, class, hash or tunnel';
const SOCKET = 'every frame of a test run has a socket';
const NO_SUCH_TUNNEL =
  'a test run gives a frame no tunnel with flags that only a device sets, and none to programs with bpf_skb_set_tunnel_opt';

/** The kernel does not let a program of ours run first, or that cannot give the frame all it has: nothing is known of this packet. */
function unseen(output: OutcomeBatch, index: number, message: string): void {
  output.commit(0, 0);
  output.status[index] = STATUS.unseen;
  output.notes.set(index, { message });
}

function setSkbInput(context: Uint32Array, input: SkbInput): void {
  context[SK_BUFF.mark / 4] = input.mark ?? 0;
  context[SK_BUFF.priority / 4] = input.priority ?? 0;
  for (let word = 0; word < 5; word++) context[SK_BUFF.cb / 4 + word] = input.cb?.[word] ?? 0;
  setWide(context, SK_BUFF.tstamp / 4, input.tstamp ?? 0n);
  context[SK_BUFF.wire_len / 4] = input.wireLen ?? 0;
  context[SK_BUFF.gso_segs / 4] = input.gsoSegs ?? 0;
  context[SK_BUFF.gso_size / 4] = input.gsoSize ?? 0;
  setWide(context, SK_BUFF.hwtstamp / 4, input.hwtstamp ?? 0n);
}

function setWide(words: Uint32Array, at: number, value: bigint): void {
  words[at] = Number(value & 0xffff_ffffn);
  words[at + 1] = Number((value >> 32n) & 0xffff_ffffn);
}

function roomFor({ hook, frags }: RunnableEntry): number {
  if (hook !== 'xdp') return TC_ROOM;
  return frags === true ? FRAGS_ROOM : XDP_ROOM;
}

/** Is every packet of the batch a frame alone, for an XDP program on the default device? */
function isPlain(entry: RunnableEntry, input: PacketBatch): boolean {
  if (entry.hook !== 'xdp') return false;
  const { count, entry: entries, metaLength, ingressIfindex, rxQueueIndex } = input;
  let odd = 0;
  for (let index = 0; index < count; index++) {
    odd |= entries[index]! | metaLength[index]! | rxQueueIndex[index]!;
    odd |= ingressIfindex[index]! ^ DEFAULT_INGRESS_IFINDEX;
  }
  return odd === 0;
}

function memoryOf(input: PacketBatch, output: OutcomeBatch): LoopMemory {
  return {
    input: input.bytes,
    offset: input.offset,
    length: input.length,
    output: output.bytes,
    outOffset: output.offset,
    outLength: output.length,
    outMetadata: output.metaLength,
    action: output.action,
  };
}

/** What `commit` does packet by packet, for all that are to come: everything but place, length and action. */
function blankOutcomes(output: OutcomeBatch, to: number): void {
  const from = output.count;
  output.metaLength.fill(0, from, to);
  output.status.fill(STATUS.ran, from, to);
  output.redirect.fill(0, from, to);
  output.mark.fill(0, from, to);
  output.priority.fill(0, from, to);
  output.cb.fill(0, from * 5, to * 5);
  output.tstamp.fill(0, from * 2, to * 2);
}

const REASONS: Readonly<Record<string, (input: PacketBatch, index: number) => string>> = {
  ENODEV: (input, index) => `there is no device with ifindex ${input.ingressIfindex[index]}`,
  ENOSPC: () => 'the packet that came out is longer than the room for it',
  ENOMEM: () => 'the kernel has no memory left',
  EINTR: () => 'a signal came in between',
};

function takeLines(trace: TraceReader, output: OutcomeBatch, index: number): void {
  const lines: string[] = [];
  const lost = trace.take(lines);
  if (lines.length > 0) output.trace.set(index, lines);
  if (lost > 0) {
    output.status[index] = STATUS.fault;
    output.notes.set(index, { message: `${lost} trace lines were lost: the packet's run printed too many` });
  }
}
