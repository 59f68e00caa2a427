/** One loaded object and its world, run packet by packet with `BPF_PROG_TEST_RUN`. */
import { EngineError, type Session } from '../sim/engines/engine.ts';
import { type OutcomeBatch, STATUS } from '../sim/engines/outcome-batch.ts';
import { DEFAULT_INGRESS_IFINDEX, type PacketBatch } from '../sim/packet/packet-batch.ts';
import type { Hook } from '../sim/runtime/actions.ts';
import type { MapSnapshot } from '../sim/runtime/maps.ts';
import type { Program } from '../sim/runtime/program.ts';
import type { World } from '../sim/runtime/world.ts';
import { addressOf, errnoName, type Libbpf, type Pointer, requireLibbpf } from './libbpf.ts';
import { SK_BUFF, TEST_RUN_OPTS, XDP_MD } from './libbpf-layouts.ts';
import { BpfObject } from './libbpf-object.ts';
import { maxTestRunMetadata } from './testrun-kernel.ts';
import { refusalReason, TC_ROOM, XDP_ROOM } from './testrun-limits.ts';
import { syscalls } from './testrun-syscalls.ts';
import { canObserveTrace, TraceReader } from './testrun-trace.ts';
import type { WorldNetwork } from './world-network.ts';

/** Numbers of helpers (linux/bpf.h) that decide what has to be asked of the kernel beside the packet. */
const HELPER = {
  trace_printk: 6,
  get_smp_processor_id: 8,
  tail_call: 12,
  xdp_adjust_meta: 54,
  trace_vprintk: 177,
};

const TWO_32 = 2 ** 32;

/** Word indices in `bpf_test_run_opts`. */
const OPT = {
  data_in: TEST_RUN_OPTS.data_in / 4,
  data_out: TEST_RUN_OPTS.data_out / 4,
  data_size_in: TEST_RUN_OPTS.data_size_in / 4,
  data_size_out: TEST_RUN_OPTS.data_size_out / 4,
  ctx_in: TEST_RUN_OPTS.ctx_in / 4,
  ctx_out: TEST_RUN_OPTS.ctx_out / 4,
  ctx_size_in: TEST_RUN_OPTS.ctx_size_in / 4,
  ctx_size_out: TEST_RUN_OPTS.ctx_size_out / 4,
  retval: TEST_RUN_OPTS.retval / 4,
} as const;

interface Entry {
  readonly fd: number;
  readonly hook: Hook;
  /** May the program change the metadata's length? Then the kernel has to be asked for it. */
  readonly changesMetadata: boolean;
}

export class TestRunSession implements Session {
  readonly #program: Program;
  readonly #world: World;
  readonly #network: WorldNetwork | undefined;
  readonly #run: Libbpf['bpf_prog_test_run_opts'];
  /** `struct bpf_test_run_opts`, the contexts that it points to, and all of it as words. */
  readonly #memory = new Uint8Array(512);
  readonly #options = new Uint32Array(this.#memory.buffer, 0, TEST_RUN_OPTS.size / 4);
  readonly #contextIn = new Uint32Array(this.#memory.buffer, 128, SK_BUFF.size / 4);
  readonly #contextOut = new Uint32Array(this.#memory.buffer, 320, SK_BUFF.size / 4);
  readonly #address: Pointer;
  #object: BpfObject;
  #entries: readonly Entry[] = [];
  #trace: TraceReader | undefined;
  #cpu: number | undefined;
  #open = true;

  /** @throws {EngineError} when the object or the world cannot be loaded; `network` then stays open */
  constructor(program: Program, world: World, network: WorldNetwork | undefined) {
    this.#program = program;
    this.#world = world;
    this.#network = network;
    this.#run = requireLibbpf().bpf.bpf_prog_test_run_opts;
    this.#address = addressOf(this.#memory);
    this.#options[TEST_RUN_OPTS.sz / 4] = TEST_RUN_OPTS.size;
    this.#options[TEST_RUN_OPTS.repeat / 4] = 1;
    this.#object = this.#load();
    try {
      if (this.#shouldTrace()) this.#trace = new TraceReader();
    } catch (error) {
      this.#object.close();
      throw error;
    }
  }

  async run(input: PacketBatch, output: OutcomeBatch): Promise<void> {
    if (!this.#open) throw new Error('the session is closed');
    if (input.count > output.capacity) {
      throw new RangeError(`${input.count} packets do not fit into a batch of ${output.capacity} outcomes`);
    }
    output.clear();
    this.#onItsCpu(() => this.#inNetwork(() => this.#runBatch(input, output)));
  }

  maps(): MapSnapshot[] {
    return this.#object.maps.filter((map) => map.readable).map((map) => map.snapshot());
  }

  async reset(): Promise<void> {
    if (this.#object.maps.every((map) => map.restorable)) {
      this.#inNetwork(() => {
        for (const map of this.#object.maps) map.restore(this.#world.maps?.[map.name] ?? []);
      });
    } else {
      this.#object.close();
      this.#object = this.#load();
    }
    this.#trace?.discard();
  }

  async close(): Promise<void> {
    if (!this.#open) return;
    this.#open = false;
    this.#trace?.close();
    this.#object.close();
    this.#network?.close();
  }

  #load(): BpfObject {
    const { name, entries, object, objectPath } = this.#program;
    const file = objectPath ?? name;
    if (object === undefined) throw new EngineError('input', `${name} has no compiled object to run`);
    const loaded = new BpfObject(object, { name, file, entries, globals: this.#world.globals ?? {} });
    try {
      this.#inNetwork(() => fillMaps(loaded, this.#world, file));
    } catch (error) {
      loaded.close();
      throw error;
    }
    this.#entries = loaded.programs.map(({ fd, hook, helpers }) => ({
      fd,
      hook,
      // What a tail call leads to is another program's business, and may be this.
      changesMetadata: helpers.has(HELPER.xdp_adjust_meta) || helpers.has(HELPER.tail_call),
    }));
    const asksForCpu = loaded.programs.some(({ helpers }) => helpers.has(HELPER.get_smp_processor_id));
    this.#cpu = this.#world.cpu ?? (asksForCpu ? 0 : undefined);
    return loaded;
  }

  /** A program with a definition says itself whether its lines are part of its outcome. */
  #shouldTrace(): boolean {
    const { definition } = this.#program;
    const prints =
      definition === undefined
        ? this.#object.programs.some(
            ({ helpers }) => helpers.has(HELPER.trace_printk) || helpers.has(HELPER.trace_vprintk),
          )
        : definition.traces === true;
    return prints && canObserveTrace();
  }

  #inNetwork<T>(fn: () => T): T {
    return this.#network === undefined ? fn() : this.#network.enter(fn);
  }

  #onItsCpu(fn: () => void): void {
    if (this.#cpu === undefined) {
      fn();
      return;
    }
    const sys = syscalls();
    const before = sys.affinity();
    const only = new Uint8Array(before.length);
    only[this.#cpu >> 3] = 1 << (this.#cpu & 7);
    sys.setAffinity(only);
    try {
      fn();
    } finally {
      sys.setAffinity(before);
    }
  }

  /** The hot loop: per packet one call and no object. */
  #runBatch(input: PacketBatch, output: OutcomeBatch): void {
    const options = this.#options;
    const contextOut = this.#contextOut;
    const entries = this.#entries;
    const run = this.#run;
    const trace = this.#trace;
    const inputBase = addressOf(input.bytes);
    let arena = output.bytes;
    let outputBase = addressOf(arena);
    trace?.discard();
    for (let index = 0; index < input.count; index++) {
      const entry = entries[input.entry[index]!];
      if (entry === undefined) {
        this.#fault(input, output, index, -22);
        continue;
      }
      const isXdp = entry.hook === 'xdp';
      const room = isXdp ? XDP_ROOM : TC_ROOM;
      const metaLength = input.metaLength[index]!;
      const length = input.length[index]!;
      const at = output.reserve(room);
      if (output.bytes !== arena) {
        arena = output.bytes;
        outputBase = addressOf(arena);
      }
      const from = inputBase + input.offset[index]! - metaLength;
      const to = outputBase + at;
      options[OPT.data_in] = from;
      options[OPT.data_in + 1] = from / TWO_32;
      options[OPT.data_out] = to;
      options[OPT.data_out + 1] = to / TWO_32;
      options[OPT.data_size_in] = metaLength + length;
      options[OPT.data_size_out] = room;
      const withContext =
        !isXdp ||
        entry.changesMetadata ||
        metaLength !== 0 ||
        input.ingressIfindex[index] !== DEFAULT_INGRESS_IFINDEX ||
        input.rxQueueIndex[index] !== 0;
      if (!isXdp) this.#skbContext(input, index, entry.hook);
      else if (withContext) this.#xdpContext(input, index);
      else if (options[OPT.ctx_size_in] !== 0) this.#noContext();

      const result = run(entry.fd, this.#address);
      if (result !== 0) {
        this.#fault(input, output, index, result);
      } else {
        const size = options[OPT.data_size_out]!;
        const metaOut = withContext && isXdp ? contextOut[XDP_MD.data / 4]! : 0;
        output.commit(options[OPT.retval]! | 0, size - metaOut, metaOut);
        if (!isXdp) {
          output.mark[index] = contextOut[SK_BUFF.mark / 4]!;
          output.priority[index] = contextOut[SK_BUFF.priority / 4]!;
          for (let word = 0; word < 5; word++) {
            output.cb[index * 5 + word] = contextOut[SK_BUFF.cb / 4 + word]!;
          }
        }
      }
      if (trace?.pending) this.#takeLines(trace, output, index);
    }
  }

  #noContext(): void {
    const options = this.#options;
    options[OPT.ctx_in] = 0;
    options[OPT.ctx_in + 1] = 0;
    options[OPT.ctx_out] = 0;
    options[OPT.ctx_out + 1] = 0;
    options[OPT.ctx_size_in] = 0;
    options[OPT.ctx_size_out] = 0;
  }

  #pointToContexts(size: number): void {
    const options = this.#options;
    const contextIn = this.#address + this.#contextIn.byteOffset;
    const contextOut = this.#address + this.#contextOut.byteOffset;
    options[OPT.ctx_in] = contextIn;
    options[OPT.ctx_in + 1] = contextIn / TWO_32;
    options[OPT.ctx_out] = contextOut;
    options[OPT.ctx_out + 1] = contextOut / TWO_32;
    options[OPT.ctx_size_in] = size;
    options[OPT.ctx_size_out] = size;
  }

  /** `data = N` makes the first N bytes metadata; offsets count from the start of the input. */
  #xdpContext(input: PacketBatch, index: number): void {
    this.#pointToContexts(XDP_MD.size);
    const context = this.#contextIn;
    const metaLength = input.metaLength[index]!;
    context[XDP_MD.data / 4] = metaLength;
    context[XDP_MD.data_end / 4] = metaLength + input.length[index]!;
    context[XDP_MD.data_meta / 4] = 0;
    context[XDP_MD.ingress_ifindex / 4] = input.ingressIfindex[index]!;
    context[XDP_MD.rx_queue_index / 4] = input.rxQueueIndex[index]!;
  }

  /** A frame on its way out never came in: at egress `ingress_ifindex` stays 0. */
  #skbContext(input: PacketBatch, index: number, hook: Hook): void {
    this.#pointToContexts(SK_BUFF.size);
    const context = this.#contextIn;
    const ifindex = input.ingressIfindex[index]!;
    context[SK_BUFF.ifindex / 4] = ifindex;
    context[SK_BUFF.ingress_ifindex / 4] = hook === 'tc-ingress' ? ifindex : 0;
  }

  #takeLines(trace: TraceReader, output: OutcomeBatch, index: number): void {
    const lines: string[] = [];
    const lost = trace.take(lines);
    if (lines.length > 0) output.trace.set(index, lines);
    if (lost > 0) {
      output.status[index] = STATUS.fault;
      output.notes.set(index, {
        message: `${lost} trace lines of this packet were lost: it prints too many`,
      });
    }
  }

  #fault(input: PacketBatch, output: OutcomeBatch, index: number, error: number): void {
    output.commit(0, 0);
    output.status[index] = STATUS.fault;
    const hooks = this.#entries.map((entry) => entry.hook);
    const reason =
      refusalReason(hooks, input, index, { maxMetadata: maxTestRunMetadata() }) ??
      ERRORS[errnoName(error)]?.(input, index) ??
      'no reason is known';
    output.notes.set(index, { message: `BPF_PROG_TEST_RUN: ${errnoName(error)}: ${reason}` });
  }
}

const ERRORS: Readonly<Record<string, (input: PacketBatch, index: number) => string>> = {
  ENODEV: (input, index) => `there is no device with ifindex ${input.ingressIfindex[index]}`,
  ENOSPC: () => 'the packet that came out is longer than the room for it',
  ENOMEM: () => 'the kernel has no memory left',
  EINTR: () => 'a signal came in between',
};

/** @throws {EngineError} `input`, where the world names a map that the object lacks, or an entry does not fit */
export function fillMaps(object: BpfObject, world: World, file: string): void {
  for (const [name, entries] of Object.entries(world.maps ?? {})) {
    const map = object.map(name);
    if (map === undefined) {
      const known = object.maps.length === 0 ? 'none' : object.maps.map((one) => one.name).join(', ');
      throw new EngineError(
        'input',
        `the world fills a map ${name} that ${file} does not have (it has ${known})`,
      );
    }
    map.fill(entries);
  }
}
